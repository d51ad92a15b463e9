# SPDX-License-Identifier: Apache-2.0
"""From a free polyline in SE(3) to smooth, timed samples that are free too."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.planning.object_motion.options import ObjectMotionOptions
from spatialpin_ros.planning.object_motion.se3 import displacements, interpolate
from spatialpin_ros.planning.object_motion.world import FreeBodyWorld

_PEAK_SPEED = 1.875  # of the quintic 10 s^3 - 15 s^4 + 6 s^5, relative to the mean
_PEAK_ACCELERATION = 5.7735
_LEAST_STEP_M = 1e-6
_SUBDIVISIONS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, eq=False)
class TimedWay:
    """Samples of a motion from rest to rest: (N,) times from 0 [s] and (N, 7) poses, N >= 2."""

    times: FloatArray
    rows: FloatArray


def smooth(world: FreeBodyWorld, waypoints: FloatArray, options: ObjectMotionOptions) -> TimedWay | None:
    """Smooth a polyline through (K, 7) poses that is free, and time it.

    Positions follow a cubic spline and orientations a rotation spline (C2 both) through the waypoints. Where
    that meets something, the splines are drawn closer to the polyline by more waypoints on it, and at last the
    polyline itself is taken, with a stop at each waypoint. Every sample that is returned is checked.
    """
    moved = displacements(waypoints, world.radius_m)
    waypoints = waypoints[np.concatenate([[True], moved > _LEAST_STEP_M])]
    if len(waypoints) < 2:
        return _still(waypoints[0])
    for parts in _SUBDIVISIONS:
        timed = _timed(_Curve(_subdivided(waypoints, parts), world.radius_m), world.radius_m, options)
        if world.way_free(timed.rows):
            return timed
    legs = [
        _timed(_Curve(waypoints[index : index + 2], world.radius_m), world.radius_m, options)
        for index in range(len(waypoints) - 1)
    ]
    timed = joined(legs)
    return timed if world.way_free(timed.rows) else None


class _Curve:
    """A C2 curve through (K, 7) poses over their accumulated displacement [m]."""

    def __init__(self, waypoints: FloatArray, radius_m: float) -> None:
        knots = np.concatenate([[0.0], np.cumsum(displacements(waypoints, radius_m))])
        self.length_m = float(knots[-1])
        self._positions = CubicSpline(
            knots, waypoints[:, :3], bc_type="natural" if len(knots) > 2 else "not-a-knot"
        )
        self._turns = RotationSpline(knots, Rotation.from_quat(waypoints[:, 3:]))

    def __call__(self, travelled: FloatArray) -> FloatArray:
        return np.column_stack([self._positions(travelled), self._turns(travelled).as_quat()])

    def rates(self, travelled: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(N,) translation [m] and rotation [rad] per metre of displacement."""
        speed = np.linalg.norm(self._positions(travelled, 1), axis=1)
        return speed, np.linalg.norm(self._turns(travelled, 1), axis=1)


def _timed(curve: _Curve, radius_m: float, options: ObjectMotionOptions) -> TimedWay:
    """Run along the curve by a quintic time law within the speed and acceleration limits."""
    speed, turn = curve.rates(np.linspace(0.0, curve.length_m, 65))
    speed_per_m, turn_per_m = float(speed.max()), float(turn.max())
    duration = curve.length_m * max(
        _PEAK_SPEED * speed_per_m / options.speed_mps,
        _PEAK_SPEED * turn_per_m / np.radians(options.turn_rate_degps),
    )
    lean = max(
        speed_per_m / options.acceleration_mps2, turn_per_m / np.radians(options.turn_acceleration_degps2)
    )
    duration = max(duration, float(np.sqrt(_PEAK_ACCELERATION * curve.length_m * lean)), 1e-3)
    finest = max(
        (speed_per_m + radius_m * turn_per_m) / options.resolution_m,
        turn_per_m / np.radians(options.resolution_deg),
    )
    count = max(1, int(np.ceil(_PEAK_SPEED * curve.length_m * finest * 1.001)))
    parts = np.linspace(0.0, 1.0, count + 1)
    rows = curve(curve.length_m * parts**3 * (10.0 - 15.0 * parts + 6.0 * parts**2))
    return _within_acceleration(TimedWay(duration * parts, rows), options)


def _within_acceleration(way: TimedWay, options: ObjectMotionOptions) -> TimedWay:
    """Stretch time where the bends of the curve add acceleration of their own."""
    if len(way.times) < 3:
        return way
    step = way.times[1]
    linear = np.linalg.norm(np.diff(way.rows[:, :3], 2, axis=0), axis=1).max() / step**2
    turns = Rotation.from_quat(way.rows[:, 3:])
    rates = (turns[1:] * turns[:-1].inv()).as_rotvec() / step
    angular = np.linalg.norm(np.diff(rates, axis=0), axis=1).max() / step
    excess = max(
        linear / options.acceleration_mps2, angular / np.radians(options.turn_acceleration_degps2), 1.0
    )
    return TimedWay(way.times * float(np.sqrt(excess)), way.rows)


def _subdivided(waypoints: FloatArray, parts: int) -> FloatArray:
    fractions = np.arange(1, parts + 1) / parts
    legs = [interpolate(start, end, fractions) for start, end in pairwise(waypoints)]
    return np.concatenate([waypoints[:1], *legs])


def joined(ways: list[TimedWay]) -> TimedWay:
    """One after the other; shared end poses once."""
    offsets = np.cumsum([0.0, *(way.times[-1] for way in ways)])
    times = [ways[0].times, *(way.times[1:] + at for way, at in zip(ways[1:], offsets[1:-1], strict=True))]
    return TimedWay(
        np.concatenate(times), np.concatenate([ways[0].rows, *(way.rows[1:] for way in ways[1:])])
    )


def _still(row: FloatArray) -> TimedWay:
    return TimedWay(np.array([0.0, 1e-3]), np.stack([row, row]))
