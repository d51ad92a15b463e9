# SPDX-License-Identifier: Apache-2.0
"""What the image says about one object: surface points, and a map of where its silhouette may reach."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from spatialpin_ros.arrays import BoolArray, Float32Array, FloatArray
from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.errors import PerceptionError
from spatialpin_ros.geometry import Pose

_MIN_POINTS = 30
_POINTS = 400


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One object in one frame, in camera terms.

    Args:
        points: (N, 3) seen surface points in the camera frame [m].
        outside_px: (H, W) distance of each pixel from the mask, 0 inside [px].
        mask: (H, W).
        depth_m: (H, W) measured depth, 0 where there is none.
        intrinsics: of the image.
        camera_T_base: pose of the base frame in the camera frame; its z axis is up.
    """

    points: FloatArray
    outside_px: Float32Array
    mask: BoolArray
    depth_m: Float32Array
    intrinsics: Intrinsics
    camera_T_base: Pose

    @property
    def up(self) -> FloatArray:
        """(3,) upward direction in the camera frame."""
        return np.asarray(self.camera_T_base.axes[:, 2])

    def hidden(self, pixels: FloatArray, depth_m: FloatArray, margin_m: float = 0.006) -> BoolArray:
        """Tell which points, at (..., 2) pixels and (...,) depths, something nearer hides or the image leaves out."""
        height, width = self.mask.shape
        columns = np.rint(pixels[..., 0]).astype(np.intp)
        rows = np.rint(pixels[..., 1]).astype(np.intp)
        within = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        columns, rows = np.clip(columns, 0, width - 1), np.clip(rows, 0, height - 1)
        measured = self.depth_m[rows, columns]
        nearer = (measured > 0.0) & (measured < depth_m - margin_m) & ~self.mask[rows, columns]
        return np.asarray(nearer | ~within)


def observe(frame: CameraFrame, mask: BoolArray, seed: int = 0) -> Observation:
    """Collect what a frame says about the object in a mask.

    Raises:
        PerceptionError: when too few of its pixels have depth.
    """
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), dtype=np.uint8), borderValue=0) > 0
    rows, columns = np.nonzero(inner & (frame.depth_m > 0))
    if len(rows) < _MIN_POINTS:
        raise PerceptionError(
            f"alignment: only {len(rows)} pixels of the object have depth, {_MIN_POINTS} are needed"
        )
    chosen = np.random.default_rng(seed).choice(len(rows), min(_POINTS, len(rows)), replace=False)
    points = frame.points_camera()[rows[chosen], columns[chosen]].astype(np.float64)
    near = np.abs(points[:, 2] - np.median(points[:, 2])) < 4.0 * max(_spread(points[:, 2]), 0.01)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return Observation(
        points[near],
        np.asarray(outside, dtype=np.float32),
        mask,
        frame.depth_m,
        frame.intrinsics,
        frame.base_T_camera.inverse(),
    )


def _spread(values: FloatArray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
