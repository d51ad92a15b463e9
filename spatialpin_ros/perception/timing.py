# SPDX-License-Identifier: Apache-2.0
"""Durations of the steps of one reconstruction."""

from __future__ import annotations

import time
from collections.abc import Callable


class StepClock:
    """Notes how long each named step took [s]; a step lasts from the previous note to its own.

    Args:
        now: seconds since some moment; None: wall time.
    """

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._now = now or time.perf_counter
        self._last = self._now()

    def note(self, step: str) -> None:
        now = self._now()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self._last
        self._last = now
