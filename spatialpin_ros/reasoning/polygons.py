# SPDX-License-Identifier: Apache-2.0
"""Convex polygons in the horizontal plane: (N, 2) counter-clockwise corners [m]."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.relations import vertical_axis
from spatialpin_ros.scene import SceneObject

EMPTY: FloatArray = np.zeros((0, 2))
_CIRCLE = np.stack([f(np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)) for f in (np.cos, np.sin)], axis=1)
UPRIGHT_RAD = 0.14


def convex_hull(points: npt.ArrayLike) -> FloatArray:
    """Convex hull of (N, 2) points; empty when they span no area."""
    values = np.asarray(points, dtype=np.float64)
    try:
        return np.asarray(values[ConvexHull(values).vertices])
    except (QhullError, ValueError):
        return EMPTY


def circle(centre: npt.ArrayLike, radius_m: float) -> FloatArray:
    """Regular 32-gon inscribed in a circle."""
    points: FloatArray = np.asarray(centre, dtype=np.float64) + radius_m * _CIRCLE
    return points


def rectangle(
    centre: npt.ArrayLike, along: npt.ArrayLike, half_along_m: float, half_across_m: float
) -> FloatArray:
    """Rectangle about `centre` with one side along the unit vector `along`."""
    a = np.asarray(along, dtype=np.float64)
    b = np.array([-a[1], a[0]])
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    corners: FloatArray = np.array([i * half_along_m * a + j * half_across_m * b for i, j in signs])
    return np.asarray(centre, dtype=np.float64) + corners


def area(polygon: FloatArray) -> float:
    """Area [m^2], 0 for an empty polygon (shoelace formula)."""
    if len(polygon) < 3:
        return 0.0
    following = np.roll(polygon, -1, axis=0)
    return float(0.5 * (polygon[:, 0] * following[:, 1] - polygon[:, 1] * following[:, 0]).sum())


def centroid(polygon: FloatArray) -> FloatArray:
    """(2,) centre of area of a polygon with an area."""
    following = np.roll(polygon, -1, axis=0)
    cross = polygon[:, 0] * following[:, 1] - polygon[:, 1] * following[:, 0]
    return np.asarray(((polygon + following) * cross[:, None]).sum(axis=0) / (3.0 * cross.sum()))


def clip_half_plane(polygon: FloatArray, normal: npt.ArrayLike, limit: float) -> FloatArray:
    """Part of the polygon where normal . p <= limit (Sutherland-Hodgman)."""
    if len(polygon) < 3:
        return EMPTY
    side = polygon @ np.asarray(normal, dtype=np.float64) - limit
    kept: list[FloatArray] = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if side[i] <= 0.0:
            kept.append(polygon[i])
        if (side[i] < 0.0) != (side[j] < 0.0) and side[i] != side[j]:
            kept.append(polygon[i] + (polygon[j] - polygon[i]) * (side[i] / (side[i] - side[j])))
    result = np.array(kept).reshape(-1, 2)
    return result if area(result) > 1e-10 else EMPTY


def intersect(polygon: FloatArray, other: FloatArray) -> FloatArray:
    """Intersection of two convex polygons; empty when they do not overlap."""
    result = polygon
    for normal, limit in zip(*_half_planes(other), strict=True):
        result = clip_half_plane(result, normal, float(limit))
    return result


def shrink(polygon: FloatArray, by_m: float) -> FloatArray:
    """Points of the polygon farther than `by_m` from its edges; empty when there are none."""
    result = polygon
    for normal, limit in zip(*_half_planes(polygon), strict=True):
        result = clip_half_plane(result, normal, float(limit) - by_m)
    return result


def depth_inside(polygon: FloatArray, points: npt.ArrayLike) -> FloatArray:
    """Distance of (..., 2) points to the nearest edge line, positive inside, negative outside."""
    values = np.asarray(points, dtype=np.float64)
    if len(polygon) < 3:
        return np.full(values.shape[:-1], -np.inf)
    normals, limits = _half_planes(polygon)
    return np.asarray((limits - values @ normals.T).min(axis=-1))


def contains(polygon: FloatArray, points: npt.ArrayLike) -> BoolArray:
    return depth_inside(polygon, points) >= 0.0


def distance_outside(polygon: FloatArray, points: FloatArray) -> FloatArray:
    """Distance of (N, 2) points to the polygon, 0 inside."""
    along = np.roll(polygon, -1, axis=0) - polygon
    from_corner = points[:, None] - polygon[None]
    t = np.clip((from_corner * along).sum(-1) / (along**2).sum(-1), 0.0, 1.0)
    distance = np.linalg.norm(from_corner - t[..., None] * along, axis=-1).min(axis=1)
    return np.where(contains(polygon, points), 0.0, distance)


def footprint(item: SceneObject) -> FloatArray:
    """What the object covers of the plane below it: a circle for a sphere or upright cylinder, else its box's hull."""
    axis, tilt = vertical_axis(item.box)
    if item.shape == "sphere" or (item.shape == "cylinder" and axis == 2 and tilt < UPRIGHT_RAD):
        return circle(item.centre[:2], float(item.size[0]) / 2.0)
    return convex_hull(item.box.corners[:, :2])


def _half_planes(polygon: FloatArray) -> tuple[FloatArray, FloatArray]:
    along = np.roll(polygon, -1, axis=0) - polygon
    lengths = np.linalg.norm(along, axis=1, keepdims=True)
    keep = lengths[:, 0] > 1e-12
    normals = np.stack([along[:, 1], -along[:, 0]], axis=1)[keep] / lengths[keep]
    return normals, (normals * polygon[keep]).sum(axis=1)
