# SPDX-License-Identifier: Apache-2.0
"""Rectangles and circles fitted to the outline points of an upright prism seen from one side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import BoolArray, FloatArray

_CAP_M = 0.006
_COARSE_RAD = np.deg2rad(np.arange(0.0, 90.0, 2.0))
_FINE_RAD = np.deg2rad(np.arange(-2.0, 2.01, 0.25))
_SCAN_POINTS = 110
_MIN_SIDE_POINTS = 4
_MIN_COVERED = 0.25
_ALTERNATIONS = 4
_L1_CORE_M = 0.0005
_STILL_RAD, _STILL_M = 5e-4, 5e-5


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


def _outline_cost(evidence: FloatArray, weights: FloatArray, angles: FloatArray) -> FloatArray:
    """(K,) weighted mean capped distance of (N, 2) points to the tight rectangle at each of (K,) angles.

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
    return np.asarray(cost @ weights / weights.sum())


def fit_rectangle(
    evidence: FloatArray,
    weights: FloatArray,
    reach: FloatArray,
    spread_m: float,
    upright: BoolArray,
    eyes: FloatArray,
) -> Rectangle:
    """Fit a rectangle to points on its outline.

    A scan over headings starts an alternation: assign points to sides, move each side to the L1 centre of its points
    (by reweighting), turn all sides together.

    Args:
        evidence: (N, 2) points on the outline, N >= 3 [m].
        weights: (N,) trust in each of them.
        reach: (M, 2) points inside or on it: where no evidence covers a side, it lies at the outermost of these.
        spread_m: how far evidence may lie from its side [m].
        upright: (N,) whether evidence was seen on an upright face, and so on a side turned to a camera.
        eyes: (V, 2) where the cameras are.
    """
    few, few_weights = thin(evidence, _SCAN_POINTS), thin(weights, _SCAN_POINTS)
    yaw = float(_COARSE_RAD[np.argmin(_outline_cost(few, few_weights, _COARSE_RAD))])
    fine = yaw + _FINE_RAD
    yaw = float(fine[np.argmin(_outline_cost(few, few_weights, fine))])
    origin = evidence.mean(axis=0)
    centred, everything = evidence - origin, np.concatenate([evidence, reach]) - origin
    bounds = _tight_bounds((centred @ _turn(yaw)).T, 1 + len(evidence) // 25)
    seen = np.zeros(4)
    for _ in range(_ALTERNATIONS):
        before = bounds
        away = _turned_away(bounds, (eyes - origin) @ _turn(yaw))
        impossible = away[:, None] & upright
        bounds, seen, correction = _adjust(centred @ _turn(yaw), weights, bounds, spread_m, impossible)
        yaw += correction
        if abs(correction) < _STILL_RAD and np.abs(bounds - before).max() < _STILL_M:
            break
    local = (centred @ _turn(yaw)).T
    hidden = seen < _MIN_COVERED
    if hidden.any():
        # A hidden side is at least as far out as anything that was seen.
        outermost = _tight_bounds((everything @ _turn(yaw)).T, 1 + len(everything) // 100)
        bounds = np.where(hidden, outermost, bounds)
    size = np.maximum(bounds[[1, 3]] - bounds[[0, 2]], 0.002)
    centre = origin + _turn(yaw) @ (0.5 * (bounds[[0, 2]] + bounds[[1, 3]]))
    distance = np.abs(_gaps(local, bounds)).min(axis=0)
    residual = float(np.minimum(distance, _CAP_M) @ weights / weights.sum())
    return Rectangle(centre, size, yaw, residual, np.where(hidden, 0.0, np.minimum(seen, 1.0)))


def _turn(yaw: float) -> FloatArray:
    """(2, 2) rotation whose columns are the rectangle's axes: points @ it are in the rectangle's own axes."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return np.array([[cosine, -sine], [sine, cosine]])


def _tight_bounds(local: FloatArray, cut: int) -> FloatArray:
    """Low x, high x, low y, high y of (2, N) points without the `cut` outermost on each side."""
    cut = min(cut, (local.shape[1] - 1) // 2)
    ordered = np.partition(local, (cut, -1 - cut), axis=1)
    return np.array([ordered[0, cut], ordered[0, -1 - cut], ordered[1, cut], ordered[1, -1 - cut]])


def _gaps(local: FloatArray, bounds: FloatArray) -> FloatArray:
    """(4, N) signed offsets of (2, N) points from the lines of the four sides."""
    return local[[0, 0, 1, 1]] - bounds[:, None]


def _turned_away(bounds: FloatArray, eyes: FloatArray) -> BoolArray:
    """(4,) whether no camera at `eyes` (V, 2) can see the upright face of each side."""
    x, y = eyes.T
    facing = np.stack([x < bounds[0], x > bounds[1], y < bounds[2], y > bounds[3]])
    return np.asarray(~facing.any(axis=1))


def _adjust(
    points: FloatArray, weights: FloatArray, bounds: FloatArray, spread_m: float, impossible: BoolArray
) -> tuple[FloatArray, FloatArray, float]:
    """One alternation on (N, 2) points in the rectangle's axes: bounds, coverage of the sides, turn to apply [rad].

    `impossible` (4, N) tells which point cannot be on which side.
    """
    local = points.T
    gaps = _gaps(local, bounds)
    distance = np.where(impossible, np.inf, np.abs(gaps))
    side = distance.argmin(axis=0)
    columns = np.arange(len(side))
    error = gaps[side, columns]
    near = distance[side, columns] < spread_m
    side, error = side[near], error[near]
    # Along a side runs the other coordinate.
    along = np.where(side < 2, local[1, near], local[0, near])
    weight = weights[near] / np.maximum(np.abs(error), _L1_CORE_M)
    total = np.bincount(side, weight, 4)
    moved = bounds + np.bincount(side, weight * error, 4) / np.maximum(total, 1e-9)
    low, high = bounds[[2, 2, 0, 0]], bounds[[3, 3, 1, 1]]
    length = np.maximum(high - low, 1e-3)
    seen = _covered(side, (along - low[side]) / length[side])
    seen[np.bincount(side, minlength=4) < _MIN_SIDE_POINTS] = 0.0
    # Points near a corner may belong to the side around it: they say nothing about the angle.
    inner = (along > low[side] + spread_m) & (along < high[side] - spread_m) & (seen[side] > _MIN_COVERED)
    side, along, weight = side[inner], along[inner], weight[inner]
    offset = error[inner] - (moved - bounds)[side]
    middle = np.bincount(side, weight * along, 4) / np.maximum(np.bincount(side, weight, 4), 1e-9)
    lever = along - middle[side]
    # A turn by d moves a point at t along x-sides by -d t in x, and along y-sides by +d t in y.
    sign = np.where(side < 2, -1.0, 1.0)
    power = float(weight @ lever**2)
    correction = float((weight * sign * offset) @ lever) / power if power > 1e-9 else 0.0
    return moved, seen, float(np.clip(correction, -0.03, 0.03))


def _covered(side: npt.NDArray[np.intp], place: FloatArray) -> FloatArray:
    """(4,) share of each side's tenths that hold a point; `place` is 0..1 along the side."""
    tenth = np.clip((place * 10.0).astype(np.intp), 0, 9)
    filled = np.bincount(side * 10 + tenth, minlength=40).reshape(4, 10) > 0
    return np.asarray(filled.mean(axis=1))


def fit_circle(evidence: FloatArray, weights: FloatArray, reach: FloatArray) -> Circle:
    """Fit a circle to points on its outline: algebraic start (Kasa), then robust geometric Gauss-Newton.

    Args:
        evidence: (N, 2) points on the outline, N >= 3 [m].
        weights: (N,) trust in each of them.
        reach: (M, 2) points that must lie inside or on it; they limit how large it can be.
    """
    few, trust = thin(evidence, _SCAN_POINTS), thin(weights, _SCAN_POINTS)
    origin = few.mean(axis=0)
    local = few - origin
    design = np.column_stack([2.0 * local, np.ones(len(local))])
    # The ridge is far below any signal; it only keeps points on one line from being singular.
    ridge = 1e-12 * np.eye(3)
    solution = np.linalg.solve(design.T @ design + ridge, design.T @ (local**2).sum(axis=1))
    centre, radius = solution[:2], float(np.sqrt(max(solution[2] + solution[:2] @ solution[:2], 1e-8)))
    jacobian = -np.ones((len(local), 3))
    for _ in range(4):
        offset = local - centre
        distance = np.maximum(np.sqrt((offset**2).sum(axis=1)), 1e-6)
        error = distance - radius
        jacobian[:, :2] = -offset / distance[:, None]
        scaled = jacobian * (trust / np.maximum(np.abs(error), 0.001))[:, None]
        normal = scaled.T @ jacobian
        step = np.linalg.solve(normal + np.trace(normal) * ridge, -(scaled.T @ error))
        centre, radius = centre + step[:2], radius + float(step[2])
    distance = np.abs(np.sqrt(((local - centre) ** 2).sum(axis=1)) - radius)
    angle = np.arctan2(local[:, 1] - centre[1], local[:, 0] - centre[0])
    seen = float((np.bincount(((angle + np.pi) * (12 / np.pi)).astype(np.intp), minlength=24) > 0).mean())
    extent = np.ptp(np.concatenate([few, reach]), axis=0).max(initial=0.0)
    fits = radius > 0.0 and 2.0 * radius < 1.35 * extent + 0.005
    residual = float(np.minimum(distance, _CAP_M) @ trust / trust.sum()) if fits else np.inf
    return Circle(centre + origin, abs(radius), residual, seen)
