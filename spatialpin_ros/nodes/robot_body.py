# SPDX-License-Identifier: Apache-2.0
"""Where the robot and its links were when a picture was taken, from its description and joint states."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.conversions import seconds
from spatialpin_ros.errors import CameraFrameError, SpatialPinError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.nodes.joint_history import JointHistory
from spatialpin_ros.nodes.qos import LATCHED, SENSOR
from spatialpin_ros.robot_body import RobotBody

if TYPE_CHECKING:
    from spatialpin_ros.planning.body import BodyPoser

STALE_S = 2.0
QUIET_S = 60.0
FOLLOWING_STATE_S = 0.15
LONGEST_LAG_S = 1.0
FAR_FROM_STATE_S = 0.1


class RobotBodySource:
    """Listens to joint states and robot_description; all but the constructor belongs to one worker's thread.

    Args:
        node: that listens.
        robot: whose joints; its URDF is taken until a robot_description comes.
        description_topic: URDF as a latched string.
    """

    def __init__(self, node: Node, robot: RobotConfig, description_topic: str) -> None:
        self._node, self._robot = node, robot
        self._lock = threading.Lock()
        self._history = JointHistory(robot.joints)
        self._urdf: str | None = None
        self._used: str | None = None
        self._poser: BodyPoser | None = None
        self._problem = ""
        group = ReentrantCallbackGroup()
        joints = robot.controllers.joint_states
        node.create_subscription(JointState, joints, self._receive, SENSOR, callback_group=group)
        node.create_subscription(String, description_topic, self._describe, LATCHED, callback_group=group)

    def _receive(self, message: JointState) -> None:
        positions = dict(zip(message.name, message.position, strict=False))
        self._history.add(seconds(message.header.stamp), positions)

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
        if (self._poser is not None or self._problem) and urdf == self._used:
            return
        self._used = urdf
        try:
            self._poser, self._problem = BodyPoser(RobotModel(self._robot, urdf)), ""
        except SpatialPinError as error:
            self._poser, self._problem = None, str(error)
            self._node.get_logger().warning(f"the robot itself is not left out of scenes: {error}")

    def at(self, stamp_s: float) -> RobotBody | None:
        """The robot's body at a stamp; None, with a warning, where nothing is known of it."""
        self.prepare()
        if self._poser is None:
            return None
        joints = self._history.at(stamp_s, FOLLOWING_STATE_S)
        if joints is None or self._history.silent_s > STALE_S:
            self._node.get_logger().warning(
                f"the robot itself is not left out of scenes: {self._silence()}",
                throttle_duration_sec=QUIET_S,
            )
            return None
        return self._poser.at(joints.positions)

    def link_at(self, link: str, stamp_s: float) -> Pose:
        """Pose of a link's frame in the base frame at a stamp.

        Raises:
            CameraFrameError: when the model or the joints of that moment are not known; says what to do.
        """
        self.prepare()
        if self._poser is None:
            raise CameraFrameError(f"where {link} is cannot be told: {self._problem}")
        joints = self._history.at(stamp_s, LONGEST_LAG_S)
        if joints is None or self._history.silent_s > STALE_S:
            raise CameraFrameError(f"where {link} is cannot be told: {self._silence()}")
        if joints.apart_s > FAR_FROM_STATE_S:
            raise CameraFrameError(
                f"where {link} was cannot be told: the image's stamp and the nearest of "
                f"{self._robot.controllers.joint_states} are {joints.apart_s:.2f} s apart; let camera and robot stamp "
                "by one clock"
            )
        return self._poser.link(link, joints.positions)

    def _silence(self) -> str:
        return f"no joint states on {self._robot.controllers.joint_states} in the last {STALE_S:.0f} s"
