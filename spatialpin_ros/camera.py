# SPDX-License-Identifier: Apache-2.0
"""CameraFrame, the first noun of the flow: one colour image with aligned depth and a calibrated camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import (
    BoolArray,
    Float32Array,
    FloatArray,
    UInt8Array,
    array_from_json,
    array_to_json,
    read_only,
)
from spatialpin_ros.errors import CameraFrameError, InvalidValueError, NoDepthError
from spatialpin_ros.geometry import Pose


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole camera: u = fx x / z + cx, v = fy y / z + cy, with pixel centres at whole numbers.

    Args:
        width, height: image size [px].
        fx, fy: focal lengths [px], positive.
        cx, cy: principal point [px].
        source: where the numbers came from (camera_info, file, exif, default, ...).

    Raises:
        CameraFrameError: when a size or focal length is not positive or the principal point is far outside.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    source: str = "camera_info"

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if self.width <= 0 or self.height <= 0:
            raise CameraFrameError(f"intrinsics: image size must be positive, got {self.width}x{self.height}")
        if not np.isfinite(values).all() or self.fx <= 0 or self.fy <= 0:
            raise CameraFrameError(
                f"intrinsics: focal lengths must be positive and finite, got fx={self.fx} fy={self.fy} "
                f"cx={self.cx} cy={self.cy}; is the camera calibrated?"
            )
        if not (-self.width <= self.cx <= 2 * self.width and -self.height <= self.cy <= 2 * self.height):
            raise CameraFrameError(
                f"intrinsics: principal point ({self.cx}, {self.cy}) is far outside a "
                f"{self.width}x{self.height} image; was the camera_info made for another resolution?"
            )

    @classmethod
    def from_vertical_fov(cls, width: int, height: int, fov_rad: float, source: str = "fov") -> Intrinsics:
        """Make square-pixel intrinsics from a vertical field of view: f = H / (2 tan(fov / 2))."""
        focal = height / (2.0 * np.tan(fov_rad / 2.0))
        return cls(width, height, float(focal), float(focal), (width - 1) / 2.0, (height - 1) / 2.0, source)

    @property
    def matrix(self) -> FloatArray:
        """(3, 3) camera matrix K."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def project(self, points: npt.ArrayLike) -> FloatArray:
        """Project (..., 3) points of the optical frame [m] to (..., 2) pixels; NaN behind the camera."""
        values = np.asarray(points, dtype=np.float64)
        depth = np.where(values[..., 2] > 0.0, values[..., 2], np.nan)
        u = self.fx * values[..., 0] / depth + self.cx
        return np.stack([u, self.fy * values[..., 1] / depth + self.cy], axis=-1)

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("width", "height", "fx", "fy", "cx", "cy", "source")}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Intrinsics:
        try:
            focal = [float(document[name]) for name in ("fx", "fy", "cx", "cy")]
            size = int(document["width"]), int(document["height"])
        except KeyError as error:
            raise CameraFrameError(
                f"intrinsics: {error} is missing; needed are width, height, fx, fy, cx, cy"
            ) from error
        return cls(
            size[0], size[1], focal[0], focal[1], focal[2], focal[3], str(document.get("source", "file"))
        )


