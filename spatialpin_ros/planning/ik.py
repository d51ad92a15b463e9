# SPDX-License-Identifier: Apache-2.0
"""Inverse kinematics of many poses from many seeds at once, and its collision-aware form with all branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.kinematics import rotation_error
from spatialpin_ros.planning.robot_model import RobotModel


@dataclass(frozen=True, slots=True)
class IkOptions:
    """Limits of the iteration.

    Args:
        seeds: start configurations per pose, the reference among them.
        iterations: most damped Gauss-Newton steps.
        position_tolerance_m, rotation_tolerance_rad: accepted error.
        damping: Levenberg-Marquardt damping.
        most_step_rad: bound on one step of one joint [rad].
        insist: try a pose that no seed has reached once more with twice the seeds.
        distinct_rad: solutions closer than this (largest joint difference) count as one [rad].
    """

    seeds: int = 16
    iterations: int = 30
    position_tolerance_m: float = 1e-5
    rotation_tolerance_rad: float = 1e-4
    damping: float = 1e-3
    most_step_rad: float = 0.6
    distinct_rad: float = 0.25
    insist: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class IkSolution:
    """Joint positions (D,) that reach pose number `index`, `distance` [rad] from the reference."""

    index: int
    q: FloatArray
    distance: float


def solve_batch(
    robot: RobotModel, rotations: FloatArray, positions: FloatArray, seeds: FloatArray, options: IkOptions
) -> tuple[FloatArray, BoolArray]:
    """Drive each seed to its own target pose.

    Damped least squares, dq = J^T (J J^T + damping^2 I)^-1 e, with joint limits kept by clamping (Buss, 2004).

    Args:
        rotations: (B, 3, 3), positions: (B, 3) [m] of the TCP in the base frame.
        seeds: (B, D) start positions.

    Returns:
        (B, D) positions and (B,) whether they reach their target within tolerance and limits.
    """
    q = np.clip(seeds, robot.lower, robot.upper)
    reached = np.zeros(len(q), dtype=bool)
    active = np.arange(len(q))
    for _ in range(options.iterations):
        rotation, position, axes, origins = robot.chain.forward(q[active])
        error = np.concatenate(
            [positions[active] - position, rotation_error(rotation, rotations[active])], axis=1
        )
        done = np.linalg.norm(error[:, :3], axis=1) < options.position_tolerance_m
        done &= np.linalg.norm(error[:, 3:], axis=1) < options.rotation_tolerance_rad
        reached[active[done]] = True
        going = ~done
        if not going.any():
            break
        active, error = active[going], error[going]
        jacobian = robot.chain.jacobian(position[going], axes[going], origins[going])
        square = jacobian @ jacobian.transpose(0, 2, 1) + options.damping**2 * np.eye(6)
        step = (jacobian.transpose(0, 2, 1) @ np.linalg.solve(square, error[:, :, None]))[:, :, 0]
        largest = np.abs(step).max(axis=1, keepdims=True)
        step *= np.minimum(1.0, options.most_step_rad / np.maximum(largest, 1e-12))
        q[active] = np.clip(q[active] + step, robot.lower, robot.upper)
    return q, reached


def pose_arrays(poses: Sequence[Pose]) -> tuple[FloatArray, FloatArray]:
    """Rotations (N, 3, 3) and positions (N, 3) of poses."""
    return np.stack([pose.axes for pose in poses]), np.stack([pose.position for pose in poses])


def solve(
    robot: RobotModel,
    poses: Sequence[Pose],
    reference: FloatArray,
    rng: np.random.Generator,
    options: IkOptions | None = None,
) -> list[IkSolution]:
    """All distinct solutions of all poses, nearest to the reference first; collisions are not looked at.

    Args:
        poses: of the TCP in the base frame.
        reference: (D,) positions to stay near; also the first seed.
        rng: draws the other seeds.
    """
    options = options or IkOptions()
    if not poses:
        return []
    rotations, positions = pose_arrays(poses)
    kept = _distinct(robot, rotations, positions, np.arange(len(poses)), reference, rng, options)
    missing = np.setdiff1d(np.arange(len(poses)), [solution.index for solution in kept])
    if options.insist and len(missing):
        more = replace(options, seeds=2 * options.seeds)
        kept += _distinct(robot, rotations, positions, missing, reference, rng, more)
    return sorted(kept, key=lambda solution: solution.distance)


def _distinct(
    robot: RobotModel,
    rotations: FloatArray,
    positions: FloatArray,
    which: npt.NDArray[np.intp],
    reference: FloatArray,
    rng: np.random.Generator,
    options: IkOptions,
) -> list[IkSolution]:
    """Distinct solutions of the poses numbered `which`."""
    seeds = _seeds(robot, len(which), reference, rng, options)
    repeat = np.repeat(which, options.seeds)
    q, reached = solve_batch(robot, rotations[repeat], positions[repeat], seeds, options)
    distance = np.linalg.norm(q - reference, axis=1)
    kept: list[IkSolution] = []
    for k in np.argsort(distance, kind="stable"):
        mine = [other for other in kept if other.index == repeat[k]]
        if reached[k] and all(np.abs(other.q - q[k]).max() > options.distinct_rad for other in mine):
            kept.append(IkSolution(int(repeat[k]), q[k], float(distance[k])))
    return kept


def solve_free(
    world: CollisionWorld,
    poses: Sequence[Pose],
    reference: FloatArray,
    rng: np.random.Generator,
    options: IkOptions | None = None,
) -> list[IkSolution]:
    """The solutions of `solve` that touch nothing in the world."""
    found = solve(world.robot, poses, reference, rng, options)
    if not found:
        return []
    free = world.valid_many(np.stack([solution.q for solution in found]))
    return [solution for solution, is_free in zip(found, free, strict=True) if is_free]


def _seeds(
    robot: RobotModel, count: int, reference: FloatArray, rng: np.random.Generator, options: IkOptions
) -> FloatArray:
    """(count * seeds, D): the reference, the home position, half of the rest around them, half anywhere."""
    seeds = rng.uniform(robot.lower, robot.upper, (count, options.seeds, robot.dimension))
    near = (options.seeds + 1) // 2
    seeds[:, :near] = np.clip(
        robot.config.home + rng.normal(0.0, 0.4, (count, near, robot.dimension)), robot.lower, robot.upper
    )
    seeds[:, 0] = reference
    if options.seeds > 1:
        seeds[:, 1] = robot.config.home
    return np.asarray(seeds.reshape(-1, robot.dimension))
