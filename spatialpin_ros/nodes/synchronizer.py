# SPDX-License-Identifier: Apache-2.0
"""Approximate time synchronisation of several topics, without ROS in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from spatialpin_ros.errors import InvalidValueError


class ApproximateSynchronizer:
    """Joins messages of several streams whose stamps are near each other.

    A set is emitted as soon as it is complete: for a new message the nearest of each other stream, when all stamps lie
    within the slop. What is older than an emitted message of its stream is dropped. Not thread-safe.

    Args:
        streams: how many.
        slop_s: largest difference between the stamps of one set [s].
        emit: called with the messages in the order of the streams.
        depth: messages kept per stream.
    """

    def __init__(self, streams: int, slop_s: float, emit: Callable[..., None], depth: int = 10) -> None:
        if streams < 2 or slop_s < 0.0:
            raise InvalidValueError(
                f"synchronizer: needs 2 streams and a slop >= 0, got {streams} and {slop_s} s"
            )
        self._slop_s, self._emit = slop_s, emit
        self._queues: list[deque[tuple[float, Any]]] = [deque(maxlen=depth) for _ in range(streams)]
        self.received = [0] * streams

    def add(self, stream: int, stamp_s: float, message: Any) -> None:
        """Take a message; may emit."""
        self.received[stream] += 1
        self._queues[stream].append((stamp_s, message))
        if not all(self._queues):
            return
        chosen = [min(entries, key=lambda entry: abs(entry[0] - stamp_s)) for entries in self._queues]
        chosen[stream] = (stamp_s, message)
        stamps = [entry[0] for entry in chosen]
        if max(stamps) - min(stamps) > self._slop_s + 1e-9:
            return
        for entries, (used_s, _) in zip(self._queues, chosen, strict=True):
            while entries and entries[0][0] <= used_s:
                entries.popleft()
        self._emit(*(entry[1] for entry in chosen))

    def clear(self) -> None:
        """Forget what was kept."""
        for entries in self._queues:
            entries.clear()
        self.received = [0] * len(self._queues)
