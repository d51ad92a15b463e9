# SPDX-License-Identifier: Apache-2.0
"""Joining the visible parts of one object that something before it divides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from spatialpin_ros.arrays import Float32Array, FloatArray, Int32Array
from spatialpin_ros.perception.assemble import Candidate
from spatialpin_ros.perception.evidence import join_evidence
from spatialpin_ros.perception.grid import TableGrid
from spatialpin_ros.perception.models import Solid, fit_solid
from spatialpin_ros.perception.parts import SAME_CHROMA, hue
from spatialpin_ros.perception.solids import box_distance, upright_cylinder_distance

_SAME_TOP_M = 0.005
_TABLE_M = 0.012
_NEARER_M = 0.004
_AS_GOOD, _GOOD_M, _STRAY_M = 1.25, 0.0006, 0.003
_SAMPLE = 200


def join_divided(
    candidates: Sequence[Candidate],
    grid: TableGrid,
    labels: Int32Array,
    noise_m: float,
    prism_residual_m: float,
) -> list[Candidate]:
    """Join candidates of one colour and top that one primitive explains as well, behind something nearer.

    Two equal things in line, with just their gap hidden, look the same; they are taken for one.

    Args:
        candidates: fitted regions of one image.
        grid: that image.
        labels: (h, w) its regions.
        noise_m: standard deviation of depth [m].
        prism_residual_m: see `fit_solid`.
    """
    middles, hues = [_middle(c) for c in candidates], [hue(c, grid.camera.color) for c in candidates]
    current = dict(enumerate(candidates))
    for i, j in combinations(range(len(candidates)), 2):
        one, other = current[i], current[j]
        alike = (
            one is not other
            and np.linalg.norm(hues[i] - hues[j]) <= SAME_CHROMA
            and abs(one.evidence.top_m - other.evidence.top_m) < _SAME_TOP_M + 2.0 * noise_m
        )
        if not alike or not _divided(grid, labels, candidates[i], candidates[j], middles[i], middles[j]):
            continue
        whole = _join(one, other, noise_m, prism_residual_m)
        if whole is not None:
            current = {k: whole if item in (one, other) else item for k, item in current.items()}
    return list(dict.fromkeys(current.values()))


def _middle(candidate: Candidate) -> FloatArray:
    """(2,) row and column of the middle of its pixels; NaN when it has none here."""
    if candidate.mask is None or not candidate.mask.any():
        return np.full(2, np.nan)
    return np.asarray(np.argwhere(candidate.mask).mean(axis=0))


def _divided(
    grid: TableGrid, labels: Int32Array, one: Candidate, other: Candidate, start: FloatArray, end: FloatArray
) -> bool:
    """Whether between the middles of two regions only something nearer to the camera is seen."""
    if not np.isfinite([start, end]).all():
        return False
    rows, columns = np.linspace(start, end, 40).round().astype(np.intp).T
    between, depth, height = labels[rows, columns], grid.camera.depth[rows, columns], grid.z[rows, columns]
    own = (between == one.label) | (between == other.label)
    foreign = ~own & (between > 0) & (depth > 0)
    table = ~own & (between == 0) & (depth > 0) & (height < _TABLE_M)
    if table.any() or not foreign.any() or not own.any():
        return False
    return bool(np.median(depth[foreign]) < np.median(depth[own & (depth > 0)]) - _NEARER_M)


def _join(one: Candidate, other: Candidate, noise_m: float, prism_residual_m: float) -> Candidate | None:
    parts = (one.evidence, other.evidence)
    points = np.concatenate([part.points for part in parts])
    index = np.concatenate([part.index for part in parts])
    evidence = join_evidence(parts, points, index, noise_m)
    solid = fit_solid(evidence, noise_m, prism_residual_m)
    limit = max(_AS_GOOD * max(one.solid.residual_m, other.solid.residual_m), _GOOD_M + 0.7 * noise_m)
    if solid.shape not in ("box", "cylinder") or solid.lying:
        return None
    if any(not _on_surface(solid, part.points, limit, _STRAY_M + 3.0 * noise_m) for part in parts):
        return None
    mask = one.mask if other.mask is None or one.mask is None else one.mask | other.mask
    return replace(one, evidence=evidence, solid=solid, mask=mask)


def _on_surface(solid: Solid, points: Float32Array, typical_m: float, most_m: float) -> bool:
    """Whether half of (N, 3) points are within `typical_m` of an upright prism's surface, and most within `most_m`."""
    few = points[:: max(1, len(points) // _SAMPLE)].astype(np.float64)
    if solid.shape == "cylinder":
        distance = upright_cylinder_distance(few, solid.centre, 0.5 * solid.size[0], solid.size[2])
    else:
        distance = box_distance(few, solid.centre, solid.size, solid.yaw_rad)
    middle, outer = np.quantile(distance, (0.5, 0.9))
    return bool(middle <= typical_m and outer <= most_m)
