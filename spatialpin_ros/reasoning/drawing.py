# SPDX-License-Identifier: Apache-2.0
"""The reconstructed scene as a picture: solids, ids, and each object's axes in red (x), green (y) and blue (z)."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from spatialpin_ros.arrays import FloatArray, UInt8Array
from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.reasoning.images import opencv
from spatialpin_ros.scene import Scene, SceneObject

_BACKGROUND, _TABLE = (236, 236, 236), (214, 208, 198)
_AXIS_COLORS = ((220, 30, 30), (20, 150, 40), (30, 60, 220))
_LIGHT = np.array([0.35, 0.2, 0.91])
_SIDES = 32


def drawn_png(scene: Scene) -> bytes | None:
    """Draw the scene as its camera sees it; PNG, or None when the scene's camera is not known.

    Raises:
        BackendError: OpenCV is not installed.
    """
    if scene.intrinsics is None:
        return None
    cv2 = opencv()
    return bytes(cv2.imencode(".png", draw(scene, scene.intrinsics)[..., ::-1])[1].tobytes())


def draw(scene: Scene, camera: Intrinsics) -> UInt8Array:
    """(H, W, 3) uint8 RGB picture; farther faces first, so that nearer solids hide them."""
    cv2 = opencv()
    canvas = np.full((camera.height, camera.width, 3), _BACKGROUND, dtype=np.uint8)
    project = _Projector(scene, camera)
    table = project(scene.table.outline_base)
    if table is not None:
        cv2.fillPoly(canvas, [table], _TABLE, cv2.LINE_AA, 4)
    eye = scene.base_T_camera.position
    for item in sorted(scene.objects, key=lambda each: _rank(scene, each, eye)):
        _solid(cv2, canvas, item, project, eye)
    for item in scene.objects:
        _axes(cv2, canvas, item, project)
    return canvas


class _Projector:
    """Base-frame points to pixels in sixteenths, as OpenCV draws them; None when one is behind the camera."""

    def __init__(self, scene: Scene, camera: Intrinsics) -> None:
        self._camera_T_base, self._camera = scene.base_T_camera.inverse(), camera

    def __call__(self, points: FloatArray) -> FloatArray | None:
        pixels = self._camera.project(self._camera_T_base.transform(points))
        if not np.isfinite(pixels).all():
            return None
        return np.round(np.clip(pixels, -4000.0, 4000.0) * 16.0).astype(np.int32)


def _rank(scene: Scene, item: SceneObject, eye: FloatArray) -> tuple[int, float]:
    """Towers from the bottom up, the others from far to near."""
    level, below = 0, item
    ids = {each.id: each for each in scene.objects}
    while below.supported_by in ids:
        level, below = level + 1, ids[below.supported_by]
    return level, -float(np.linalg.norm(item.centre - eye))


def _solid(
    cv2: ModuleType, canvas: UInt8Array, item: SceneObject, project: _Projector, eye: FloatArray
) -> None:
    """Fill the faces that look at the camera, each shaded by how it faces the light."""
    faces = _sphere_faces(item, eye) if item.shape == "sphere" else _faces(item)
    for corners, normal in faces:
        if normal @ (eye - corners.mean(axis=0)) <= 0.0:
            continue
        pixels = project(corners)
        if pixels is None:
            continue
        shade = 0.6 + 0.4 * max(0.0, float(normal @ _LIGHT))
        color = tuple(float(value) for value in np.clip(item.color_rgb * shade, 0, 255))
        cv2.fillPoly(canvas, [pixels], color, cv2.LINE_AA, 4)
        if item.shape not in ("cylinder", "sphere"):
            cv2.polylines(canvas, [pixels], True, (70, 70, 70), 1, cv2.LINE_AA, 4)


def _faces(item: SceneObject) -> list[tuple[FloatArray, FloatArray]]:
    """Corners and outward normal of each face of a box, or of a prism that stands for a cylinder."""
    x, y, z = item.box.pose.axes.T
    half = item.size / 2.0
    if item.shape == "cylinder":
        angles = np.linspace(0.0, 2.0 * np.pi, _SIDES, endpoint=False)
        rim = np.cos(angles)[:, None] * x * half[0] + np.sin(angles)[:, None] * y * half[1]
    else:
        rim = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * half[:2] @ np.array([x, y])
    low, high = item.centre + rim - z * half[2], item.centre + rim + z * half[2]
    faces = [(low, -z), (high, z)]
    for i in range(len(rim)):
        j = (i + 1) % len(rim)
        outward = rim[i] + rim[j]
        faces.append((np.array([low[i], low[j], high[j], high[i]]), outward / np.linalg.norm(outward)))
    return faces


def _sphere_faces(item: SceneObject, eye: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """One disc that faces the camera."""
    towards = (eye - item.centre) / np.linalg.norm(eye - item.centre)
    side = np.cross(towards, (0.0, 0.0, 1.0) if abs(towards[2]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    angles = np.linspace(0.0, 2.0 * np.pi, _SIDES, endpoint=False)
    across = np.cross(towards, side)
    radius = float(item.size.min()) / 2.0
    disc = radius * (np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * across)
    return [(item.centre + disc, towards)]


def _axes(cv2: ModuleType, canvas: UInt8Array, item: SceneObject, project: _Projector) -> None:
    """Arrows from the centre to a little beyond the faces, and the id where they start."""
    axes = item.box.pose.axes.T
    tips = item.centre + axes * (item.size / 2.0 + 0.02)[:, None]
    pixels = project(np.vstack([item.centre, tips]))
    if pixels is None:
        return
    start = tuple(int(value) >> 4 for value in pixels[0])
    for tip, color in zip(pixels[1:], _AXIS_COLORS, strict=True):
        end = tuple(int(value) >> 4 for value in tip)
        cv2.arrowedLine(canvas, start, end, (255, 255, 255), 4, cv2.LINE_AA, 0, 0.2)
        cv2.arrowedLine(canvas, start, end, color, 2, cv2.LINE_AA, 0, 0.2)
    at = (start[0] + 5, start[1] + 14)
    cv2.putText(canvas, item.id, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 4, cv2.LINE_AA)
    cv2.putText(canvas, item.id, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
