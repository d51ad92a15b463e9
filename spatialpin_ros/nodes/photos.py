# SPDX-License-Identifier: Apache-2.0
"""The image that a scene was made from, for back ends that look at it."""

from __future__ import annotations

import threading

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import Image

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.conversions import color_from_msg
from spatialpin_ros.conversions.basics import seconds
from spatialpin_ros.nodes.qos import LATCHED
from spatialpin_ros.reasoning.images import scene_photo
from spatialpin_ros.scene import Scene

# The scene node publishes the image a moment after the scene.
GRACE_S = 2.0
SAME_TIME_S = 1e-6


class Photos:
    """Keeps the image that was published last; `of` is for worker threads."""

    def __init__(self, node: Node, topic: str) -> None:
        self._newest: Image | None = None
        self._changed = threading.Condition()
        group = ReentrantCallbackGroup()
        node.create_subscription(Image, topic, self._receive, LATCHED, callback_group=group)

    def _receive(self, message: Image) -> None:
        with self._changed:
            self._newest = message
            self._changed.notify_all()

    def of(self, scene: Scene) -> CameraFrame | None:
        """Return the image taken at the scene's time, which gets a moment to arrive, or None.

        Raises:
            CameraFrameError: it does not fit the scene's camera.
        """
        if scene.intrinsics is None or not scene.objects:
            return None
        with self._changed:
            self._changed.wait_for(lambda: self._fits(scene), GRACE_S)
            message = self._newest if self._fits(scene) else None
        return None if message is None else scene_photo(color_from_msg(message), scene)

    def _fits(self, scene: Scene) -> bool:
        newest = self._newest
        return newest is not None and abs(seconds(newest.header.stamp) - scene.stamp_s) < SAME_TIME_S
