# SPDX-License-Identifier: Apache-2.0
"""Joining the visible parts of one object that something standing on it divides."""

from __future__ import annotations

import cv2
import numpy as np

from spatialpin_ros.arrays import Float32Array, FloatArray, Int32Array, UInt8Array
from spatialpin_ros.perception.segmentation import chromaticity
from spatialpin_ros.perception.statistics import quantile

_SAME_TOP_M, _HIDDEN_TOP_M = 0.005, 0.010
_SAME_CHROMA = 0.05
_STANDS_OUT_M = 0.008
_TABLE_M = 0.012
# The outermost fiftieth may be stray pixels.
_FOOT, _PEAK = 0.02, 0.98


def merge_under_riders(
    labels: Int32Array,
    height: Float32Array,
    color: UInt8Array,
    count: int,
    tops: dict[int, float],
    noise_m: float,
) -> tuple[int, Int32Array, dict[int, float]]:
    """Join regions of one colour and one top height between which only something that stands on them is seen.

    Args:
        labels: (h, w) regions 1..count.
        height: (h, w) smoothed height above the table [m].
        color: (h, w, 3) uint8 RGB.
        count: number of regions.
        tops: height of the top of each region that has one [m].
        noise_m: standard deviation of heights [m].

    Returns:
        Number of regions, (h, w) labels renumbered without gaps, and the tops.
    """
    if count < 3:
        return count, labels, tops
    middles, hues, heights = _describe(labels, height, color, count)
    levels = {k: tops[k] if k in tops else quantile(heights[k], _PEAK) for k in range(1, count + 1)}
    pairs = [(a, b) for a in levels for b in levels if a < b and _same_top(a, b, tops, levels, noise_m)]
    target = np.arange(count + 1, dtype=np.int32)
    for a, b in pairs:
        if np.linalg.norm(hues[a] - hues[b]) > _SAME_CHROMA:
            continue
        line = np.linspace(middles[a], middles[b], 40).round().astype(np.intp)
        between = labels[line[:, 0], line[:, 1]]
        # Lost measurements along the edges of the rider are not the table; they have no low height.
        if ((between == 0) & (height[line[:, 0], line[:, 1]] < _TABLE_M)).any():
            continue
        level = (
            max(levels[k] for k in (a, b) if k in tops)
            if a in tops or b in tops
            else min(levels[a], levels[b])
        )
        standing = {
            k
            for k in levels
            if levels[k] > level + _STANDS_OUT_M and quantile(heights[k], _FOOT) > level - _STANDS_OUT_M
        }
        riders = set(between.tolist()) - {a, b, 0}
        # The top of a part without one is hidden by the rider on it.
        topless = [k for k in (a, b) if k not in tops]
        if riders <= standing and (riders or any(_neighbours(labels, k) & standing for k in topless)):
            target[target == target[b]] = target[a]
    if (target == np.arange(count + 1)).all():
        return count, labels, tops
    kept, renumbered = np.unique(target, return_inverse=True)
    merged: dict[int, float] = {}
    for k, top in tops.items():
        merged.setdefault(int(renumbered[k]), top)
    return len(kept) - 1, renumbered.astype(np.int32)[labels], merged


def _same_top(a: int, b: int, tops: dict[int, float], levels: dict[int, float], noise_m: float) -> bool:
    """Whether two regions may have one top; the highest points of one without a level patch are less sure."""
    apart = abs(levels[a] - levels[b])
    if a in tops and b in tops:
        return apart < _SAME_TOP_M
    if a not in tops and b not in tops:
        return apart < _SAME_TOP_M + 6.0 * noise_m
    return apart < _HIDDEN_TOP_M + 3.0 * noise_m


def _neighbours(labels: Int32Array, label: int) -> set[int]:
    """Labels of the pixels next to a region."""
    mask = (labels == label).astype(np.uint8)
    return set(np.unique(labels[cv2.dilate(mask, np.ones((5, 5), dtype=np.uint8)) > mask]).tolist())


def _describe(
    labels: Int32Array, height: Float32Array, color: UInt8Array, count: int
) -> tuple[FloatArray, FloatArray, list[Float32Array]]:
    """(count + 1, 2) centre pixel and chromaticity, and the heights of the pixels, of every region."""
    index = np.flatnonzero(labels)
    label = labels.ravel()[index]
    order = np.argsort(label, kind="stable")
    index, label = index[order], label[order]
    starts = np.searchsorted(label, np.arange(count + 2))
    size = np.maximum(np.diff(starts), 1)
    rows, columns = np.divmod(index, labels.shape[1])
    hue = chromaticity(color.reshape(-1, 1, 3)[index])[:, 0]
    middles = np.column_stack([np.bincount(label, values, count + 1) / size for values in (rows, columns)])
    hues = np.column_stack([np.bincount(label, values, count + 1) / size for values in hue.T])
    every = height.ravel()[index]
    return middles, hues, [every[starts[k] : starts[k + 1]] for k in range(count + 1)]
