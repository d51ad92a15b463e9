# SPDX-License-Identifier: Apache-2.0
"""The camera image with every object outlined, boxed and named."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from spatialpin_ros.arrays import FloatArray, UInt8Array
from spatialpin_ros.scene import Scene, SceneObject

_EDGES = ((0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 3), (2, 6), (3, 7), (4, 5), (4, 6), (5, 7), (6, 7))
_SCALE_AT = 640.0
_PAD = 5
HIGHLIGHT = (255, 140, 66)

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Label:
    """A caption: its text, colour, the point it belongs to and its rectangle (left, top, right, bottom) [px]."""

    text: str
    color: tuple[int, int, int]
    anchor: tuple[float, float]
    rectangle: tuple[float, float, float, float]


def annotate(
    image: UInt8Array, scene: Scene, *, ids: bool = False, highlight: Sequence[str] = ()
) -> UInt8Array:
    """Draw a scene over the image it was made from.

    Args:
        image: (H, W, 3) uint8 RGB, of the size that the scene's masks refer to.
        scene: what was made of it; masks are drawn, names stand where they hide no other name, and boxes when the
            scene knows its camera.
        ids: write each object's id before its name.
        highlight: ids drawn with a strong outline.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    picture = image.copy()
    scale = max(1.0, image.shape[1] / _SCALE_AT)
    for item in scene.objects:
        _draw_object(picture, scene, item, scale, strong=item.id in highlight)
    font = ImageFont.load_default(size=13.0 * scale)
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas, "RGBA")
    labels = place_labels(image.shape[:2], scene, font, scale, ids=ids)
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


def _draw_object(picture: UInt8Array, scene: Scene, item: SceneObject, scale: float, *, strong: bool) -> None:
    color = _ink(item.color_rgb)
    thickness = max(1, round(scale))
    if item.mask is not None and item.mask.area:
        mask = item.mask.full(picture.shape[:2]).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        inside = mask > 0
        picture[inside] = (0.72 * picture[inside] + 0.28 * np.array(color)).astype(np.uint8)
        pale = HIGHLIGHT if strong else tuple((255 + part) // 2 for part in color)
        cv2.drawContours(picture, contours, -1, pale, thickness * (3 if strong else 1), cv2.LINE_AA)
    for line in _wireframe(item):
        pixels = _project(scene, line)
        if pixels is not None and np.isfinite(pixels).all():
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


def _project(scene: Scene, points: FloatArray) -> FloatArray | None:
    if scene.intrinsics is None:
        return None
    return scene.intrinsics.project(scene.base_T_camera.inverse().transform(points))


def place_labels(
    size: tuple[int, ...],
    scene: Scene,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    scale: float,
    *,
    ids: bool = False,
) -> list[Label]:
    """Find a place for the name of each object in an image of `size` (H, W): above it, else the nearest free one.

    What is not in the image gets no name.
    """
    height, width = size
    taken: list[Bounds] = []
    found = ((item.id, _bounds(size, scene, item)) for item in scene.objects)
    silhouettes = {name: bounds for name, bounds in found if bounds is not None}
    labels = []
    for item in sorted((o for o in scene.objects if o.id in silhouettes), key=lambda o: silhouettes[o.id][1]):
        left, top, right, bottom = silhouettes[item.id]
        text = f"{item.id}  {item.name}" if ids else item.name
        box = font.getbbox(text)
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
        labels.append(_anchored(Label(text, _ink(item.color_rgb), (middle, top), best), silhouettes[item.id]))
    return labels


def _anchored(label: Label, bounds: Bounds) -> Label:
    """Let the leader end where it meets the object, not in its middle."""
    left, top, right, bottom = label.rectangle
    x = float(np.clip(0.5 * (left + right), bounds[0] + 4, max(bounds[2] - 4, bounds[0] + 4)))
    y = float(np.clip(0.5 * (top + bottom), bounds[1] + 4, max(bounds[3] - 4, bounds[1] + 4)))
    return Label(label.text, label.color, (x, y), label.rectangle)


def _bounds(size: tuple[int, ...], scene: Scene, item: SceneObject) -> Bounds | None:
    """Left, top, right, bottom of the object in the image [px]; None when it is out of the picture."""
    if item.mask is not None and item.mask.area:
        (row, column), (height, width) = item.mask.offset, item.mask.bits.shape
        return float(column), float(row), float(column + width), float(row + height)
    pixels = _project(scene, item.box.corners)
    if pixels is None or not np.isfinite(pixels).all():
        return None
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    if (high < 0).any() or low[0] > size[1] or low[1] > size[0]:
        return None
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _overlap(a: Bounds, b: Bounds) -> float:
    """Area shared by two rectangles, as a share of the first."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return 100.0 * width * height / max((a[2] - a[0]) * (a[3] - a[1]), 1.0)


def _ink(rgb: npt.ArrayLike) -> tuple[int, int, int]:
    """A clear, bright version of an RGB colour 0..255 for lines; grey stays grey."""
    red, green, blue = (np.asarray(rgb, dtype=np.float64) / 255.0).tolist()
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    if saturation > 0.18:
        saturation, value = max(saturation, 0.65), max(value, 0.85)
    else:
        value = max(value, 0.55)
    strong = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * strong[0]), round(255 * strong[1]), round(255 * strong[2])
