# SPDX-License-Identifier: Apache-2.0
"""The newest joint states of an arm and its gripper, and how old they are by the wall clock."""

from __future__ import annotations

import threading
import time

import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import JointState

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.config import RobotConfig
from spatialpin_ros.execution import StaleJointStatesError
from spatialpin_ros.nodes.qos import SENSOR


class JointStateMonitor:
    """Subscribes to the joint states; may be read from any thread.

    Ages are measured by the wall clock, because simulated time stands still when the simulator is gone.
    """

    def __init__(self, node: Node, robot: RobotConfig, timeout_s: float) -> None:
        self._robot, self._timeout_s = robot, timeout_s
        self._lock = threading.Lock()
        self._positions: dict[str, float] = {}
        self._velocities: dict[str, float] = {}
        self._arrived_s = -np.inf
        self._arrived = threading.Event()
        self.topic = robot.controllers.joint_states
        group = ReentrantCallbackGroup()
        node.create_subscription(JointState, self.topic, self._receive, SENSOR, callback_group=group)

    def _receive(self, message: JointState) -> None:
        # Several publishers may each send a part of the joints, as arm and gripper drivers do.
        with self._lock:
            self._positions.update(zip(message.name, message.position, strict=False))
            self._velocities.update(zip(message.name, message.velocity, strict=False))
            if set(self._robot.joints) <= set(message.name):
                self._arrived_s = time.monotonic()
                self._arrived.set()

    @property
    def age_s(self) -> float:
        """Wall time since the arm's joints were last heard of [s]; infinite when never."""
        return time.monotonic() - self._arrived_s

    @property
    def stale(self) -> bool:
        return self.age_s > self._timeout_s

    def positions(self) -> FloatArray:
        """Return the (D,) positions of the planning group [rad]; on a worker's thread, as the first may take a moment.

        Raises:
            StaleJointStatesError: when they are unknown or too old.
        """
        self._arrived.wait(self._timeout_s)
        if self.stale:
            age = "never came" if np.isinf(self.age_s) else f"are {self.age_s:.1f} s old"
            raise StaleJointStatesError(
                f"joint states on {self.topic} {age} (allowed {self._timeout_s:.1f} s); are the arm's driver and "
                "joint_state_broadcaster running?"
            )
        with self._lock:
            return np.array([self._positions[name] for name in self._robot.joints])

    def fastest(self) -> float:
        """Largest joint speed of the planning group [rad/s]; 0 where the driver does not publish velocities."""
        with self._lock:
            return max(abs(self._velocities.get(name, 0.0)) for name in self._robot.joints)

    def gripper_width(self) -> float | None:
        """Opening between the pads [m], or None when the gripper's joints are not published."""
        gripper = self._robot.gripper
        with self._lock:
            known = [self._positions[name] for name in gripper.joints if name in self._positions]
        if len(known) != len(gripper.joints):
            return None
        return float(np.mean(known)) / gripper.joint_position_per_width
