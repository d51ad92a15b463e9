# SPDX-License-Identifier: Apache-2.0
"""What stands on the table: pixels above the plane, inside the workspace."""

from __future__ import annotations

import cv2
import numpy as np

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.grid import DepthGrid, TableGrid
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.plane import inside_polygon

_MARGIN_PX = 8
_OUTLINE_MARGIN_M = 0.02


def workspace_window(
    options: PerceptionOptions, base_T_table: Pose, outline: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest corner (3,) of the region looked at, in the table frame [m]."""
    if options.workspace is None:
        low, high = outline.min(axis=0) - _OUTLINE_MARGIN_M, outline.max(axis=0) + _OUTLINE_MARGIN_M
        return np.array([*low, 0.0]), np.array([*high, options.max_height_m])
    lift = base_T_table.position[2]
    offset = np.array([0.0, 0.0, lift])
    return options.workspace.min - offset, options.workspace.max - offset


def window_in_image(
    grid: DepthGrid, table_T_camera: Pose, low: FloatArray, high: FloatArray
) -> tuple[slice, slice]:
    """Rows and columns that can show the box between two corners of the table frame; all when the camera is in it."""
    height, width = grid.depth.shape
    everything = slice(0, height), slice(0, width)
    corners = np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (0.0, high[2])]
    )
    seen = table_T_camera.inverse().transform(corners)
    if (seen[:, 2] < 0.05).any():
        return everything
    inverse = np.linalg.inv(grid.rays)
    pixels = (seen @ inverse.T) / seen[:, 2:]
    first = np.clip(np.floor(pixels.min(axis=0)[:2]) - _MARGIN_PX, 0, None).astype(int)
    last = np.minimum(np.ceil(pixels.max(axis=0)[:2]) + _MARGIN_PX, (width, height)).astype(int)
    if (last - first < 8).any():
        return everything
    return slice(int(first[1]), int(last[1])), slice(int(first[0]), int(last[0]))


def foreground(
    whole: DepthGrid,
    table_T_camera: Pose,
    low: FloatArray,
    high: FloatArray,
    outline: FloatArray,
    options: PerceptionOptions,
    noise_m: float,
    ignored: BoolArray | None = None,
) -> tuple[TableGrid, BoolArray, BoolArray]:
    """Find the pixels that stand on the table.

    Args:
        whole: the frame.
        table_T_camera: pose of the optical frame in the table frame.
        low, high: corners of the workspace in the table frame [m].
        outline: (N, 2) of the table [m].
        options: settings.
        noise_m: standard deviation of heights [m].
        ignored: pixels of `whole` that are known to be no part of the scene, such as the robot's.

    Returns:
        The grid cropped around them, their mask, and those of them that touch something outside the workspace.
    """
    rows, columns = window_in_image(whole, table_T_camera, low, high)
    grid = TableGrid.from_depth(whole.crop(rows, columns), whole, table_T_camera)
    above = grid.valid & (grid.z > max(options.min_height_m, 4.0 * noise_m))
    if ignored is not None:
        above &= ~ignored[rows, columns]
    inside = above & (grid.z < high[2])
    inside &= (grid.x > low[0]) & (grid.x < high[0]) & (grid.y > low[1]) & (grid.y < high[1])
    if options.workspace is None:
        inside &= inside_polygon(grid.x, grid.y, outline, _OUTLINE_MARGIN_M)
    rows, columns = _bounds(inside)
    grid, inside, outside = grid.crop(rows, columns), inside[rows, columns], (above & ~inside)[rows, columns]
    return grid, np.ascontiguousarray(inside), _crossing(grid, inside, outside)


def _bounds(mask: BoolArray) -> tuple[slice, slice]:
    if not mask.any():
        return slice(0, min(8, mask.shape[0])), slice(0, min(8, mask.shape[1]))
    result = []
    for axis in (1, 0):
        filled = np.flatnonzero(mask.any(axis=axis))
        size = mask.shape[1 - axis]
        result.append(slice(max(0, int(filled[0]) - _MARGIN_PX), min(size, int(filled[-1]) + 1 + _MARGIN_PX)))
    return result[0], result[1]


def _crossing(grid: TableGrid, inside: BoolArray, outside: BoolArray) -> BoolArray:
    """Inside pixels next to outside pixels of the same surface."""
    near = cv2.dilate((outside).astype(np.uint8), np.ones((3, 3), dtype=np.uint8)) > 0
    candidates = inside & near
    depth = np.where(outside, grid.camera.depth, 0.0).astype(np.float32)
    farthest = cv2.dilate(depth, np.ones((3, 3), dtype=np.uint8))
    return np.asarray(candidates & (np.abs(farthest - grid.camera.depth) < 0.02))
