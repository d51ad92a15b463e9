# SPDX-License-Identifier: Apache-2.0
"""The last scenes of the scene node, for the nodes that think about them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from builtin_interfaces.msg import Time
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from spatialpin_interfaces.msg import Scene as SceneMsg

from spatialpin_ros.conversions import scene_from_msg
from spatialpin_ros.conversions.basics import NANOSECONDS
from spatialpin_ros.errors import PerceptionError
from spatialpin_ros.scene import Scene

GRACE_S = 2.0
REMEMBERED = 128
"""Scenes: 40 s at 3 Hz, some 25 MB; a model may think about one for so long before it is planned in."""
SAME_MOMENT_S = 1e-5
"""A stamp that went through float seconds is off by some hundred nanoseconds."""
SCENES = QoSProfile(
    depth=16, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
"""Latched, with room for the scenes that come while a callback is at work."""


class NoSceneError(PerceptionError):
    """Nothing was captured yet, or not what was asked for."""


class NewestScene:
    """Keeps the scenes that were published last; `get` and `at` are for worker threads."""

    def __init__(self, node: Node, topic: str) -> None:
        self._recent: OrderedDict[int, SceneMsg] = OrderedDict()
        self._changed = threading.Condition()
        self._listener: Callable[[Time], None] | None = None
        group = ReentrantCallbackGroup()
        node.create_subscription(SceneMsg, topic, self._receive, SCENES, callback_group=group)

    def tell(self, listener: Callable[[Time], None] | None) -> None:
        """Have the stamp of every scene that is published from now on told to a listener; None ends that."""
        self._listener = listener

    def remember(self, message: SceneMsg) -> None:
        """Take a scene that came on another way, and may have come on the topic before or come there later."""
        with self._changed:
            self._recent.setdefault(_nanoseconds(message.header.stamp), message)
            self._forget()

    def _receive(self, message: SceneMsg) -> None:
        with self._changed:
            key = _nanoseconds(message.header.stamp)
            self._recent[key] = message
            self._recent.move_to_end(key)
            self._forget()
        listener = self._listener
        if listener is not None:
            listener(message.header.stamp)

    def _forget(self) -> None:
        while len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        self._changed.notify_all()

    def get(self) -> Scene:
        """Return the newest scene; where none came yet, one that is under way gets a moment to arrive.

        Raises:
            NoSceneError: when nothing was captured.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._recent, GRACE_S):
                raise NoSceneError("there is no scene yet; call /scene/capture first")
            message = next(reversed(self._recent.values()))
        return scene_from_msg(message)

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
        wanted, slack = round(stamp_s * NANOSECONDS), SAME_MOMENT_S * NANOSECONDS
        return next((self._recent[key] for key in reversed(self._recent) if abs(key - wanted) < slack), None)


def _nanoseconds(stamp: Time) -> int:
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)
