# SPDX-License-Identifier: Apache-2.0
"""Regions of the foreground: depth shows bodies, and colour divides them where its border is coherent.

A cut along every change of colour crumbles what is noisy, printed or grained. Such a body is cut again where its
colour changes clearly although it is smoothed, more and more; when that does not hold together either, it is one body.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spatialpin_ros.arrays import BoolArray, Float32Array, FloatArray, Int32Array, UInt8Array
from spatialpin_ros.perception.segmentation import (
    chroma_links,
    chromaticity,
    depth_links,
    drop_small,
    linked_regions,
    neighbours,
)

# What crumbles is cut where its colour, smoothed with these sigmas [px], changes by so many times the usual step.
_SIGMAS_PX, _CLEARLY = (1.5, 3.0, 6.0), 2.5
# A step of height 1, smoothed by a Gaussian of sigma 1, is this steep at its middle.
_STEEPNESS = float(1.0 / np.sqrt(2.0 * np.pi))
# What holds together: pixels in crumbs, and length of colour borders over the root of the area. Objects that touch or
# are stacked have up to 0.012 and 2.8.
_MOST_CRUMBS, _MOST_BORDER, _MANY, _BORDER_OF_MANY = 0.1, 3.3, 4, 2.4
_SMOOTH_BORDER, _LONGEST_BORDER = 1.5, 3.0
# Share of a body that must be of even colour once it is smoothed.
_LEAST_EVEN = 0.6
# A region with so much of its outline on one other, without a step in depth, is print on that.
_ENCLOSED = 0.85
# A region whose colour borders are longer than this over the root of its area is a stripe, or meets many others.
_THIN = 6.0
# A face seen at a grazing angle climbs by more than a step from pixel to pixel.
_GRAZING, _ALIKE = 3.0, 3.0
_ROUNDS = 8


def find_bodies(
    inside: BoolArray,
    depth: Float32Array,
    color: UInt8Array,
    depth_step_m: float,
    chroma_step: float,
    min_pixels: int,
) -> tuple[int, Int32Array]:
    """Split foreground pixels into regions that are continuous in depth and of one colour or pattern.

    Args:
        inside: (h, w) foreground.
        depth: (h, w) smoothed z-depth [m].
        color: (h, w, 3) uint8 RGB.
        depth_step_m: largest step between neighbours [m].
        chroma_step: smallest change of chromaticity that cuts.
        min_pixels: what is smaller is no region.

    Returns:
        Number of regions and (h, w) labels, 0 outside and for what is left over.
    """
    near, same = depth_links(inside, depth, depth_step_m), chroma_links(color, chroma_step)
    count, labels = linked_regions(inside, near[0] & same[0], near[1] & same[1])
    bodies, rough = _rough_bodies(count, labels, near, min_pixels)
    if rough.any():
        count, labels = _cut_again(labels, bodies[labels], rough, near, color, chroma_step, min_pixels)
    labels = _absorb(count, labels, depth, same, depth_step_m, min_pixels)
    count, labels, _ = drop_small(int(labels.max(initial=0)), labels, min_pixels)
    return count, labels


def _unlike(labels: Int32Array, near: tuple[BoolArray, BoolArray]) -> tuple[Int32Array, Int32Array]:
    """(N,) labels on both sides of every border without a step in depth, once for each pair of pixels."""
    first = np.concatenate(
        [labels[neighbours(axis)[0]][link] for axis, link in zip((1, 0), near, strict=True)]
    )
    second = np.concatenate(
        [labels[neighbours(axis)[1]][link] for axis, link in zip((1, 0), near, strict=True)]
    )
    unlike = first != second
    return first[unlike], second[unlike]


def _groups(count: int, first: Int32Array, second: Int32Array) -> Int32Array:
    """(count + 1,) number of the connected group of every label."""
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count + 1, count + 1))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int32)


def _rough_bodies(
    count: int, labels: Int32Array, near: tuple[BoolArray, BoolArray], min_pixels: int
) -> tuple[Int32Array, BoolArray]:
    """(count + 1,) body of every label, and (B,) which bodies the labels crumble."""
    first, second = _unlike(labels, near)
    body = _groups(count, first, second)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    area = np.bincount(body, sizes)
    own = np.bincount(np.concatenate([first, second]), minlength=count + 1)
    crumbs = np.bincount(body, np.where((sizes < min_pixels) | (own > _THIN * np.sqrt(sizes)), sizes, 0))
    border = np.bincount(body[first], minlength=len(area))
    many = np.bincount(body, sizes >= min_pixels) >= _MANY
    most = np.where(many, _BORDER_OF_MANY, _MOST_BORDER)
    rough = (border > most * np.sqrt(area)) | (crumbs > _MOST_CRUMBS * area)
    return body, rough & (area >= min_pixels)


def _cut_again(
    labels: Int32Array,
    body_of: Int32Array,
    rough: BoolArray,
    near: tuple[BoolArray, BoolArray],
    color: UInt8Array,
    chroma_step: float,
    min_pixels: int,
) -> tuple[int, Int32Array]:
    """Replace the labels of rough bodies: (h, w) `body_of` pixels, (B,) `rough`."""
    result, count = labels.copy(), int(labels.max(initial=0))
    boxes = ndimage.find_objects(np.where(rough[body_of], body_of + 1, 0), len(rough))
    for body in np.flatnonzero(rough):
        rows, columns = boxes[body]
        inside = body_of[rows, columns] == body
        links = (
            near[0][rows, columns.start : columns.stop - 1] & inside[:, :-1] & inside[:, 1:],
            near[1][rows.start : rows.stop - 1, columns] & inside[:-1] & inside[1:],
        )
        pieces = _pieces(inside, links, color[rows, columns], chroma_step, min_pixels)
        result[rows, columns][inside] = count + pieces[inside]
        count += int(pieces.max())
    return count, result


def _pieces(
    inside: BoolArray,
    near: tuple[BoolArray, BoolArray],
    color: UInt8Array,
    chroma_step: float,
    min_pixels: int,
) -> Int32Array:
    """(h, w) labels 1..n of one body: of the least smoothed colour whose borders hold together, or one for all."""
    whole = inside.astype(np.int32)
    root = float(np.sqrt(np.count_nonzero(inside)))
    pieces, border = whole, 0
    for sigma in _SIGMAS_PX:
        pieces = _smooth_cut(inside, near, color, sigma, _CLEARLY * chroma_step, min_pixels)
        border = len(_unlike(pieces, near)[0])
        if pieces.any() and border <= _SMOOTH_BORDER * root:
            return pieces
    return pieces if pieces.any() and border <= _LONGEST_BORDER * root else whole


def _smooth_cut(
    inside: BoolArray,
    near: tuple[BoolArray, BoolArray],
    color: UInt8Array,
    sigma: float,
    chroma_step: float,
    min_pixels: int,
) -> Int32Array:
    """(h, w) labels of a body cut where its smoothed colour changes; all 0 when too little is of one colour."""
    weight = inside.astype(np.float32)
    channels = np.dstack([color * weight[..., None], weight])
    smooth = cv2.GaussianBlur(channels, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    mean = smooth[..., :3] / np.maximum(smooth[..., 3:], np.float32(1e-6))
    even = chroma_links(mean.astype(np.float32, copy=False), chroma_step * _STEEPNESS / sigma)
    flat = inside.copy()
    for axis, link, same in zip((1, 0), near, even, strict=True):
        for side in neighbours(axis):
            flat[side] &= same | ~link
    cores, labels = linked_regions(flat, near[0] & even[0], near[1] & even[1])
    cores, labels, _ = drop_small(cores, labels, min_pixels)
    if np.count_nonzero(labels) < _LEAST_EVEN * np.count_nonzero(inside):
        return np.zeros_like(labels)
    nearest = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    labels = np.where(inside, labels[tuple(nearest)], 0)
    return _join_alike(labels, near, color, chroma_step)


def _join_alike(
    labels: Int32Array, near: tuple[BoolArray, BoolArray], color: UInt8Array, chroma_step: float
) -> Int32Array:
    """Join neighbours whose mean colours are alike; (h, w) labels without gaps, 0 outside."""
    count = int(labels.max())
    sizes = np.maximum(np.bincount(labels.ravel(), minlength=count + 1), 1)
    means = [np.bincount(labels.ravel(), color[..., k].ravel(), count + 1) / sizes for k in range(3)]
    hue = chromaticity(np.stack(means, axis=-1)[None].astype(np.float32))[0]
    first, second = _unlike(labels, near)
    alike = ((hue[first] - hue[second]) ** 2).sum(axis=1) < chroma_step**2
    return _groups(count, first[alike], second[alike])[labels]


def _absorb(
    count: int,
    labels: Int32Array,
    depth: Float32Array,
    same: tuple[BoolArray, BoolArray],
    depth_step_m: float,
    min_pixels: int,
) -> Int32Array:
    """Give crumbs and print to the neighbour with which they share most of their border without a step in depth.

    A face seen at a grazing angle has steps; there its colour tells.
    """
    parts = []
    for axis, alike in zip((1, 0), same, strict=True):
        side, opposite = neighbours(axis)
        place = np.flatnonzero(labels[side] != labels[opposite])
        one, other = labels[side].ravel()[place], labels[opposite].ravel()[place]
        step = np.abs(depth[side].ravel()[place] - depth[opposite].ravel()[place])
        weight = np.where(step < depth_step_m, 1.0, 0.0)
        weight[alike.ravel()[place] & (step >= depth_step_m) & (step < _GRAZING * depth_step_m)] = _ALIKE
        weight[(one == 0) | (other == 0)] = 0.0
        parts += [(one, other, weight), (other, one, weight)]
    first, second, meets = (np.concatenate([part[k] for part in parts]) for k in range(3))
    names = np.arange(count + 1, dtype=np.int32)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    for _ in range(_ROUNDS):
        one, other = names[first], names[second]
        outer = one != other
        one, other, weight = one[outer], other[outer], meets[outer]
        outline = np.bincount(one, np.maximum(weight, 1.0), count + 1)
        most, target = _largest(count, one, other, weight)
        size = np.bincount(names, sizes, count + 1)
        joins = (most >= 2.0) & ((size < min_pixels) | (most > _ENCLOSED * outline))
        if not joins.any():
            break
        names = _groups(count, np.flatnonzero(joins).astype(np.int32), target[joins])[names]
    return names[labels]


def _largest(
    count: int, one: Int32Array, other: Int32Array, weight: FloatArray
) -> tuple[FloatArray, Int32Array]:
    """(count + 1,) largest sum of weights that a label shares with another, and which that is."""
    pair, place = np.unique(one.astype(np.int64) * (count + 1) + other, return_inverse=True)
    total = np.bincount(place, weight, len(pair))
    order = np.argsort(total, kind="stable")
    most, target = np.zeros(count + 1), np.zeros(count + 1, dtype=np.int32)
    rows, columns = np.divmod(pair[order], count + 1)
    # Of equal indices the last one assigned stays: the largest.
    most[rows], target[rows] = total[order], columns
    return most, target
