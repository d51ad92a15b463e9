# SPDX-License-Identifier: Apache-2.0
"""Rows of poses, (N, 7) x y z then quaternion xyzw, and the displacement metric of a moving body."""

from __future__ import annotations

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import Pose


def pose_to_row(pose: Pose) -> FloatArray:
    return np.concatenate([pose.position, pose.quaternion])


def row_to_pose(row: FloatArray) -> Pose:
    return Pose(row[:3], row[3:])


def interpolate(start: FloatArray, end: FloatArray, fractions: FloatArray) -> FloatArray:
    """(N, 7) poses between two: straight line and shortest slerp at (N,) fractions in 0..1."""
    first, last = start[3:], end[3:]
    cosine = float(first @ last)
    if cosine < 0.0:
        last, cosine = -last, -cosine
    rows = np.empty((len(fractions), 7))
    rows[:, :3] = start[:3] + fractions[:, None] * (end[:3] - start[:3])
    if cosine > 1.0 - 1e-9:
        turned = first + fractions[:, None] * (last - first)
    else:
        half = np.arccos(min(1.0, cosine))
        weights = np.sin(np.stack([1.0 - fractions, fractions], axis=1) * half) / np.sin(half)
        turned = weights[:, :1] * first + weights[:, 1:] * last
    rows[:, 3:] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    return rows


def steps(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(N-1,) translation [m] and rotation [rad] between neighbours of (N, 7) poses."""
    change = rows[1:] - rows[:-1]
    chord = np.minimum(_norms(change[:, 3:]), _norms(rows[1:, 3:] + rows[:-1, 3:]))
    return _norms(change[:, :3]), 4.0 * np.arcsin(np.minimum(1.0, chord / 2.0))


def displacements(rows: FloatArray, radius_m: float) -> FloatArray:
    """(N-1,) upper bound [m] on how far any point within `radius_m` of the origin moves between neighbours."""
    moved, turned = steps(rows)
    return np.asarray(moved + radius_m * turned)


def length(rows: FloatArray, radius_m: float) -> float:
    """Cost of a way through (N, 7) poses [m]: the sum of its displacements."""
    return float(displacements(rows, radius_m).sum())


def axes_of(rows: FloatArray) -> FloatArray:
    """(N, 3, 3) rotation matrices of (N, 7) poses."""
    x, y, z, w = rows[:, 3:].T
    entries = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
        [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
        [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
    ]
    return np.ascontiguousarray(np.array(entries).transpose(2, 0, 1))


def _norms(vectors: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)))


def densify(rows: FloatArray, radius_m: float, step_m: float) -> FloatArray:
    """Sample the polyline through (K, 7) poses so that neighbours are displaced by at most `step_m`; keeps them all."""
    parts = [rows[:1]]
    for start, end, distance in zip(rows[:-1], rows[1:], displacements(rows, radius_m), strict=True):
        count = max(1, int(np.ceil(distance / step_m)))
        parts.append(interpolate(start, end, np.arange(1, count + 1) / count))
    return np.concatenate(parts)
