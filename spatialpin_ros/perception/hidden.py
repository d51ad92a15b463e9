# SPDX-License-Identifier: Apache-2.0
"""What hides behind and below other things: far sides of boxes, and tops below what overhangs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.perception.evidence import Evidence
from spatialpin_ros.perception.grid import TableGrid
from spatialpin_ros.perception.models import Solid, fit_upright
from spatialpin_ros.perception.support import MOST_OVERLAP, ON_TABLE, find_supporters, under_share

_CUBE_TOLERANCE = 0.15
_STEPS = 12
_RAISED_M, _RAISED_NOISE = 0.002, 4.0


def settle(
    grid: TableGrid,
    solids: Sequence[Solid],
    evidence: Sequence[Evidence],
    noise_m: float,
    prism_residual_m: float,
) -> tuple[list[Solid], list[int]]:
    """Find what carries each solid and complete what is hidden; twice, as each helps the other.

    Args:
        grid: the working image.
        solids: primitives in the table frame.
        evidence: what was seen of each.
        noise_m: standard deviation of depth [m].
        prism_residual_m: see `fit_solid`.

    Returns:
        The completed solids, and the index of what carries each as `find_supporters` gives it.
    """
    completed, supporters = list(solids), [ON_TABLE] * len(solids)
    for _ in range(2):
        supporters = find_supporters(grid, completed, evidence, 0.010 + 3.0 * noise_m)
        raised = raise_tops(solids, evidence, supporters, noise_m, prism_residual_m)
        completed = complete_hidden(grid, raised, supporters)
    return completed, supporters


def raise_tops(
    solids: Sequence[Solid],
    evidence: Sequence[Evidence],
    supporters: Sequence[int],
    noise_m: float,
    prism_residual_m: float,
) -> list[Solid]:
    """Fit anew what is seen only below something that overhangs it: it reaches up to the bottom of that.

    Args:
        solids: primitives in the table frame.
        evidence: what was seen of each.
        supporters: index of what carries each, negative for the table.
        noise_m: standard deviation of depth [m].
        prism_residual_m: see `fit_solid`.
    """
    raised = list(solids)
    for i, j in enumerate(supporters):
        if j < 0:
            continue
        bottom = solids[i].bottom_m if solids[i].fixed_height else evidence[i].bottom_m
        too_low = raised[j].top_m < bottom - _RAISED_M - _RAISED_NOISE * noise_m
        if too_low and under_share(evidence[j], solids[i]) > MOST_OVERLAP:
            raised[j] = fit_upright(_below(evidence[j], bottom), noise_m, prism_residual_m)
    return raised


def _below(seen: Evidence, top_m: float) -> Evidence:
    """The evidence on something whose top is out of sight at a known height: every point is on a side."""
    xy = seen.points[:, :2].astype(np.float64)
    return replace(seen, top_m=top_m, sides=xy, rim=np.zeros((0, 2)), reach=xy)


def complete_hidden(grid: TableGrid, solids: Sequence[Solid], supporters: Sequence[int]) -> list[Solid]:
    """Extend boxes over the part of their top that something hides.

    A box that carries another is taken to reach as far beyond it on the hidden side as on the seen one; a box whose
    seen width equals its height is taken for a cube. Neither is believed where the camera looks freely past.

    Args:
        grid: the working image.
        solids: primitives in the table frame.
        supporters: index of what carries each, negative for the table.
    """
    completed = []
    for i, solid in enumerate(solids):
        riders = [solids[k] for k, carrier in enumerate(supporters) if carrier == i]
        if solid.shape == "box" and sum(solid.hidden) > 0:
            for axis in (0, 1):
                low, high = solid.hidden[2 * axis], solid.hidden[2 * axis + 1]
                if low != high:
                    solid = _extend(
                        grid, solid, axis, -1.0 if low else 1.0, _likely_extent(solid, axis, low, riders)
                    )
        completed.append(solid)
    return completed


def _likely_extent(solid: Solid, axis: int, low_hidden: bool, riders: Sequence[Solid]) -> float:
    """How long the box probably is along an axis whose low or high side is hidden [m]."""
    if riders:
        rider = max(riders, key=lambda r: float(np.prod(r.size[:2])))
        local = _into(solid, rider.centre[:2])[axis]
        from_seen_side = 0.5 * solid.size[axis] + (-local if low_hidden else local)
        return float(2.0 * from_seen_side)
    other, height = float(solid.size[1 - axis]), float(solid.top_m)
    if abs(other - height) < _CUBE_TOLERANCE * height:
        return other
    return float(solid.size[axis])


def _axes(solid: Solid) -> FloatArray:
    cosine, sine = np.cos(solid.yaw_rad), np.sin(solid.yaw_rad)
    return np.array([[cosine, -sine], [sine, cosine]])


def _into(solid: Solid, xy: FloatArray) -> FloatArray:
    return np.asarray((xy - solid.centre[:2]) @ _axes(solid))


def _extend(grid: TableGrid, solid: Solid, axis: int, direction: float, extent: float) -> Solid:
    """Move the hidden side outward up to `extent`, stopping where the camera sees something behind the top."""
    now = float(solid.size[axis])
    if extent <= now + 0.001:
        return solid
    reach = np.linspace(now, extent, _STEPS + 1)[1:]
    across = np.linspace(-0.4, 0.4, 7) * solid.size[1 - axis]
    local = np.zeros((_STEPS, len(across), 2))
    local[..., axis] = direction * (reach - 0.5 * now)[:, None]
    local[..., 1 - axis] = across
    xy = local.reshape(-1, 2) @ _axes(solid).T + solid.centre[:2]
    points = np.column_stack([xy, np.full(len(xy), solid.top_m)])
    hidden = grid.sees_behind(points).reshape(_STEPS, -1).mean(axis=1) <= 0.3
    steps = int(np.argmin(hidden)) if not hidden.all() else _STEPS
    if steps == 0:
        return solid
    return solid.extended(axis, direction, float(reach[steps - 1]) - now)
