# SPDX-License-Identifier: Apache-2.0
"""Path length over time of several planners on the same motions, as numbers and as a plot."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _restarts import Simplifier, best_at, corner_cuts, random_shortcuts, restarted, shares

from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.ompl_planners import run_ompl
from spatialpin_ros.planning.rrt_star import PathOptions, PathResult, plan_path
from spatialpin_ros.planning.shortcut import path_length

Motion = tuple[CollisionWorld, np.ndarray, np.ndarray]
Run = Callable[[CollisionWorld, np.ndarray, np.ndarray, float, int], list[tuple[float, float]]]
CHECK_RAD = 0.02


def ours(
    world: CollisionWorld, start: np.ndarray, goal: np.ndarray, budget_s: float, seed: int
) -> list[tuple[float, float]]:
    """The product's planner: (seconds, length) each time it had a shorter path."""
    options = PathOptions(first_path_s=budget_s, improve_s=budget_s, improve_edges=10**9, seed=seed)
    found = plan_path(world, start, goal[None], options)
    return list(found.cost_over_time) if isinstance(found, PathResult) else []


def restarts(simplify: Simplifier, seed_offset: int = 0) -> Run:
    """RRT-Connect and a simplifier, begun anew until the time is up, with the seeds of ours."""

    def run(
        world: CollisionWorld, start: np.ndarray, goal: np.ndarray, budget_s: float, seed: int
    ) -> list[tuple[float, float]]:
        return restarted(world, start, goal[None], budget_s, seed + seed_offset, simplify)[0]

    return run


def optimising(name: str) -> Run:
    """One of OMPL's optimising planners alone; asked anew for every budget, as it tells its path at the end only."""

    def run(
        world: CollisionWorld, start: np.ndarray, goal: np.ndarray, budget_s: float, seed: int
    ) -> list[tuple[float, float]]:
        history: list[tuple[float, float]] = []
        for share in (0.1, 0.25, 0.5, 1.0):
            until = time.perf_counter() + share * budget_s
            path = run_ompl(
                name, world, start, goal[None], lambda until=until: time.perf_counter() > until, seed
            )
            if path is not None and world.path(path, CHECK_RAD):
                history.append((share * budget_s, path_length(path)))
        return history

    return run


PLANNERS: dict[str, Run] = {
    "rrt_star (ours)": ours,
    "RRT-Connect + shortcuts, restarted": restarts(random_shortcuts),
    "RRT-Connect + corner cuts, restarted": restarts(corner_cuts),
    "the same, other seeds": restarts(corner_cuts, 1_000_003),
    "RRT* (OMPL)": optimising("rrt_star"),
    "Informed RRT* (OMPL)": optimising("informed_rrt_star"),
    "BIT* (OMPL)": optimising("bit_star"),
}


@dataclass(frozen=True)
class Curve:
    """Of one planner: per motion, its (seconds, length) pairs in order."""

    name: str
    histories: list[list[tuple[float, float]]]

    def at(self, times: np.ndarray) -> np.ndarray:
        """(M, T) length of the best path of each motion at each time; inf before there is one."""
        return best_at(self.histories, list(times))


def curves(motions: Sequence[Motion], budget_s: float) -> list[Curve]:
    """Every planner on every motion."""
    return [
        Curve(name, [run(world, start, goal, budget_s, k) for k, (world, start, goal) in enumerate(motions)])
        for name, run in PLANNERS.items()
    ]


def figures(found: Sequence[Curve], budget_s: float) -> dict[str, Any]:
    """Solved and median length at a tenth and at the end of the budget; ours against the restarts at equal times."""
    times = np.array([0.1 * budget_s, budget_s])
    result: dict[str, Any] = {}
    for curve in found:
        early, late = curve.at(times).T
        result[curve.name] = {
            "solved": int(np.isfinite(late).sum()),
            "median_rad_at_tenth": float(np.median(early)),
            "median_rad_at_end": float(np.median(late)),
        }
    named = {curve.name: curve.histories for curve in found}
    ours_name, plain, corners, again = list(named)[:4]
    for first, second in ((ours_name, plain), (ours_name, corners), (corners, again)):
        result[f"{first} against {second}"] = shares(named[first], named[second], budget_s)
    return result


def plot(path: Path, found: Sequence[Curve], budget_s: float) -> None:
    """Median length relative to the best known, and the share of motions solved, over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    times = np.geomspace(budget_s / 1000.0, budget_s, 200)
    values = [curve.at(times) for curve in found]
    best = np.min([value[:, -1] for value in values], axis=0)[:, None]
    figure, (upper, lower) = pyplot.subplots(
        2, 1, figsize=(7.5, 6.5), sharex=True, height_ratios=(2, 1), layout="constrained"
    )
    for curve, value in zip(found, values, strict=True):
        middle = np.median(value / best, axis=0)
        upper.plot(times * 1000.0, np.where(np.isfinite(middle), middle, np.nan), label=curve.name)
        lower.plot(times * 1000.0, 100.0 * np.isfinite(value).mean(axis=0))
    upper.set(
        ylabel="median length / best known",
        title=f"{len(best)} carrying motions that no straight line solves",
    )
    figure.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    lower.set(xscale="log", xlabel="time [ms]", ylabel="solved [%]", ylim=(0, 105))
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    print(f"written to {path}")
