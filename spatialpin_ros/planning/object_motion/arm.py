# SPDX-License-Identifier: Apache-2.0
"""Let an arm carry an object along its planned path: TCP poses, joint positions, times within the joint limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import CandidateFailure, FailureReason, PlanFailure, Trajectory
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.ik import IkOptions, solve, solve_batch
from spatialpin_ros.planning.object_motion.path import ObjectPath
from spatialpin_ros.planning.object_motion.se3 import row_to_pose
from spatialpin_ros.planning.robot_model import RobotModel

_STAGE = "carry"
_COARSE = 8
_MOST_JUMP_RAD = 0.3
_NEXT = IkOptions(seeds=1, iterations=25, damping=1e-4, most_step_rad=0.2)


def attach_to_arm(path: ObjectPath, object_T_tcp: Pose) -> FloatArray:
    """(N, 7) poses of the TCP in the scene's frame that carry the object along its path, x y z then xyzw.

    Args:
        object_T_tcp: the grasp: pose of the TCP in the object's box frame.
    """
    turned = Rotation.from_quat(path.poses[:, 3:])
    positions = turned.as_matrix() @ object_T_tcp.position + path.poses[:, :3]
    return np.column_stack([positions, (turned * object_T_tcp.rotation).as_quat()])


@dataclass(frozen=True, slots=True)
class CarryOptions:
    """How an arm follows an object's path.

    Args:
        seed: of the start configurations that are tried.
        branches: most joint configurations at the start that are followed, nearest to `start` first.
        padding_m: least distance of the arm to every obstacle [m]; the object itself keeps its path's clearance.
    """

    seed: int = 0
    branches: int = 8
    padding_m: float = 0.0


def follow_with_arm(
    world: CollisionWorld,
    path: ObjectPath,
    object_T_tcp: Pose,
    start: FloatArray,
    options: CarryOptions | None = None,
) -> Trajectory | PlanFailure:
    """Joint motion that carries the object along its path, with the object's samples and time law, maybe slower.

    Every sample is solved for, checked for collisions of the arm with the obstacles, itself and the object, and
    for continuity. Time is stretched evenly until velocities and accelerations are within the joint limits.

    Args:
        world: the arm and all obstacles of the scene, the object among them; its gripper opening is kept.
        object_T_tcp: pose of the TCP in the object's box frame.
        start: (D,) joint positions to stay near at the beginning.
    """
    chosen, robot = options or CarryOptions(), world.robot
    rows = attach_to_arm(path, object_T_tcp)
    rng = np.random.default_rng(chosen.seed)
    branches = solve(robot, [row_to_pose(rows[0])], start, rng)[: chosen.branches]
    if not branches:
        return PlanFailure(
            "ik", _STAGE, "the arm does not reach the grasp at the start of the path; try another grasp"
        )
    held = _held_world(world, path.object_id, object_T_tcp, chosen.padding_m)
    fallen: list[CandidateFailure] = []
    for index, branch in enumerate(branches):
        positions, failure = _positions(robot, rows, branch.q)
        reason: FailureReason = "ik"
        if not failure:
            blocked = held.first_invalid(positions)
            if blocked is None:
                return _timed(robot, path.times, positions)
            reason, failure = "no_path", f"at {path.times[blocked]:.2f} s: {held.explain(positions[blocked])}"
        fallen.append(CandidateFailure(f"arm configuration {index + 1}", _STAGE, reason, failure))
    last = max(fallen, key=lambda item: item.reason == "no_path")
    message = (
        f"the arm cannot carry the object along this path with this grasp: {last.detail}; try another grasp"
    )
    return PlanFailure(last.reason, _STAGE, message, tuple(fallen))


def _held_world(
    world: CollisionWorld, object_id: str, object_T_tcp: Pose, padding_m: float
) -> CollisionWorld:
    """The object in the hand; its own way among the obstacles was checked with its exact body before."""
    checked = [(object_id, item.name) for item in world.obstacles]
    return world.attach(
        object_id, object_T_tcp.inverse(), padding_m=padding_m, allowed=[*world.allowed, *checked]
    )


def _positions(robot: RobotModel, rows: FloatArray, first: FloatArray) -> tuple[FloatArray, str]:
    """(N, D) positions along (N, 7) TCP poses from a solution of the first: coarsely one by one, then all between."""
    rotations = Rotation.from_quat(rows[:, 3:]).as_matrix()
    coarse = np.unique(np.append(np.arange(0, len(rows), _COARSE), len(rows) - 1))
    solved = [first]
    for index in coarse[1:]:
        q, reached = solve_batch(robot, rotations[[index]], rows[[index], :3], solved[-1][None], _NEXT)
        if not reached[0]:
            return np.zeros(
                (0, len(first))
            ), f"out of reach or limits at {index / (len(rows) - 1):.0%} of the path"
        solved.append(q[0])
    seeds = np.column_stack(
        [np.interp(np.arange(len(rows)), coarse, column) for column in np.array(solved).T]
    )
    positions, reached = solve_batch(robot, rotations, rows[:, :3], seeds, _NEXT)
    if not reached.all():
        share = int(np.argmin(reached)) / (len(rows) - 1)
        return positions, f"out of reach or limits at {share:.0%} of the path"
    jumps = np.abs(np.diff(positions, axis=0)).max(axis=1)
    if jumps.max() > _MOST_JUMP_RAD:
        share = int(np.argmax(jumps)) / (len(rows) - 1)
        return positions, f"a joint would jump by {jumps.max():.2f} rad at {share:.0%} of the path"
    return positions, ""


def _timed(robot: RobotModel, times: FloatArray, positions: FloatArray) -> Trajectory:
    velocities = np.gradient(positions, times, axis=0)
    accelerations = np.gradient(velocities, times, axis=0)
    stretch = max(
        1.0,
        float((np.abs(velocities) / robot.velocity).max()),
        float(np.sqrt((np.abs(accelerations) / robot.acceleration).max())),
    )
    return Trajectory(
        robot.joint_names, times * stretch, positions, velocities / stretch, accelerations / stretch**2
    )
