# SPDX-License-Identifier: Apache-2.0
"""The newest scene of the scene node, for the nodes that think about it."""

from __future__ import annotations

import threading
from collections import deque

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from spatialpin_interfaces.msg import Scene as SceneMsg

from spatialpin_ros.conversions import scene_from_msg
from spatialpin_ros.errors import PerceptionError
from spatialpin_ros.nodes.qos import LATCHED
from spatialpin_ros.scene import Scene

GRACE_S = 2.0
REMEMBERED = 8


class NoSceneError(PerceptionError):
    """Nothing was captured yet."""


class NewestScene:
    """Keeps the scene that was published last; `get` is for worker threads."""

    def __init__(self, node: Node, topic: str) -> None:
        self._message: SceneMsg | None = None
        self._recent: deque[SceneMsg] = deque(maxlen=REMEMBERED)
        self._arrived = threading.Event()
        self._changed = threading.Condition()
        group = ReentrantCallbackGroup()
        node.create_subscription(SceneMsg, topic, self._receive, LATCHED, callback_group=group)

    def _receive(self, message: SceneMsg) -> None:
        with self._changed:
            self._message = message
            self._recent.append(message)
            self._changed.notify_all()
        self._arrived.set()

    def get(self) -> Scene:
        """Return the newest scene; where none came yet, one that is under way gets a moment to arrive.

        Raises:
            NoSceneError: when nothing was captured.
        """
        if not self._arrived.wait(GRACE_S) or self._message is None:
            raise NoSceneError("there is no scene yet; call /scene/capture first")
        return scene_from_msg(self._message)

    def at(self, stamp_s: float) -> Scene:
        """Return one of the last scenes by its stamp; one that is under way gets a moment to arrive.

        Raises:
            NoSceneError: when it is not among them.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._with_stamp(stamp_s) is not None, GRACE_S):
                raise NoSceneError(
                    f"the scene of {stamp_s:.3f} s is not among the last {REMEMBERED}; capture and plan again"
                )
            message = self._with_stamp(stamp_s)
        assert message is not None
        return scene_from_msg(message)

    def _with_stamp(self, stamp_s: float) -> SceneMsg | None:
        stamps = ((item, item.header.stamp) for item in reversed(self._recent))
        # A stamp that went through float seconds is off by some hundred nanoseconds.
        return next((item for item, at in stamps if abs(at.sec + at.nanosec * 1e-9 - stamp_s) < 1e-5), None)
