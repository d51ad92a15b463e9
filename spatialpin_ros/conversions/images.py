# SPDX-License-Identifier: Apache-2.0
"""Camera images and calibration to a CameraFrame and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CameraInfo, Image

from spatialpin_ros.arrays import Float32Array, UInt8Array
from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.conversions.basics import floats, header, octets, seconds
from spatialpin_ros.errors import CameraFrameError
from spatialpin_ros.geometry import Pose

MILLIMETRE_M = np.float32(0.001)
FISHEYE = "equidistant"
POLYNOMIAL = ("plumb_bob", "rational_polynomial")


@dataclass(frozen=True, slots=True)
class _Encoding:
    dtype: str
    channels: int


_ENCODINGS = {
    "rgb8": _Encoding("u1", 3),
    "bgr8": _Encoding("u1", 3),
    "rgba8": _Encoding("u1", 4),
    "bgra8": _Encoding("u1", 4),
    "rgb16": _Encoding("u2", 3),
    "bgr16": _Encoding("u2", 3),
    "yuv422": _Encoding("u1", 2),
    "uyvy": _Encoding("u1", 2),
    "yuv422_yuy2": _Encoding("u1", 2),
    "yuyv": _Encoding("u1", 2),
    "bayer_rggb8": _Encoding("u1", 1),
    "bayer_bggr8": _Encoding("u1", 1),
    "bayer_gbrg8": _Encoding("u1", 1),
    "bayer_grbg8": _Encoding("u1", 1),
    "mono8": _Encoding("u1", 1),
    "8UC1": _Encoding("u1", 1),
    "8UC3": _Encoding("u1", 3),
    "mono16": _Encoding("u2", 1),
    "16UC1": _Encoding("u2", 1),
    "32FC1": _Encoding("f4", 1),
}
_COLOR_ORDERS = {
    "rgb8": [0, 1, 2],
    "rgba8": [0, 1, 2],
    "bgr8": [2, 1, 0],
    "bgra8": [2, 1, 0],
    "8UC3": [2, 1, 0],
    "rgb16": [0, 1, 2],
    "bgr16": [2, 1, 0],
}
# OpenCV names a Bayer pattern by its second row, ROS by its first.
_CONVERSIONS = {
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
    "bayer_rggb8": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGB2RGB,
}
_DEPTHS = {"16UC1", "mono16", "32FC1"}


def camera_frame_from_msgs(
    color: Image,
    depth: Image,
    info: CameraInfo,
    base_T_camera: Pose,
    base_frame: str = "base",
    *,
    rectified: bool = False,
) -> CameraFrame:
    """Make a frame of a colour image, its aligned depth image and the colour camera's calibration.

    A lens distortion is removed from both images, so that the frame is that of a pinhole camera.

    Args:
        color: 8 or 16 bits of RGB or BGR, rgba8, bgra8, mono8, mono16, YUV 4:2:2, Bayer or 8UC3 (taken as bgr).
        depth: 16UC1 or mono16 [mm], or 32FC1 [m].
        info: K and, unless `rectified`, D are used.
        base_T_camera: pose of the optical frame in the base frame.
        rectified: True when the images come from image_proc (image_rect): P is used and D ignored.

    Raises:
        CameraFrameError: on unknown encodings, too little data, sizes that disagree, an uncalibrated camera or an
            unknown distortion model.
    """
    rgb, depth_m = color_from_msg(color), depth_from_msg(depth)
    intrinsics = intrinsics_from_msg(info, rectified=rectified)
    size = (intrinsics.height, intrinsics.width)
    if rgb.shape[:2] != size or depth_m.shape != size:
        raise CameraFrameError(
            f"sizes disagree (height x width): colour {rgb.shape[:2]}, depth {depth_m.shape}, camera_info {size}; "
            "depth must be aligned to colour (realsense2_camera: align_depth.enable:=true) and camera_info be the "
            "colour camera's"
        )
    if not rectified and np.any(np.asarray(info.d) != 0.0):
        rgb, depth_m = _undistort(rgb, depth_m, info)
    stamp_s = seconds(color.header.stamp)
    return CameraFrame(rgb, depth_m, intrinsics, base_T_camera, stamp_s, base_frame, color.header.frame_id)


def color_view_from_msgs(
    color: Image, info: CameraInfo | None, *, rectified: bool = False
) -> tuple[UInt8Array, Intrinsics | None]:
    """Return the (H, W, 3) RGB image of a camera without depth, free of distortion, and its calibration if it has one.

    A camera_info without a focal length, as an uncalibrated driver sends it, counts as none.

    Raises:
        CameraFrameError: as `camera_frame_from_msgs`.
    """
    rgb = color_from_msg(color)
    if info is None or (info.p[0] if rectified else info.k[0]) == 0.0:
        return rgb, None
    intrinsics = intrinsics_from_msg(info, rectified=rectified)
    if rgb.shape[:2] != (intrinsics.height, intrinsics.width):
        raise CameraFrameError(
            f"sizes disagree: the image has {rgb.shape[1]}x{rgb.shape[0]}, camera_info is for {intrinsics.width}x"
            f"{intrinsics.height}; camera_info must be that of this image"
        )
    if not rectified and np.any(np.asarray(info.d) != 0.0):
        across, down = _undistortion_maps(
            info.distortion_model, tuple(info.k), tuple(info.d), (info.width, info.height)
        )
        rgb = np.asarray(cv2.remap(rgb, across, down, cv2.INTER_LINEAR), dtype=np.uint8)
    return rgb, intrinsics


def color_from_msg(message: Image) -> UInt8Array:
    """Return (H, W, 3) RGB; grey images are repeated in all three channels."""
    pixels = _pixels(message, "colour")
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    order = _COLOR_ORDERS.get(message.encoding)
    if order is not None:
        return np.ascontiguousarray(pixels[..., order])
    if message.encoding in _CONVERSIONS:
        return _converted(pixels, message.encoding)
    if message.encoding in ("mono8", "8UC1", "mono16"):
        return np.repeat(pixels, 3, axis=2)
    known = sorted([*_COLOR_ORDERS, *_CONVERSIONS, "mono8", "mono16"])
    raise CameraFrameError(f"colour image: encoding '{message.encoding}' is not a colour; known are {known}")


def _converted(pixels: npt.NDArray[Any], encoding: str) -> UInt8Array:
    """(H, W, 3) RGB of a YUV 4:2:2 or Bayer image."""
    height, width = pixels.shape[:2]
    if width % 2 or (encoding.startswith("bayer") and height % 2):
        raise CameraFrameError(f"colour image: {encoding} needs even sizes, got {width}x{height}")
    source = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return np.asarray(cv2.cvtColor(source, _CONVERSIONS[encoding]), dtype=np.uint8)


def depth_from_msg(message: Image) -> Float32Array:
    """Return (H, W) depth [m]; integer encodings are millimetres (REP-118)."""
    if message.encoding not in _DEPTHS:
        raise CameraFrameError(
            f"depth image: encoding '{message.encoding}' is not depth; known are {sorted(_DEPTHS)}"
        )
    pixels = _pixels(message, "depth")[..., 0]
    if message.encoding == "32FC1":
        return np.ascontiguousarray(pixels, dtype=np.float32)
    return pixels.astype(np.float32) * MILLIMETRE_M


def _pixels(message: Image, what: str) -> npt.NDArray[Any]:
    """Return the (H, W, C) pixels of an image without the padding of its rows, in native byte order."""
    encoding = _ENCODINGS.get(message.encoding)
    if encoding is None:
        raise CameraFrameError(
            f"{what} image: encoding '{message.encoding}' is unknown; known are {sorted(_ENCODINGS)}"
        )
    dtype = np.dtype((">" if message.is_bigendian else "<") + encoding.dtype)
    row_bytes = message.width * encoding.channels * dtype.itemsize
    if message.step < row_bytes or len(message.data) < message.step * message.height or not row_bytes:
        raise CameraFrameError(
            f"{what} image: {message.width}x{message.height} {message.encoding} needs rows of {row_bytes} bytes; "
            f"it has rows of {message.step} and {len(message.data)} bytes altogether"
        )
    rows = np.frombuffer(message.data, dtype=np.uint8, count=message.step * message.height)
    rows = rows.reshape(message.height, message.step)[:, :row_bytes]
    pixels = (
        np.frombuffer(rows.tobytes(), dtype=dtype)
        if message.step != row_bytes
        else rows.reshape(-1).view(dtype)
    )
    native = pixels.astype(dtype.newbyteorder("="), copy=False)
    return native.reshape(message.height, message.width, encoding.channels)


def intrinsics_from_msg(info: CameraInfo, *, rectified: bool = False) -> Intrinsics:
    """Read K, or P of a rectified image.

    Raises:
        CameraFrameError: when the camera is not calibrated, or the image is a binned or cropped one.
    """
    roi = info.roi
    if (
        info.binning_x > 1
        or info.binning_y > 1
        or (roi.width, roi.height) not in ((0, 0), (info.width, info.height))
    ):
        raise CameraFrameError(
            f"camera_info: binning {info.binning_x}x{info.binning_y} and region {roi.width}x{roi.height} are not "
            "supported; publish the calibration of the image as it is"
        )
    numbers = info.p if rectified else info.k
    fx, cx, fy, cy = (numbers[0], numbers[2], numbers[5], numbers[6]) if rectified else (
        numbers[0], numbers[2], numbers[4], numbers[5]
    )  # fmt: skip
    return Intrinsics(info.width, info.height, float(fx), float(fy), float(cx), float(cy), "camera_info")


def _undistort(rgb: UInt8Array, depth_m: Float32Array, info: CameraInfo) -> tuple[UInt8Array, Float32Array]:
    """Remap both images; depth takes the nearest pixel, because means across an edge are points in the air."""
    size = (info.width, info.height)
    across, down = _undistortion_maps(info.distortion_model, tuple(info.k), tuple(info.d), size)
    smooth = cv2.remap(rgb, across, down, cv2.INTER_LINEAR)
    nearest = cv2.remap(
        depth_m, across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0.0
    )
    return np.asarray(smooth, dtype=np.uint8), np.asarray(nearest, dtype=np.float32)


@lru_cache(maxsize=4)
def _undistortion_maps(
    model: str, k: tuple[float, ...], d: tuple[float, ...], size: tuple[int, int]
) -> tuple[Float32Array, Float32Array]:
    matrix, coefficients, same = np.array(k).reshape(3, 3), np.array(d), np.eye(3)
    if model in POLYNOMIAL:
        across, down = cv2.initUndistortRectifyMap(matrix, coefficients, same, matrix, size, cv2.CV_32FC1)
        return np.asarray(across, dtype=np.float32), np.asarray(down, dtype=np.float32)
    if model == FISHEYE:
        maps = cv2.fisheye.initUndistortRectifyMap(matrix, coefficients[:4], same, matrix, size, cv2.CV_32FC1)
        return np.asarray(maps[0], dtype=np.float32), np.asarray(maps[1], dtype=np.float32)
    raise CameraFrameError(
        f"camera_info: distortion model '{model}' is unknown; known are {[*POLYNOMIAL, FISHEYE]}; or feed rectified "
        "images and set the parameter rectified"
    )


def color_to_msg(color: UInt8Array, frame: str, stamp_s: float = 0.0) -> Image:
    """Convert (H, W, 3) RGB to an rgb8 image."""
    return _image(color, "rgb8", frame, stamp_s)


def depth_to_msg(depth_m: Float32Array, frame: str, stamp_s: float = 0.0, encoding: str = "32FC1") -> Image:
    """Convert (H, W) depth [m] to 32FC1 [m] or 16UC1 [mm], as depth cameras publish it."""
    if encoding == "32FC1":
        return _image(depth_m.astype("<f4", copy=False), encoding, frame, stamp_s)
    if encoding == "16UC1":
        millimetres = np.clip(np.rint(depth_m / MILLIMETRE_M), 0, 65535).astype("<u2")
        return _image(millimetres, encoding, frame, stamp_s)
    raise CameraFrameError(f"depth image: encoding '{encoding}' is neither 32FC1 nor 16UC1")


def _image(pixels: npt.NDArray[Any], encoding: str, frame: str, stamp_s: float) -> Image:
    height, width = pixels.shape[:2]
    return Image(
        header=header(frame, stamp_s),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=pixels.nbytes // height,
        data=octets(pixels.tobytes()),
    )


def intrinsics_to_msg(intrinsics: Intrinsics, frame: str, stamp_s: float = 0.0) -> CameraInfo:
    """Convert to a camera_info without distortion."""
    projection = np.hstack([intrinsics.matrix, np.zeros((3, 1))])
    return CameraInfo(
        header=header(frame, stamp_s),
        height=intrinsics.height,
        width=intrinsics.width,
        distortion_model="plumb_bob",
        d=floats(np.zeros(5)),
        k=intrinsics.matrix.ravel(),
        r=np.eye(3).ravel(),
        p=projection.ravel(),
    )


def camera_frame_to_msgs(
    frame: CameraFrame, depth_encoding: str = "32FC1"
) -> tuple[Image, Image, CameraInfo]:
    """Convert to colour image, depth image and camera_info with one stamp."""
    where = (frame.camera_frame, frame.stamp_s)
    return (
        color_to_msg(frame.color, *where),
        depth_to_msg(frame.depth_m, *where, depth_encoding),
        intrinsics_to_msg(frame.intrinsics, *where),
    )
