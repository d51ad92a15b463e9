# SPDX-License-Identifier: Apache-2.0
"""Shorten a polyline of joint positions by trying straight motions between points on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.planning.collision_world import CollisionWorld


def path_length(path: FloatArray) -> float:
    """Euclidean joint-space length of (N, D) waypoints [rad]."""
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def shortcut(
    world: CollisionWorld,
    path: FloatArray,
    rng: np.random.Generator,
    *,
    tries: int = 120,
    patience: int = 40,
    step_rad: float | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> FloatArray:
    """Return a path with the same ends that is no longer than the given one.

    First the vertices that a straight motion can skip are dropped, then random pairs of points on the path are
    joined (Geraerts and Overmars, 2007) until `patience` tries in a row have failed.

    Args:
        path: (N, D) waypoints of a free path.
        tries: most random pairs.
        step_rad: finer resolution at which the new motions are checked as well [rad].
        stop: asked before each check; True ends the work early.
    """
    path = _skip_vertices(world, path, step_rad, stop)
    failures = 0
    for _ in range(tries):
        if len(path) < 3 or failures >= patience or stop():
            break
        shorter = _join_random(world, path, rng, step_rad)
        failures = failures + 1 if shorter is None else 0
        path = path if shorter is None else shorter
    return _skip_vertices(world, path, step_rad, stop)


def _free(world: CollisionWorld, start: FloatArray, end: FloatArray, step_rad: float | None) -> bool:
    """Check at the world's own resolution first: most motions that are not free fall there."""
    return world.motion(start, end) and (step_rad is None or world.motion(start, end, step_rad))


def _skip_vertices(
    world: CollisionWorld, path: FloatArray, step_rad: float | None, stop: Callable[[], bool]
) -> FloatArray:
    kept, here = [0], 0
    while here < len(path) - 1:
        far = len(path) - 1
        while far > here + 1 and not stop():
            if _free(world, path[here], path[far], step_rad):
                break
            far = here + 1 + (far - here - 1) // 2
        else:
            far = here + 1
        kept.append(far)
        here = far
    return path[kept]


def _join_random(
    world: CollisionWorld, path: FloatArray, rng: np.random.Generator, step_rad: float | None
) -> FloatArray | None:
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
    ends = np.cumsum(lengths)
    first, second = np.sort(rng.uniform(0.0, ends[-1], 2))
    i, j = (min(int(k), len(lengths) - 1) for k in np.searchsorted(ends, [first, second]))
    if i == j:
        return None
    a = path[i + 1] - (path[i + 1] - path[i]) * (ends[i] - first) / max(lengths[i], 1e-12)
    b = path[j + 1] - (path[j + 1] - path[j]) * (ends[j] - second) / max(lengths[j], 1e-12)
    saved = (second - first) - float(np.linalg.norm(b - a))
    if saved < 1e-3 or not _free(world, a, b, step_rad):
        return None
    return np.concatenate([path[: i + 1], a[None], b[None], path[j + 1 :]])
