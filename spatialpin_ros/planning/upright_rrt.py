# SPDX-License-Identifier: Apache-2.0
"""RRT-Connect on the positions that hold an object upright: every new node is projected onto them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.planning.collision_world import CollisionWorld

_STEP_RAD, _LEAST_STEP_RAD, _TOGETHER_RAD = 0.3, 0.02, 1e-6


@dataclass(slots=True, eq=False)
class _Tree:
    """Nodes (N, D) with the index of each one's parent; roots have -1."""

    nodes: FloatArray
    parents: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.parents = [-1] * len(self.nodes)

    def nearest(self, q: FloatArray) -> int:
        return int(np.argmin(((self.nodes - q) ** 2).sum(axis=1)))

    def add(self, q: FloatArray, parent: int) -> int:
        self.nodes = np.concatenate([self.nodes, q[None]])
        self.parents.append(parent)
        return len(self.parents) - 1

    def to_root(self, index: int) -> list[FloatArray]:
        path: list[FloatArray] = []
        while index >= 0:
            path.append(self.nodes[index])
            index = self.parents[index]
        return path


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
    forward = tree = _Tree(start[None].copy())
    other = _Tree(goals.copy())
    target = goals[int(np.argmin(np.linalg.norm(goals - start, axis=1)))]
    while not stop():
        reached = _grow(world, tree, target, stop)
        if reached is not None:
            met = _grow(world, other, tree.nodes[reached], stop)
            if met is not None and np.linalg.norm(other.nodes[met] - tree.nodes[reached]) < _TOGETHER_RAD:
                ends = (reached, met) if tree is forward else (met, reached)
                back = other if tree is forward else tree
                return np.stack(forward.to_root(ends[0])[::-1] + back.to_root(ends[1])[1:])
        tree, other = other, tree
        target = rng.uniform(robot.lower, robot.upper)
    return None


def _grow(world: CollisionWorld, tree: _Tree, target: FloatArray, stop: Callable[[], bool]) -> int | None:
    """Extend the tree towards a position until it is reached or the way is blocked; index of the last new node."""
    here, last = tree.nearest(target), None
    while not stop():
        new = _step(world, tree.nodes[here], target)
        if new is None or not world.motion(tree.nodes[here], new, start_is_free=True):
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
