# SPDX-License-Identifier: Apache-2.0
"""Spheres and lying cylinders fitted to points, and distances of points to the surfaces of solids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatialpin_ros.arrays import FloatArray

_ANGLES_RAD = np.deg2rad(np.arange(0.0, 180.0, 6.0))
_FINE_RAD = np.deg2rad(np.arange(-6.0, 6.01, 1.0))
_CAP_M = 0.01
_TRIMS = 2
_BODY_SHARE = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Sphere:
    """A ball: centre (3,) and radius [m]; median distance of the points to its surface [m]."""

    centre: FloatArray
    radius: float
    residual_m: float


@dataclass(frozen=True, slots=True, eq=False)
class LyingCylinder:
    """A cylinder whose axis is level: centre (3,), axis direction `yaw_rad`, radius and length [m]."""

    centre: FloatArray
    yaw_rad: float
    radius: float
    length: float
    residual_m: float


def fit_sphere(points: FloatArray) -> Sphere:
    """Fit a sphere to (N, 3) points by linear least squares, then twice more without the worst quarter."""
    origin = points.mean(axis=0)
    local = points - origin
    chosen = local
    centre, radius = np.zeros(3), 0.0
    for _ in range(3):
        design = np.column_stack([2.0 * chosen, np.ones(len(chosen))])
        solution = np.linalg.lstsq(design, (chosen**2).sum(axis=1), rcond=None)[0]
        centre = solution[:3]
        radius = float(np.sqrt(max(solution[3] + centre @ centre, 0.0)))
        error = np.abs(np.linalg.norm(local - centre, axis=1) - radius)
        chosen = local[error <= np.quantile(error, 0.75)]
    return Sphere(centre + origin, radius, float(np.median(error)))


def fit_lying_cylinder(points: FloatArray) -> LyingCylinder:
    """Fit a level cylinder to (N, 3) points: the angle whose cross-section is most circular (linear circle fits)."""
    origin = points.mean(axis=0)
    local = points - origin
    yaw = float(_ANGLES_RAD[np.argmin(_circles(local, _ANGLES_RAD)[0])])
    fine = yaw + _FINE_RAD
    costs, centres, heights, radii = _circles(local, fine)
    best = int(np.argmin(costs))
    yaw = float(fine[best])
    along = local[:, 0] * np.cos(yaw) + local[:, 1] * np.sin(yaw)
    low, high = np.quantile(along, (0.005, 0.995))
    middle = 0.5 * (low + high)
    x = middle * np.cos(yaw) - centres[best] * np.sin(yaw)
    y = middle * np.sin(yaw) + centres[best] * np.cos(yaw)
    centre = origin + np.array([x, y, heights[best]])
    return LyingCylinder(centre, yaw, float(radii[best]), float(high - low), float(costs[best]))


def _circles(local: FloatArray, angles: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Circles fitted to the cross-section at each angle: (K,) cost, centre across the axis, height, radius."""
    across = -np.sin(angles)[:, None] * local[:, 0] + np.cos(angles)[:, None] * local[:, 1]
    up = np.broadcast_to(local[:, 2], across.shape)
    design = np.stack([2.0 * across, 2.0 * up, np.ones_like(across)], axis=-1)
    square = across**2 + up**2
    along = np.cos(angles)[:, None] * local[:, 0] + np.sin(angles)[:, None] * local[:, 1]
    first, last = np.quantile(along, (0.01, 0.99), axis=1)[..., None]
    # A seen end face lies inside the circle, not on it.
    body = np.abs(along - 0.5 * (first + last)) < _BODY_SHARE * 0.5 * (last - first)
    trusted = body.astype(np.float64)
    for _ in range(_TRIMS):
        weighted = np.swapaxes(design * trusted[..., None], 1, 2)
        solution = np.linalg.solve(weighted @ design + 1e-12 * np.eye(3), weighted @ square[..., None])[
            ..., 0
        ]
        radius = np.sqrt(np.maximum(solution[:, 2] + solution[:, 0] ** 2 + solution[:, 1] ** 2, 0.0))
        distance = np.abs(np.hypot(across - solution[:, :1], up - solution[:, 1:2]) - radius[:, None])
        trusted = (body & (distance <= np.quantile(distance, 0.85, axis=1, keepdims=True))).astype(np.float64)
    cost = np.median(np.minimum(distance, _CAP_M), axis=1)
    columns = np.asarray(solution.T, dtype=np.float64)
    return np.asarray(cost), columns[0], columns[1], np.asarray(radius)


def box_distance(points: FloatArray, centre: FloatArray, size: FloatArray, yaw_rad: float) -> FloatArray:
    """(N,) unsigned distances of (N, 3) points to the surface of an upright box turned by `yaw_rad` [m]."""
    cosine, sine = np.cos(yaw_rad), np.sin(yaw_rad)
    local = points - centre
    across = np.stack(
        [cosine * local[:, 0] + sine * local[:, 1], -sine * local[:, 0] + cosine * local[:, 1], local[:, 2]],
        axis=1,
    )
    gap = np.abs(across) - 0.5 * size
    outside = np.linalg.norm(np.maximum(gap, 0.0), axis=1)
    return np.asarray(np.abs(outside + np.minimum(gap.max(axis=1), 0.0)))


def upright_cylinder_distance(
    points: FloatArray, centre: FloatArray, radius: float, height: float
) -> FloatArray:
    """(N,) unsigned distances of (N, 3) points to the surface of an upright cylinder [m]."""
    gap = np.stack(
        [np.hypot(*(points[:, :2] - centre[:2]).T) - radius, np.abs(points[:, 2] - centre[2]) - 0.5 * height],
        axis=1,
    )
    outside = np.linalg.norm(np.maximum(gap, 0.0), axis=1)
    return np.asarray(np.abs(outside + np.minimum(gap.max(axis=1), 0.0)))
