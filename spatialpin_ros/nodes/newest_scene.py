# SPDX-License-Identifier: Apache-2.0
"""The newest scene of the scene node, for the nodes that think about it."""

from __future__ import annotations

import threading

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from spatialpin_interfaces.msg import Scene as SceneMsg

from spatialpin_ros.conversions import scene_from_msg
from spatialpin_ros.errors import PerceptionError
from spatialpin_ros.nodes.qos import LATCHED
from spatialpin_ros.scene import Scene

GRACE_S = 2.0


class NoSceneError(PerceptionError):
    """Nothing was captured yet."""


class NewestScene:
    """Keeps the scene that was published last; `get` is for worker threads."""

    def __init__(self, node: Node, topic: str) -> None:
        self._message: SceneMsg | None = None
        self._arrived = threading.Event()
        group = ReentrantCallbackGroup()
        node.create_subscription(SceneMsg, topic, self._receive, LATCHED, callback_group=group)

    def _receive(self, message: SceneMsg) -> None:
        self._message = message
        self._arrived.set()

    def get(self) -> Scene:
        """Return the newest scene; where none came yet, one that is under way gets a moment to arrive.

        Raises:
            NoSceneError: when nothing was captured.
        """
        if not self._arrived.wait(GRACE_S) or self._message is None:
            raise NoSceneError("there is no scene yet; call /scene/capture first")
        return scene_from_msg(self._message)
