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
    stop: Callable[[], bool] = lambda: False,
) -> FloatArray:
    """Return a path with the same ends that is no longer than the given one.

    First the vertices that a straight motion can skip are dropped, then random pairs of points on the path are
    joined (Geraerts and Overmars, 2007) until `patience` tries in a row have failed.

    Args:
        path: (N, D) waypoints of a free path.
        tries: most random pairs.
        stop: asked before each check; True ends the work early.
    """
    path = _skip_vertices(world, path, stop)
    failures = 0
    for _ in range(tries):
        if len(path) < 3 or failures >= patience or stop():
            break
        shorter = _join_random(world, path, rng)
        failures = failures + 1 if shorter is None else 0
        path = path if shorter is None else shorter
    return _skip_vertices(world, path, stop)


def _skip_vertices(world: CollisionWorld, path: FloatArray, stop: Callable[[], bool]) -> FloatArray:
    kept, here = [0], 0
    while here < len(path) - 1:
        far = len(path) - 1
        while far > here + 1 and not stop():
            if world.motion(path[here], path[far]):
                break
            far = here + 1 + (far - here - 1) // 2
        else:
            far = here + 1
        kept.append(far)
        here = far
    return path[kept]


def _join_random(world: CollisionWorld, path: FloatArray, rng: np.random.Generator) -> FloatArray | None:
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
    ends = np.cumsum(lengths)
    first, second = np.sort(rng.uniform(0.0, ends[-1], 2))
    i, j = (min(int(k), len(lengths) - 1) for k in np.searchsorted(ends, [first, second]))
    if i == j:
        return None
    a = path[i + 1] - (path[i + 1] - path[i]) * (ends[i] - first) / max(lengths[i], 1e-12)
    b = path[j + 1] - (path[j + 1] - path[j]) * (ends[j] - second) / max(lengths[j], 1e-12)
    saved = (second - first) - float(np.linalg.norm(b - a))
    if saved < 1e-3 or not world.motion(a, b):
        return None
    return np.concatenate([path[: i + 1], a[None], b[None], path[j + 1 :]])
