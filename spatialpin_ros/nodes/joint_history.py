# SPDX-License-Identifier: Apache-2.0
"""Joint positions at any moment of the last seconds, between the states that were received."""

from __future__ import annotations

import bisect
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LENGTH = 400
CLOCKS_DISAGREE_S = 5.0
TIME_BEGAN_ANEW_S = 1.0


@dataclass(frozen=True, slots=True)
class JointsAt:
    """Joint positions of one moment.

    Args:
        positions: by joint name [rad or m].
        apart_s: from the moment asked for to the nearest state received [s].
    """

    positions: Mapping[str, float]
    apart_s: float


class JointHistory:
    """Keeps joint states by their stamps; thread-safe.

    Args:
        joints: a state counts when it has all of these; others, as of a gripper's own driver, go along with it.
    """

    def __init__(self, joints: Iterable[str]) -> None:
        self._joints = frozenset(joints)
        self._changed = threading.Condition()
        self._positions: dict[str, float] = {}
        self._states: deque[tuple[float, dict[str, float]]] = deque(maxlen=LENGTH)
        self._arrived_s = -float("inf")

    def add(self, stamp_s: float, positions: Mapping[str, float]) -> None:
        """Keep a state [rad or m]; one from long before the newest means that time began anew: the others go."""
        with self._changed:
            self._positions.update(positions)
            if not self._joints <= set(positions):
                return
            self._arrived_s = time.monotonic()
            newest_s = self._states[-1][0] if self._states else -float("inf")
            if stamp_s < newest_s - TIME_BEGAN_ANEW_S:
                self._states.clear()
            elif stamp_s < newest_s:
                return
            elif stamp_s == newest_s:
                self._states.pop()
            self._states.append((stamp_s, dict(self._positions)))
            self._changed.notify_all()

    @property
    def silent_s(self) -> float:
        """How long ago the last state arrived [s]; infinite when none ever did."""
        return time.monotonic() - self._arrived_s

    def at(self, stamp_s: float, wait_s: float) -> JointsAt | None:
        """The positions at a stamp, linear between the states before and after it; None while there is no state.

        Before the first state and after the last they are those of that state.

        Args:
            wait_s: longest wait for a state from after the stamp: the joints may be in motion [s].
        """
        with self._changed:
            self._changed.wait_for(lambda: self._passed(stamp_s), wait_s)
            states = list(self._states)
        if not states:
            return None
        after = bisect.bisect_left(states, stamp_s, key=lambda state: state[0])
        around = states[max(after - 1, 0) : after + 1]
        apart_s = min(abs(stamp_s - state[0]) for state in around)
        return JointsAt(_between(around[0], around[-1], stamp_s), apart_s)

    def _passed(self, stamp_s: float) -> bool:
        """Whether the states reach beyond a stamp, or are of another clock, so that it cannot be told."""
        if not self._states:
            return True
        newest_s = self._states[-1][0]
        return newest_s >= stamp_s or stamp_s - newest_s > CLOCKS_DISAGREE_S


def _between(
    before: tuple[float, dict[str, float]], after: tuple[float, dict[str, float]], stamp_s: float
) -> dict[str, float]:
    duration_s = after[0] - before[0]
    share = min(max((stamp_s - before[0]) / duration_s, 0.0), 1.0) if duration_s > 0.0 else 1.0
    return {
        name: value + share * (after[1].get(name, value) - value) for name, value in before[1].items()
    } | {name: value for name, value in after[1].items() if name not in before[1]}
