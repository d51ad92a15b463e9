# SPDX-License-Identifier: Apache-2.0
"""Perspective canonicalisation: how the camera looks at the support, from the support plane itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.grid import DepthGrid
from spatialpin_ros.perception.plane import fit_plane

View = Literal["horizontal", "top-down", "bottom-up"]
_TOP_DOWN_RAD = np.deg2rad(65.0)
_MAX_TILT_RAD = np.deg2rad(89.0)
# Between the normal of a level view and that of one straight down.
_UP = np.array([0.0, -np.sqrt(0.5), -np.sqrt(0.5)])
_MIN_SHARE = 0.15
_SAMPLES = 5000


@dataclass(frozen=True, slots=True, eq=False)
class Perspective:
    """How the camera looks at the support plane.

    Args:
        view: "top-down" when it looks steeply down, "bottom-up" when the plane is above it, else "horizontal".
        pitch_rad: angle of the optical axis below the plane's horizon; 90 degrees is straight down.
        camera_T_level: pose, in the camera frame, of the canonical frame at the camera: z along the plane's normal, x
            ahead along the plane, y to the left.
        height_m: of the camera above the plane; negative below it.
    """

    view: View
    pitch_rad: float
    camera_T_level: Pose
    height_m: float


def canonicalise(frame: CameraFrame, seed: int = 0) -> Perspective:
    """Find the support plane of a frame and how the camera looks at it; the frame's own pose is not used.

    Raises:
        PerceptionError: when no plane holds enough of the image.
    """
    grid = DepthGrid.from_frame(frame, 400_000)
    points = grid.sample(max(1, round(np.sqrt(grid.depth.size / _SAMPLES))))
    plane = fit_plane(points, _UP, _MAX_TILT_RAD, _MIN_SHARE, seed)
    normal, height = plane.normal, -plane.offset
    pitch = float(np.arcsin(np.clip(-normal[2], -1.0, 1.0)))
    view: View = "bottom-up" if height < 0.0 else "top-down" if pitch > _TOP_DOWN_RAD else "horizontal"
    return Perspective(view, pitch, Pose.from_matrix(_level(normal)), float(height))


def _level(normal: FloatArray) -> FloatArray:
    """(4, 4) rotation whose z is the plane's normal and x the view direction along the plane."""
    ahead = np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.999 else np.array([0.0, -1.0, 0.0])
    x_axis = ahead - (ahead @ normal) * normal
    x_axis /= np.linalg.norm(x_axis)
    matrix = np.eye(4)
    matrix[:3, :3] = np.column_stack([x_axis, np.cross(normal, x_axis), normal])
    return matrix


def scene_extents(frame: CameraFrame, perspective: Perspective) -> FloatArray:
    """(3,) width (across), depth (away) and height of what is seen, in the canonical frame [m].

    The outermost 2 % on each side are left out.
    """
    points = DepthGrid.from_frame(frame, 100_000).sample(1)
    level = perspective.camera_T_level.inverse().transform(points)
    low, high = np.quantile(level, (0.02, 0.98), axis=0)
    away, across, up = high - low
    return np.array([across, away, up])
