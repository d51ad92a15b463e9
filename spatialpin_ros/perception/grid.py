# SPDX-License-Identifier: Apache-2.0
"""The working image of perception: a thinned, cropped RGB-D grid in table coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import BoolArray, Float32Array, FloatArray, UInt8Array
from spatialpin_ros.camera import CameraFrame, ImageMask
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.statistics import median

# A pixel whose depth jumps by this share of its depth against both neighbours of a row or column was measured
# across an edge and lies on neither surface.
_FLYING_SHARE = 0.02
# A measurement this much farther than a point shows that nothing is there.
_SEE_THROUGH_M = 0.012


@dataclass(frozen=True, slots=True, eq=False)
class DepthGrid:
    """A thinned frame in camera terms.

    Args:
        depth: (h, w) float32 z-depth [m], 0 where there is none.
        color: (h, w, 3) uint8 RGB.
        rays: (3, 3) float64; `rays @ (u, v, 1)` is the direction of a pixel in the camera frame, with z = 1.
        focal_px: focal length of the thinned image [px].
        stride: pixels of the frame per pixel of the grid.
        offset: (row, column) of the grid's first pixel in the frame [px of the frame].
    """

    depth: Float32Array
    color: UInt8Array
    rays: FloatArray
    focal_px: float
    stride: int = 1
    offset: tuple[int, int] = (0, 0)

    @classmethod
    def from_frame(cls, frame: CameraFrame, max_pixels: int) -> DepthGrid:
        """Thin a frame by a whole stride so that at most about `max_pixels` remain, and clean its depth."""
        k, (height, width) = frame.intrinsics, frame.size
        stride = max(1, int(np.ceil(np.sqrt(height * width / max_pixels) - 0.1)))
        depth = np.ascontiguousarray(frame.depth_m[::stride, ::stride])
        color = np.ascontiguousarray(frame.color[::stride, ::stride])
        fx, fy = k.fx / stride, k.fy / stride
        rays = np.array([[1 / fx, 0, -k.cx / stride / fx], [0, 1 / fy, -k.cy / stride / fy], [0, 0, 1.0]])
        return cls(without_flying_pixels(depth), color, rays, float(np.sqrt(fx * fy)), stride)

    def sample(self, step: int) -> FloatArray:
        """(N, 3) points of every `step`-th pixel in the camera frame [m]."""
        depth = self.depth[::step, ::step]
        rows, columns = np.nonzero(depth)
        pixels = np.column_stack([columns * step, rows * step, np.ones(len(rows))])
        return np.asarray((pixels @ self.rays.T) * depth[rows, columns][:, None].astype(np.float64))

    def thinned(self, mask: BoolArray) -> BoolArray:
        """The pixels of this grid, when it shows a whole frame, in a mask of that frame."""
        return mask[:: self.stride, :: self.stride]

    def crop(self, rows: slice, columns: slice) -> DepthGrid:
        """Return the part of the grid in the given rows and columns."""
        rays = self.rays.copy()
        rays[:, 2] += rays[:, 0] * columns.start + rays[:, 1] * rows.start
        offset = (self.offset[0] + rows.start * self.stride, self.offset[1] + columns.start * self.stride)
        depth = np.ascontiguousarray(self.depth[rows, columns])
        color = np.ascontiguousarray(self.color[rows, columns])
        return DepthGrid(depth, color, rays, self.focal_px, self.stride, offset)


@dataclass(frozen=True, slots=True, eq=False)
class TableGrid:
    """A grid whose points are in the table frame: origin on the table, z its upward normal.

    Args:
        camera: the same image in camera terms.
        whole: the image that this grid is a part of.
        table_T_camera: pose of the optical frame in the table frame.
        x, y, z: (h, w) float32 coordinates in the table frame [m]; meaningless where depth is 0.
        valid: (h, w) where depth was measured.
    """

    camera: DepthGrid
    whole: DepthGrid
    table_T_camera: Pose
    x: Float32Array
    y: Float32Array
    z: Float32Array
    valid: BoolArray

    @classmethod
    def from_depth(cls, grid: DepthGrid, whole: DepthGrid, table_T_camera: Pose) -> TableGrid:
        """Back-project: point = camera position + depth * R @ rays @ (u, v, 1), a sum of a row and a column term."""
        height, width = grid.depth.shape
        directions = table_T_camera.axes @ grid.rays
        u, v = np.arange(width), np.arange(height)[:, None]
        planes: list[Float32Array] = []
        for axis in range(3):
            along_row = (directions[axis, 0] * u + directions[axis, 2]).astype(np.float32)
            ray = along_row + (directions[axis, 1] * v).astype(np.float32)
            ray *= grid.depth
            ray += np.float32(table_T_camera.position[axis])
            planes.append(ray)
        return cls(grid, whole, table_T_camera, planes[0], planes[1], planes[2], grid.depth > 0)

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.z.shape
        return height, width

    @property
    def pixel_m(self) -> float:
        """Footprint of a pixel at the middle depth of the grid, across the view [m]."""
        measured = self.camera.depth[self.valid]
        if not len(measured):
            return 1.0 / self.camera.focal_px
        return median(measured[:: max(1, len(measured) // 2000)]) / self.camera.focal_px

    def crop(self, rows: slice, columns: slice) -> TableGrid:
        """Return the part of the grid in the given rows and columns."""
        x, y, z = (np.ascontiguousarray(a[rows, columns]) for a in (self.x, self.y, self.z))
        valid = np.ascontiguousarray(self.valid[rows, columns])
        return TableGrid(self.camera.crop(rows, columns), self.whole, self.table_T_camera, x, y, z, valid)

    def points(self, index: npt.NDArray[np.intp]) -> Float32Array:
        """(N, 3) points in the table frame at flat pixel indices."""
        return np.stack([self.x.ravel()[index], self.y.ravel()[index], self.z.ravel()[index]], axis=1)

    def on_plane(self, u: FloatArray, v: FloatArray, height_m: float) -> FloatArray:
        """(N, 2) table x, y where the rays of pixels (u, v) meet the plane z = `height_m` [m]."""
        directions = (
            np.stack([u, v, np.ones_like(u)], axis=1) @ (self.table_T_camera.axes @ self.camera.rays).T
        )
        eye = self.table_T_camera.position
        reach = (height_m - eye[2]) / directions[:, 2]
        return np.asarray(eye[:2] + reach[:, None] * directions[:, :2])

    def sees_behind(self, points: FloatArray) -> BoolArray:
        """Tell for (N, 3) points of the table frame whether the camera sees something farther: nothing is there."""
        seen = self.table_T_camera.inverse().transform(points)
        pixels = np.rint((seen @ np.linalg.inv(self.whole.rays).T)[:, :2] / seen[:, 2:]).astype(np.intp)
        height, width = self.whole.depth.shape
        inside = (pixels >= 0).all(axis=1) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
        columns, rows = np.clip(pixels[:, 0], 0, width - 1), np.clip(pixels[:, 1], 0, height - 1)
        return np.asarray(inside & (self.whole.depth[rows, columns] > seen[:, 2] + _SEE_THROUGH_M))

    def image_mask(self, mask: BoolArray, size: tuple[int, int]) -> ImageMask:
        """Turn a mask of the grid into one of the whole frame of the given height and width."""
        crop = ImageMask.from_full(mask)
        row, column = (
            o * self.camera.stride + f for o, f in zip(crop.offset, self.camera.offset, strict=True)
        )
        bits = crop.bits
        if self.camera.stride > 1:
            bits = bits.repeat(self.camera.stride, axis=0).repeat(self.camera.stride, axis=1)
        return ImageMask(bits[: size[0] - row, : size[1] - column], (row, column))


def without_flying_pixels(depth: Float32Array) -> Float32Array:
    """Set to 0 the pixels that hang between a near and a far surface in their row or column.

    Args:
        depth: (h, w) float32 z-depth [m].
    """
    result = depth.copy()
    for axis in (0, 1):
        ahead = np.diff(depth, axis=axis)
        first = (slice(None),) * axis + (slice(None, -1),)
        second = (slice(None),) * axis + (slice(1, None),)
        # A missing neighbour is 0 and jumps by more than half of any depth: not evidence of an edge.
        jump = (np.abs(ahead) > _FLYING_SHARE * depth[second]) & (np.minimum(depth[first], depth[second]) > 0)
        same_way = ahead > 0
        inner = (slice(None),) * axis + (slice(1, -1),)
        result[inner][jump[first] & jump[second] & (same_way[first] == same_way[second])] = 0.0
    return result


def smoothed(values: Float32Array, valid: BoolArray) -> Float32Array:
    """3x3 median that leaves pixels without a measurement alone."""
    return np.where(valid, cv2.medianBlur(values, 3), values).astype(np.float32, copy=False)
