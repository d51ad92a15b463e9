# SPDX-License-Identifier: Apache-2.0
"""What stops a motion of the arm before its end."""

from __future__ import annotations

from spatialpin_ros.execution.devices import Gripper, StopSignal
from spatialpin_ros.execution.guard import Blocked, Guard


class StopMotion:
    """Is set when the execution is cancelled, the way is blocked, or the gripper closes on what it held.

    Args:
        cancel, guard: who else may stop the motion.
        least_width_m: a smaller opening means that what was held is lost [m].
    """

    def __init__(self, cancel: StopSignal, gripper: Gripper, least_width_m: float, guard: Guard) -> None:
        self._cancel, self._gripper, self._least_width_m, self._guard = cancel, gripper, least_width_m, guard
        self.slipped = False
        self.blocked: Blocked | None = None

    def is_set(self) -> bool:
        """Whether the motion must stop."""
        self.blocked = self.blocked or self._guard.blocked()
        return self.slipped or self.blocked is not None or self._cancel.is_set()

    def watch(self) -> None:
        """See whether the gripper still holds something."""
        width = self._gripper.width()
        self.slipped = self.slipped or (width is not None and width < self._least_width_m)
