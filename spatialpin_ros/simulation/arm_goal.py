# SPDX-License-Identifier: Apache-2.0
"""Goals of the simulated trajectory controller and what comes of them, in the terms of ros2_control."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.plan import Trajectory


class ArmErrorCode(IntEnum):
    """Result codes of control_msgs/action/FollowJointTrajectory."""

    SUCCESSFUL = 0
    INVALID_GOAL = -1
    INVALID_JOINTS = -2
    OLD_HEADER_TIMESTAMP = -3
    PATH_TOLERANCE_VIOLATED = -4
    GOAL_TOLERANCE_VIOLATED = -5


class GoalState(Enum):
    """Where a goal stands; every state but EXECUTING and CANCELING is final."""

    EXECUTING = "executing"
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    ABORTED = "aborted"
    CANCELED = "canceled"

    @property
    def final(self) -> bool:
        return self not in (GoalState.EXECUTING, GoalState.CANCELING)


@dataclass(frozen=True, slots=True, eq=False)
class ArmGoal:
    """What to follow, unchecked: `ArmController.start` checks it and says what is wrong.

    Args:
        joint_names: D names in any order.
        times: (N,) seconds from the start.
        positions: (N, D) [rad].
        velocities, accelerations: (N, D) [rad/s, rad/s^2], or None where not given.
        path_tolerance: per joint [rad]; joints that are missing take the controller's default, a negative value
            is no limit.
        goal_tolerance: the same for the end.
        goal_time_tolerance_s: time allowed to settle after the end [s]; None: the controller's default.
        stamp_s: when to start, in the controller's clock [s]; 0: at once.
    """

    joint_names: tuple[str, ...]
    times: npt.ArrayLike
    positions: npt.ArrayLike
    velocities: npt.ArrayLike | None = None
    accelerations: npt.ArrayLike | None = None
    path_tolerance: dict[str, float] | None = None
    goal_tolerance: dict[str, float] | None = None
    goal_time_tolerance_s: float | None = None
    stamp_s: float = 0.0

    @classmethod
    def from_trajectory(cls, trajectory: Trajectory) -> ArmGoal:
        """Make a goal with the controller's default tolerances."""
        return cls(
            trajectory.joint_names,
            trajectory.times,
            trajectory.positions,
            trajectory.velocities,
            trajectory.accelerations,
        )


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Answer to a goal: its id when accepted, else a code and what was wrong."""

    accepted: bool
    goal_id: int = 0
    error_code: ArmErrorCode = ArmErrorCode.SUCCESSFUL
    message: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ArmStatus:
    """State of a goal of the arm.

    Args:
        goal_id: of the goal.
        state: where it stands.
        time_from_start_s: time since its start [s].
        duration_s: duration of its trajectory [s].
        desired, actual: (D,) joint positions [rad] in the controller's joint order.
        desired_velocities, actual_velocities: (D,) [rad/s].
        error_code, message: of the result, once the state is final.
    """

    goal_id: int
    state: GoalState
    time_from_start_s: float
    duration_s: float
    desired: FloatArray
    actual: FloatArray
    desired_velocities: FloatArray
    actual_velocities: FloatArray
    error_code: ArmErrorCode = ArmErrorCode.SUCCESSFUL
    message: str = ""

    @property
    def error(self) -> FloatArray:
        """(D,) desired less actual positions [rad]."""
        return np.asarray(self.desired - self.actual)

    @property
    def progress(self) -> float:
        """Share of the trajectory's time that has passed, 0..1."""
        return min(1.0, max(0.0, self.time_from_start_s / self.duration_s)) if self.duration_s > 0.0 else 1.0
