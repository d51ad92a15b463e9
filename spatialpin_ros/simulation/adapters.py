# SPDX-License-Identifier: Apache-2.0
"""The simulated arm and gripper as execution wants them, stepping the physics themselves: for runs without ROS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.execution import GripperResult, MotionResult, StopSignal
from spatialpin_ros.plan import Trajectory
from spatialpin_ros.simulation.arm_controller import ArmController
from spatialpin_ros.simulation.arm_goal import ArmGoal, GoalState
from spatialpin_ros.simulation.gripper_controller import GripperController
from spatialpin_ros.simulation.world import World

PROGRESS_GAP_S = 0.1

OnStep = Callable[[], None]


def _nothing() -> None:
    """Do nothing after a step."""


class SimulatedArm:
    """Follows joint trajectories by stepping the world, through the same controller that the ROS node offers.

    Args:
        world: stepped by this object alone while a motion runs.
        on_step: called after each physics step, to record.
    """

    def __init__(self, world: World, on_step: OnStep = _nothing) -> None:
        self._world, self._on_step = world, on_step
        self._controller = ArmController(world.robot)

    @property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(self._world.robot.arm_states().names)

    def follow(
        self, trajectory: Trajectory, cancel: StopSignal, on_progress: Callable[[float], None]
    ) -> MotionResult:
        """Follow the trajectory to its end, to a tolerance error, or to a controlled stop."""
        answer = self._controller.start(ArmGoal.from_trajectory(trajectory))
        if not answer.accepted:
            return MotionResult("rejected", answer.message)
        elapsed_s, told_s = 0.0, 0.0
        while self._controller.busy:
            if cancel.is_set():
                self._controller.cancel(answer.goal_id)
            self._step()
            elapsed_s += self._world.physics.step_s
            if elapsed_s - told_s >= PROGRESS_GAP_S:
                on_progress(min(1.0, elapsed_s / trajectory.duration_s))
                told_s = elapsed_s
        return self._result(answer.goal_id)

    def _result(self, goal_id: int) -> MotionResult:
        status = self._controller.status(goal_id)
        if status is None:
            return MotionResult("controller_lost", "the controller forgot the goal")
        if status.state is GoalState.SUCCEEDED:
            return MotionResult("reached", status.message)
        if status.state is GoalState.CANCELED:
            return MotionResult("cancelled", f"stopped after {status.time_from_start_s:.2f} s")
        return MotionResult("tolerance", status.message)

    def _step(self) -> None:
        self._controller.update(self._world.physics.step_s)
        self._world.step()
        self._on_step()

    def stop(self) -> None:
        """Slow down within the acceleration limits and hold."""
        self._controller.stop()
        while self._controller.busy:
            self._step()

    def joint_positions(self) -> FloatArray:
        return self._world.robot.arm_states().positions


class SimulatedGripper:
    """Opens and closes the simulated hand by stepping the world.

    Args:
        world: stepped by this object alone while a motion runs.
        on_step: called after each physics step, to record.
    """

    def __init__(self, world: World, on_step: OnStep = _nothing) -> None:
        self._world, self._on_step = world, on_step
        self._controller = GripperController(world.robot)

    def move(self, width_m: float, force_n: float, cancel: StopSignal) -> GripperResult:
        """Go to an opening; ends when it is reached, when the fingers stall, or after a time limit."""
        robot = self._world.robot
        answer = self._controller.start(
            width_m * robot.config.gripper.joint_position_per_width, max(force_n, 0.0)
        )
        if not answer.accepted:
            return GripperResult(robot.width_m, False, False, "rejected", answer.message)
        while self._controller.busy:
            if cancel.is_set():
                self._controller.cancel(answer.goal_id)
                break
            self._controller.update(self._world.physics.step_s)
            self._world.step()
            self._on_step()
        status = self._controller.status()
        if status is None:
            return GripperResult(
                robot.width_m, False, False, "controller_lost", "the controller forgot the goal"
            )
        ended: Literal["cancelled", "done"] = "cancelled" if status.state is GoalState.CANCELED else "done"
        return GripperResult(robot.width_m, status.stalled, status.reached_goal, ended, status.message)

    def width(self) -> float | None:
        return self._world.robot.width_m
