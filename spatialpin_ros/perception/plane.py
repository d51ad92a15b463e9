# SPDX-License-Identifier: Apache-2.0
"""The support plane: robust estimate from a sparse sample of points, and its visible outline."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from spatialpin_ros.arrays import BoolArray, Float32Array, FloatArray
from spatialpin_ros.errors import PerceptionError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.statistics import median

_COARSE_M = 0.010
_REFINEMENTS_M = (0.010, 0.007, 0.006)
_SAMPLE = 700
_HYPOTHESES = 120


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Points p with normal . p = offset.

    Args:
        normal: (3,) unit upward normal.
        offset: distance of the plane from the origin along the normal [m].
        noise_m: robust standard deviation of the inliers' distances to the plane [m].
        share: of the sampled points that lie on it.
    """

    normal: FloatArray
    offset: float
    noise_m: float
    share: float

    def heights(self, points: FloatArray) -> FloatArray:
        """(N,) signed distances of (N, 3) points above the plane [m]."""
        return np.asarray(points @ self.normal - self.offset)


def fit_plane(points: FloatArray, up: FloatArray, max_tilt_rad: float, min_share: float, seed: int) -> Plane:
    """Find the plane with the most points whose normal is within `max_tilt_rad` of `up`.

    Hypotheses are planes across `up` through one point and planes through three points (RANSAC); the best is
    refined by total least squares on its inliers.

    Args:
        points: (N, 3) [m]; a few thousand suffice.
        up: (3,) unit vector, roughly against gravity.

    Raises:
        PerceptionError: when there are too few points or no plane holds `min_share` of them.
    """
    if len(points) < 100:
        raise PerceptionError(
            f"no support plane: only {len(points)} measured points in view of the workspace; check the camera pose, "
            "the workspace box and the depth stream"
        )
    rng = np.random.default_rng(seed)
    sample = points[rng.choice(len(points), min(_SAMPLE, len(points)), replace=False)]
    normals, offsets = _hypotheses(sample, up, max_tilt_rad, rng)
    near = np.abs(sample @ normals.T - offsets) < _COARSE_M
    best = int(np.argmax(near.sum(axis=0)))
    normal, offset = normals[best], float(offsets[best])
    for reach in _REFINEMENTS_M:
        inliers = points[np.abs(points @ normal - offset) < reach]
        if len(inliers) < 30:
            break
        normal, offset = _least_squares(inliers, up)
    distances = np.abs(points @ normal - offset)
    inside = distances < _COARSE_M
    share = float(inside.mean())
    tilt = float(np.arccos(np.clip(normal @ up, -1.0, 1.0)))
    if share < min_share or tilt > max_tilt_rad:
        raise PerceptionError(
            f"no support plane: the best one holds {share:.0%} of the points (needed {min_share:.0%}) and is tilted by "
            f"{np.degrees(tilt):.0f} deg (allowed {np.degrees(max_tilt_rad):.0f}); is the table in view, is the camera "
            "pose right?"
        )
    return Plane(normal, offset, 1.4826 * median(distances[inside]), share)


def _hypotheses(
    sample: FloatArray, up: FloatArray, max_tilt_rad: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    level = sample[rng.integers(len(sample), size=_HYPOTHESES)]
    a, b, c = sample[rng.integers(len(sample), size=(3, _HYPOTHESES))]
    cross = np.cross(b - a, c - a)
    length = np.linalg.norm(cross, axis=1)
    cross, a = cross[length > 1e-9] / length[length > 1e-9, None], a[length > 1e-9]
    cross = cross * np.where(cross @ up < 0.0, -1.0, 1.0)[:, None]
    upright = cross @ up > np.cos(max_tilt_rad)
    normals = np.vstack([np.broadcast_to(up, level.shape), cross[upright]])
    through = np.vstack([level, a[upright]])
    return normals, np.einsum("ij,ij->i", normals, through)


def _least_squares(points: FloatArray, up: FloatArray) -> tuple[FloatArray, float]:
    centre = points.mean(axis=0)
    centred = points - centre
    _, vectors = np.linalg.eigh(centred.T @ centred)
    normal = vectors[:, 0] * (1.0 if vectors[:, 0] @ up >= 0.0 else -1.0)
    return normal, float(normal @ centre)


def table_pose(plane: Plane) -> Pose:
    """Pose of the table in the plane's frame: z its normal, origin below or above that frame's, x nearest to its x."""
    z_axis = plane.normal
    x_axis = np.array([1.0, 0.0, 0.0]) - z_axis[0] * z_axis
    x_axis /= np.linalg.norm(x_axis)
    matrix = np.eye(4)
    matrix[:3, :3] = np.column_stack([x_axis, np.cross(z_axis, x_axis), z_axis])
    matrix[:3, 3] = (0.0, 0.0, plane.offset / z_axis[2])
    return Pose.from_matrix(matrix)


def outline(points_xy: FloatArray) -> FloatArray:
    """(N, 2) counter-clockwise convex outline of (M, 2) points on the plane [m], simplified to 5 mm.

    Raises:
        PerceptionError: when the points span no area.
    """
    hull = cv2.convexHull(np.ascontiguousarray(points_xy, dtype=np.float32).reshape(-1, 1, 2))
    simple = cv2.approxPolyDP(hull, 0.005, closed=True).reshape(-1, 2).astype(np.float64)
    if len(simple) < 3:
        raise PerceptionError("no support plane: its points lie on one line")
    x, y = simple.T
    area = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    return simple if area > 0.0 else simple[::-1]


def inside_polygon(x: Float32Array, y: Float32Array, polygon: FloatArray, margin_m: float = 0.0) -> BoolArray:
    """Tell which points lie in a counter-clockwise convex polygon (N, 2) grown by `margin_m`."""
    edge = np.roll(polygon, -1, axis=0) - polygon
    length = np.maximum(np.linalg.norm(edge, axis=1), 1e-9)
    inward = np.column_stack([-edge[:, 1], edge[:, 0]]) / length[:, None]
    offset = np.einsum("ij,ij->i", inward, polygon)
    inside = np.ones(np.shape(x), dtype=np.bool_)
    for (nx, ny), start in zip(inward, offset, strict=True):
        inside &= nx * x + ny * y >= start - margin_m
    return inside
