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


def overlap_share(upper: Solid, lower: Solid) -> float:
    """Share of the footprint of `upper` that lies over that of `lower`, 0..1."""
    over = upper.polygon.astype(np.float32).reshape(-1, 1, 2)
    under = lower.polygon.astype(np.float32).reshape(-1, 1, 2)
    area, _ = cv2.intersectConvexConvex(over, under)
    return float(np.clip(area / max(cv2.contourArea(over), 1e-8), 0.0, 1.0))


def find_supporters(solids: Sequence[Solid], evidence: Sequence[Evidence], tolerance_m: float) -> list[int]:
    """Index of what carries each solid: another solid, `ON_TABLE`, or `FLOATING` when nothing does.

    Args:
        solids: primitives in the table frame.
        evidence: what was seen of each.
        tolerance_m: how far a seen bottom may be from the top that carries it [m].
    """
    supporters = []
    for i, (solid, seen) in enumerate(zip(solids, evidence, strict=True)):
        bottom = solid.bottom_m if solid.fixed_height else seen.bottom_m
        if bottom < _ABOVE_TABLE_M:
            supporters.append(ON_TABLE)
            continue
        candidates = [
            (overlap_share(solid, other), j)
            for j, other in enumerate(solids)
            if j != i and other.top_m < solid.top_m - 0.004 and abs(other.top_m - bottom) < tolerance_m
        ]
        overlap, j = max(candidates, default=(0.0, ON_TABLE))
        if overlap >= _MIN_OVERLAP:
            supporters.append(j)
        elif bottom > _FLOATING_M and seen.floating > 0.5 and seen.hidden_below < 0.2:
            supporters.append(FLOATING)
        else:
            supporters.append(ON_TABLE)
    return supporters
