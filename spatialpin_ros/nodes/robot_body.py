# SPDX-License-Identifier: Apache-2.0
"""Where the robot was when a picture was taken, from its description and joint states."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.conversions import seconds
from spatialpin_ros.errors import SpatialPinError
from spatialpin_ros.nodes.qos import LATCHED, SENSOR
from spatialpin_ros.robot_body import RobotBody

if TYPE_CHECKING:
    from spatialpin_ros.planning.body import BodyPoser

HISTORY = 400
STALE_S = 2.0
QUIET_S = 60.0
FOLLOWING_STATE_S = 0.15
CLOCKS_DISAGREE_S = 5.0


class RobotBodySource:
    """Listens to joint states and robot_description; `at` and `prepare` belong to one worker's thread.

    Args:
        node: that listens.
        robot: whose joints; its URDF is taken until a robot_description comes.
        description_topic: URDF as a latched string.
    """

    def __init__(self, node: Node, robot: RobotConfig, description_topic: str) -> None:
        self._node, self._robot = node, robot
        self._lock = threading.Condition()
        self._positions: dict[str, float] = {}
        self._history: deque[tuple[float, dict[str, float]]] = deque(maxlen=HISTORY)
        self._arrived_s = -float("inf")
        self._urdf: str | None = None
        self._used: str | None = None
        self._poser: BodyPoser | None = None
        self._failed = False
        group = ReentrantCallbackGroup()
        joints = robot.controllers.joint_states
        node.create_subscription(JointState, joints, self._receive, SENSOR, callback_group=group)
        node.create_subscription(String, description_topic, self._describe, LATCHED, callback_group=group)

    def _receive(self, message: JointState) -> None:
        # Several publishers may each send a part of the joints, as arm and gripper drivers do.
        with self._lock:
            self._positions.update(zip(message.name, message.position, strict=False))
            if set(self._robot.joints) <= set(message.name):
                self._history.append((seconds(message.header.stamp), dict(self._positions)))
                self._arrived_s = time.monotonic()
                self._lock.notify_all()

    def _describe(self, message: String) -> None:
        with self._lock:
            self._urdf = message.data

    def prepare(self) -> None:
        """Load the robot's model, which takes a moment; a description that cannot be used is told once."""
        # Only here: the libraries behind it take seconds to import.
        from spatialpin_ros.planning.body import BodyPoser
        from spatialpin_ros.planning.robot_model import RobotModel

        with self._lock:
            urdf = self._urdf
        if (self._poser is not None or self._failed) and urdf == self._used:
            return
        self._used = urdf
        try:
            self._poser, self._failed = BodyPoser(RobotModel(self._robot, urdf)), False
        except SpatialPinError as error:
            self._poser, self._failed = None, True
            self._node.get_logger().warning(f"the robot itself is not left out of scenes: {error}")

    def _passed(self, stamp_s: float) -> bool:
        """Whether the states reach beyond a stamp, or are of another clock, so that it cannot be told."""
        if not self._history:
            return True
        newest_s = self._history[-1][0]
        return newest_s >= stamp_s or stamp_s - newest_s > CLOCKS_DISAGREE_S

    def at(self, stamp_s: float) -> RobotBody | None:
        """The robot's body nearest in time to a stamp; None, with a warning, where nothing is known of it."""
        self.prepare()
        if self._poser is None:
            return None
        with self._lock:
            # The arm may move: a state from after the exposure is worth a short wait.
            self._lock.wait_for(lambda: self._passed(stamp_s), FOLLOWING_STATE_S)
            fresh = time.monotonic() - self._arrived_s < STALE_S
            nearest = min(self._history, key=lambda entry: abs(entry[0] - stamp_s), default=None)
        if nearest is None or not fresh:
            self._node.get_logger().warning(
                f"the robot itself is not left out of scenes: no joint states on "
                f"{self._robot.controllers.joint_states} in the last {STALE_S:.0f} s",
                throttle_duration_sec=QUIET_S,
            )
            return None
        return self._poser.at(nearest[1])
