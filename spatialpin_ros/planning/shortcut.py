# SPDX-License-Identifier: Apache-2.0
"""Shorten a polyline of joint positions by trying straight motions between points on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.planning.collision_world import CollisionWorld

_LEAST_SAVED_RAD = 1e-3
_LEAST_CUT = 0.02


def path_length(path: FloatArray) -> float:
    """Euclidean joint-space length of (N, D) waypoints [rad]."""
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def never() -> bool:
    """Go on."""
    return False


def skip_vertices(
    world: CollisionWorld, path: FloatArray, step_rad: float | None = None, stop: Callable[[], bool] = never
) -> FloatArray:
    """Drop the vertices of a free (N, D) path that a straight motion can skip."""
    kept, here = [0], 0
    while here < len(path) - 1:
        far = len(path) - 1
        while far > here + 1 and not stop():
            if world.edge(path[here], path[far], step_rad):
                break
            far = here + 1 + (far - here - 1) // 2
        else:
            far = here + 1
        kept.append(far)
        here = far
    return path[kept]


def shortcut(
    world: CollisionWorld,
    path: FloatArray,
    rng: np.random.Generator,
    *,
    tries: int = 120,
    patience: int = 40,
    step_rad: float | None = None,
    stop: Callable[[], bool] = never,
) -> FloatArray:
    """Return a path with the same ends that is no longer than the given one.

    First the vertices that a straight motion can skip are dropped, then random pairs of points on the path are
    joined (Geraerts and Overmars, 2007) until `patience` tries in a row have failed.

    Args:
        path: (N, D) waypoints of a free path.
        tries: most random pairs.
        step_rad: resolution at which the new motions are checked [rad], the world's by default.
        stop: asked before each check; True ends the work early.
    """
    path = skip_vertices(world, path, step_rad, stop)
    failures = 0
    for _ in range(tries):
        if len(path) < 3 or failures >= patience or stop():
            break
        shorter = _join_random(world, path, rng, step_rad)
        failures = failures + 1 if shorter is None else 0
        path = path if shorter is None else shorter
    return skip_vertices(world, path, step_rad, stop)


def cut_corners(
    world: CollisionWorld,
    path: FloatArray,
    *,
    step_rad: float | None = None,
    stop: Callable[[], bool] = never,
    least: float = 5e-3,
) -> FloatArray:
    """Cut corner after corner, smaller where a cut is blocked, until a round saves less than a share `least`."""
    length = path_length(path)
    while len(path) > 2 and not stop():
        path, before = _cut_round(world, path, step_rad, stop), length
        length = path_length(path)
        if length > before * (1.0 - least):
            break
    return path


def _cut_round(
    world: CollisionWorld, path: FloatArray, step_rad: float | None, stop: Callable[[], bool]
) -> FloatArray:
    kept = [path[0]]
    for k in range(1, len(path) - 1):
        corner, after = path[k], path[k + 1]
        before, share = kept[-1], 1.0
        while share > 0.1 and not stop():
            a = corner + (before - corner) * share
            b = corner + (after - corner) * (share if share < 1.0 else 1.0)
            saved = np.linalg.norm(a - corner) + np.linalg.norm(b - corner) - np.linalg.norm(b - a)
            if saved < _LEAST_SAVED_RAD:
                kept.append(corner)
                break
            if world.edge(a, b, step_rad):
                kept += ([a] if share < 1.0 else []) + ([b] if share < 1.0 else [])
                break
            share /= 2.0
        else:
            kept.append(corner)
    return np.array([*kept, path[-1]])


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
    if saved < _LEAST_SAVED_RAD or not world.edge(a, b, step_rad, start_is_free=False):
        return None
    return np.concatenate([path[: i + 1], a[None], b[None], path[j + 1 :]])
