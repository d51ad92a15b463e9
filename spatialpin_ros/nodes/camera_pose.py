# SPDX-License-Identifier: Apache-2.0
"""Where the camera was: from TF where tf2_ros is installed and knows it, else from its YAML and the arm's joints."""

from __future__ import annotations

from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from spatialpin_ros.config import CameraConfig
from spatialpin_ros.conversions import pose_from_transform_msg, seconds
from spatialpin_ros.errors import CameraFrameError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.nodes.robot_body import RobotBodySource

SOURCES = ("auto", "tf", "config")
FOLLOWING_TF_S = 0.5


class CameraPose:
    """Looks up base_T_camera at the moment of a picture.

    Args:
        source: "tf", "config", or "auto": TF where it knows the camera, else the YAML with a warning when TF was
            expected to.
        robot: tells where the link is that carries a camera on the arm; None: only TF can.

    Raises:
        CameraFrameError: when source is "tf" and tf2_ros is not installed.
    """

    def __init__(
        self, node: Node, camera: CameraConfig, source: str, robot: RobotBodySource | None = None
    ) -> None:
        self._node, self._camera, self._source, self._robot = node, camera, source, robot
        self._buffer: Any = None
        self._errors: tuple[type[Exception], ...] = ()
        if source != "config":
            self._listen()

    def _listen(self) -> None:
        try:
            import tf2_ros
        except ImportError as error:
            if self._source == "tf":
                raise CameraFrameError(
                    "pose_source is tf, but tf2_ros is not installed; install ros-<distro>-tf2-ros-py or use config"
                ) from error
            return
        self._buffer = tf2_ros.Buffer()
        self._too_late: type[Exception] = tf2_ros.ExtrapolationException
        self._errors = (tf2_ros.LookupException, tf2_ros.ConnectivityException, self._too_late)
        self._listener = tf2_ros.TransformListener(self._buffer, self._node)

    def lookup(self, header: Header) -> Pose:
        """Return the pose that the optical frame had in the base frame; may wait, so not on an executor's thread.

        Args:
            header: of the picture: its stamp and optical frame.

        Raises:
            CameraFrameError: when source is "tf" and TF does not connect the frames, or when nothing tells where the
                link is that carries the camera.
        """
        if self._buffer is None:
            return self._from_config(header)
        try:
            return self._from_tf(header)
        except self._errors as error:
            if self._source == "tf":
                raise CameraFrameError(
                    f"TF does not connect {self._camera.base_frame} and {header.frame_id}: {error}; publish the "
                    f"camera's calibration with static_transform_publisher, from {self._camera.parent_frame}, or set "
                    "pose_source to config"
                ) from error
            self._node.get_logger().warning(
                f"TF does not know {header.frame_id}: the pose of camera '{self._camera.name}' in its YAML is used",
                throttle_duration_sec=60.0,
            )
            return self._from_config(header)

    def _from_tf(self, header: Header) -> Pose:
        stamp = Time.from_msg(header.stamp)
        try:
            return self._transform(header.frame_id, stamp)
        except self._too_late:
            try:
                # The transforms from after the picture may be on their way.
                return self._transform(header.frame_id, stamp, FOLLOWING_TF_S)
            except self._too_late:
                if self._camera.on_arm:
                    raise
                # It stands still, and whoever publishes it has another clock.
                return self._transform(header.frame_id, Time())

    def _transform(self, frame: str, stamp: Time, wait_s: float = 0.0) -> Pose:
        base, wait = self._camera.base_frame, Duration(seconds=wait_s)
        return pose_from_transform_msg(self._buffer.lookup_transform(base, frame, stamp, wait))

    def _from_config(self, header: Header) -> Pose:
        camera = self._camera
        if not camera.on_arm:
            return camera.base_T_camera
        if self._robot is None:
            raise CameraFrameError(
                f"camera '{camera.name}' moves with {camera.parent_frame}, and nothing tells where that is: publish it "
                "on TF, or give the scene node the robot whose base frame is the camera's"
            )
        return self._robot.link_at(camera.parent_frame, seconds(header.stamp)) @ camera.parent_T_camera
