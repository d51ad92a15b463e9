# SPDX-License-Identifier: Apache-2.0
"""Single motions, planned, timed and checked, ready to become stages of a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.plan import FailureReason, PlanStage, StageName, Trajectory
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.options import PlanOptions
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.rrt_star import PathFailure, PathResult, plan_path
from spatialpin_ros.planning.timing import TimingFailure, TimingOptions, time_path

_RETRIES = 3
_EXTRA_PADDING_M = 0.003


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A timed motion, or why there is none.

    Args:
        trajectory: None on failure.
        linear: the tip moves along a straight line.
        search: how the path was found, for free motions.
    """

    trajectory: Trajectory | None
    linear: bool = False
    reason: FailureReason = "no_path"
    detail: str = ""
    search: PathResult | None = None


@dataclass(slots=True, eq=False)
class MotionMaker:
    """Makes the motions of one plan; its seeds advance from motion to motion."""

    robot: RobotModel
    options: PlanOptions
    count: int = 0

    def straight(self, world: CollisionWorld, path: FloatArray) -> Motion:
        """Time a straight motion given by (N, D) waypoints."""
        timing = self._timing(self.options.linear_speed, (0.5, 0.02))
        return _motion(time_path(world, path, timing), linear=True)

    def free(self, world: CollisionWorld, start: FloatArray, goal: FloatArray) -> Motion:
        """Plan and time a motion between two (D,) positions.

        A path that is free at the planning resolution may graze something at the finer one of the final check:
        then it is planned again at that resolution, with more distance.
        """
        world = self._fitting_padding(world, start, goal)
        found = Motion(None, detail="no path was tried")
        for attempt in range(_RETRIES):
            self.count += 1
            planning = world if attempt == 0 else self._stricter(world, start, goal, attempt)
            path = plan_path(planning, start, goal[None], self.options.path_options(self.count))
            if isinstance(path, PathFailure):
                return Motion(None, reason=path.reason, detail=path.detail)
            timing = self._timing(self.options.speed, self.options.timing.spacing_rad)
            found = replace(_motion(time_path(world, path.path, timing), linear=False), search=path)
            if found.trajectory is not None or found.reason == "limits":
                break
        return found

    def stage(self, name: StageName, step_index: int, motion: Motion, holding: str, text: str) -> PlanStage:
        """Wrap a successful motion, with the poses of the tip along it."""
        if motion.trajectory is None:
            raise ValueError(f"stage '{name}': the motion has failed: {motion.detail}")
        positions = motion.trajectory.positions
        every = max(1, len(positions) // 20)
        chosen = positions[np.unique(np.append(np.arange(0, len(positions), every), len(positions) - 1))]
        return PlanStage(
            name,
            step_index,
            trajectory=motion.trajectory,
            tcp_waypoints=self.robot.tcp_waypoints(chosen),
            holding=holding,
            linear=motion.linear,
            text=text,
        )

    def _timing(self, speed: float, spacing: tuple[float, ...]) -> TimingOptions:
        return replace(self.options.timing, speed=speed * self.options.timing.speed, spacing_rad=spacing)

    def _fitting_padding(self, world: CollisionWorld, start: FloatArray, goal: FloatArray) -> CollisionWorld:
        """With less padding when the arm stands, or is to stand, nearer to something than that."""
        ends = np.stack([start, goal])
        for padding_m in (world.padding_m, *self.options.neighbour_padding_m, 0.0):
            fitting = world if padding_m == world.padding_m else world.derive(padding_m=padding_m, near={})
            if fitting.valid_many(ends).all():
                return fitting
        return world

    def _stricter(
        self, world: CollisionWorld, start: FloatArray, goal: FloatArray, attempt: int
    ) -> CollisionWorld:
        step = self.options.timing.check_rad
        wider = world.derive(padding_m=world.padding_m + _EXTRA_PADDING_M * attempt, step_rad=step)
        return wider if wider.valid(start) and wider.valid(goal) else world.derive(step_rad=step)


def _motion(timed: Trajectory | TimingFailure, *, linear: bool) -> Motion:
    if isinstance(timed, TimingFailure):
        return Motion(None, linear, "limits" if timed.limits else "no_path", timed.detail)
    return Motion(timed, linear)
