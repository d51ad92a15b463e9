# SPDX-License-Identifier: Apache-2.0
"""RRT-Connect and RRT* of OMPL in SE(3) for a free-flying body."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ompl import base, geometric, util

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.planning.object_motion.options import ObjectMotionOptions
from spatialpin_ros.planning.object_motion.se3 import densify, displacements, interpolate, length
from spatialpin_ros.planning.object_motion.world import FreeBodyWorld

_NEAR_OPTIMAL = 1.01
_SIMPLIFY_SHARE = 0.25
_SIMPLIFY_ROUNDS = 3
_LEAST_WEIGHT_M = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class FoundWay:
    """A collision-free polyline in SE(3).

    Args:
        rows: (K, 7) poses, start and goal included.
        planner: "straight", "lifted", "rrt_connect" or "rrt_star": which part found it.
        cost_m: its length in displacement of any point of the body.
        first_path_s: time until the first path was there [s].
    """

    rows: FloatArray
    planner: str
    cost_m: float
    first_path_s: float = 0.0


class SE3Search:
    """Trees over x, y, z and the full rotation; the metric is translation + radius x angle [m].

    Budgets count checked poses, not time, so that a seed decides the result; `deadline` is the hard limit.

    Args:
        deadline: `time.monotonic()` at which everything stops [s].
        cancelled: asked now and then; True stops everything.
    """

    def __init__(
        self,
        world: FreeBodyWorld,
        options: ObjectMotionOptions,
        deadline: float,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        util.setLogLevel(util.LogLevel.LOG_NONE)
        util.RNG.setSeed(options.seed + 1)
        self._world, self._options, self._deadline, self._cancelled = world, options, deadline, cancelled
        self._space = base.SE3StateSpace()
        self._space.setBounds(_bounds(world))
        # OMPL measures rotations by half their angle.
        self._space.setSubspaceWeight(1, 2.0 * max(world.radius_m, _LEAST_WEIGHT_M))
        self._info = base.SpaceInformation(self._space)
        self._info.setStateValidityChecker(lambda state: world.free(_row(state)))
        self._validator = _EdgeCheck(self._info, world, options.resolution_m)
        self._info.setMotionValidator(self._validator)
        self._info.setup()

    def connect(self, start: FloatArray, goal: FloatArray) -> FoundWay | None:
        """First path by RRT-Connect, simplified; None when the budget ends before."""
        began = time.perf_counter()
        problem = self._problem(start, goal)
        planner = geometric.RRTConnect(self._info)
        planner.setRange(self._options.range_m)
        if not self._solve(planner, problem, self._options.first_path_states):
            return None
        elapsed = time.perf_counter() - began
        rows = self._simplified(problem.getSolutionPath(), self._options.first_path_states)
        return FoundWay(rows, "rrt_connect", length(rows, self._world.radius_m), elapsed)

    def improve(self, start: FloatArray, goal: FloatArray, best: FoundWay) -> FoundWay:
        """Spend the improvement budget on RRT* and on restarts of RRT-Connect; the cheapest is returned.

        The orientation of each candidate is also straightened to the plain slerp where that is free.
        """
        shortest = _NEAR_OPTIMAL * float(displacements(np.stack([start, goal]), self._world.radius_m)[0])
        best = self._straightened(best)
        for planner in (geometric.RRTstar, geometric.RRTConnect, geometric.RRTConnect):
            if best.cost_m <= shortest or self._options.improve_states == 0:
                break
            share = self._options.improve_states // 2
            name = "rrt_star" if planner is geometric.RRTstar else "rrt_connect"
            rows = self._attempt(planner, start, goal, share)
            if rows is not None:
                cost = length(rows, self._world.radius_m)
                other = self._straightened(FoundWay(rows, name, cost, best.first_path_s))
                best = min(best, other, key=lambda way: way.cost_m)
        return best

    def _attempt(self, kind: Any, start: FloatArray, goal: FloatArray, states: int) -> FloatArray | None:
        problem = self._problem(start, goal)
        planner = kind(self._info)
        planner.setRange(self._options.range_m)
        if not self._solve(planner, problem, states):
            return None
        return self._simplified(problem.getSolutionPath(), int(states * _SIMPLIFY_SHARE))

    def _problem(self, start: FloatArray, goal: FloatArray) -> Any:
        problem = base.ProblemDefinition(self._info)
        problem.setStartAndGoalStates(self._state(start), self._state(goal))
        problem.setOptimizationObjective(base.PathLengthOptimizationObjective(self._info))
        return problem

    def _solve(self, planner: Any, problem: Any, states: int) -> bool:
        planner.setProblemDefinition(problem)
        planner.setup()
        planner.solve(base.PlannerTerminationCondition(self._until(states)))
        return bool(problem.hasExactSolution())

    def _simplified(self, path: Any, states: int) -> FloatArray:
        simplifier = geometric.PathSimplifier(self._info)
        stop = self._until(states)
        for _ in range(_SIMPLIFY_ROUNDS):
            if stop():
                break
            simplifier.reduceVertices(path)
            simplifier.partialShortcutPath(path)
        return np.array([_row(state) for state in path.getStates()])

    def _straightened(self, way: FoundWay) -> FoundWay:
        """Turn evenly along the way instead of tumbling, where that is free and cheaper."""
        travelled = np.concatenate(
            [[0.0], np.cumsum(np.linalg.norm(np.diff(way.rows[:, :3], axis=0), axis=1))]
        )
        if travelled[-1] <= 0.0:
            return way
        rows = way.rows.copy()
        rows[:, 3:] = _slerp(way.rows[0, 3:], way.rows[-1, 3:], travelled / travelled[-1])
        cost = length(rows, self._world.radius_m)
        dense = densify(rows, self._world.radius_m, self._options.resolution_m)
        if cost < way.cost_m and self._world.way_free(dense):
            return FoundWay(rows, way.planner, cost, way.first_path_s)
        return way

    def _until(self, states: int) -> Callable[[], bool]:
        limit = self._world.counters.states + states
        checks = [0]

        def stop() -> bool:
            checks[0] += 1
            late = checks[0] % 64 == 0 and (time.monotonic() > self._deadline or self._cancelled())
            return late or self._world.counters.states >= limit

        return stop

    def _state(self, row: FloatArray) -> Any:
        state = self._space.allocState()
        state.setXYZ(*(float(value) for value in row[:3]))
        turned = state.rotation()
        turned.x, turned.y, turned.z, turned.w = (float(value) for value in row[3:])
        return state


class _EdgeCheck(base.MotionValidator):  # type: ignore[misc]
    """Straight motions checked by clearance, not by every sample."""

    def __init__(self, info: Any, world: FreeBodyWorld, step_m: float) -> None:
        super().__init__(info)
        self._world, self._step_m = world, step_m

    def checkMotion(self, first: Any, second: Any) -> bool:
        rows = densify(np.stack([_row(first), _row(second)]), self._world.radius_m, self._step_m)
        return self._world.way_free(rows)


def _slerp(first: FloatArray, last: FloatArray, fractions: FloatArray) -> FloatArray:
    ends = [np.concatenate([np.zeros(3), turned]) for turned in (first, last)]
    return interpolate(ends[0], ends[1], fractions)[:, 3:]


def _row(state: Any) -> FloatArray:
    turned = state.rotation()
    return np.array([state.getX(), state.getY(), state.getZ(), turned.x, turned.y, turned.z, turned.w])


def _bounds(world: FreeBodyWorld) -> Any:
    bounds = base.RealVectorBounds(3)
    for axis, (low, high) in enumerate(zip(*world.bounds, strict=True)):
        bounds.setLow(axis, float(low))
        bounds.setHigh(axis, float(high))
    return bounds
