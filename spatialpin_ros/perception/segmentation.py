# SPDX-License-Identifier: Apache-2.0
"""Segmentation on the image grid: links between neighbouring pixels, cut at depth steps and colour changes."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import BoolArray, Float32Array, Int32Array, UInt8Array

# Summed difference of two RGB values: as good as equal, and more than any.
_ALIKE = 40
_NO_NEIGHBOUR = 10_000
# Added to a pixel's brightness before dividing by it: colour of dark pixels is mostly noise.
_DARK = 40.0


def chromaticity(color: UInt8Array | Float32Array) -> Float32Array:
    """(h, w, 2) opponent colour divided by brightness: about the same on lit and shaded sides of one object.

    Args:
        color: (h, w, 3) uint8 RGB.
    """
    return np.stack(_opponents(color), axis=-1)


def _opponents(color: UInt8Array | Float32Array) -> tuple[Float32Array, Float32Array]:
    red, green, blue = (np.ascontiguousarray(color[..., i]).astype(np.float32) for i in range(3))
    scale = red + green
    yellow = np.float32(0.5) * scale
    scale += blue
    scale += np.float32(_DARK)
    np.reciprocal(scale, out=scale)
    red -= green
    red *= scale
    yellow -= blue
    yellow *= scale
    return red, yellow


def linked_regions(inside: BoolArray, link_right: BoolArray, link_down: BoolArray) -> tuple[int, Int32Array]:
    """Label the regions of pixels that are joined by links.

    The links become pixels of an image of twice the size, so that OpenCV's connected components can be used.

    Args:
        inside: (h, w) pixels to label.
        link_right: (h, w - 1) pixel (v, u) is joined to (v, u + 1).
        link_down: (h - 1, w) pixel (v, u) is joined to (v + 1, u).

    Returns:
        Number of regions n, and (h, w) int32 labels 1..n, 0 outside.
    """
    height, width = inside.shape
    doubled = np.zeros((2 * height, 2 * width), dtype=np.uint8)
    doubled[::2, ::2] = inside
    doubled[::2, 1:-1:2] = link_right
    doubled[1:-1:2, ::2] = link_down
    count, labels = cv2.connectedComponents(doubled, connectivity=4, ltype=cv2.CV_32S)
    return int(count) - 1, np.ascontiguousarray(labels[::2, ::2])


def neighbours(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Index of the first and of the second pixel of all pairs side by side (axis 1) or one below the other (0)."""
    before = (slice(None),) * axis
    return (*before, slice(None, -1)), (*before, slice(1, None))


def depth_links(inside: BoolArray, depth: Float32Array, depth_step_m: float) -> tuple[BoolArray, BoolArray]:
    """(h, w - 1) and (h - 1, w) whether neighbours to the right and below are both inside and alike in depth.

    Args:
        inside: (h, w) foreground.
        depth: (h, w) smoothed z-depth [m].
        depth_step_m: largest step between neighbours [m].
    """
    links = []
    for axis in (1, 0):
        first, second = neighbours(axis)
        joined = inside[first] & inside[second]
        joined &= np.abs(depth[first] - depth[second]) < depth_step_m
        links.append(joined)
    return links[0], links[1]


def chroma_links(color: UInt8Array | Float32Array, chroma_step: float) -> tuple[BoolArray, BoolArray]:
    """(h, w - 1) and (h - 1, w) whether neighbours to the right and below are alike in chromaticity.

    Args:
        color: (h, w, 3) RGB, 0 to 255.
        chroma_step: smallest change of chromaticity that cuts.
    """
    opponents = _opponents(color)
    links = []
    for axis in (1, 0):
        first, second = neighbours(axis)
        change = [(plane[first] - plane[second]) ** 2 for plane in opponents]
        links.append(change[0] + change[1] < chroma_step**2)
    return links[0], links[1]


def drop_small(count: int, labels: Int32Array, min_pixels: int) -> tuple[int, Int32Array, BoolArray]:
    """Keep regions of at least `min_pixels`; renumber them 1..n.

    Returns:
        Number kept, (h, w) labels, and the (h, w) pixels of dropped regions.
    """
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = sizes >= min_pixels
    keep[0] = False
    renumber = np.zeros(count + 1, dtype=np.int32)
    renumber[keep] = np.arange(1, int(keep.sum()) + 1)
    result = renumber[labels]
    return int(keep.sum()), result, (labels > 0) & (result == 0)


def grow_by_color(
    labels: Int32Array, color: UInt8Array, unknown: BoolArray, rounds: int
) -> tuple[Int32Array, npt.NDArray[np.intp]]:
    """Give unknown pixels the label of the known neighbour whose colour is nearest, `rounds` pixels deep.

    Colour knows where an object ends to a pixel; depth has holes and errors there.

    Args:
        labels: (h, w) with 0 for the background.
        color: (h, w, 3) uint8 RGB.
        unknown: (h, w) pixels whose label is to be replaced.

    Returns:
        (h, w) labels, 0 for unknown pixels out of reach, and (h, w) the flat index of the pixel that each pixel's
        label came from (its own where it was known).
    """
    source = np.arange(labels.size)
    flat_labels = np.where(unknown, 0, labels).ravel()
    is_open, flat_color = unknown.ravel().copy(), color.reshape(-1, 3).astype(np.int16)
    inner = unknown.copy()
    inner[[0, -1]] = False
    inner[:, [0, -1]] = False
    pending = np.flatnonzero(inner)
    neighbours = np.array([-1, 1, -labels.shape[1], labels.shape[1]])
    # Alike neighbours first: a label must not creep over an edge before the other side has had its turn.
    for limit in (_ALIKE,) * rounds + (_NO_NEIGHBOUR,) * rounds:
        if not len(pending):
            break
        around = pending[:, None] + neighbours
        change = np.abs(flat_color[around] - flat_color[pending][:, None]).sum(axis=2)
        change[is_open[around]] = _NO_NEIGHBOUR
        best = np.argmin(change, axis=1)
        rows = np.arange(len(pending))
        found = change[rows, best] < limit
        winner = around[rows[found], best[found]]
        flat_labels[pending[found]] = flat_labels[winner]
        source[pending[found]] = source[winner]
        is_open[pending[found]] = False
        pending = pending[~found]
    return flat_labels.reshape(labels.shape), source.reshape(labels.shape)


def doubtful_pixels(labels: Int32Array, depth: Float32Array, step_m: float, reach: int) -> BoolArray:
    """Pixels whose label should come from colour: beside a depth step at a region's border, or holes near a region.

    Args:
        labels: (h, w) regions, 0 elsewhere.
        depth: (h, w) z-depth [m], 0 where there is none.
        step_m: step in depth that makes a border an occluding one [m].
        reach: how far from a region holes are filled [px].
    """
    near = (
        cv2.dilate((labels > 0).astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)) > 0
    )
    doubtful: BoolArray = near & (depth == 0)
    for axis in (0, 1):
        first = (slice(None),) * axis + (slice(None, -1),)
        second = (slice(None),) * axis + (slice(1, None),)
        edge = (labels[first] != labels[second]) & (np.abs(depth[first] - depth[second]) > step_m)
        doubtful[first] |= edge
        doubtful[second] |= edge
    return doubtful
