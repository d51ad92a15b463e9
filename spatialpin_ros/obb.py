# SPDX-License-Identifier: Apache-2.0
"""Exact overlap and distance between two oriented boxes, without iteration."""

from __future__ import annotations

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import OrientedBox

# The 12 edges of OrientedBox.corners, whose index is 4 x + 2 y + z with 0 or 1 for each sign.
_EDGES = np.array([[i, i | bit] for bit in (1, 2, 4) for i in range(8) if not i & bit])


def obb_overlap(a: OrientedBox, b: OrientedBox) -> bool:
    """Tell whether two boxes share a point: the separating-axis test on 15 axes."""
    reach_m = 0.5 * (np.linalg.norm(a.size) + np.linalg.norm(b.size))
    if np.linalg.norm(b.centre - a.centre) > reach_m:
        return False
    axes_a, axes_b = a.pose.axes.T, b.pose.axes.T
    crosses = np.cross(axes_a[:, None], axes_b[None]).reshape(-1, 3)
    lengths = np.linalg.norm(crosses, axis=1)
    axes = np.vstack([axes_a, axes_b, crosses[lengths > 1e-9]])
    reach = 0.5 * (np.abs(axes @ axes_a.T) @ a.size + np.abs(axes @ axes_b.T) @ b.size)
    return bool((np.abs(axes @ (b.centre - a.centre)) <= reach).all())


def obb_distance(a: OrientedBox, b: OrientedBox) -> float:
    """Smallest distance between two boxes, 0 when they overlap [m].

    The closest points of two separate convex polyhedra are a corner and a face or two edges; both sets are enumerated.
    """
    if obb_overlap(a, b):
        return 0.0
    corners = min(_points_to_box(a.corners, b), _points_to_box(b.corners, a))
    return min(corners, _edges_to_edges(a.corners, b.corners))


def _points_to_box(points: FloatArray, box: OrientedBox) -> float:
    outside = np.abs(box.pose.inverse().transform(points)) - box.size * 0.5
    return float(np.linalg.norm(np.maximum(outside, 0.0), axis=1).min())


def _edges_to_edges(corners_a: FloatArray, corners_b: FloatArray) -> float:
    """Smallest distance between the edges of two boxes (Ericson, Real-Time Collision Detection, 5.1.9)."""
    start_a, start_b = corners_a[_EDGES[:, 0], None], corners_b[None, _EDGES[:, 0]]
    along_a = corners_a[_EDGES[:, 1], None] - start_a
    along_b = corners_b[None, _EDGES[:, 1]] - start_b
    between = start_a - start_b
    aa, bb, ab = (along_a**2).sum(-1), (along_b**2).sum(-1), (along_a * along_b).sum(-1)
    a_between, b_between = (along_a * between).sum(-1), (along_b * between).sum(-1)
    denominator = aa * bb - ab * ab
    parallel = denominator <= 1e-12 * aa * bb
    s = np.where(parallel, 0.0, (ab * b_between - a_between * bb) / np.where(parallel, 1.0, denominator))
    s = np.clip(s, 0.0, 1.0)
    t = np.clip((ab * s + b_between) / bb, 0.0, 1.0)
    s = np.clip((ab * t - a_between) / aa, 0.0, 1.0)
    return float(np.linalg.norm(between + s[..., None] * along_a - t[..., None] * along_b, axis=-1).min())
