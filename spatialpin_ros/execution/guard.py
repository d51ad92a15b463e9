# SPDX-License-Identifier: Apache-2.0
"""Something that watches the table while a plan is carried out, and says when the rest of the plan fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why the rest of a plan cannot be carried out any more.

    Args:
        stage: the first stage of the plan that fails.
        kind: "touches", "moved" or "gone".
        object_ids: which objects that is about.
        message: the same in words.
    """

    stage: str
    kind: str
    object_ids: tuple[str, ...]
    message: str


class Guard(Protocol):
    """Watches one execution."""

    def at(self, stage_index: int, share: float) -> None:
        """Be told how far the execution is: a stage of the plan, and the share of it done, 0..1."""
        ...

    def blocked(self) -> Blocked | None:
        """Return why the rest of the plan fails, None while it holds; asked many times a second."""
        ...


class NoGuard:
    """Watches nothing."""

    def at(self, stage_index: int, share: float) -> None:
        """Forget it."""

    def blocked(self) -> Blocked | None:
        return None
