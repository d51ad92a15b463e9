# SPDX-License-Identifier: Apache-2.0
"""Who carries whom: the seen bottom of an object meets the top of another that lies under it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from spatialpin_ros.perception.evidence import Evidence
from spatialpin_ros.perception.models import Solid

ON_TABLE, FLOATING = -1, -2
_MIN_OVERLAP = 0.2
_ABOVE_TABLE_M = 0.012
_FLOATING_M = 0.025
_HIDDEN_SHARE = 0.4


def overlap_share(upper: Solid, lower: Solid) -> float:
    """Share of the footprint of `upper` that lies over that of `lower`, 0..1."""
    over = upper.polygon.astype(np.float32).reshape(-1, 1, 2)
    under = lower.polygon.astype(np.float32).reshape(-1, 1, 2)
    area, _ = cv2.intersectConvexConvex(over, under)
    return float(np.clip(area / max(cv2.contourArea(over), 1e-8), 0.0, 1.0))


def find_supporters(
    solids: Sequence[Solid], evidence: Sequence[Evidence], labels: Sequence[int], tolerance_m: float
) -> list[int]:
    """Index of what carries each solid: another solid, `ON_TABLE`, or `FLOATING` when nothing does.

    What has no visible contact with the table or a carrier stands on the table if something that stands hides where
    it would; else it hangs in the air: a part of the arm, or something held by it.

    Args:
        solids: primitives in the table frame.
        evidence: what was seen of each.
        labels: label of each in the evidence of the others.
        tolerance_m: how far a seen bottom may be from the top that carries it [m].
    """
    bottoms = [s.bottom_m if s.fixed_height else e.bottom_m for s, e in zip(solids, evidence, strict=True)]
    carriers = [_carrier(i, solids, bottoms[i], tolerance_m) for i in range(len(solids))]
    standing = {i for i, bottom in enumerate(bottoms) if bottom < _FLOATING_M}
    while True:
        hidden_by = [float(sum(seen.hidden_by[labels[k]] for k in standing)) for seen in evidence]
        more = {
            i for i in range(len(solids)) if carriers[i] in standing or hidden_by[i] >= _HIDDEN_SHARE
        } - standing
        if not more:
            break
        standing |= more
    return [carriers[i] if i in standing else FLOATING for i in range(len(solids))]


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
    return j if overlap >= _MIN_OVERLAP else ON_TABLE
