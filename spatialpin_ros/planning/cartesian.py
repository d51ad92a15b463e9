# SPDX-License-Identifier: Apache-2.0
"""Straight motions of the TCP at constant orientation, as joint waypoints with an error bound and jump detection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.planning.ik import IkOptions, solve_batch
from spatialpin_ros.planning.robot_model import RobotModel


@dataclass(frozen=True, slots=True)
class LineOptions:
    """Limits of a straight motion.

    Args:
        step_m: distance of the waypoints.
        most_error_m: bound on the TCP's distance from the straight line between waypoints.
        most_jump_rad: bound on one joint's change from waypoint to waypoint: more is a jump to another branch.
    """

    step_m: float = 0.01
    most_error_m: float = 0.001
    most_jump_rad: float = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One straight motion, or why there is none.

    Args:
        path: (N, D) waypoints from the given position to the displaced one; empty on failure.
        failure: "" or what is wrong and where.
    """

    path: FloatArray
    failure: str = ""

    def __bool__(self) -> bool:
        return not self.failure


_IK = IkOptions(iterations=15, damping=1e-4, most_step_rad=0.3)


def straight_lines(
    robot: RobotModel, starts: FloatArray, displacements: FloatArray, options: LineOptions | None = None
) -> list[Line]:
    """Displace the TCP from each of B positions along a straight line, keeping its orientation; all at once.

    Args:
        starts: (B, D) joint positions.
        displacements: (B, 3) in the base frame [m].
    """
    options = options or LineOptions()
    if not len(starts):
        return []
    longest = float(np.linalg.norm(displacements, axis=1).max())
    steps = max(2, int(np.ceil(longest / options.step_m)))
    fraction = np.arange(1, steps + 1) / steps
    rotation, position = robot.tcp_batch(starts)
    targets = position[:, None, :] + fraction[None, :, None] * displacements[:, None, :]
    rotations = np.repeat(rotation, steps, axis=0)
    q, reached = solve_batch(robot, rotations, targets.reshape(-1, 3), np.repeat(starts, steps, axis=0), _IK)
    paths = np.concatenate([starts[:, None, :], q.reshape(len(starts), steps, -1)], axis=1)
    errors = _line_errors(robot, paths, position, displacements)
    return [
        _judge(path, ok, error, fraction, options)
        for path, ok, error in zip(paths, reached.reshape(len(starts), steps), errors, strict=True)
    ]


def straight_line(
    robot: RobotModel, start: FloatArray, displacement: FloatArray, options: LineOptions | None = None
) -> Line:
    """One (D,) position displaced by (3,) [m]; see `straight_lines`."""
    return straight_lines(robot, start[None], np.asarray(displacement, dtype=np.float64)[None], options)[0]


def _line_errors(
    robot: RobotModel, paths: FloatArray, origin: FloatArray, displacements: FloatArray
) -> FloatArray:
    """(B,) largest distance of the TCP from its line halfway between neighbouring waypoints [m]."""
    count, points, joints = paths.shape
    middle = (paths[:, :-1] + paths[:, 1:]) / 2.0
    _, position = robot.tcp_batch(middle.reshape(-1, joints))
    away = position.reshape(count, points - 1, 3) - origin[:, None, :]
    length = np.linalg.norm(displacements, axis=1)
    direction = displacements / np.maximum(length, 1e-12)[:, None]
    along = np.einsum("bnk,bk->bn", away, direction)
    return np.asarray(np.linalg.norm(away - along[:, :, None] * direction[:, None, :], axis=2).max(axis=1))


def _judge(
    path: FloatArray, reached: BoolArray, error: float, fraction: FloatArray, options: LineOptions
) -> Line:
    empty = np.zeros((0, path.shape[1]))
    if not reached.all():
        share = fraction[int(np.argmin(reached))]
        return Line(empty, f"out of reach at {share:.0%} of the straight motion")
    jump = float(np.abs(np.diff(path, axis=0)).max())
    if jump > options.most_jump_rad:
        return Line(empty, f"a joint would jump by {jump:.2f} rad within {options.step_m * 1000:.0f} mm")
    if error > options.most_error_m:
        return Line(empty, f"the tip would leave the straight line by {error * 1000:.1f} mm")
    return Line(path)
