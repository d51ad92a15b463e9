# SPDX-License-Identifier: Apache-2.0
"""A person's yes to one plan: given while that plan is shown, or in advance for a job's first plan."""

from __future__ import annotations

import threading


class Approval:
    """Is asked for on the worker's thread and given on the node's; one yes is good for one plan."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asked = False
        self._given = False

    def give_in_advance(self) -> None:
        """Approve the first plan, before it is made."""
        with self._changed:
            self._given = True

    def ask(self) -> None:
        """Begin to wait for a yes to the plan that is shown now."""
        with self._changed:
            self._asked = True

    def give(self) -> bool:
        """Approve the plan that is shown; False when none is, or it has its approval already."""
        with self._changed:
            if not self._asked or self._given:
                return False
            self._given = True
            self._changed.notify_all()
            return True

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is given, and say whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: self._given, timeout_s)

    def take(self) -> bool:
        """Use up what was given, if anything was, and wait no longer."""
        with self._changed:
            given, self._given, self._asked = self._given, False, False
            return given
