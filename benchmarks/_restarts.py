# SPDX-License-Identifier: Apache-2.0
"""What the product's planner is measured against: RRT-Connect and a simplifier, begun anew until the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.rrt_connect import rrt_connect
from spatialpin_ros.planning.shortcut import cut_corners, path_length, shortcut, skip_vertices

CHECK_RAD = 0.02
History = list[tuple[float, float]]
Simplifier = Callable[[CollisionWorld, np.ndarray, np.random.Generator], np.ndarray]
COMPARED_S = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)


def random_shortcuts(world: CollisionWorld, path: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Joining random points of the path, as most planners do."""
    return shortcut(world, path, rng, step_rad=CHECK_RAD)


def corner_cuts(world: CollisionWorld, path: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The product's own simplifier."""
    return cut_corners(world, skip_vertices(world, path, CHECK_RAD), step_rad=CHECK_RAD)


def restarted(
    world: CollisionWorld,
    start: np.ndarray,
    goals: np.ndarray,
    budget_s: float,
    seed: int,
    simplify: Simplifier = random_shortcuts,
) -> tuple[History, np.ndarray | None]:
    """(seconds, length) each time a shorter path free at 0.02 rad was there, and the last one.

    The seeds of the searches are those of the product's planner.
    """
    began, rng, attempt = time.perf_counter(), np.random.default_rng(seed), 0
    history: History = []
    best: np.ndarray | None = None

    def over() -> bool:
        return time.perf_counter() - began > budget_s

    def offer(path: np.ndarray) -> None:
        nonlocal best
        cost = path_length(path)
        if (not history or cost < history[-1][1] - 1e-9) and world.path(path, CHECK_RAD):
            history.append((time.perf_counter() - began, cost))
            best = path

    for goal in goals:
        if world.motion(start, goal, CHECK_RAD):
            offer(np.stack([start, goal]))
            return history, best
    while not over():
        path = rrt_connect(world, start, goals, over, seed + 7919 * attempt)
        attempt += 1
        if path is not None:
            offer(simplify(world, path, rng))
    return history, best


def best_at(histories: Sequence[Sequence[tuple[float, float]]], times: Sequence[float]) -> np.ndarray:
    """(M, T) length of the best path of each motion at each time [s]; inf before there is one."""
    rows = [
        [min((cost for at, cost in history if at <= moment), default=np.inf) for moment in times]
        for history in histories
    ]
    return np.array(rows).reshape(len(histories), len(times))


def shares(
    ours: Sequence[Sequence[tuple[float, float]]],
    others: Sequence[Sequence[tuple[float, float]]],
    most_s: float,
) -> dict[str, Any]:
    """Per moment: both medians, and the share of motions on which ours is longer, by more than 1%, or shorter by that.

    Motions that a straight line solves are left out; no path yet counts as infinitely long.
    """
    times = [moment for moment in COMPARED_S if moment <= most_s]
    mine, theirs = best_at(ours, times), best_at(others, times)
    hard = np.array([len(a) > 1 or len(b) > 1 for a, b in zip(ours, others, strict=True)], dtype=bool)
    mine, theirs = mine[hard], theirs[hard]
    result: dict[str, Any] = {"motions": int(hard.sum())}
    if not hard.any():
        return result
    for k, moment in enumerate(times):
        a, b = mine[:, k], theirs[:, k]
        result[f"{moment:g}_s"] = {
            "median": float(np.median(a)),
            "median_other": float(np.median(b)),
            "longer": float((a > b * 1.001).mean()),
            "longer_by_1_percent": float((a > b * 1.01).mean()),
            "shorter_by_1_percent": float((a < b * 0.99).mean()),
        }
    return result


def in_lines(title: str, shown: dict[str, Any]) -> list[str]:
    """`shares` for reading."""
    lines = [f"{title}, {shown['motions']} motions that no straight line solves"]
    for moment, at in shown.items():
        if isinstance(at, dict):
            lines.append(
                f"  at {moment[:-2]:>5} s: median {at['median']:.3f} against {at['median_other']:.3f} rad; longer "
                f"{at['longer']:.0%}, by over 1% {at['longer_by_1_percent']:.0%}, shorter by that "
                f"{at['shorter_by_1_percent']:.0%}"
            )
    return lines
