# SPDX-License-Identifier: Apache-2.0
"""Durations of the steps of one reconstruction."""

from __future__ import annotations

import time


class StepClock:
    """Notes how long each named step took [s]; a step lasts from the previous note to its own."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def note(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self._last
        self._last = now
