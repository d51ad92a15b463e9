# SPDX-License-Identifier: Apache-2.0
"""Bodies that are wider on the table than on top, as bottles and roofs: the outline of their foot.

Where the image of a body ends at the table its foot is known to a fraction of a pixel. What of it is hidden lies, in
things that taper, as far behind the middle of the top as the seen part lies before it.
"""

from __future__ import annotations

import cv2
import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.perception.evidence import Evidence
from spatialpin_ros.perception.footprints import Circle, Rectangle, fit_circle, fit_rectangle, thin
from spatialpin_ros.perception.statistics import median

_FEWEST = 12
_FOOT_POINTS = 200
_TOP_M = 0.002
_WHOLE_TOP = 0.8
_STICKS_OUT_M = 0.006
_STRAY_M = 0.002
_SPREAD_M = 0.006
_CIRCLE_ADVANTAGE = 0.8
_EVEN = 0.25


def fit_foot(evidence: Evidence, noise_m: float) -> Circle | Rectangle | None:
    """The outline on the table of a body that is wider there than on top; None for anything else.

    Args:
        evidence: what is seen of it.
        noise_m: standard deviation of depth [m].
    """
    foot = thin(evidence.foot, _FOOT_POINTS)
    if len(foot) < _FEWEST or len(evidence.rim) < _WHOLE_TOP * len(evidence.reach):
        return None
    middle, outside = _about_top(evidence, foot, noise_m)
    if median(outside) < _STICKS_OUT_M:
        return None
    whole = np.concatenate([foot, 2.0 * middle - foot])
    weights, upright = np.ones(len(whole)), np.zeros(len(whole), dtype=np.bool_)
    circle = fit_circle(foot, weights[: len(foot)], whole)
    rectangle = fit_rectangle(whole, weights, whole, _SPREAD_M, upright, evidence.eyes)
    even = np.linalg.norm(circle.centre - middle) < _EVEN * circle.radius
    round_foot = even and circle.residual_m < _CIRCLE_ADVANTAGE * rectangle.residual_m
    best = circle if round_foot else rectangle
    return best if best.residual_m < _STRAY_M + 0.5 * noise_m else None


def _about_top(evidence: Evidence, foot: FloatArray, noise_m: float) -> tuple[FloatArray, FloatArray]:
    """The middle (2,) of the top in table x, y, and how far (N, 2) points are outside its rectangle (N,) [m]."""
    high = evidence.points[evidence.points[:, 2] > evidence.top_m - max(_TOP_M, noise_m), :2]
    top = np.concatenate([evidence.reach, high]).astype(np.float32)
    centre, size, angle = cv2.minAreaRect(top.reshape(-1, 1, 2))
    turn, middle = np.deg2rad(angle), np.asarray(centre, dtype=np.float64)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    gap = np.abs((foot - middle) @ axes) - 0.5 * np.asarray(size)
    return middle, np.linalg.norm(np.maximum(gap, 0.0), axis=1)
