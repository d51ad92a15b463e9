# SPDX-License-Identifier: Apache-2.0
"""The abstract arm and gripper that a plan is carried out with; a node or a test gives the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import ExecutionError
from spatialpin_ros.plan import Trajectory

MotionStatus = Literal[
    "reached", "cancelled", "tolerance", "rejected", "controller_lost", "stale_joint_states"
]


class StaleJointStatesError(ExecutionError):
    """Where the arm is cannot be told: no joint states, old ones, or joints missing from them."""


class StopSignal(Protocol):
    """What a motion polls to learn that it must stop; `threading.Event` is one."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class MotionResult:
    """The end of one motion of the arm; unless it was reached, the arm stands still by now.

    Args:
        status: "reached", or why it ended early; "controller_lost" when nothing answers any more.
        message: what the controller said.
    """

    status: MotionStatus
    message: str = ""


@dataclass(frozen=True, slots=True)
class GripperResult:
    """The end of one motion of the gripper.

    Args:
        width_m: opening between the pads where it ended [m].
        stalled: True when something held it before the commanded opening.
        reached: True when the commanded opening was reached.
        status: "done", or why the motion never ended by itself.
        message: what the controller said.
    """

    width_m: float
    stalled: bool
    reached: bool
    status: Literal["done", "cancelled", "rejected", "controller_lost"] = "done"
    message: str = ""


class Arm(Protocol):
    """An arm that follows timed joint trajectories."""

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the planning group's D joints, in its order."""
        ...

    def follow(
        self, trajectory: Trajectory, cancel: StopSignal, on_progress: Callable[[float], None]
    ) -> MotionResult:
        """Follow a trajectory to its end, blocking.

        Args:
            trajectory: starts where the arm stands.
            cancel: polled; once set the arm is brought to a controlled stop, then "cancelled" is returned.
            on_progress: told the share done, 0..1, a few times a second from this thread.
        """
        ...

    def stop(self) -> None:
        """Bring the arm to a controlled stop; does nothing when it stands still."""
        ...

    def joint_positions(self) -> FloatArray:
        """Return the (D,) positions in the order of the planning group [rad].

        Raises:
            StaleJointStatesError: when they are unknown or too old to act on.
        """
        ...


class Gripper(Protocol):
    """A parallel gripper."""

    def move(self, width_m: float, force_n: float, cancel: StopSignal) -> GripperResult:
        """Open or close to `width_m` between the pads with at most `force_n`, blocking."""
        ...

    def width(self) -> float | None:
        """Opening between the pads now [m], or None when it is not known."""
        ...
