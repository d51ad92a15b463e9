# SPDX-License-Identifier: Apache-2.0
"""The scene from above: a metric map with footprints, names, heights, the robot's base and the viewer."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from spatialpin_ros.arrays import FloatArray, UInt8Array
from spatialpin_ros.perception.palette import INK, PAPER, fill, ink
from spatialpin_ros.scene import TABLE, Scene, SceneObject

# Drawn at twice the size and reduced, which smooths every line.
_OVERSAMPLING = 2
_MARGIN_PX = 46
_GRID_M = 0.1
_TABLE = (236, 229, 218)
_GRID = (214, 205, 192)
_MUTED = (120, 124, 130)
_VIEWER = (58, 110, 165)


class _Map:
    """Places base-frame x, y [m] on a canvas: x up, y to the left, as the robot sees it."""

    def __init__(self, low: FloatArray, high: FloatArray, width: int) -> None:
        self.low, self.high = low, high
        self.margin = _MARGIN_PX * _OVERSAMPLING
        self.scale = (width * _OVERSAMPLING - 2 * self.margin) / float(high[1] - low[1])
        height = self.scale * float(high[0] - low[0]) + 2 * self.margin
        self.size = (width * _OVERSAMPLING, round(height))

    def at(self, xy: FloatArray) -> tuple[float, float]:
        u = self.margin + (self.high[1] - xy[1]) * self.scale
        v = self.margin + (self.high[0] - xy[0]) * self.scale
        return float(u), float(v)

    def polygon(self, points: FloatArray) -> list[tuple[float, float]]:
        return [self.at(point) for point in points]


def top_view(scene: Scene, width: int = 640) -> UInt8Array:
    """Draw a scene from above, to scale.

    Args:
        scene: what to draw, in its base frame.
        width: of the picture [px].

    Returns:
        (H, width, 3) uint8 RGB; robot at the bottom looking up, y to the left, grid lines every 10 cm.
    """
    low, high = _extent(scene)
    place = _Map(low, high, width)
    canvas = Image.new("RGB", place.size, PAPER)
    draw = ImageDraw.Draw(canvas, "RGBA")
    _draw_table(draw, place, scene)
    _draw_viewer(draw, place, scene)
    _draw_base(draw, place)
    for item in sorted(scene.objects, key=lambda o: o.box.top_z):
        _draw_footprint(draw, place, scene, item)
    _write_names(draw, place, scene)
    return np.asarray(
        canvas.resize((width, place.size[1] // _OVERSAMPLING), Image.Resampling.LANCZOS), dtype=np.uint8
    )


def _extent(scene: Scene) -> tuple[FloatArray, FloatArray]:
    corners = [item.box.corners[:, :2] for item in scene.objects] or [scene.table.outline_base[:, :2]]
    points = np.concatenate([*corners, np.zeros((1, 2))])
    low, high = points.min(axis=0) - (0.14, 0.16), points.max(axis=0) + 0.16
    half = max(float(high[1]), -float(low[1]), 0.35)
    high[0] = max(high[0], low[0] + half)
    return np.array([low[0], -half]), np.array([high[0], half])


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size * _OVERSAMPLING)


def _draw_table(draw: ImageDraw.ImageDraw, place: _Map, scene: Scene) -> None:
    frame = [place.at(place.high), place.at(place.low)]
    (left, top), (right, bottom) = frame
    clipped = np.clip(scene.table.outline_base[:, :2], place.low, place.high)
    draw.polygon(place.polygon(clipped), fill=_TABLE)
    font = _font(10)
    for x in np.arange(np.ceil(place.low[0] / _GRID_M), np.floor(place.high[0] / _GRID_M) + 1) * _GRID_M:
        v = place.at(np.array([x, 0.0]))[1]
        draw.line([(left, v), (right, v)], fill=_GRID, width=_OVERSAMPLING)
        draw.text((left - 6 * _OVERSAMPLING, v), f"{x + 0.0:.1f}", font=font, fill=_MUTED, anchor="rm")
    for y in np.arange(np.ceil(place.low[1] / _GRID_M), np.floor(place.high[1] / _GRID_M) + 1) * _GRID_M:
        u = place.at(np.array([0.0, y]))[0]
        draw.line([(u, top), (u, bottom)], fill=_GRID, width=_OVERSAMPLING)
        draw.text((u, bottom + 6 * _OVERSAMPLING), f"{y + 0.0:.1f}", font=font, fill=_MUTED, anchor="mt")
    draw.text(
        (left - 6 * _OVERSAMPLING, top - 16 * _OVERSAMPLING), "x [m]", font=font, fill=_MUTED, anchor="rm"
    )
    draw.text((left, bottom + 24 * _OVERSAMPLING), "y [m]", font=font, fill=_MUTED, anchor="lt")


def _draw_base(draw: ImageDraw.ImageDraw, place: _Map) -> None:
    """The robot's base: its frame with x in red and y in green."""
    u, v = place.at(np.zeros(2))
    radius, arrow = 0.05 * place.scale, 0.09 * place.scale
    draw.ellipse(
        [u - radius, v - radius, u + radius, v + radius],
        fill=(205, 208, 212),
        outline=INK,
        width=_OVERSAMPLING,
    )
    draw.line([(u, v), (u, v - arrow)], fill=(200, 50, 45), width=2 * _OVERSAMPLING)
    draw.line([(u, v), (u - arrow, v)], fill=(50, 140, 60), width=2 * _OVERSAMPLING)
    draw.text((u + radius + 4 * _OVERSAMPLING, v), "robot base", font=_font(11), fill=INK, anchor="lm")


