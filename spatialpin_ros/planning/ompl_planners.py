# SPDX-License-Identifier: Apache-2.0
"""OMPL's planners over a CollisionWorld, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ompl import base, geometric, util

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.planning.collision_world import CollisionWorld

RANGE_RAD = 0.5
_SLICE_S = 0.05
OMPL_PLANNERS = {
    "rrt_connect": geometric.RRTConnect,
    "rrt_star": geometric.RRTstar,
    "informed_rrt_star": geometric.InformedRRTstar,
    "bit_star": geometric.BITstar,
    "prm_star": geometric.PRMstar,
}

util.setLogLevel(util.LOG_NONE)


class _Motions(base.MotionValidator):  # type: ignore[misc]
    """Edge checks in the collision world; OMPL passes only the two states, the first of them known to be valid."""

    def __init__(self, information: Any, world: CollisionWorld, dimension: int) -> None:
        super().__init__(information)
        self._world, self._dimension = world, dimension

    def checkMotion(self, first: Any, second: Any) -> bool:
        d = self._dimension
        return self._world.motion(np.array(first[0:d]), np.array(second[0:d]), start_is_free=True)


def run_ompl(
    name: str,
    world: CollisionWorld,
    start: FloatArray,
    goals: FloatArray,
    stop: Callable[[], bool],
    seed: int,
    *,
    good_enough: float | None = None,
) -> FloatArray | None:
    """Run one OMPL planner until it has a path (rrt_connect), or until `stop` says so (the optimising ones).

    Args:
        name: key of OMPL_PLANNERS.
        start: (D,) and goals: (K, D), all valid.
        stop: asked in every iteration of the planner.
        good_enough: path length at which an optimising planner may end [rad].

    Returns:
        (N, D) waypoints from start to one of the goals, or None.

    Raises:
        UnknownNameError: lists the planners there are.
    """
    if name not in OMPL_PLANNERS:
        raise UnknownNameError(name, sorted(OMPL_PLANNERS), "planner")
    util.RNG.setSeed(1 + seed % (2**31 - 2))
    information = _space(world)
    problem = base.ProblemDefinition(information)
    problem.addStartState(_state(information, start))
    goal = base.GoalStates(information)
    for position in goals:
        goal.addState(_state(information, position))
    problem.setGoal(goal)
    if name != "rrt_connect":
        objective = base.PathLengthOptimizationObjective(information)
        objective.setCostThreshold(base.Cost(good_enough or 0.0))
        problem.setOptimizationObjective(objective)
    planner = OMPL_PLANNERS[name](information)
    if hasattr(planner, "setRange"):
        planner.setRange(RANGE_RAD)
    planner.setProblemDefinition(problem)
    planner.setup()
    if name == "prm_star":
        _solve_in_slices(planner, problem, stop)
    else:
        planner.solve(base.PlannerTerminationCondition(stop))
    path = _waypoints(problem, world.robot.dimension)
    planner.clear()
    return path


def _solve_in_slices(planner: Any, problem: Any, stop: Callable[[], bool]) -> None:
    """Run PRM* in short slices: it asks from a second thread, where a Python condition would wait for the GIL."""
    while not stop() and not problem.hasOptimizedSolution():
        planner.solve(base.timedPlannerTerminationCondition(_SLICE_S))


def _space(world: CollisionWorld) -> Any:
    robot = world.robot
    space = base.RealVectorStateSpace(robot.dimension)
    bounds = base.RealVectorBounds(robot.dimension)
    for j in range(robot.dimension):
        bounds.setLow(j, float(robot.lower[j]))
        bounds.setHigh(j, float(robot.upper[j]))
    space.setBounds(bounds)
    information = base.SpaceInformation(space)
    d = robot.dimension
    information.setStateValidityChecker(lambda state: world.valid(np.array(state[0:d])))
    information.setMotionValidator(_Motions(information, world, d))
    information.setup()
    return information


def _state(information: Any, position: FloatArray) -> Any:
    state = information.allocState()
    for j, value in enumerate(position):
        state[j] = float(value)
    return state


def _waypoints(problem: Any, dimension: int) -> FloatArray | None:
    if not problem.hasExactSolution():
        return None
    states = problem.getSolutionPath().getStates()
    return np.array([state[0:dimension] for state in states])
