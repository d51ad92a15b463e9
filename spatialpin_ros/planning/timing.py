# SPDX-License-Identifier: Apache-2.0
"""Turn a polyline of joint positions into a smooth, timed, sampled and checked trajectory."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline
from toppra import algorithm, constraint
from toppra.interpolator import AbstractGeometricPath

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.plan import Trajectory
from spatialpin_ros.planning.collision_world import CollisionWorld, densify
from spatialpin_ros.planning.robot_model import RobotModel

_MOST_STRETCH = 3.0

logging.getLogger("toppra").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class TimingOptions:
    """How a path is smoothed and timed.

    Args:
        speed: fraction of the velocity limits, 0 < s <= 1; accelerations scale with its square, jerks with its cube.
        acceleration_share: fraction of the acceleration limits given to TOPP-RA; the rest covers sampling.
        filter_s: least width of the moving average over time that bounds the jerk: an average over w of an
            acceleration within +-a has a jerk within 2 a / w; wider where an arm's jerk limits ask for it [s].
        most_filter_s: most such width, as it rounds the path; jerk limits lower still stretch time instead [s].
        sample_s: time between published points [s].
        check_rad: largest joint distance between positions checked for collisions [rad].
        spacing_rad: distance of the spline's control points on the polyline, coarsest first; each finer one
            keeps nearer to the polyline, and 0 keeps to it exactly, stopping at every corner.
    """

    speed: float = 1.0
    acceleration_share: float = 0.9
    filter_s: float = 0.06
    most_filter_s: float = 0.2
    sample_s: float = 0.02
    check_rad: float = 0.02
    spacing_rad: tuple[float, ...] = (0.5, 0.2, 0.08, 0.0)


@dataclass(frozen=True, slots=True)
class TimingFailure:
    """Why no trajectory could be made of the path."""

    detail: str
    limits: bool


def time_path(
    world: CollisionWorld, path: FloatArray, options: TimingOptions | None = None, *, checked: bool = True
) -> Trajectory | TimingFailure:
    """Smooth, time and sample a free polyline, and check the very samples that are returned.

    Args:
        world: for the last check; not asked when `checked` is False.
        path: (N, D) waypoints.

    Returns:
        A trajectory at rest at both ends, within velocity, acceleration and jerk limits at every sample, whose
        positions are free at `check_rad`; or why that cannot be had.
    """
    options = options or TimingOptions()
    failure = TimingFailure("the path has no length", limits=False)
    path = _distinct(path)
    if len(path) < 2:
        return failure
    spacings = options.spacing_rad if len(path) > 2 else options.spacing_rad[:1]
    for spacing in spacings:
        trajectory = _timed(world.robot, path, spacing, options)
        if isinstance(trajectory, TimingFailure):
            failure = trajectory
            continue
        if not checked or world.path(trajectory.positions, options.check_rad):
            return trajectory
        failure = TimingFailure(_blame(world, trajectory, options), limits=False)
    return failure


def _blame(world: CollisionWorld, trajectory: Trajectory, options: TimingOptions) -> str:
    dense = densify(trajectory.positions, options.check_rad)
    index = world.first_invalid(dense)
    return "" if index is None else world.explain(dense[index])


def _timed(
    robot: RobotModel, path: FloatArray, spacing: float, options: TimingOptions
) -> Trajectory | TimingFailure:
    pieces = [path] if spacing > 0.0 else [path[i : i + 2] for i in range(len(path) - 1)]
    fine = options.sample_s / 5.0
    profiles: list[FloatArray] = []
    for piece in pieces:
        profile = _profile(robot, piece, spacing or 0.5, options, fine)
        if profile is None:
            return TimingFailure("TOPP-RA found no time parameterisation within the limits", limits=True)
        profiles.append(profile if not profiles else profile[1:])
    return _sample(robot, np.concatenate(profiles), fine, options)


class _Spline(AbstractGeometricPath):  # type: ignore[misc]
    """A clamped cubic B-spline over arc length; it stays in the convex hull of its control points."""

    def __init__(self, path: FloatArray, spacing: float) -> None:
        control = densify(path, spacing)
        while len(control) < 4:
            control = densify(control, 0.6 * float(np.linalg.norm(np.diff(control, axis=0), axis=1).max()))
        self._length = float(np.linalg.norm(np.diff(control, axis=0), axis=1).sum())
        inner = np.linspace(0.0, self._length, len(control) - 2)
        knots = np.concatenate([np.zeros(3), inner, np.full(3, self._length)])
        self._curves = [BSpline(knots, control, 3)]
        self._curves += [self._curves[0].derivative(1), self._curves[0].derivative(2)]
        self._dimension: int = path.shape[1]

    def __call__(self, path_positions: FloatArray, order: int = 0) -> FloatArray:
        return np.asarray(self._curves[order](path_positions))

    @property
    def dof(self) -> int:
        return self._dimension

    @property
    def path_interval(self) -> FloatArray:
        return np.array([0.0, self._length])

    @property
    def waypoints(self) -> None:
        return None


def _profile(
    robot: RobotModel, path: FloatArray, spacing: float, options: TimingOptions, step_s: float
) -> FloatArray | None:
    """(M, D) positions at constant time steps: TOPP-RA, then the moving average that bounds the jerk."""
    spline = _Spline(path, spacing)
    velocity = 0.98 * options.speed * robot.velocity
    acceleration = options.acceleration_share * options.speed**2 * robot.acceleration
    limits = [
        constraint.JointVelocityConstraint(np.column_stack([-velocity, velocity])),
        constraint.JointAccelerationConstraint(np.column_stack([-acceleration, acceleration])),
    ]
    grid = np.linspace(0.0, spline.path_interval[1], 100)
    solver = algorithm.TOPPRA(limits, spline, gridpoints=grid, parametrizer="ParametrizeConstAccel")
    timed = solver.compute_trajectory(0.0, 0.0)
    if timed is None:
        return None
    steps = max(1, int(np.ceil(timed.duration / step_s)))
    positions = timed(np.linspace(0.0, timed.duration, steps + 1))
    width = max(1, round(_filter_s(robot, options) / step_s))
    padded = np.concatenate(
        [np.repeat(path[:1], width, axis=0), positions, np.repeat(path[-1:], width, axis=0)]
    )
    sums = np.cumsum(np.concatenate([np.zeros((1, padded.shape[1])), padded]), axis=0)
    smooth = (sums[width:] - sums[:-width]) / width
    smooth[0], smooth[-1] = path[0], path[-1]
    return np.asarray(smooth)


def _filter_s(robot: RobotModel, options: TimingOptions) -> float:
    """Width of the moving average that keeps the jerk limits, within the bounds of the options [s]."""
    share = options.acceleration_share / options.speed
    needed = float((2.0 * share * robot.acceleration / robot.jerk).max())
    return min(max(needed, options.filter_s), max(options.filter_s, options.most_filter_s))


def _sample(
    robot: RobotModel, positions: FloatArray, step_s: float, options: TimingOptions
) -> Trajectory | TimingFailure:
    """Keep every k-th position, with the derivatives of the fine ones, stretched in time if a limit is still passed."""
    every = round(options.sample_s / step_s)
    rest = (-(len(positions) - 1)) % every
    positions = np.concatenate([positions, np.repeat(positions[-1:], rest, axis=0)])
    edge = np.repeat(positions[:1], 1, axis=0), np.repeat(positions[-1:], 1, axis=0)
    padded = np.concatenate([edge[0], positions, edge[1]])
    velocities = (padded[2:] - padded[:-2]) / (2.0 * step_s)
    accelerations = (padded[2:] - 2.0 * padded[1:-1] + padded[:-2]) / step_s**2
    over_v = float((np.abs(velocities) / (options.speed * robot.velocity)).max())
    over_a = float((np.abs(accelerations) / (options.speed**2 * robot.acceleration)).max())
    jerks = np.diff(accelerations, axis=0) / step_s
    over_j = float((np.abs(jerks) / (options.speed**3 * robot.jerk)).max())
    stretch = max(1.0, over_v, np.sqrt(over_a), np.cbrt(over_j))
    if stretch > _MOST_STRETCH:
        return TimingFailure(f"limits are passed {stretch:.1f}-fold", limits=True)
    kept = slice(None, None, every)
    times = np.arange(len(positions))[kept] * step_s * stretch
    velocities, accelerations = velocities[kept] / stretch, accelerations[kept] / stretch**2
    velocities[[0, -1]], accelerations[[0, -1]] = 0.0, 0.0
    return Trajectory(robot.joint_names, times, positions[kept], velocities, accelerations)


def _distinct(path: FloatArray) -> FloatArray:
    moved = np.linalg.norm(np.diff(path, axis=0), axis=1) > 1e-9
    return np.asarray(path[np.concatenate([[True], moved])])
