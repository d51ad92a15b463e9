# SPDX-License-Identifier: Apache-2.0
"""Who carries whom: the seen bottom of an object meets the top of another that lies under it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.perception.evidence import Evidence
from spatialpin_ros.perception.grid import TableGrid
from spatialpin_ros.perception.models import Solid

ON_TABLE, FLOATING = -1, -2
_MIN_OVERLAP = 0.2
MOST_OVERLAP = 0.6
_ABOVE_TABLE_M = 0.012
_FLOATING_M = 0.025
_SEE_THROUGH = 0.25
_SAMPLE = 60
_SLIVER = 0.3
_RASTER = (np.stack(np.meshgrid(np.arange(20), np.arange(20)), axis=-1).reshape(-1, 2) + 0.5) / 20.0


def overlap_share(upper: Solid, lower: Solid) -> float:
    """Share of the footprint of `upper` that lies over that of `lower`, 0..1, counted on a raster of its extent."""
    low, high = upper.polygon.min(axis=0), upper.polygon.max(axis=0)
    raster = low + _RASTER * (high - low)
    over = raster[_inside(raster, upper.polygon)]
    return float(_inside(over, lower.polygon).mean()) if len(over) else 0.0


def _inside(points: FloatArray, polygon: FloatArray) -> BoolArray:
    """(N,) whether (N, 2) points are in a convex polygon of (M, 2) corners, anticlockwise."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    apart = points[:, None] - polygon
    return np.asarray((edges[:, 0] * apart[..., 1] >= edges[:, 1] * apart[..., 0]).all(axis=1))


def find_supporters(
    grid: TableGrid, solids: Sequence[Solid], evidence: Sequence[Evidence], tolerance_m: float
) -> list[int]:
    """Index of what carries each solid: another solid, `ON_TABLE`, or `FLOATING` when nothing does.

    What has no visible contact with a carrier stands on the table, unless the camera sees through where it would then
    have to be: that is a part of the arm, or something held by it.

    Args:
        grid: the working image.
        solids: primitives in the table frame.
        evidence: what was seen of each.
        tolerance_m: how far a seen bottom may be from the top that carries it [m].
    """
    carriers = []
    for i, (solid, seen) in enumerate(zip(solids, evidence, strict=True)):
        bottom = solid.bottom_m if solid.fixed_height else seen.bottom_m
        carrier = _carrier(i, solids, bottom, tolerance_m)
        if carrier == ON_TABLE:
            carrier = _hidden_carrier(grid, i, solids, evidence, bottom, tolerance_m)
        if (
            carrier == ON_TABLE
            and bottom > _FLOATING_M
            and _see_through_share(grid, _sample(seen), 0.0, bottom) > _SEE_THROUGH
        ):
            carrier = FLOATING
        carriers.append(carrier)
    return carriers


def _see_through_share(grid: TableGrid, xy: FloatArray, floor_m: float, bottom_m: float) -> float:
    """Share of what lies under seen points (N, 2), from their bottom down to a floor, that the camera sees through.

    Under the points, not under the primitive: a box around an L is not filled.
    """
    if not len(xy):
        return 0.0
    levels = floor_m + (bottom_m - floor_m) * np.array([0.15, 0.4, 0.65])
    points = np.concatenate([np.column_stack([xy, np.full(len(xy), z)]) for z in levels])
    return float(grid.sees_behind(points).mean())


def _carrier(i: int, solids: Sequence[Solid], bottom_m: float, tolerance_m: float) -> int:
    """Index of the solid whose top is at the seen bottom and under most of the footprint, else `ON_TABLE`."""
    if bottom_m < _ABOVE_TABLE_M:
        return ON_TABLE
    candidates = [
        (overlap_share(solids[i], other), j)
        for j, other in enumerate(solids)
        if j != i and other.top_m < solids[i].top_m - 0.004 and abs(other.top_m - bottom_m) < tolerance_m
    ]
    overlap, j = max(candidates, default=(0.0, ON_TABLE))
    if overlap >= _MIN_OVERLAP:
        return j
    slivers = [(overlap_share(solids[i], _behind_sliver(solids[j], solids[i])), j) for _, j in candidates]
    overlap, j = max(slivers, default=(0.0, ON_TABLE))
    return j if overlap >= MOST_OVERLAP else ON_TABLE


def _behind_sliver(lower: Solid, upper: Solid) -> Solid:
    """Extend the hidden side of a box of which little more than one face is seen as far as `upper` may reach.

    Of a carrier as wide as its rider, seen face-on, the rest of the top is hidden. A plate that stands upright before
    something looks the same, but such plates are rare.
    """
    for axis in (0, 1):
        low, high = lower.hidden[2 * axis : 2 * axis + 2]
        least = min(float(lower.size[1 - axis]), lower.top_m)
        if lower.shape == "box" and low != high and lower.size[axis] < _SLIVER * least:
            lower = lower.extended(axis, -1.0 if low else 1.0, float(max(upper.size[:2])))
    return lower


def _hidden_carrier(
    grid: TableGrid,
    i: int,
    solids: Sequence[Solid],
    evidence: Sequence[Evidence],
    bottom_m: float,
    tolerance_m: float,
) -> int:
    """Highest solid under the footprint, where the contact is out of sight, as from above; else `ON_TABLE`.

    What is seen over another solid cannot reach through it to the table, nor what is broader than its carrier, which
    is then seen only below the overhang and looks too low.
    """
    below = [
        (other.top_m, j)
        for j, other in enumerate(solids)
        if j != i
        and _ABOVE_TABLE_M < other.top_m < bottom_m + tolerance_m
        and max(overlap_share(solids[i], other), overlap_share(other, solids[i])) > MOST_OVERLAP
    ]
    top, j = max(below, default=(0.0, ON_TABLE))
    if j == ON_TABLE or top > bottom_m:
        return j
    xy = np.concatenate([_sample(evidence[i]), _sample(evidence[j])])
    shared = xy[_inside(xy, solids[i].polygon) & _inside(xy, solids[j].polygon)]
    return ON_TABLE if _see_through_share(grid, shared, top, bottom_m) > _SEE_THROUGH else j


def _sample(seen: Evidence) -> FloatArray:
    """(N, 2) table x, y of some of the seen points."""
    return seen.points[:: max(1, len(seen.points) // _SAMPLE), :2].astype(np.float64)


def under_share(seen: Evidence, upper: Solid) -> float:
    """Share of the seen points that lie in the footprint of `upper`."""
    return float(_inside(_sample(seen), upper.polygon).mean())
