# SPDX-License-Identifier: Apache-2.0
"""Synchronised colour, depth and calibration messages, received only while somebody wants them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, Image

from spatialpin_ros.config import CameraConfig
from spatialpin_ros.conversions import seconds
from spatialpin_ros.errors import CameraFrameError
from spatialpin_ros.nodes.qos import SENSOR, matching
from spatialpin_ros.nodes.support import now_s
from spatialpin_ros.nodes.synchronizer import ApproximateSynchronizer

CLOCKS_DISAGREE_S = 5.0
WATCH_PERIOD_S = 0.1
FIRST_RENEWAL_S = 1.0
LONGEST_RENEWAL_S = 8.0
SILENT_AFTER_S = 5.0
SILENCE_TOLD_EVERY_S = 30.0
KINDS: dict[str, Any] = {"color": Image, "depth": Image, "camera_info": CameraInfo}


@dataclass(frozen=True, slots=True)
class RawFrame:
    """The messages of one moment; None for what the camera does not have, or did not send in time."""

    color: Image
    depth: Image | None = None
    info: CameraInfo | None = None


@dataclass(frozen=True, slots=True)
class _Waiting:
    future: Future[Any]
    since_s: float
    began_s: float
    deadline_s: float


class FrameSource:
    """Subscribes to a camera while a frame is awaited, or always when somebody watches.

    Everything here runs on the executor's thread.

    Args:
        node: its clock tells whether a frame is newer than a request.
        camera: whose topics; depth and camera_info may be missing.
        slop_s: largest difference between the stamps of one frame.
        on_frame: told every frame while `always`.
        always: keep the subscriptions open.
        color_alone_after_s: how long a request waits for a complete frame before a colour image alone will do;
            None: it never does.
    """

    def __init__(
        self,
        node: Node,
        camera: CameraConfig,
        slop_s: float,
        on_frame: Callable[[RawFrame], None],
        *,
        always: bool,
        color_alone_after_s: float | None = None,
    ) -> None:
        self._node, self._topics, self._slop_s = node, camera.topics, slop_s
        self._on_frame, self._always = on_frame, always
        self._color_alone_after_s = color_alone_after_s
        self._keys = [key for key in KINDS if key in camera.topics]
        self._group = ReentrantCallbackGroup()
        several = len(self._keys) > 1
        self._sync = ApproximateSynchronizer(len(self._keys), slop_s, self._receive) if several else None
        self._received = dict.fromkeys(self._keys, 0)
        self._newest: dict[str, Any] = {}
        self._subscriptions: dict[str, Any] = {}
        self._renewal_s, self._renewed_s = FIRST_RENEWAL_S, 0.0
        self._offers: list[QoSProfile] = []
        self._waiting: list[_Waiting] = []
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._watchdog = node.create_timer(
            WATCH_PERIOD_S, self._watch, callback_group=self._group, clock=steady
        )
        self._framed_s = time.monotonic()
        if always:
            self._open()
        else:
            self._watchdog.cancel()

    def _open(self) -> None:
        if self._subscriptions:
            return
        self._offers = self._offered()
        for key in self._keys:
            self._subscribe(key)
        self._renewal_s, self._renewed_s = FIRST_RENEWAL_S, time.monotonic()

    def _subscribe(self, key: str) -> None:
        index = self._keys.index(key)
        self._subscriptions[key] = self._node.create_subscription(
            KINDS[key],
            self._topics[key],
            self._adder(index),
            self._offers[index],
            callback_group=self._group,
        )

    def _offered(self) -> list[QoSProfile]:
        return [matching(self._node, self._topics[key]) for key in self._keys]

    def _adder(self, index: int) -> Callable[[Any], None]:
        key = self._keys[index]

        def add(message: Any) -> None:
            self._received[key] += 1
            if key != "depth":
                self._newest[key] = message
            if self._sync is None:
                self._receive(message)
            else:
                self._sync.add(index, seconds(message.header.stamp), message)

        return add

    def _close(self) -> None:
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    async def next(self, timeout_s: float) -> RawFrame:
        """Wait for a frame that was taken after this call.

        Raises:
            CameraFrameError: when none comes in time; says which topic is silent.
        """
        future: Future[Any] = Future(executor=self._node.executor)
        self._renewal_s, self._renewed_s = FIRST_RENEWAL_S, time.monotonic()
        if not self._waiting:
            # What came before is too old, and must not hide that a topic is silent now.
            self._forget()
        began_s = time.monotonic()
        self._waiting.append(_Waiting(future, now_s(self._node), began_s, began_s + timeout_s))
        self._open()
        self._watchdog.reset()
        frame: RawFrame = await future  # type: ignore[assignment]
        return frame

    def _forget(self) -> None:
        if self._sync is not None:
            self._sync.clear()
        self._received = dict.fromkeys(self._keys, 0)
        self._newest.clear()

    def _receive(self, *messages: Any) -> None:
        named = dict(zip(self._keys, messages, strict=True))
        frame = RawFrame(named["color"], named.get("depth"), named.get("camera_info"))
        self._serve(frame, [entry for entry in self._waiting if self._is_new(frame.color, entry)])
        self._framed_s = time.monotonic()
        if self._always:
            self._on_frame(frame)
            if not self._waiting:
                # What is silent is known by what the others sent since the last frame.
                self._received = dict.fromkeys(self._keys, 0)
                self._renewal_s, self._renewed_s = FIRST_RENEWAL_S, self._framed_s

    def _is_new(self, color: Image, entry: _Waiting) -> bool:
        stamp_s = seconds(color.header.stamp)
        # Where camera and node do not share a clock, arrival after the request is all that can be asked for.
        foreign = abs(now_s(self._node) - stamp_s) > CLOCKS_DISAGREE_S
        return foreign or stamp_s >= entry.since_s

    def _serve(self, frame: RawFrame, served: list[_Waiting]) -> None:
        self._waiting = [entry for entry in self._waiting if entry not in served]
        for entry in served:
            entry.future.set_result(frame)

    def _watch(self) -> None:
        self._serve_color_alone()
        late = [entry for entry in self._waiting if time.monotonic() > entry.deadline_s]
        self._waiting = [entry for entry in self._waiting if entry not in late]
        for entry in late:
            entry.future.set_exception(CameraFrameError(f"no frame came in time: {self._silence()}"))
        if not self._waiting and not self._always:
            self._watchdog.cancel()
            self._close()
            return
        if self._offered() != self._offers:
            # The camera was discovered, or replaced, since the subscriptions were made.
            self._close()
            self._open()
        self._renew_silent()
        self._tell_silence()

    def _tell_silence(self) -> None:
        """Say why no frame comes to whoever watches, where nobody waits who would be told."""
        if self._waiting or time.monotonic() - self._framed_s < SILENT_AFTER_S:
            return
        self._node.get_logger().warning(
            f"no frame for {SILENT_AFTER_S:g} s: {self._silence()}",
            throttle_duration_sec=SILENCE_TOLD_EVERY_S,
        )

    def _renew_silent(self) -> None:
        """Subscribe anew to what is silent while other topics speak: a new reader of large messages may stall."""
        if time.monotonic() - self._renewed_s < self._renewal_s:
            return
        self._renewed_s, self._renewal_s = time.monotonic(), min(2.0 * self._renewal_s, LONGEST_RENEWAL_S)
        silent = [key for key in self._keys if not self._received[key]]
        # One message alone may be the first of a frame of a slow camera.
        if max(self._received.values()) < 2:
            return
        for key in silent:
            self._node.destroy_subscription(self._subscriptions[key])
            self._subscribe(key)

    def _serve_color_alone(self) -> None:
        """Give the newest colour image to those who have waited long enough, while another topic is silent."""
        color = self._newest.get("color")
        if self._color_alone_after_s is None or color is None or all(self._received.values()):
            return
        tired = time.monotonic() - self._color_alone_after_s
        served = [e for e in self._waiting if e.began_s < tired and self._is_new(color, e)]
        if served:
            self._serve(RawFrame(color, None, self._newest.get("camera_info")), served)

    def _silence(self) -> str:
        silent = [self._topics[key] for key, count in self._received.items() if not count]
        if silent:
            said = f"nothing arrived on {', '.join(silent)}; is the camera running?"
        else:
            said = (
                f"messages arrived ({self._received}), but none belonged together and was newer than the request; "
                f"their stamps must differ by at most slop_s = {self._slop_s} s"
            )
        return f"{said}{self._lossy()}"

    def _lossy(self) -> str:
        """A hint where a best effort publisher is there, but few of its messages are."""
        most = max(self._received.values())
        lossy = [
            self._topics[key]
            for key, offer in zip(self._keys, self._offers, strict=False)
            if offer is SENSOR
            and self._node.count_publishers(self._topics[key])
            and self._received[key] < 0.5 * max(most, 1)
        ]
        if not lossy:
            return ""
        return (
            f" {', '.join(lossy)} is published best effort, which loses large images: let the driver publish "
            "reliably, or export FASTDDS_DEFAULT_PROFILES_FILE=.../config/fastdds.xml in the driver's shell, too"
        )
