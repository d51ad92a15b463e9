# SPDX-License-Identifier: Apache-2.0
"""Joining candidates that cannot be two things, because two solids cannot be in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from spatialpin_ros.arrays import BoolArray, FloatArray, UInt8Array
from spatialpin_ros.perception.assemble import Candidate
from spatialpin_ros.perception.segmentation import chromaticity

SAME_CHROMA = 0.05
_SAMPLE = 200
_INSIDE_SHARE, _INSIDE_M, _SHEET_M = 0.9, 0.004, 0.005
_ON_TABLE_M = 0.02


def join_parts(candidates: Sequence[Candidate], color: UInt8Array, noise_m: float) -> list[Candidate]:
    """Join candidates of one colour where one lies inside the solid of the other: it is a part of that.

    A side seen at a grazing angle, or cut off by something before it, may be a region of its own.

    Args:
        candidates: fitted regions of one image.
        color: (h, w, 3) uint8 RGB of that image.
        noise_m: standard deviation of depth [m].
    """
    hues = [hue(candidate, color) for candidate in candidates]
    current = dict(enumerate(candidates))
    for i, j in combinations(range(len(candidates)), 2):
        if current[i] is current[j] or np.linalg.norm(hues[i] - hues[j]) > SAME_CHROMA:
            continue
        parts = (current[i], current[j])
        small, large = sorted(parts, key=lambda part: len(part.evidence.index))
        if _inside_share(large, small, _INSIDE_M + 2.0 * noise_m) < _INSIDE_SHARE:
            continue
        whole = replace(large, mask=_union(large.mask, small.mask))
        current = {k: whole if item in parts else item for k, item in current.items()}
    return list(dict.fromkeys(current.values()))


def hue(candidate: Candidate, color: UInt8Array) -> FloatArray:
    """(2,) mean chromaticity."""
    index = candidate.evidence.index
    few = index[:: max(1, len(index) // _SAMPLE)]
    return np.asarray(chromaticity(color.reshape(-1, 1, 3)[few])[:, 0].mean(axis=0), dtype=np.float64)


def _union(one: BoolArray | None, other: BoolArray | None) -> BoolArray | None:
    return one if one is None or other is None else one | other


def _inside_share(large: Candidate, small: Candidate, tolerance_m: float) -> float:
    """Share of the points of one candidate that lie in the seen part of the other's box or cylinder, grown a little.

    What is as thin as a sheet carries nothing: it may also lie below the seen part, as the leg of an arch does.
    """
    solid, evidence = large.solid, small.evidence
    if solid.fixed_height:
        return 0.0
    points = evidence.points[:: max(1, len(evidence.points) // _SAMPLE)]
    offset = points[:, :2] - solid.centre[:2]
    if solid.shape == "cylinder":
        outside = np.hypot(offset[:, 0], offset[:, 1]) - 0.5 * solid.size[0]
    else:
        cosine, sine = np.cos(solid.yaw_rad), np.sin(solid.yaw_rad)
        local = np.abs(offset @ np.array([[cosine, -sine], [sine, cosine]]))
        outside = (local - 0.5 * solid.size[:2]).max(axis=1)
    z = points[:, 2]
    sheet = float(small.solid.size[:2].min()) < _SHEET_M
    on_table = large.evidence.bottom_m < _ON_TABLE_M
    lowest = 0.0 if sheet or on_table else large.evidence.bottom_m - tolerance_m
    level = (z < solid.top_m + tolerance_m) & (z > lowest)
    return float(((outside < tolerance_m) & level).mean())