def _draw_viewer(draw: ImageDraw.ImageDraw, place: _Map, scene: Scene) -> None:
    """An arrow from where the camera stands (or the edge of the map) along its view."""
    eye, ahead = scene.base_T_camera.position[:2], scene.base_T_camera.axes[:2, 2]
    length = float(np.linalg.norm(ahead))
    if length < 0.05:
        return
    start = np.clip(eye, place.low + 0.03, place.high - 0.03)
    u, v = place.at(start)
    du, dv = -ahead[1] / length, -ahead[0] / length
    reach, wing = 0.07 * place.scale, 0.022 * place.scale
    tip = (u + du * reach, v + dv * reach)
    back = (tip[0] - du * 1.6 * wing, tip[1] - dv * 1.6 * wing)
    draw.line([(u, v), back], fill=_VIEWER, width=3 * _OVERSAMPLING)
    draw.polygon(
        [tip, (back[0] - dv * wing, back[1] + du * wing), (back[0] + dv * wing, back[1] - du * wing)],
        fill=_VIEWER,
    )
    draw.text((u + 10 * _OVERSAMPLING, v), "camera", font=_font(11), fill=_VIEWER, anchor="lm")


def _outline(item: SceneObject) -> FloatArray:
    """(N, 2) footprint in the base frame [m]."""
    upright = abs(item.box.pose.axes[2, 2]) > 0.7
    if item.shape == "sphere" or (item.shape == "cylinder" and upright):
        angle = np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False)
        return np.asarray(
            item.centre[:2] + 0.5 * item.size[0] * np.column_stack([np.cos(angle), np.sin(angle)])
        )
    if upright:
        return item.box.footprint
    corners = item.box.corners[:, :2]
    offset = corners - corners.mean(axis=0)
    order = np.argsort(np.arctan2(offset[:, 1], offset[:, 0]))
    return np.asarray(corners[order])


def _draw_footprint(draw: ImageDraw.ImageDraw, place: _Map, scene: Scene, item: SceneObject) -> None:
    polygon = place.polygon(_outline(item))
    shadow = [(u + 3 * _OVERSAMPLING, v + 3 * _OVERSAMPLING) for u, v in polygon]
    if item.supported_by == TABLE:
        draw.polygon(shadow, fill=(60, 50, 40, 45))
    draw.polygon(
        polygon, fill=fill(item.color_rgb, 0.75), outline=ink(item.color_rgb), width=2 * _OVERSAMPLING
    )
    draw.polygon(polygon, outline=INK, width=_OVERSAMPLING)


def _write_names(draw: ImageDraw.ImageDraw, place: _Map, scene: Scene) -> None:
    """Names and heights above or below each footprint, wherever no other writing is."""
    font, small = _font(12), _font(10)
    areas = {item.id: _bounds(place, item) for item in scene.objects}
    taken: list[tuple[float, float, float, float]] = [_around_base(place)]
    for item in sorted(scene.objects, key=lambda o: areas[o.id][1]):
        below = f" on {scene.object(item.supported_by).name}" if item.supported_by != TABLE else ""
        note = f"{1e3 * item.box.height:.0f} mm high{below}"
        w = max(draw.textlength(item.name, font=font), draw.textlength(note, font=small))
        h = 27.0 * _OVERSAMPLING
        left, top, right, bottom = areas[item.id]
        middle, gap = 0.5 * (left + right), 4.0 * _OVERSAMPLING
        places = [
            place_at
            for away in (gap, gap + 0.6 * h, gap + 1.4 * h)
            for place_at in (
                (middle - w / 2, bottom + away),
                (middle - w / 2, top - away - h),
                (right + away, 0.5 * (top + bottom - h)),
                (left - away - w, 0.5 * (top + bottom - h)),
                (right + away - 0.3 * w, bottom + away),
                (left - away - 0.7 * w, bottom + away),
                (right + away - 0.3 * w, top - away - h),
                (left - away - 0.7 * w, top - away - h),
            )
        ]
        boxes = [(x, y, x + w, y + h) for x, y in places]
        costs = [
            sum(_shared(box, other) for other in taken) * 3
            + sum(_shared(box, area) for area in areas.values())
            + (1e9 if box[0] < 0 or box[2] > place.size[0] or box[1] < 0 or box[3] > place.size[1] else 0.0)
            + rank
            for rank, box in enumerate(boxes)
        ]
        chosen = boxes[int(np.argmin(costs))]
        taken.append(chosen)
        centre = 0.5 * (chosen[0] + chosen[2])
        heart = place.at(item.centre[:2])
        nearest = (
            float(np.clip(heart[0], chosen[0], chosen[2])),
            float(np.clip(heart[1], chosen[1], chosen[3])),
        )
        if (
            np.hypot(nearest[0] - heart[0], nearest[1] - heart[1])
            > 0.5 * max(right - left, bottom - top) + 3 * gap
        ):
            draw.line([nearest, heart], fill=_MUTED, width=_OVERSAMPLING)
        draw.text((centre, chosen[1]), item.name, font=font, fill=INK, anchor="mt")
        draw.text((centre, chosen[1] + 15 * _OVERSAMPLING), note, font=small, fill=_MUTED, anchor="mt")


def _around_base(place: _Map) -> tuple[float, float, float, float]:
    u, v = place.at(np.zeros(2))
    radius = 0.09 * place.scale
    return u - radius, v - radius, u + radius, v + radius


def _bounds(place: _Map, item: SceneObject) -> tuple[float, float, float, float]:
    points = np.array(place.polygon(_outline(item)))
    low, high = points.min(axis=0), points.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _shared(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
