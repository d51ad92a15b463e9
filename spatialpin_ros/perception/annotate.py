# SPDX-License-Identifier: Apache-2.0
"""The camera image with every object outlined, boxed and named."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from spatialpin_ros.arrays import FloatArray, UInt8Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.perception.palette import ink
from spatialpin_ros.scene import Scene, SceneObject

_EDGES = ((0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 3), (2, 6), (3, 7), (4, 5), (4, 6), (5, 7), (6, 7))
_SCALE_AT = 640.0
_PAD = 5


@dataclass(frozen=True, slots=True)
class Label:
    """A caption: its text, colour, the point it belongs to and its rectangle (left, top, right, bottom) [px]."""

    text: str
    color: tuple[int, int, int]
    anchor: tuple[float, float]
    rectangle: tuple[float, float, float, float]


def annotate(frame: CameraFrame, scene: Scene) -> UInt8Array:
    """Draw a scene over the image it was made from.

    Args:
        frame: the observation.
        scene: what was made of it; masks and boxes are drawn, names stand where they hide no other name.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    picture = frame.color.copy()
    scale = max(1.0, frame.intrinsics.width / _SCALE_AT)
    for item in scene.objects:
        _draw_object(picture, frame, item, scale)
    font = ImageFont.load_default(size=13.0 * scale)
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas, "RGBA")
    labels = place_labels(frame, scene, font, scale)
    for label in labels:
        left, top, right, bottom = label.rectangle
        x, y = label.anchor
        nearest = (float(np.clip(x, left, right)), float(np.clip(y, top, bottom)))
        draw.line([nearest, (x, y)], fill=(*label.color, 255), width=max(1, round(scale)))
    for label in labels:
        left, top, _, _ = label.rectangle
        draw.rounded_rectangle(
            label.rectangle, 4 * scale, fill=(20, 24, 30, 215), outline=(*label.color, 255)
        )
        draw.text(
            (left + _PAD * scale, top + 0.4 * _PAD * scale), label.text, font=font, fill=(255, 255, 255, 255)
        )
    return np.asarray(canvas, dtype=np.uint8)


def _draw_object(picture: UInt8Array, frame: CameraFrame, item: SceneObject, scale: float) -> None:
    color = ink(item.color_rgb)
    thickness = max(1, round(scale))
    if item.mask is not None and item.mask.area:
        mask = item.mask.full(frame.size).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        inside = mask > 0
        picture[inside] = (0.72 * picture[inside] + 0.28 * np.array(color)).astype(np.uint8)
        pale = tuple((255 + part) // 2 for part in color)
        cv2.drawContours(picture, contours, -1, pale, thickness, cv2.LINE_AA)
    for line in _wireframe(item):
        pixels = _project(frame, line)
        if np.isfinite(pixels).all():
            # Sixteenths of a pixel keep thin lines steady.
            fixed = np.round(np.clip(pixels, -1e4, 1e4) * 16).astype(np.int32)
            cv2.polylines(picture, [fixed.reshape(-1, 1, 2)], False, color, thickness, cv2.LINE_AA, 4)


def _wireframe(item: SceneObject) -> list[FloatArray]:
    """Lines (N, 3) in the base frame [m]: the edges of a box, the rims of a cylinder, three circles of a ball."""
    if item.shape not in ("cylinder", "sphere"):
        corners = item.box.corners
        return [corners[[first, second]] for first, second in _EDGES]
    angle = np.linspace(0.0, 2.0 * np.pi, 49)
    circle = 0.5 * item.size[0] * np.column_stack([np.cos(angle), np.sin(angle), np.zeros(len(angle))])
    if item.shape == "sphere":
        return [item.box.pose.transform(circle[:, order]) for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0])]
    end = np.array([0.0, 0.0, 0.5 * item.size[2]])
    rims = [item.box.pose.transform(circle + side * end) for side in (-1.0, 1.0)]
    return [*rims, *(np.stack([rims[0][k], rims[1][k]]) for k in range(0, 48, 12))]


def _project(frame: CameraFrame, points: FloatArray) -> FloatArray:
    return frame.intrinsics.project(frame.base_T_camera.inverse().transform(points))


def place_labels(
    frame: CameraFrame, scene: Scene, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, scale: float
) -> list[Label]:
    """Find a place for each name: above its object if free, else the nearest free place around it."""
    height, width = frame.size
    taken: list[tuple[float, float, float, float]] = []
    silhouettes = {item.id: _bounds(frame, item) for item in scene.objects}
    labels = []
    for item in sorted(scene.objects, key=lambda o: silhouettes[o.id][1]):
        left, top, right, bottom = silhouettes[item.id]
        box = font.getbbox(item.name)
        w, h = box[2] + 2 * _PAD * scale, box[3] + _PAD * scale
        middle = 0.5 * (left + right)
        best, least = (0.0, 0.0, w, h), np.inf
        for distance in np.arange(7.0, 90.0, 8.0) * scale:
            for x, y in (
                (middle - 0.5 * w, top - distance - h),
                (middle - 0.5 * w, bottom + distance),
                (left - distance - w, 0.5 * (top + bottom - h)),
                (right + distance, 0.5 * (top + bottom - h)),
                (left - 0.7 * w, top - distance - h),
                (right - 0.3 * w, top - distance - h),
            ):
                x = float(np.clip(x, 2.0, max(2.0, width - w - 2.0)))
                y = float(np.clip(y, 2.0, max(2.0, height - h - 2.0)))
                place = (x, y, x + w, y + h)
                cost = 20.0 * sum(_overlap(place, other) for other in taken) + distance
                cost += sum(_overlap(place, area) for area in silhouettes.values())
                if cost < least:
                    best, least = place, cost
        taken.append(best)
        labels.append(Label(item.name, ink(item.color_rgb), (middle, 0.5 * (top + bottom)), best))
    return [
        _anchored(label, silhouettes_of) for label, silhouettes_of in _with_bounds(labels, scene, silhouettes)
    ]


def _with_bounds(
    labels: list[Label], scene: Scene, silhouettes: dict[str, tuple[float, float, float, float]]
) -> list[tuple[Label, tuple[float, float, float, float]]]:
    by_name = {item.name: silhouettes[item.id] for item in scene.objects}
    return [(label, by_name[label.text]) for label in labels]


def _anchored(label: Label, bounds: tuple[float, float, float, float]) -> Label:
    """Let the leader end where it meets the object, not in its middle."""
    left, top, right, bottom = label.rectangle
    x = float(np.clip(0.5 * (left + right), bounds[0] + 4, max(bounds[2] - 4, bounds[0] + 4)))
    y = float(np.clip(0.5 * (top + bottom), bounds[1] + 4, max(bounds[3] - 4, bounds[1] + 4)))
    return Label(label.text, label.color, (x, y), label.rectangle)


def _bounds(frame: CameraFrame, item: SceneObject) -> tuple[float, float, float, float]:
    if item.mask is not None and item.mask.area:
        (row, column), (h, w) = item.mask.offset, item.mask.bits.shape
        return float(column), float(row), float(column + w), float(row + h)
    pixels = _project(frame, item.box.corners)
    if not np.isfinite(pixels).all():
        return 0.0, 0.0, 1.0, 1.0
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Area shared by two rectangles, as a share of the first."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return 100.0 * width * height / max((a[2] - a[0]) * (a[3] - a[1]), 1.0)
