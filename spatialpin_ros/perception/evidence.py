# SPDX-License-Identifier: Apache-2.0
"""What the image says about each object's footprint: points on its sides and on the rim of its top.

A rim point is where the ray through the border between two pixels meets the plane of the top: it does not feel the
noise of the depth at all, nor the bias of half a pixel that the outermost points of a cloud have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import Float32Array, FloatArray, Int32Array
from spatialpin_ros.perception.grid import TableGrid
from spatialpin_ros.perception.statistics import quantile

_MIN_SIDE_MARGIN_M = 0.004
_SAME_TOP_M = 0.005
_LOW_M = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Borders:
    """Every pair of neighbouring pixels with unlike labels, once from each labelled side.

    Args:
        label, other_label: (N,) labels of the pixel and of its neighbour.
        u, v: (N,) image position midway between the two [px].
        depth, other_depth: (N,) z-depths [m].
        z, other_z: (N,) heights above the table [m].
        starts: (n + 2,) where each label's rows begin; rows are sorted by label.
        cut: (n + 1,) pixels of each label on the border of the image.
    """

    label: Int32Array
    other_label: Int32Array
    u: FloatArray
    v: FloatArray
    depth: Float32Array
    other_depth: Float32Array
    z: Float32Array
    other_z: Float32Array
    starts: npt.NDArray[np.intp]
    cut: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """One object's pixels and what they say about its footprint.

    Args:
        top_m: height of its highest level above the table [m].
        bottom_m: lowest height at which it is seen [m].
        points: (N, 3) interior points in the table frame [m].
        index: (N,) their flat pixel indices.
        sides: (S, 2) x, y of points on its upright faces.
        eyes: (V, 2) x, y of the cameras: an upright face that is seen is turned to one of them.
        rim: (R, 2) x, y of the true edges of its top.
        reach: (M, 2) x, y of all borders of its visible top, hidden edges too: it extends at least this far.
        cut_by_image: share of its outline that lies on the border of the image.
        foot: (F, 2) x, y where its outline meets the table.
    """

    top_m: float
    bottom_m: float
    points: Float32Array
    index: npt.NDArray[np.intp]
    sides: FloatArray
    eyes: FloatArray
    rim: FloatArray
    reach: FloatArray
    cut_by_image: float
    foot: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))


def find_borders(labels: Int32Array, depth: Float32Array, z: Float32Array) -> Borders:
    """Collect the borders of all labels of an (h, w) image in one pass."""
    parts: list[list[npt.NDArray[Any]]] = []
    width = labels.shape[1]
    for axis, step, du, dv in ((1, 1, 0.5, 0.0), (0, width, 0.0, 0.5)):
        first = (slice(None),) * axis + (slice(None, -1),)
        second = (slice(None),) * axis + (slice(1, None),)
        rows, columns = np.nonzero(labels[first] != labels[second])
        here = rows * width + columns
        u, v = columns + du, rows + dv
        for inside, outside in ((here, here + step), (here + step, here)):
            keep = labels.ravel()[inside] > 0
            parts.append([inside[keep], outside[keep], u[keep], v[keep]])
    inside, outside, u, v = (np.concatenate([part[i] for part in parts]) for i in range(4))
    order = np.argsort(labels.ravel()[inside], kind="stable")
    inside, outside = inside[order], outside[order]
    mid_u: FloatArray = np.asarray(u[order], dtype=np.float64)
    mid_v: FloatArray = np.asarray(v[order], dtype=np.float64)
    label = labels.ravel()[inside]
    starts = np.searchsorted(label, np.arange(int(labels.max(initial=0)) + 2))
    rim_labels = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    flat_depth, flat_z = depth.ravel(), z.ravel()
    return Borders(
        label,
        labels.ravel()[outside],
        mid_u,
        mid_v,
        flat_depth[inside],
        flat_depth[outside],
        flat_z[inside],
        flat_z[outside],
        starts,
        np.bincount(rim_labels, minlength=len(starts) - 1),
    )


def gather(
    grid: TableGrid,
    label: int,
    index: npt.NDArray[np.intp],
    borders: Borders,
    tops: FloatArray,
    depth_step_m: float,
    noise_m: float,
) -> Evidence:
    """Collect the evidence on one object.

    Args:
        grid: the points.
        label: of the object.
        index: (N,) flat indices of its measured interior pixels.
        borders: of all labels.
        tops: (n + 1,) height of the top of every label [m].
        depth_step_m: depth step that tells an occluder from a neighbour [m].
        noise_m: standard deviation of heights [m].
    """
    points = grid.points(index)
    top = float(tops[label])
    margin = max(_MIN_SIDE_MARGIN_M, 3.0 * noise_m)
    sides = points[points[:, 2] < top - margin, :2].astype(np.float64)
    part = slice(borders.starts[label], borders.starts[label + 1])
    z, other_z, other = borders.z[part], borders.other_z[part], borders.other_label[part]
    step = borders.other_depth[part] - borders.depth[part]
    occluded = (step < -depth_step_m) & (borders.other_depth[part] > 0)
    carries = (
        (other > 0)
        & (tops[other] > top + 2 * margin)
        & (np.abs(step) < depth_step_m)
        & (other_z > top - margin)
    )
    on_top = z > top - margin
    u, v = borders.u[part], borders.v[part]
    reach = grid.on_plane(u[on_top], v[on_top], top)
    rim = reach[~(occluded | carries)[on_top]]
    on_table = (other == 0) & (np.abs(step) < depth_step_m) & (other_z < _LOW_M)
    bottom = quantile(points[:, 2], 0.02)
    return Evidence(
        top_m=top,
        bottom_m=bottom,
        points=points,
        index=index,
        sides=sides,
        eyes=grid.table_T_camera.position[None, :2],
        rim=rim,
        reach=reach,
        cut_by_image=float(borders.cut[label]) / max(1.0, float(borders.cut[label]) + len(u)),
        foot=grid.on_plane(u[on_table], v[on_table], 0.0),
    )


def join_evidence(
    parts: Sequence[Evidence], points: Float32Array, index: npt.NDArray[np.intp], noise_m: float
) -> Evidence:
    """Put the evidence of one object's parts or views together; one that shows no top says nothing about its rim.

    Args:
        parts: what is put together.
        points: (N, 3) all their points in the table frame [m].
        index: (N,) flat pixel indices of these.
        noise_m: standard deviation of depth [m].
    """
    highest = max(part.top_m for part in parts)
    on_top = [part for part in parts if part.top_m > highest - _SAME_TOP_M - 2.0 * noise_m]
    weights = np.array([len(part.points) for part in on_top], dtype=np.float64)
    top = float(np.average([part.top_m for part in on_top], weights=weights))
    margin = max(_MIN_SIDE_MARGIN_M, 3.0 * noise_m)
    return Evidence(
        top_m=top,
        bottom_m=min(part.bottom_m for part in parts),
        points=points,
        index=index,
        sides=points[points[:, 2] < top - margin, :2].astype(np.float64),
        eyes=np.concatenate([part.eyes for part in parts]),
        rim=np.concatenate([part.rim for part in on_top]),
        reach=np.concatenate([part.reach for part in on_top]),
        cut_by_image=min(part.cut_by_image for part in parts),
        foot=np.concatenate([part.foot for part in parts]),
    )
