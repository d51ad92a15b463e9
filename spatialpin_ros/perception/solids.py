# SPDX-License-Identifier: Apache-2.0
"""Spheres and lying cylinders fitted to points, and distances of points to the surfaces of solids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.perception.statistics import median, quantile

_ANGLES_RAD = np.deg2rad(np.arange(0.0, 180.0, 6.0))
_FINE_RAD = np.deg2rad(np.arange(-6.0, 6.01, 1.0))
_CAP_M = 0.01
_TRIMS = 2
_RESTING_STEPS = 5
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
        chosen = local[error <= quantile(error, 0.75)]
    return Sphere(centre + origin, radius, median(error))


def fit_resting_sphere(points: FloatArray) -> Sphere:
    """Fit a sphere that touches the table, z = 0, to (N, 3) points; the residual is the mean capped distance.

    Its centre is as high as its radius: Gauss-Newton steps on x^2 + y^2 + z^2 = 2 x x0 + 2 y y0 + 2 z r.
    """
    centre = points[:, :2].mean(axis=0)
    chosen = np.ones(len(points), dtype=np.bool_)
    radius, distance = 0.0, np.zeros(len(points))
    for step in range(_RESTING_STEPS):
        local = points - np.array([*centre, 0.0])
        design = 2.0 * local[chosen]
        square = (local[chosen] ** 2).sum(axis=1)
        solution = np.linalg.solve(design.T @ design + 1e-12 * np.eye(3), design.T @ square)
        centre, radius = centre + solution[:2], abs(float(solution[2]))
        offset = points - np.array([*centre, radius])
        distance = np.abs(np.sqrt(np.einsum("ij,ij->i", offset, offset)) - radius)
        if step >= _RESTING_STEPS - 1 - _TRIMS:
            chosen = distance <= quantile(distance, 0.85)
    cost = float(np.minimum(distance, _CAP_M).mean())
    return Sphere(np.array([*centre, radius]), radius, cost)


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


def fit_resting_cylinder(points: FloatArray, angles_rad: FloatArray) -> LyingCylinder:
    """Fit a level cylinder that touches the table, z = 0, to (N, 3) points: its axis is as high as its radius.

    That one constraint makes the radius of a narrow arc as sure as its top is. The angle whose cross-section is most
    circular wins; circles are fitted by Gauss-Newton steps on u^2 + z^2 = 2 u u0 + 2 z r.

    Args:
        points: in the table frame [m].
        angles_rad: headings of the axis to try.
    """
    origin = np.array([*points[:, :2].mean(axis=0), 0.0])
    local = points - origin
    across = -np.sin(angles_rad)[:, None] * local[:, 0] + np.cos(angles_rad)[:, None] * local[:, 1]
    along = np.cos(angles_rad)[:, None] * local[:, 0] + np.sin(angles_rad)[:, None] * local[:, 1]
    up = np.broadcast_to(local[:, 2], across.shape)
    first, last = np.quantile(along, (0.01, 0.99), axis=1)[..., None]
    body = np.abs(along - 0.5 * (first + last)) < _BODY_SHARE * 0.5 * (last - first)
    trusted = body.astype(np.float64)
    centre = np.zeros((len(angles_rad), 1))
    for step in range(_RESTING_STEPS):
        side = across - centre
        design = 2.0 * np.stack([side, up], axis=-1)
        weighted = np.swapaxes(design * trusted[..., None], 1, 2)
        square = (side**2 + up**2)[..., None]
        solution = np.linalg.solve(weighted @ design + 1e-12 * np.eye(2), weighted @ square)[..., 0]
        centre, radius = centre + solution[:, :1], np.abs(solution[:, 1:])
        distance = np.abs(np.hypot(across - centre, up - radius) - radius)
        if step >= _RESTING_STEPS - 1 - _TRIMS:
            trusted = (body & (distance <= np.quantile(distance, 0.85, axis=1, keepdims=True))).astype(
                np.float64
            )
    count = body.sum(axis=1)
    # Seen along some directions nothing is left of the body: no such cylinder.
    cost = np.where(
        count > 0, (np.minimum(distance, _CAP_M) * body).sum(axis=1) / np.maximum(count, 1), np.inf
    )
    best = int(np.argmin(cost))
    yaw, middle = float(angles_rad[best]), 0.5 * float(first[best, 0] + last[best, 0])
    x = middle * np.cos(yaw) - centre[best, 0] * np.sin(yaw)
    y = middle * np.sin(yaw) + centre[best, 0] * np.cos(yaw)
    place = origin + np.array([x, y, radius[best, 0]])
    length = float(last[best, 0] - first[best, 0])
    return LyingCylinder(place, yaw, float(radius[best, 0]), length, float(cost[best]))


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
