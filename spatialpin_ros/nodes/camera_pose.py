# SPDX-License-Identifier: Apache-2.0
"""Where the camera is: from TF where tf2_ros is installed and knows it, else from the camera's YAML."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.time import Time

from spatialpin_ros.config import CameraConfig
from spatialpin_ros.conversions import pose_from_transform_msg
from spatialpin_ros.errors import CameraFrameError
from spatialpin_ros.geometry import Pose

SOURCES = ("auto", "tf", "config")


class CameraPose:
    """Looks up base_T_camera.

    Args:
        source: "tf", "config", or "auto": TF where it knows the camera, else the YAML with a warning when TF was
            expected to.

    Raises:
        CameraFrameError: when source is "tf" and tf2_ros is not installed.
    """

    def __init__(self, node: Node, camera: CameraConfig, source: str) -> None:
        self._node, self._camera, self._source = node, camera, source
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
        self._errors = (
            tf2_ros.LookupException,
            tf2_ros.ConnectivityException,
            tf2_ros.ExtrapolationException,
        )
        self._listener = tf2_ros.TransformListener(self._buffer, self._node)

    def lookup(self, optical_frame: str) -> Pose:
        """Return the pose of the optical frame in the base frame.

        Raises:
            CameraFrameError: when source is "tf" and TF does not connect the frames.
        """
        if self._buffer is None:
            return self._camera.base_T_camera
        try:
            transform = self._buffer.lookup_transform(self._camera.base_frame, optical_frame, Time())
        except self._errors as error:
            if self._source == "tf":
                raise CameraFrameError(
                    f"TF does not connect {self._camera.base_frame} and {optical_frame}: {error}; publish the camera's "
                    "calibration with static_transform_publisher, or set pose_source to config"
                ) from error
            self._node.get_logger().warning(
                f"TF does not know {optical_frame}: the pose of camera '{self._camera.name}' in its YAML is used",
                throttle_duration_sec=60.0,
            )
            return self._camera.base_T_camera
        return pose_from_transform_msg(transform)
