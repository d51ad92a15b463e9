# SPDX-License-Identifier: Apache-2.0
"""Which regions of different views are one object: overlap in space and likeness in colour."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from spatialpin_ros.arrays import Float32Array
from spatialpin_ros.perception.assemble import Candidate
from spatialpin_ros.perception.fusion.options import FusionOptions
from spatialpin_ros.perception.fusion.views import View
from spatialpin_ros.perception.models import Solid
from spatialpin_ros.perception.support import overlap_share

# Of a fragment that a view split off, this share lies within the object.
_FRAGMENT = 0.6
_MIN_LEVELS = 0.3
# Two objects of one colour that a view takes for one fit no primitive this well.
_ONE_SOLID_M = 0.002

Member = tuple[int, int]
"""View and candidate within it."""


def associate(views: Sequence[View], options: FusionOptions) -> list[list[Member]]:
    """Group the candidates of all views; one member of a view per group, but for fragments.

    Views join one after the other: the assignment with the most overlap (Hungarian algorithm) wins, what is left joins
    a group that covers it, or founds its own.
    """
    groups: list[list[Member]] = []
    for k, view in enumerate(views):
        likeness = np.array(
            [
                [
                    max(_likeness(views, member, (k, j), options) for member in group)
                    for j in range(len(view.candidates))
                ]
                for group in groups
            ]
        ).reshape(len(groups), len(view.candidates))
        taken: set[int] = set()
        rows, columns = linear_sum_assignment(-likeness)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if likeness[row, column] > options.min_overlap:
                groups[row].append((k, column))
                taken.add(column)
        for j in range(len(view.candidates)):
            if j in taken:
                continue
            best = int(likeness[:, j].argmax()) if len(likeness) else -1
            if best >= 0 and likeness[best, j] > _FRAGMENT and _within(views, groups[best], (k, j)):
                groups[best].append((k, j))
            else:
                groups.append([(k, j)])
    return _absorb_fragments(views, groups, options)


def _absorb_fragments(
    views: Sequence[View], groups: Sequence[list[Member]], options: FusionOptions
) -> list[list[Member]]:
    """Join groups where one view shows as one simple solid what another view took for several."""
    remaining = list(groups)
    for part in sorted(groups, key=len):
        for whole in remaining:
            if whole is part or not any(
                _covers(views, member, piece, options) for member in whole for piece in part
            ):
                continue
            whole.extend(part)
            remaining = [group for group in remaining if group is not part]
            break
    return remaining


def _covers(views: Sequence[View], whole: Member, piece: Member, options: FusionOptions) -> bool:
    solid = _candidate(views, whole).solid
    if whole[0] == piece[0] or solid.shape == "unknown" or solid.residual_m > _ONE_SOLID_M:
        return False
    return _likeness(views, whole, piece, options) > _FRAGMENT and _within(views, [whole], piece)


def _likeness(views: Sequence[View], one: Member, other: Member, options: FusionOptions) -> float:
    """Share of the smaller footprint in common, 0 where heights or colours differ."""
    chroma = np.abs(views[one[0]].chroma[one[1]] - views[other[0]].chroma[other[1]]).max()
    first, second = _candidate(views, one), _candidate(views, other)
    if chroma > options.max_chroma or _common_levels(first, second) < _MIN_LEVELS:
        return 0.0
    areas = [cv2.contourArea(_polygon(c.solid)) for c in (first, second)]
    return _common_area(first.solid, second.solid) / max(min(areas), 1e-8)


def _within(views: Sequence[View], group: Sequence[Member], member: Member) -> bool:
    """Whether a fragment lies inside what the other members make up."""
    fragment = _candidate(views, member).solid
    area = max(cv2.contourArea(_polygon(fragment)), 1e-8)
    return any(_common_area(_candidate(views, item).solid, fragment) / area > _FRAGMENT for item in group)


def _common_levels(one: Candidate, other: Candidate) -> float:
    """Share of the lower candidate's seen height that the other has too."""
    low = max(one.evidence.bottom_m, other.evidence.bottom_m)
    high = min(one.evidence.top_m, other.evidence.top_m)
    heights = [max(c.evidence.top_m - c.evidence.bottom_m, 0.004) for c in (one, other)]
    # The same thin top, seen from two sides, may have no more in common than its noise.
    near = abs(one.evidence.top_m - other.evidence.top_m) < 0.006
    return 1.0 if near else float((high - low) / min(heights))


def _common_area(one: Solid, other: Solid) -> float:
    return overlap_share(one, other) * float(cv2.contourArea(_polygon(one)))


def _polygon(solid: Solid) -> Float32Array:
    return solid.polygon.astype(np.float32).reshape(-1, 1, 2)


def _candidate(views: Sequence[View], member: Member) -> Candidate:
    return views[member[0]].candidates[member[1]]
