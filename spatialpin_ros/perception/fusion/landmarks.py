# SPDX-License-Identifier: Apache-2.0
"""Corrects camera poses by what both views see whole: the table's plane, and objects as landmarks on it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.assemble import Candidate
from spatialpin_ros.perception.fusion.options import FusionOptions
from spatialpin_ros.perception.fusion.views import View

_WHOLE = 0.9
_SIZE_M = 0.010
_CENTRE_ERROR_M = 0.002
_PRIOR_SHIFT_M, _PRIOR_TURN_RAD = 0.01, 0.02
_OUTLIER_M = 0.004
_ITERATIONS = 8
_ENOUGH = 2


def align_landmarks(moving: View, target: View, options: FusionOptions) -> Pose | None:
    """Find the motion on the table that brings the objects of one view to where another has them.

    Weighted least squares with Huber's weights, the given pose as a prior. The top rims that place an object are seen
    from every side, unlike its upright faces, so objects tie views together that share few surfaces.

    Args:
        moving, target: views segmented in table frames of one plane.
        options: settings.

    Returns:
        Correction in the table frame; None with fewer than two objects seen whole in both views, or when they ask for
        more than the options allow.
    """
    pairs = _pairs(moving, target, options)
    if len(pairs) < _ENOUGH:
        return None
    source = np.array([moving.candidates[i].solid.centre[:2] for i, _ in pairs])
    aim = np.array([target.candidates[j].solid.centre[:2] for _, j in pairs])
    pivot = source.mean(axis=0)
    motion = _solve(source - pivot, aim - pivot)
    cosine, sine = np.cos(motion[2]), np.sin(motion[2])
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    left = np.linalg.norm((source - pivot) @ rotation.T + pivot + motion[:2] - aim, axis=1)
    if np.hypot(*motion[:2]) > options.max_shift_m or abs(motion[2]) > options.max_turn_rad:
        return None
    if float(np.median(left)) > 2.0 * _OUTLIER_M:
        return None
    shift = pivot + motion[:2] - rotation @ pivot
    return Pose.from_yaw(np.array([*shift, 0.0]), float(motion[2]))


def _pairs(moving: View, target: View, options: FusionOptions) -> list[tuple[int, int]]:
    """Candidates of like colour, size and place in both views."""
    if not moving.candidates or not target.candidates:
        return []
    cost = np.array(
        [
            [np.linalg.norm(one.solid.centre[:2] - other.solid.centre[:2]) for other in target.candidates]
            for one in moving.candidates
        ]
    )
    chroma = np.abs(moving.chroma[:, None] - target.chroma[None]).max(axis=2)
    sizes = [np.array([_extents(c) for c in view.candidates]) for view in (moving, target)]
    unlike = np.abs(sizes[0][:, None] - sizes[1][None]).max(axis=2) > _SIZE_M
    whole = [np.array([c.solid.seen > _WHOLE for c in view.candidates]) for view in (moving, target)]
    reach = 2.0 * options.max_shift_m
    forbidden = (
        (chroma > options.max_chroma) | unlike | (cost > reach) | ~(whole[0][:, None] & whole[1][None])
    )
    cost = np.where(forbidden, 1e3, cost)
    rows, columns = linear_sum_assignment(cost)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if cost[i, j] < 1e3]


def _extents(candidate: Candidate) -> FloatArray:
    """(3,) shorter and longer side of the footprint, and height of the top [m]."""
    sides = np.sort(candidate.solid.size[:2])
    return np.array([sides[0], sides[1], candidate.evidence.top_m])


def _solve(source: FloatArray, aim: FloatArray) -> FloatArray:
    """(3,) shift x, y [m] and turn [rad] of (N, 2) points onto others, for small turns."""
    motion = np.zeros(3)
    trust = np.array([_PRIOR_SHIFT_M**-2.0, _PRIOR_SHIFT_M**-2.0, _PRIOR_TURN_RAD**-2.0])
    columns = np.zeros((len(source), 2, 3))
    columns[:, 0, 0] = columns[:, 1, 1] = 1.0
    columns[:, 0, 2], columns[:, 1, 2] = -source[:, 1], source[:, 0]
    for _ in range(_ITERATIONS):
        gap = aim - source - columns @ motion
        distance = np.linalg.norm(gap, axis=1)
        weight = np.minimum(1.0, _OUTLIER_M / np.maximum(distance, 1e-9)) / _CENTRE_ERROR_M**2
        information = np.einsum("n,nki,nkj->ij", weight, columns, columns) + np.diag(trust)
        motion = np.linalg.solve(information, np.einsum("n,nki,nk->i", weight, columns, aim - source))
    return np.asarray(motion)
