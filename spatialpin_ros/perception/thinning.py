# SPDX-License-Identifier: Apache-2.0
"""Very large images made smaller by a whole stride, before anything is done with them."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.camera import CameraFrame, Intrinsics


def stride_for(size: tuple[int, int], max_pixels: int) -> int:
    """The smallest stride that leaves at most so many pixels of an image of this height and width."""
    return max(1, math.ceil(math.sqrt(size[0] * size[1] / max_pixels)))


def thinned_color(color: UInt8Array, stride: int) -> UInt8Array:
    """(H // stride, W // stride, 3) means of the blocks of an image."""
    if stride == 1:
        return color
    height, width = color.shape[0] // stride, color.shape[1] // stride
    blocks = color[: height * stride, : width * stride]
    return np.asarray(cv2.resize(blocks, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def thinned_intrinsics(k: Intrinsics, stride: int) -> Intrinsics:
    """The camera of an image of which one pixel of each block is kept, as `thinned_frame` does."""
    if stride == 1:
        return k
    kept = (stride - 1) // 2
    return Intrinsics(
        k.width // stride,
        k.height // stride,
        k.fx / stride,
        k.fy / stride,
        (k.cx - kept) / stride,
        (k.cy - kept) / stride,
        k.source,
    )


def thinned_frame(frame: CameraFrame, max_pixels: int) -> CameraFrame:
    """The frame itself, or one of at most so many pixels; depth is picked, not averaged, because edges are steps."""
    stride = stride_for(frame.size, max_pixels)
    if stride == 1:
        return frame
    camera, kept = thinned_intrinsics(frame.intrinsics, stride), (stride - 1) // 2
    picked = frame.depth_m[kept::stride, kept::stride][: camera.height, : camera.width]
    return replace(
        frame,
        color=thinned_color(frame.color, stride),
        depth_m=np.ascontiguousarray(picked),
        intrinsics=camera,
    )
