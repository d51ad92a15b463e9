# SPDX-License-Identifier: Apache-2.0
"""A gripper action controller: goes to a finger position with limited effort, reports reached or stalled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatialpin_ros.simulation.arm_goal import Acceptance, ArmErrorCode, GoalState
from spatialpin_ros.simulation.robot import SimulatedRobot


@dataclass(frozen=True, slots=True)
class GripperControllerOptions:
    """The parameters of gripper_action_controller.

    Args:
        goal_tolerance: a finger nearer to its goal than this has reached it [m].
        stall_velocity: a finger slower than this does not move [m/s].
        stall_timeout_s: after so long without motion the gripper has stalled [s].
        allow_stalling: a stall is success (something is held), not an error.
        timeout_s: after so long the goal is aborted in any case [s].
    """

    goal_tolerance: float = 0.0005
    stall_velocity: float = 0.001
    stall_timeout_s: float = 0.25
    allow_stalling: bool = True
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class GripperStatus:
    """State of a goal of the gripper: finger position [m], finger force [N], and whether it stalled or arrived."""

    goal_id: int
    state: GoalState
    position: float
    effort: float
    stalled: bool
    reached_goal: bool
    message: str = ""


class GripperController:
    """Moves both fingers; keeps pressing with the goal's effort after the goal has ended.

    `start` and `cancel` return at once. `update` is called once per simulation step, before the physics.

    Args:
        robot: whose gripper it drives.
        options: tolerances and times.
    """

    def __init__(self, robot: SimulatedRobot, options: GripperControllerOptions | None = None) -> None:
        self.robot, self.options = robot, options or GripperControllerOptions()
        self._scale = robot.config.gripper.joint_position_per_width
        self._time_s = self._start_s = self._moved_s = 0.0
        self._target = 0.0
        self._effort = robot.config.gripper.max_force_n
        self._last_id = 0
        self._active = False
        self._result: GripperStatus | None = None

    @property
    def busy(self) -> bool:
        """True while a goal is followed."""
        return self._active

    def start(self, position: float, max_effort: float) -> Acceptance:
        """Go to a finger joint position [m] pressing with at most `max_effort` per finger [N]; 0 takes the most.

        A goal being followed is given up for the new one.
        """
        gripper = self.robot.config.gripper
        low, high = gripper.min_width_m * self._scale, gripper.max_width_m * self._scale
        if not (np.isfinite(position) and low - 1e-6 <= position <= high + 1e-6):
            message = f"finger position must lie in {low:.4f}..{high:.4f} m, got {position}"
            return Acceptance(False, 0, ArmErrorCode.INVALID_GOAL, message)
        if not (np.isfinite(max_effort) and max_effort >= 0.0):
            message = f"effort must not be negative, got {max_effort} N"
            return Acceptance(False, 0, ArmErrorCode.INVALID_GOAL, message)
        self._last_id += 1
        self._active, self._result = True, None
        self._target, self._effort = float(position), max_effort or gripper.max_force_n
        self._start_s = self._moved_s = self._time_s
        self.robot.command_fingers(self._target / self._scale, self._effort)
        return Acceptance(True, self._last_id)

    def cancel(self, goal_id: int | None = None) -> bool:
        """Hold the fingers where they are; False when that goal (None: any) is not being followed."""
        if not self._active or goal_id not in (None, self._last_id):
            return False
        self.robot.command_fingers(self.robot.width_m, self._effort)
        self._finish(GoalState.CANCELED, False, False, "canceled; the fingers were stopped")
        return True

    def reset(self) -> None:
        """Drop the goal; after the fingers were put somewhere else."""
        if self._active:
            self._finish(GoalState.ABORTED, False, False, "the simulation was reset")

    def status(self) -> GripperStatus | None:
        """Status of the latest goal; None when there was none."""
        if not self._active:
            return self._result
        return self._status(GoalState.EXECUTING, False, False, "")

    def update(self, dt: float) -> None:
        """Advance the clock by `dt` [s] and see whether the goal has ended."""
        self._time_s += dt
        if not self._active:
            return
        fingers = self.robot.finger_states()
        if np.abs(fingers.positions - self._target).max() < self.options.goal_tolerance:
            self._finish(GoalState.SUCCEEDED, False, True, "goal reached")
            return
        if np.abs(fingers.velocities).max() > self.options.stall_velocity:
            self._moved_s = self._time_s
        if self._time_s - self._moved_s > self.options.stall_timeout_s:
            state = GoalState.SUCCEEDED if self.options.allow_stalling else GoalState.ABORTED
            self._finish(state, True, False, "stalled: something is between the fingers")
        elif self._time_s - self._start_s > self.options.timeout_s:
            self._finish(
                GoalState.ABORTED, False, False, "the fingers neither arrived nor came to rest in time"
            )

    def _finish(self, state: GoalState, stalled: bool, reached: bool, message: str) -> None:
        self._result = self._status(state, stalled, reached, message)
        self._active = False

    def _status(self, state: GoalState, stalled: bool, reached: bool, message: str) -> GripperStatus:
        fingers = self.robot.finger_states()
        position, effort = float(fingers.positions.mean()), float(np.abs(fingers.efforts).mean())
        return GripperStatus(self._last_id, state, position, effort, stalled, reached, message)
