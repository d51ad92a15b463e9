# SPDX-License-Identifier: Apache-2.0
"""RRT-Connect on the positions that hold an object upright: every new node is projected onto them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.rrt_connect import Tree

_STEP_RAD, _LEAST_STEP_RAD, _TOGETHER_RAD = 0.3, 0.02, 1e-6


def connect_upright(
    world: CollisionWorld, start: FloatArray, goals: FloatArray, stop: Callable[[], bool], seed: int
) -> FloatArray | None:
    """Find a path whose nodes hold the object upright and whose edges stay within the tolerance.

    Args:
        world: with an `upright` constraint.
        start: (D,) and goals: (K, D), all valid.
        stop: asked before every step; True ends the search.
        seed: of the samples.

    Returns:
        (N, D) waypoints from start to one of the goals, or None.
    """
    rng, robot = np.random.default_rng(seed), world.robot
    forward = tree = Tree(start[None])
    other = Tree(goals)
    target = goals[int(np.argmin(np.linalg.norm(goals - start, axis=1)))]
    while not stop():
        reached = _grow(world, tree, target, stop)
        if reached is not None:
            met = _grow(world, other, tree[reached], stop)
            if met is not None and np.linalg.norm(other[met] - tree[reached]) < _TOGETHER_RAD:
                way = np.concatenate([tree.to_root(reached)[::-1], other.to_root(met)[1:]])
                return way if tree is forward else way[::-1].copy()
        tree, other = other, tree
        target = rng.uniform(robot.lower, robot.upper)
    return None


def _grow(world: CollisionWorld, tree: Tree, target: FloatArray, stop: Callable[[], bool]) -> int | None:
    """Extend the tree towards a position until it is reached or the way is blocked; index of the last new node."""
    (here, _), last = tree.nearest(target), None
    while not stop():
        new = _step(world, tree[here], target)
        if new is None or not world.motion(tree[here], new, start_is_free=True):
            return last
        here = last = tree.add(new, here)
        if np.linalg.norm(new - target) < _TOGETHER_RAD:
            return last
    return last


def _step(world: CollisionWorld, here: FloatArray, target: FloatArray) -> FloatArray | None:
    """One projected step towards a position; None when it does not come nearer."""
    away = target - here
    length = float(np.linalg.norm(away))
    if length <= _STEP_RAD and world.upright is not None:
        tilt = float(world.upright.tilt(world.robot, target[None])[0])
        if tilt <= world.upright.tolerance_rad:
            return target.copy() if length > _TOGETHER_RAD else None
    ahead = here + away * min(1.0, _STEP_RAD / max(length, 1e-12))
    new = world.upright.project(world.robot, ahead) if world.upright is not None else ahead
    if new is None or np.linalg.norm(target - new) > length - _LEAST_STEP_RAD:
        return None
    return new