@dataclass(frozen=True, slots=True, eq=False)
class CameraFrame:
    """One RGB-D observation.

    Args:
        color: (H, W, 3) uint8 RGB.
        depth_m: (H, W) float32 z-depth [m]; 0 where there is no measurement (NaN, infinite and negative
            values are set to 0).
        intrinsics: of both images (depth is aligned to colour).
        base_T_camera: pose of the camera's optical frame (x right, y down, z forward) in the base frame.
        stamp_s: time of the exposure [s].
        base_frame, camera_frame: names of the two frames.

    Raises:
        CameraFrameError: when sizes disagree; NoDepthError when no pixel has depth.
    """

    color: UInt8Array
    depth_m: Float32Array
    intrinsics: Intrinsics
    base_T_camera: Pose
    stamp_s: float = 0.0
    base_frame: str = "base"
    camera_frame: str = "camera_color_optical_frame"

    def __post_init__(self) -> None:
        try:
            color = read_only(self.color, "colour image", (None, None, 3), np.uint8)
            depth = read_only(self.depth_m, "depth image", (None, None), np.float32, finite=False)
        except InvalidValueError as error:
            raise CameraFrameError(str(error)) from error
        expected = (self.intrinsics.height, self.intrinsics.width)
        if color.shape[:2] != expected or depth.shape != expected:
            raise CameraFrameError(
                f"sizes disagree (height x width): colour {color.shape[:2]}, depth {depth.shape}, "
                f"camera_info {expected}; "
                "depth must be aligned to colour and camera_info must be the colour camera's"
            )
        good = depth > 0.0  # False for NaN and negatives
        good &= np.isfinite(depth)
        if not good.any():
            raise NoDepthError("depth image: no pixel has a valid depth; is the depth stream running?")
        if not good.all():
            depth = read_only(np.where(good, depth, np.float32(0.0)), "depth image", (None, None), np.float32)
        object.__setattr__(self, "color", color)
        object.__setattr__(self, "depth_m", depth)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width [px]."""
        return self.intrinsics.height, self.intrinsics.width

    def points_camera(self) -> Float32Array:
        """(H, W, 3) points in the optical frame [m]; (0, 0, 0) where there is no depth."""
        k, (height, width) = self.intrinsics, self.size
        points = np.empty((height, width, 3), dtype=np.float32)
        points[..., 0] = self.depth_m * ((np.arange(width, dtype=np.float32) - k.cx) / k.fx)
        points[..., 1] = self.depth_m * ((np.arange(height, dtype=np.float32)[:, None] - k.cy) / k.fy)
        points[..., 2] = self.depth_m
        return points

    def points_base(self) -> Float32Array:
        """(H, W, 3) points in the base frame [m]; the camera's position where there is no depth."""
        rotation = self.base_T_camera.axes.astype(np.float32)
        return self.points_camera() @ rotation.T + self.base_T_camera.position.astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        return {
            "color": array_to_json(self.color),
            "depth_m": array_to_json(self.depth_m),
            "intrinsics": self.intrinsics.to_dict(),
            "base_T_camera": self.base_T_camera.to_dict(),
            "stamp_s": self.stamp_s,
            "base_frame": self.base_frame,
            "camera_frame": self.camera_frame,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> CameraFrame:
        return cls(
            array_from_json(document["color"]),
            array_from_json(document["depth_m"]),
            Intrinsics.from_dict(document["intrinsics"]),
            Pose.from_dict(document["base_T_camera"]),
            float(document["stamp_s"]),
            document["base_frame"],
            document["camera_frame"],
        )


@dataclass(frozen=True, slots=True, eq=False)
class ImageMask:
    """The pixels of one object: a boolean crop and where it lies in the image.

    Args:
        bits: (h, w) bool crop.
        offset: (row, column) of the crop's first pixel in the whole image.
    """

    bits: BoolArray
    offset: tuple[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", read_only(self.bits, "mask", (None, None), np.bool_))
        object.__setattr__(self, "offset", (int(self.offset[0]), int(self.offset[1])))

    @classmethod
    def from_full(cls, mask: npt.ArrayLike) -> ImageMask:
        """Crop a full (H, W) mask to its bounding box."""
        full = np.asarray(mask, dtype=np.bool_)
        rows, columns = np.flatnonzero(full.any(axis=1)), np.flatnonzero(full.any(axis=0))
        if not len(rows):
            return cls(np.zeros((0, 0), dtype=np.bool_), (0, 0))
        crop = full[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return cls(crop.copy(), (int(rows[0]), int(columns[0])))

    def full(self, size: tuple[int, int]) -> BoolArray:
        """Return the (H, W) mask of an image of the given height and width."""
        full = np.zeros(size, dtype=np.bool_)
        (row, column), (height, width) = self.offset, self.bits.shape
        full[row : row + height, column : column + width] = self.bits[: size[0] - row, : size[1] - column]
        return full

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.bits))

    def to_dict(self) -> dict[str, Any]:
        packed = np.packbits(self.bits)
        return {"offset": list(self.offset), "shape": list(self.bits.shape), "bits": array_to_json(packed)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ImageMask:
        height, width = document["shape"]
        bits = np.unpackbits(array_from_json(document["bits"]), count=height * width)
        row, column = document["offset"]
        return cls(bits.reshape(height, width).astype(np.bool_), (row, column))
