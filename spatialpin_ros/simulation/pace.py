# SPDX-License-Identifier: Apache-2.0
"""Simulated time beside that of the clock on the wall."""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_LAG_S = 0.05


class Pace:
    """Keeps simulated time from running ahead.

    Args:
        factor: simulated over wall time; 0: as fast as it goes.
        wait: waits for so many seconds, or until something else ends it.
        now_s: the clock on the wall.
    """

    def __init__(
        self,
        factor: float = 1.0,
        wait: Callable[[float], object] = time.sleep,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._factor, self._wait, self._now_s = factor, wait, now_s
        self._due_s = now_s()

    def keep(self, simulated_s: float) -> None:
        """Wait after a step of so much simulated time; of time that was lost, MOST_LAG_S are made up for."""
        if self._factor <= 0.0:
            return
        now_s = self._now_s()
        self._due_s = max(self._due_s + simulated_s / self._factor, now_s - MOST_LAG_S)
        if self._due_s > now_s:
            self._wait(self._due_s - now_s)
