# SPDX-License-Identifier: Apache-2.0
"""The camera image as a model sees it: PNG, each object marked with its id."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import BackendError, CameraFrameError
from spatialpin_ros.scene import Scene


def annotated_png(frame: CameraFrame, scene: Scene, marks: bool = True) -> bytes:
    """Encode the colour image as PNG, with each object's id at its projected centre when `marks`.

    Raises:
        BackendError: OpenCV is not installed.
    """
    cv2 = opencv()
    image = np.ascontiguousarray(frame.color[..., ::-1])
    if marks and scene.objects:
        camera_T_base = frame.base_T_camera.inverse()
        pixels = frame.intrinsics.project(camera_T_base.transform([item.centre for item in scene.objects]))
        for item, (u, v) in zip(scene.objects, pixels, strict=True):
            if np.isfinite((u, v)).all():
                at = (round(float(u)) - 8, round(float(v)) + 5)
                cv2.putText(image, item.id, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
                cv2.putText(
                    image, item.id, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA
                )
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def decode_png(png: bytes) -> UInt8Array | None:
    """(H, W) or (H, W, C) pixels of a PNG file in the order in which OpenCV keeps them, None where it is not one.

    Raises:
        BackendError: OpenCV is not installed.
    """
    cv2 = opencv()
    if not png:
        return None
    pixels: UInt8Array | None = cv2.imdecode(np.frombuffer(png, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels


def opencv() -> ModuleType:
    """Import OpenCV, which only back ends that look at images need.

    Raises:
        BackendError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise BackendError(
            "sending images needs opencv; install with: pip install 'spatialpin_ros[perception]'"
        ) from error
    module: ModuleType = cv2
    return module


def scene_photo(color: UInt8Array, scene: Scene) -> CameraFrame:
    """The frame of a back end that looks: the (H, W, 3) RGB image that the scene was made from, with its camera.

    The depth is that of the objects' seen points, nothing elsewhere.

    Raises:
        CameraFrameError: the scene does not know its camera, its points are not in the image, or sizes disagree.
    """
    camera = scene.intrinsics
    if camera is None:
        raise CameraFrameError("the scene does not know its camera, so no image can be laid beside it")
    points = np.concatenate([item.points for item in scene.objects] or [np.zeros((0, 3), np.float32)])
    seen = scene.base_T_camera.inverse().transform(points)
    pixels = camera.project(seen)
    inside = np.isfinite(pixels).all(axis=1)
    columns, rows = np.round(pixels[inside]).astype(int).T
    kept = (rows >= 0) & (rows < camera.height) & (columns >= 0) & (columns < camera.width)
    depth_m = np.zeros((camera.height, camera.width), dtype=np.float32)
    depth_m[rows[kept], columns[kept]] = seen[inside][kept][:, 2]
    return CameraFrame(color, depth_m, camera, scene.base_T_camera, scene.stamp_s, scene.base_frame)
