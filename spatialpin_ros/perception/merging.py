# SPDX-License-Identifier: Apache-2.0
"""Joining the visible parts of one object that something standing on it divides."""

from __future__ import annotations

import numpy as np

from spatialpin_ros.arrays import Float32Array, FloatArray, Int32Array, UInt8Array
from spatialpin_ros.perception.segmentation import chromaticity

_SAME_TOP_M = 0.005
_SAME_CHROMA = 0.05
_STANDS_OUT_M = 0.008
_TABLE_M = 0.012


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
    middles, hues, bottoms, peaks = _describe(labels, height, color, count)
    levels = {k: tops.get(k, float(peaks[k])) for k in range(1, count + 1)}
    slack = {k: 0.0 if k in tops else 3.0 * noise_m for k in levels}
    pairs = [
        (a, b)
        for a in levels
        for b in levels
        if a < b and abs(levels[a] - levels[b]) < _SAME_TOP_M + slack[a] + slack[b]
    ]
    target = np.arange(count + 1, dtype=np.int32)
    for a, b in pairs:
        if np.linalg.norm(hues[a] - hues[b]) > _SAME_CHROMA:
            continue
        line = np.linspace(middles[a], middles[b], 40).round().astype(np.intp)
        between = labels[line[:, 0], line[:, 1]]
        riders = set(between.tolist()) - {a, b, 0}
        # Lost measurements along the edges of the rider are not the table; they have no low height.
        table_seen = bool(((between == 0) & (height[line[:, 0], line[:, 1]] < _TABLE_M)).any())
        level = min(levels[a], levels[b])
        stand_on = all(
            bottoms[k] > level - _STANDS_OUT_M and levels[k] > level + _STANDS_OUT_M for k in riders
        )
        if riders and not table_seen and stand_on:
            target[target == target[b]] = target[a]
    if (target == np.arange(count + 1)).all():
        return count, labels, tops
    kept, renumbered = np.unique(target, return_inverse=True)
    merged: dict[int, float] = {}
    for k, top in tops.items():
        merged.setdefault(int(renumbered[k]), top)
    return len(kept) - 1, renumbered.astype(np.int32)[labels], merged


def _describe(
    labels: Int32Array, height: Float32Array, color: UInt8Array, count: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """(count + 1, 2) centre pixel and chromaticity, (count + 1,) lowest and highest height, of every region."""
    index = np.flatnonzero(labels)
    label = labels.ravel()[index]
    size = np.maximum(np.bincount(label, minlength=count + 1), 1)
    rows, columns = np.divmod(index, labels.shape[1])
    hue = chromaticity(color.reshape(-1, 1, 3)[index])[:, 0]
    middles = np.column_stack([np.bincount(label, values, count + 1) / size for values in (rows, columns)])
    hues = np.column_stack([np.bincount(label, values, count + 1) / size for values in hue.T])
    order = np.lexsort((height.ravel()[index], label))
    starts = np.searchsorted(label[order], np.arange(count + 1))
    # The outermost fiftieth may be stray pixels.
    ranked = height.ravel()[index][order].astype(np.float64)
    lowest = np.minimum(starts + size // 50, len(order) - 1)
    highest = np.clip(starts + size - 1 - size // 50, 0, len(order) - 1)
    return middles, hues, ranked[lowest], ranked[highest]
