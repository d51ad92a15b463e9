# SPDX-License-Identifier: Apache-2.0
"""A CameraFrame from image files, with the camera's pose found from the table when it is not known."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from spatialpin_ros.arrays import Float32Array, UInt8Array
from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.documents import read_mapping
from spatialpin_ros.errors import CameraFrameError, InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.grid import DepthGrid
from spatialpin_ros.perception.plane import fit_plane
from spatialpin_ros.perception.whole import damage

_SAMPLES = 5000
_MIN_SHARE = 0.15
_FAR_M = 50.0
# Between the table's normal in a level view and in one straight down; a table's is within `_MAX_TILT_RAD` of it.
_UP = np.array([0.0, -np.sqrt(0.5), -np.sqrt(0.5)])
_MAX_TILT_RAD = np.deg2rad(89.0)


def frame_from_files(
    color: str | PathLike[str],
    depth: str | PathLike[str],
    intrinsics: str | PathLike[str],
    base_T_camera: Pose | None = None,
    depth_scale_m: float = 0.001,
) -> CameraFrame:
    """Read one RGB-D observation.

    Args:
        color: PNG or JPEG; grey, RGB or RGBA, 8 or 16 bits.
        depth: 16-bit PNG in units of `depth_scale_m`, or .npy / .npz of metres (floating point) or of
            `depth_scale_m` (integers); aligned to colour.
        intrinsics: JSON or YAML with fx, fy, cx, cy (and width, height), or a camera_info with k or K.
        base_T_camera: pose of the optical frame in the base frame; None: a base frame is laid on the table, see
            `pose_from_table`.
        depth_scale_m: metres per unit of an integer depth image.

    Raises:
        CameraFrameError: names the file, what was expected and what was found.
        PerceptionError: no pose was given and no table is in view.
    """
    color_image = read_color(Path(color))
    depth_image = read_depth(Path(depth), depth_scale_m)
    height, width = color_image.shape[:2]
    camera = read_intrinsics(Path(intrinsics), (height, width))
    frame = CameraFrame(color_image, depth_image, camera, base_T_camera or Pose())
    if base_T_camera is not None:
        return frame
    return CameraFrame(
        color_image, frame.depth_m, camera, pose_from_table(frame), frame.stamp_s, base_frame="table"
    )


def pose_from_table(frame: CameraFrame, seed: int = 0) -> Pose:
    """Lay a base frame on the table: the pose of the camera in it.

    The origin is where the view through the image centre meets the table, z is the table's normal, x points away
    from the camera along the table, and so y points to the viewer's left.

    Raises:
        PerceptionError: when no support plane is in view.
        CameraFrameError: when the centre of the view does not meet the plane in front of the camera.
    """
    grid = DepthGrid.from_frame(frame, 400_000)
    points = grid.sample(max(1, round(np.sqrt(grid.depth.size / _SAMPLES))))
    plane = fit_plane(points, _UP, _MAX_TILT_RAD, _MIN_SHARE, seed)
    normal, offset = plane.normal, plane.offset
    if offset > 0.0:
        # The camera, at the origin, must be above the table.
        normal, offset = -normal, -offset
    height, width = grid.depth.shape
    centre = grid.rays @ np.array([(width - 1) / 2.0, (height - 1) / 2.0, 1.0])
    descent = float(normal @ centre)
    if descent > -1e-3:
        raise CameraFrameError(
            "camera pose: the centre of the view does not meet the table; give base_T_camera"
        )
    origin = centre * (offset / descent)
    ahead = np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.999 else np.array([0.0, -1.0, 0.0])
    x_axis = ahead - (ahead @ normal) * normal
    x_axis /= np.linalg.norm(x_axis)
    matrix = np.eye(4)
    matrix[:3, :3] = np.column_stack([x_axis, np.cross(normal, x_axis), normal])
    matrix[:3, 3] = origin
    return Pose.from_matrix(matrix).inverse()


def read_color(path: Path, *, upright: bool = False) -> UInt8Array:
    """(H, W, 3) uint8 RGB of a PNG or JPEG file; grey becomes RGB, 16 bits become 8, alpha is dropped.

    Args:
        path: the file.
        upright: turn the picture as its EXIF orientation says; depth and intrinsics are those of the unturned one.
    """
    flags = cv2.IMREAD_UNCHANGED
    if upright:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    image = _decode(path, "colour image", flags)
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        raise CameraFrameError(f"{path}: colour must have 8 or 16 bits per channel, got {image.dtype}")
    if image.ndim == 2:
        return np.asarray(np.repeat(image[:, :, None], 3, axis=2))
    return np.ascontiguousarray(image[:, :, 2::-1])


def read_depth(path: Path, scale_m: float = 0.001) -> Float32Array:
    """(H, W) float32 z-depth [m] of a 16-bit PNG, .npy or .npz file.

    Raises:
        CameraFrameError: when the file cannot be read or does not hold one depth image.
    """
    if not scale_m > 0.0:
        raise CameraFrameError(f"depth scale: must be positive, got {scale_m} m per unit")
    if path.suffix in (".npy", ".npz"):
        depth = _load_array(path)
    else:
        depth = _decode(path, "depth image")
        if depth.dtype != np.uint16:
            raise CameraFrameError(
                f"{path}: a depth PNG must have 16 bits and one channel, got {depth.dtype} of shape {depth.shape}; "
                "8 bits cannot hold millimetres"
            )
    if depth.ndim == 3 and depth.shape[2] == 1:
        depth = depth[:, :, 0]
    if depth.ndim != 2:
        raise CameraFrameError(f"{path}: depth must have one channel, got shape {depth.shape}")
    if depth.dtype.kind in "ui":
        return np.asarray(depth * scale_m, dtype=np.float32)
    if depth.dtype.kind != "f":
        raise CameraFrameError(f"{path}: depth must be numbers, got {depth.dtype}")
    measured = depth[np.isfinite(depth) & (depth > 0)]
    if measured.size and np.median(measured) > _FAR_M:
        raise CameraFrameError(
            f"{path}: floating-point depth must be in metres, but its median is {np.median(measured):.0f}; "
            "is it in millimetres?"
        )
    return np.asarray(depth, dtype=np.float32)


def read_intrinsics(path: Path, size: tuple[int, int]) -> Intrinsics:
    """Read fx, fy, cx, cy or a camera_info from JSON or YAML.

    Args:
        path: the file.
        size: height and width of the image, used where the file does not state them [px].

    Raises:
        CameraFrameError: when the file cannot be read, fields are missing or the size is another one.
    """
    document = _read_document(path)
    matrix = next((document[key] for key in ("k", "K", "camera_matrix") if key in document), None)
    values: dict[str, Any] = {"width": size[1], "height": size[0], "source": f"file {path.name}"}
    values.update(
        {key: document[key] for key in ("width", "height", "fx", "fy", "cx", "cy") if key in document}
    )
    values.update(
        {name: document[f"image_{name}"] for name in ("width", "height") if f"image_{name}" in document}
    )
    try:
        if matrix is not None:
            numbers = np.asarray(
                matrix["data"] if isinstance(matrix, Mapping) else matrix, dtype=np.float64
            ).ravel()
            if numbers.shape != (9,):
                raise CameraFrameError(f"{path}: the camera matrix needs 9 numbers, got {numbers.size}")
            values.update(fx=numbers[0], fy=numbers[4], cx=numbers[2], cy=numbers[5])
        camera = Intrinsics.from_dict(values)
    except (TypeError, ValueError, KeyError) as error:
        raise CameraFrameError(
            f"{path}: intrinsics must be numbers fx, fy, cx, cy or a matrix k: {error}"
        ) from error
    if (camera.height, camera.width) != size:
        raise CameraFrameError(
            f"{path}: intrinsics are for {camera.width}x{camera.height}, the image has {size[1]}x{size[0]}; "
            "use the camera_info of this image's resolution"
        )
    return camera


def _read_document(path: Path) -> dict[str, Any]:
    try:
        return read_mapping(path)
    except InvalidValueError as error:
        raise CameraFrameError(f"intrinsics, fx, fy, cx, cy or k in JSON or YAML: {error}") from error


def _decode(path: Path, what: str, flags: int = cv2.IMREAD_UNCHANGED) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CameraFrameError(f"{path}: cannot read the {what}: {error}") from error
    image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), flags) if content else None
    if image is None:
        raise CameraFrameError(f"{path}: not a readable {what}; PNG or JPEG expected")
    if wrong := damage(content):
        raise CameraFrameError(f"{path}: the {what} is damaged: {wrong}; copy or record it again")
    return image


def _load_array(path: Path) -> Any:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            names = loaded.files
            name = "depth" if "depth" in names else names[0] if len(names) == 1 else None
            if name is None:
                raise CameraFrameError(f"{path}: needs an array called 'depth', has {names}")
            return np.asarray(loaded[name])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CameraFrameError(f"{path}: cannot read the depth array: {error}") from error
