# SPDX-License-Identifier: Apache-2.0
"""The one error tree: every failure the package raises on purpose is a SpatialPinError."""

from __future__ import annotations

from collections.abc import Sequence


class SpatialPinError(Exception):
    """Base of every error of this package; the message says what was wrong, expected and what to do."""


class InvalidValueError(SpatialPinError, ValueError):
    """A value, array or document does not have the shape, range or fields that it must have."""


class CameraFrameError(SpatialPinError):
    """A camera frame cannot be used: no depth, mismatched sizes, unusable intrinsics."""


class NoDepthError(CameraFrameError):
    """A depth image in which no pixel is a measurement."""


class PerceptionError(SpatialPinError):
    """A valid frame from which no scene can be made, for example because no support plane is visible."""


class ReasoningError(SpatialPinError):
    """A request or a reply of a reasoning back end cannot be turned into a task or an answer."""


class UnknownNameError(ReasoningError):
    """A name that matches nothing in the scene; lists what there is, and a likely spelling if there is one."""

    def __init__(
        self, name: str, available: Sequence[str], kind: str = "object", suggestion: str = ""
    ) -> None:
        self.name, self.available, self.kind, self.suggestion = name, tuple(available), kind, suggestion
        there_is = ", ".join(available) if available else "nothing"
        hint = f"; did you mean '{suggestion}'?" if suggestion else ""
        super().__init__(f"no {kind} called '{name}'; there is: {there_is}{hint}")


class AmbiguousNameError(ReasoningError):
    """A name that matches several things in the scene; lists the matches."""

    def __init__(self, name: str, matches: Sequence[str], kind: str = "object") -> None:
        self.name, self.matches, self.kind = name, tuple(matches), kind
        super().__init__(f"'{name}' could be any of these {kind}s: {', '.join(matches)}; say which one")


class NotUnderstoodError(ReasoningError):
    """A request or question outside the grammar; the message says what is supported, with examples."""


class InfeasibleTaskError(ReasoningError):
    """An understood task that cannot be done in this scene; `reason` is a short code such as "too_wide"."""

    def __init__(self, message: str, reason: str) -> None:
        self.reason = reason
        super().__init__(message)


class BackendError(SpatialPinError):
    """A reasoning, perception or planning back end is unknown, not installed or failed to answer."""


class ExecutionError(SpatialPinError):
    """The arm or gripper rejected a goal, stopped answering or left its tolerances."""
