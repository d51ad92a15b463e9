# SPDX-License-Identifier: Apache-2.0
"""Sampling of joint trajectories by linear, cubic or quintic segments, as joint_trajectory_controller does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatialpin_ros.arrays import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class JointPoint:
    """(D,) positions [rad], velocities [rad/s] and accelerations [rad/s^2] at one instant."""

    positions: FloatArray
    velocities: FloatArray
    accelerations: FloatArray


class JointSpline:
    """A piecewise polynomial through timed joint points; constant before the first and after the last.

    The degree follows what is known at the points: positions give lines, velocities give cubics,
    accelerations give quintics (Hermite interpolation; Biagiotti and Melchiorri, "Trajectory Planning for
    Automatic Machines and Robots", 2008, section 2.1).

    Args:
        times: (N,) seconds, strictly increasing, N >= 2.
        positions: (N, D) [rad].
        velocities: (N, D) [rad/s] or None.
        accelerations: (N, D) [rad/s^2] or None; used only with velocities.
    """

    def __init__(
        self,
        times: FloatArray,
        positions: FloatArray,
        velocities: FloatArray | None = None,
        accelerations: FloatArray | None = None,
    ) -> None:
        self.times, self.positions = times, positions
        spans = np.diff(times)[:, None]
        if velocities is None:
            self._coefficients = _lines(spans, positions)
        elif accelerations is None:
            self._coefficients = _cubics(spans, positions, velocities)
        else:
            self._coefficients = _quintics(spans, positions, velocities, accelerations)
        powers = np.arange(self._coefficients.shape[1])
        self._powers = powers

    @property
    def end_s(self) -> float:
        """Time of the last point [s]."""
        return float(self.times[-1])

    def sample(self, time_s: float) -> JointPoint:
        """Return the point at a time [s]; the first point before the span, the last at rest after it."""
        still = np.zeros(self.positions.shape[1])
        time_s = max(time_s, float(self.times[0]))
        if time_s >= self.times[-1]:
            return JointPoint(self.positions[-1], still, still)
        index = int(np.searchsorted(self.times, time_s, side="right")) - 1
        coefficients = self._coefficients[index]
        n, local = self._powers, time_s - float(self.times[index])
        powers = local**n
        velocity = (n[1:] * powers[:-1]) @ coefficients[1:]
        acceleration = (n[2:] * n[1:-1] * powers[:-2]) @ coefficients[2:] if len(n) > 2 else still
        return JointPoint(powers @ coefficients, velocity, acceleration)


def _lines(spans: FloatArray, q: FloatArray) -> FloatArray:
    """(S, 2, D) coefficients of increasing power."""
    return np.stack([q[:-1], np.diff(q, axis=0) / spans], axis=1)


def _cubics(spans: FloatArray, q: FloatArray, v: FloatArray) -> FloatArray:
    """(S, 4, D) coefficients of increasing power."""
    rise = np.diff(q, axis=0)
    second = (3.0 * rise - (2.0 * v[:-1] + v[1:]) * spans) / spans**2
    third = (-2.0 * rise + (v[:-1] + v[1:]) * spans) / spans**3
    return np.stack([q[:-1], v[:-1], second, third], axis=1)


def _quintics(spans: FloatArray, q: FloatArray, v: FloatArray, a: FloatArray) -> FloatArray:
    """(S, 6, D) coefficients of increasing power."""
    rise, v0, v1, a0, a1 = np.diff(q, axis=0), v[:-1], v[1:], a[:-1], a[1:]
    third = (20.0 * rise - (8.0 * v1 + 12.0 * v0) * spans - (3.0 * a0 - a1) * spans**2) / (2.0 * spans**3)
    fourth = (-30.0 * rise + (14.0 * v1 + 16.0 * v0) * spans + (3.0 * a0 - 2.0 * a1) * spans**2) / (
        2.0 * spans**4
    )
    fifth = (12.0 * rise - 6.0 * (v1 + v0) * spans - (a0 - a1) * spans**2) / (2.0 * spans**5)
    return np.stack([q[:-1], v0, a0 / 2.0, third, fourth, fifth], axis=1)
