# SPDX-License-Identifier: Apache-2.0
"""The simulated arm and gripper as execution wants them, stepping the physics themselves: for runs without ROS."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.execution import GripperResult, MotionResult, StopSignal
from spatialpin_ros.plan import Trajectory
from spatialpin_ros.simulation.world import World

PATH_TOLERANCE_RAD = 0.2
GOAL_TOLERANCE_RAD = 0.01
GOAL_TIME_S = 1.0
STOP_TIME_S = 0.3
PROGRESS_GAP_S = 0.1
STALL_SPEED_M_S = 0.001
STALL_TIME_S = 0.25
GRIPPER_TIME_S = 3.0
WIDTH_TOLERANCE_M = 0.001

OnStep = Callable[[], None]


def _nothing() -> None:
    """Do nothing after a step."""


class SimulatedArm:
    """Follows joint trajectories by stepping the world.

    Args:
        world: stepped by this object alone while a motion runs.
        on_step: called after each physics step, to record.
    """

    def __init__(self, world: World, on_step: OnStep = _nothing) -> None:
        self._world, self._on_step = world, on_step

    def follow(
        self, trajectory: Trajectory, cancel: StopSignal, on_progress: Callable[[float], None]
    ) -> MotionResult:
        """Track the trajectory, its points joined by cubics through their velocities."""
        spline = CubicHermiteSpline(trajectory.times, trajectory.positions, trajectory.velocities)
        speeds = spline.derivative()
        step_s, told_s = self._world.physics.step_s, -PROGRESS_GAP_S
        for tick in range(1, round(np.ceil(trajectory.duration_s / step_s)) + 1):
            now_s = min(tick * step_s, trajectory.duration_s)
            if cancel.is_set():
                self.stop()
                return MotionResult("cancelled", f"stopped after {now_s:.2f} s")
            target = np.asarray(spline(now_s))
            self._command(target, np.asarray(speeds(now_s)))
            off = self._deviation(target)
            if off > PATH_TOLERANCE_RAD:
                self.stop()
                return MotionResult(
                    "tolerance", f"a joint was {off:.3f} rad off its path (allowed {PATH_TOLERANCE_RAD})"
                )
            if now_s - told_s >= PROGRESS_GAP_S:
                on_progress(now_s / trajectory.duration_s)
                told_s = now_s
        return self._settle(trajectory.positions[-1])

    def _settle(self, goal: FloatArray) -> MotionResult:
        for _ in range(round(GOAL_TIME_S / self._world.physics.step_s)):
            if self._deviation(goal) <= GOAL_TOLERANCE_RAD:
                return MotionResult("reached")
            self._command(goal, np.zeros_like(goal))
        off = self._deviation(goal)
        return MotionResult(
            "tolerance", f"a joint ended {off:.3f} rad off its goal (allowed {GOAL_TOLERANCE_RAD})"
        )

    def _command(self, positions: FloatArray, velocities: FloatArray) -> None:
        self._world.robot.command_arm(positions, velocities)
        self._world.step()
        self._on_step()

    def _deviation(self, positions: FloatArray) -> float:
        return float(np.abs(self._world.robot.arm_states().positions - positions).max())

    def stop(self) -> None:
        """Slow down evenly over a fixed time and hold."""
        states = self._world.robot.arm_states()
        ticks = round(STOP_TIME_S / self._world.physics.step_s)
        for tick in range(1, ticks + 1):
            left = 1.0 - tick / ticks
            ahead = states.velocities * STOP_TIME_S * (1.0 - left**2) / 2.0
            self._command(states.positions + ahead, states.velocities * left)

    def joint_positions(self) -> FloatArray:
        return self._world.robot.arm_states().positions


class SimulatedGripper:
    """Opens and closes the simulated hand by stepping the world."""

    def __init__(self, world: World, on_step: OnStep = _nothing) -> None:
        self._world, self._on_step = world, on_step

    def move(self, width_m: float, force_n: float, cancel: StopSignal) -> GripperResult:
        """Go to an opening; ends when it is reached, when the fingers stall, or after a time limit."""
        robot, step_s = self._world.robot, self._world.physics.step_s
        robot.command_fingers(width_m, force_n if force_n > 0.0 else robot.config.gripper.max_force_n)
        still_s, last_m = 0.0, robot.width_m
        for _ in range(round(GRIPPER_TIME_S / step_s)):
            self._world.step()
            self._on_step()
            if cancel.is_set():
                return GripperResult(robot.width_m, stalled=False, reached=False, status="cancelled")
            now_m = robot.width_m
            still_s = still_s + step_s if abs(now_m - last_m) / step_s < STALL_SPEED_M_S else 0.0
            last_m = now_m
            if still_s >= STALL_TIME_S:
                break
        reached = abs(last_m - width_m) <= WIDTH_TOLERANCE_M
        return GripperResult(last_m, stalled=not reached, reached=reached)

    def width(self) -> float | None:
        return self._world.robot.width_m
