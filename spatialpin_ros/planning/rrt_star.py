# SPDX-License-Identifier: Apache-2.0
"""The free-space planner: straight line, else RRT-Connect and shortcuts, then RRT* and restarts; the shortest wins."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.plan import FailureReason
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.ompl_planners import OMPL_PLANNERS, run_ompl
from spatialpin_ros.planning.rrt_connect import rrt_connect
from spatialpin_ros.planning.shortcut import cut_corners, path_length, shortcut, skip_vertices
from spatialpin_ros.planning.upright_rrt import connect_upright

_HOPELESS = 1.5
_FINE = 5e-4
_POLISH_EVERY = 2
_LONG_S, _RRT_STAR_SHARE = 0.5, 0.1


def never() -> bool:
    """No cancellation."""
    return False


@dataclass(frozen=True, slots=True)
class PathOptions:
    """How a path is looked for.

    Args:
        planner: "rrt_star" (the default strategy), "rrt_connect" (its first path, shortened once), or one of
            OMPL's alone: "informed_rrt_star", "bit_star", "prm_star".
        first_path_s: most time to find a first path [s].
        improve_s: most time to shorten it [s]; 0 keeps the first shortened path.
        improve_edges: most edge checks spent on shortening it. Reached before `improve_s`, it makes the result
            depend on the seed alone, not on the speed of the machine.
        check_rad: resolution at which a path that is returned has been checked [rad]; the search itself works
            at the world's own, which is coarser.
        good_enough: stop when the path is at most this many times the straight line's length.
        seed: of all random choices.
        cancelled: asked often; True ends the search.
    """

    planner: str = "rrt_star"
    first_path_s: float = 5.0
    improve_s: float = 0.05
    improve_edges: int = 150
    check_rad: float = 0.02
    good_enough: float = 1.001
    seed: int = 0
    cancelled: Callable[[], bool] = never

    def __post_init__(self) -> None:
        if self.planner not in OMPL_PLANNERS:
            raise UnknownNameError(self.planner, sorted(OMPL_PLANNERS), "planner")


@dataclass(frozen=True, slots=True, eq=False)
class PathResult:
    """A free polyline.

    Args:
        path: (N, D) waypoints.
        goal_index: which of the goals it reaches.
        won: "straight_line", "rrt_connect", "restart", or the OMPL planner that gave the shortest path.
        first_path_s: time until the first path [s].
        cost_over_time: (seconds, length [rad]) each time a shorter path was found.
        states, edges: checked in this call.
    """

    path: FloatArray
    goal_index: int
    won: str
    first_path_s: float
    cost_over_time: tuple[tuple[float, float], ...]
    states: int
    edges: int

    @property
    def cost(self) -> float:
        """Joint-space length [rad]."""
        return path_length(self.path)


@dataclass(frozen=True, slots=True)
class PathFailure:
    """Why there is no path."""

    reason: FailureReason
    detail: str


@dataclass(slots=True, eq=False)
class _Search:
    """State of one call: the clock, the best path, what it cost."""

    world: CollisionWorld
    start: FloatArray
    goals: FloatArray
    options: PathOptions
    began: float = field(default_factory=time.perf_counter)
    best: FloatArray | None = None
    won: str = ""
    history: list[tuple[float, float]] = field(default_factory=list)

    def elapsed(self) -> float:
        return time.perf_counter() - self.began

    def connect(self, world: CollisionWorld, stop: Callable[[], bool], seed: int) -> FloatArray | None:
        if world.upright is not None:
            return connect_upright(world, self.start, self.goals, stop, seed)
        return rrt_connect(
            world, self.start, self.goals, stop, seed, shorter_than=_HOPELESS * self.best_cost()
        )

    def offer(self, path: FloatArray, name: str) -> bool:
        """Take a path when it is the shortest so far and free at the resolution that is promised."""
        cost = path_length(path)
        if cost >= self.best_cost() - 1e-9 or not self.world.path(path, self.options.check_rad):
            return False
        self.best, self.won = path, name
        self.history.append((self.elapsed(), cost))
        return True

    def shorten(self, path: FloatArray, name: str, stop: Callable[[], bool]) -> bool:
        """Offer a path without the vertices it can skip, then with its corners cut; give up on a hopeless one."""
        step_rad = self.options.check_rad
        path = skip_vertices(self.world, path, step_rad, stop)
        if path_length(path) > _HOPELESS * self.best_cost():
            return False
        early = not self.found() and self.offer(path, name)
        return self.offer(cut_corners(self.world, path, step_rad=step_rad, stop=stop), name) or early

    def polish(self, rng: np.random.Generator, stop: Callable[[], bool]) -> None:
        """Join random points of the best path, and cut its corners more finely."""
        if self.best is None:
            return
        step_rad = self.options.check_rad
        path = shortcut(self.world, self.best, rng, tries=40, patience=15, step_rad=step_rad, stop=stop)
        self.offer(cut_corners(self.world, path, step_rad=step_rad, stop=stop, least=_FINE), self.won)

    def best_cost(self) -> float:
        """Length of the shortest path so far [rad], infinite before there is one."""
        return self.history[-1][1] if self.history else np.inf

    def bound(self) -> float:
        """Length that no path can be shorter than [rad]."""
        return float(np.linalg.norm(self.goals - self.start, axis=1).min())

    def found(self) -> bool:
        return bool(self.history)

    def done(self) -> bool:
        return self.best_cost() <= self.options.good_enough * self.bound()


def plan_path(
    world: CollisionWorld, start: FloatArray, goals: FloatArray, options: PathOptions | None = None
) -> PathResult | PathFailure:
    """Find a short free path from a position to any of several goals.

    Args:
        world: what must not be touched.
        start: (D,) joint positions.
        goals: (K, D) joint positions, K >= 1; those that are not free are left out.
    """
    options = options or PathOptions()
    states, edges = world.counters.states, world.counters.edges
    if not world.valid(start):
        return PathFailure("start_in_collision", world.explain(start))
    free = world.valid_many(goals)
    if not free.any():
        return PathFailure("goal_in_collision", world.explain(goals[0]) if len(goals) else "no goals")
    search = _Search(world, start, goals[free], options)
    _straight(search)
    if not search.found():
        _first_path(search)
        if search.found():
            _improve(search)
    if search.best is None:
        cancelled = options.cancelled()
        kept = "" if world.upright is None else " that keeps upright what is held"
        why = "cancelled" if cancelled else f"no path{kept} found in {options.first_path_s:.1f} s"
        return PathFailure("cancelled" if cancelled else "no_path", why)
    reached = int(np.argmin(np.linalg.norm(goals - search.best[-1], axis=1)))
    counted = world.counters.states - states, world.counters.edges - edges
    return PathResult(search.best, reached, search.won, search.history[0][0], tuple(search.history), *counted)


def _straight(search: _Search) -> None:
    order = np.argsort(np.linalg.norm(search.goals - search.start, axis=1), kind="stable")
    for k in order[:4]:
        if search.world.motion(search.start, search.goals[k], search.options.check_rad):
            search.offer(np.stack([search.start, search.goals[k]]), "straight_line")
            return


def _first_path(search: _Search) -> None:
    options = search.options

    def stop() -> bool:
        return search.elapsed() > options.first_path_s or options.cancelled()

    name = "rrt_connect" if options.planner == "rrt_star" else options.planner
    if name != "rrt_connect":
        _optimise(search, name, min(options.first_path_s, max(options.improve_s, 0.05)))
        return
    for finer in (False, True):
        world = search.world.derive(step_rad=options.check_rad) if finer else search.world
        path = search.connect(world, stop, options.seed)
        if path is None:
            return
        search.offer(path, name)
        search.shorten(path, name, options.cancelled)
        if search.found():
            return


def _improve(search: _Search) -> None:
    """Spend the budget: restarts of RRT-Connect with shortcuts, and RRT* for the second half of a long budget."""
    options, counters = search.options, search.world.counters
    if options.planner != "rrt_star" or options.improve_s <= 0.0:
        return
    until, most = search.elapsed() + options.improve_s, counters.edges + options.improve_edges
    restarts_until = until - (_RRT_STAR_SHARE * options.improve_s if options.improve_s >= _LONG_S else 0.0)
    rng = np.random.default_rng(options.seed + 1)

    def stop() -> bool:
        return search.elapsed() > restarts_until or counters.edges > most or options.cancelled()

    attempt, polished = 1, np.inf
    while not (search.done() or stop()):
        path = search.connect(search.world, stop, options.seed + 7919 * attempt)
        if path is not None:
            search.shorten(path, "restart", stop)
        if attempt % _POLISH_EVERY == 0 and search.best_cost() < polished:
            polished = search.best_cost()
            search.polish(rng, stop)
        attempt += 1
    left = until - search.elapsed()
    if left > 0.05 and counters.edges <= most and not search.done() and not options.cancelled():
        _optimise(search, "rrt_star", left)


def _optimise(search: _Search, name: str, budget_s: float) -> None:
    """Give an optimising OMPL planner some time, then shorten what it found."""
    options, until = search.options, search.elapsed() + budget_s
    good = options.good_enough * search.bound()

    def stop() -> bool:
        return search.elapsed() > until or options.cancelled()

    path = run_ompl(name, search.world, search.start, search.goals, stop, options.seed, good_enough=good)
    if path is not None:
        search.offer(path, name)
        search.shorten(path, name, options.cancelled)
