# SPDX-License-Identifier: Apache-2.0
"""Rectangles and circles fitted to the outline points of an upright prism seen from one side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatialpin_ros.arrays import FloatArray

_CAP_M = 0.006
_COARSE_RAD = np.deg2rad(np.arange(0.0, 90.0, 2.0))
_FINE_RAD = np.deg2rad(np.arange(-2.0, 2.01, 0.25))
_SCAN_POINTS = 160
_MIN_SIDE_POINTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Rectangle:
    """A rectangle in table x, y: centre (2,), size (2,) along its own axes [m], turned by `yaw_rad`.

    Args:
        residual_m: mean distance of the evidence to its outline, each distance capped [m].
        seen: (4,) share of the sides low x, high x, low y, high y that evidence covers.
    """

    centre: FloatArray
    size: FloatArray
    yaw_rad: float
    residual_m: float
    seen: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Circle:
    """A circle in table x, y; residual as of a rectangle; `seen` is the share of its outline that evidence covers."""

    centre: FloatArray
    radius: float
    residual_m: float
    seen: float


def thin(points: FloatArray, count: int) -> FloatArray:
    """Every k-th of (N, d) points, so that at most `count` remain."""
    return points[:: max(1, -(-len(points) // count))]


def _outline_cost(evidence: FloatArray, angles: FloatArray) -> FloatArray:
    """(K,) mean capped distance of (N, 2) points to the tight rectangle at each of (K,) angles.

    The closeness criterion of Zhang et al., "Efficient L-shape fitting for vehicle detection using laser scanners"
    (2017), with extents at quantiles and a robust cost.
    """
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    cost = np.full((len(angles), len(evidence)), _CAP_M)
    cut = max(1, len(evidence) // 25)
    for along in (
        cosine * evidence[:, 0] + sine * evidence[:, 1],
        -sine * evidence[:, 0] + cosine * evidence[:, 1],
    ):
        ordered = np.partition(along, (cut, -1 - cut), axis=1)
        np.minimum(cost, np.abs(along - ordered[:, cut, None]), out=cost)
        np.minimum(cost, np.abs(along - ordered[:, -1 - cut, None]), out=cost)
    return np.asarray(cost.mean(axis=1))


def fit_rectangle(evidence: FloatArray, reach: FloatArray, spread_m: float) -> Rectangle:
    """Fit a rectangle to points on its outline.

    Args:
        evidence: (N, 2) points on the outline, N >= 3 [m].
        reach: (M, 2) points inside or on it: where no evidence covers a side, it lies at the outermost of these.
        spread_m: how far evidence may lie from its side [m].
    """
    few = thin(evidence, _SCAN_POINTS)
    yaw = float(_COARSE_RAD[np.argmin(_outline_cost(few, _COARSE_RAD))])
    fine = yaw + _FINE_RAD
    yaw = float(fine[np.argmin(_outline_cost(few, fine))])
    everything = np.concatenate([evidence, reach])
    bounds, seen = np.zeros(4), np.zeros(4)
    for _ in range(3):
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        bounds, seen, correction = _sides(evidence @ turn, everything @ turn, spread_m)
        yaw += correction
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    bounds, seen, _ = _sides(evidence @ turn, everything @ turn, spread_m)
    size = np.maximum(bounds[[1, 3]] - bounds[[0, 2]], 0.002)
    centre = turn @ (0.5 * (bounds[[0, 2]] + bounds[[1, 3]]))
    distance = _distance_to_outline(evidence @ turn, bounds)
    return Rectangle(centre, size, yaw, float(np.minimum(distance, _CAP_M).mean()), seen)


def _distance_to_outline(local: FloatArray, bounds: FloatArray) -> FloatArray:
    gaps = np.stack(
        [local[:, 0] - bounds[0], bounds[1] - local[:, 0], local[:, 1] - bounds[2], bounds[3] - local[:, 1]]
    )
    outside = (
        np.minimum(np.minimum(gaps[0], gaps[1]), 0.0) ** 2
        + np.minimum(np.minimum(gaps[2], gaps[3]), 0.0) ** 2
    )
    return np.asarray(np.where(outside > 0.0, np.sqrt(outside), np.abs(gaps).min(axis=0)))


def _sides(
    local: FloatArray, everything: FloatArray, spread_m: float
) -> tuple[FloatArray, FloatArray, float]:
    """Place the four sides at the median of their evidence; return bounds, coverage and a yaw correction [rad]."""
    cut = max(1, len(local) // 25)
    ordered = np.sort(local, axis=0)
    bounds = np.array([ordered[cut, 0], ordered[-1 - cut, 0], ordered[cut, 1], ordered[-1 - cut, 1]])
    extents = np.quantile(everything, (0.01, 0.99), axis=0)
    extents = np.array([extents[0, 0], extents[1, 0], extents[0, 1], extents[1, 1]])
    seen, lever, moment = np.zeros(4), 1e-12, 0.0
    for _ in range(2):
        distances = np.abs(
            np.stack(
                [
                    local[:, 0] - bounds[0],
                    local[:, 0] - bounds[1],
                    local[:, 1] - bounds[2],
                    local[:, 1] - bounds[3],
                ]
            )
        )
        side = distances.argmin(axis=0)
        near = distances.min(axis=0) < spread_m
        lever, moment = 1e-12, 0.0
        new = bounds.copy()
        for k in range(4):
            mine = local[near & (side == k)]
            across, along = (mine[:, 0], mine[:, 1]) if k < 2 else (mine[:, 1], mine[:, 0])
            other = bounds[2:] if k < 2 else bounds[:2]
            length = max(float(other[1] - other[0]), 1e-3)
            span = float(np.ptp(along)) if len(along) else 0.0
            seen[k] = min(1.0, span / length)
            if len(along) < _MIN_SIDE_POINTS or span < 0.25 * length:
                # Hidden: the side is at least as far out as anything that was seen.
                new[k] = extents[k]
                seen[k] = 0.0
                continue
            new[k] = np.median(across)
            # Points within a spread of a corner may belong to the side around it: they say nothing about the angle.
            inner = (along > other[0] + spread_m) & (along < other[1] - spread_m)
            if inner.sum() >= _MIN_SIDE_POINTS:
                t, o = along[inner] - along[inner].mean(), across[inner] - new[k]
                o = np.clip(o, -spread_m / 2, spread_m / 2)
                # A turn by d moves a point at t along x-sides by -d t in x, and along y-sides by +d t in y.
                moment += float(t @ o) * (-1.0 if k < 2 else 1.0)
                lever += float(t @ t)
        bounds = new
    return bounds, seen, float(np.clip(moment / lever, -0.03, 0.03)) if lever > 1e-9 else 0.0


def fit_circle(evidence: FloatArray, reach: FloatArray) -> Circle:
    """Fit a circle to points on its outline: algebraic start (Kasa), then robust geometric Gauss-Newton.

    Args:
        evidence: (N, 2) points on the outline, N >= 3 [m].
        reach: (M, 2) points that must lie inside or on it; they limit how large it can be.
    """
    few = thin(evidence, 2 * _SCAN_POINTS)
    origin = few.mean(axis=0)
    local = few - origin
    design = np.column_stack([2.0 * local, np.ones(len(local))])
    solution = np.linalg.lstsq(design, (local**2).sum(axis=1), rcond=None)[0]
    centre, radius = solution[:2], float(np.sqrt(max(solution[2] + solution[:2] @ solution[:2], 1e-8)))
    for _ in range(5):
        offset = local - centre
        distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-6)
        error = distance - radius
        weight = 1.0 / np.maximum(np.abs(error), 0.001)
        jacobian = np.column_stack([-offset / distance[:, None], -np.ones(len(local))])
        scaled = jacobian * weight[:, None]
        step = np.linalg.lstsq(scaled.T @ jacobian, -(scaled.T @ error), rcond=None)[0]
        centre, radius = centre + step[:2], radius + float(step[2])
    distance = np.abs(np.linalg.norm(local - centre, axis=1) - radius)
    angle = np.arctan2(local[:, 1] - centre[1], local[:, 0] - centre[0])
    seen = len(np.unique((angle * (12 / np.pi)).astype(np.intp))) / 24.0
    extent = np.ptp(np.concatenate([few, reach]), axis=0).max(initial=0.0)
    fits = radius > 0.0 and 2.0 * radius < 1.35 * extent + 0.005
    residual = float(np.minimum(distance, _CAP_M).mean()) if fits else np.inf
    return Circle(centre + origin, abs(radius), residual, seen)
