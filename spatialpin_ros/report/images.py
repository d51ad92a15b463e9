# SPDX-License-Identifier: Apache-2.0
"""Pictures of a run: the labelled camera image, the strip of stages and the animation of the execution."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from spatialpin_ros.arrays import BoolArray, UInt8Array
from spatialpin_ros.report.record import StageEvent, VideoFrame
from spatialpin_ros.scene import Scene

PALETTE = (
    "#e8590c",
    "#1c7ed6",
    "#2f9e44",
    "#9c36b5",
    "#f08c00",
    "#0c8599",
    "#e03131",
    "#5c940d",
    "#3b5bdb",
    "#c2255c",
)
GIF_LIMIT_BYTES = 8_000_000


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The DejaVu Sans that comes with matplotlib, so that no font of the system is needed."""
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size
    )


def color_of(index: int) -> str:
    """Colour that stands for the scene's object number `index` in every picture."""
    return PALETTE[index % len(PALETTE)]


def png(image: UInt8Array | Image.Image) -> bytes:
    """Encode an RGB image as PNG."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(np.ascontiguousarray(image))).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


def labelled(image: UInt8Array, scene: Scene, highlight: Sequence[str] = ()) -> Image.Image:
    """Draw each object's outline, number and name over the camera image.

    Args:
        image: (H, W, 3) RGB, of the size the scene's masks refer to.
        scene: its objects; those without a mask are outlined by their projected box.
        highlight: ids drawn with a stronger line: what the task moves.
    """
    picture = Image.fromarray(_tinted(image, scene, highlight))
    draw = ImageDraw.Draw(picture)
    size = max(11, image.shape[0] // 38)
    taken: list[tuple[float, float, float, float]] = []
    for index, item in enumerate(scene.objects):
        anchor = _anchor(scene, index, image.shape[:2])
        if anchor is None:
            continue
        text = f"{item.id}  {item.name}"
        box = _free_place(draw.textbbox((0, 0), text, font=font(size)), anchor, taken, picture.size)
        taken.append(box)
        draw.rounded_rectangle(box, radius=4, fill=color_of(index))
        draw.text((box[0] + 5, (box[1] + box[3]) / 2), text, fill="white", font=font(size), anchor="lm")
    return picture


def _outline(mask: BoolArray, thickness: int) -> BoolArray:
    inner = mask.copy()
    for _ in range(thickness):
        shrunk = inner.copy()
        shrunk[1:] &= inner[:-1]
        shrunk[:-1] &= inner[1:]
        shrunk[:, 1:] &= inner[:, :-1]
        shrunk[:, :-1] &= inner[:, 1:]
        inner = shrunk
    return np.asarray(mask & ~inner)


def _tinted(image: UInt8Array, scene: Scene, highlight: Sequence[str]) -> UInt8Array:
    picture = np.array(image)
    for index, item in enumerate(scene.objects):
        if item.mask is None or not item.mask.area:
            continue
        mask = item.mask.full(image.shape[:2])
        color = np.array([int(color_of(index)[k : k + 2], 16) for k in (1, 3, 5)])
        edge = _outline(mask, 3 if item.id in highlight else 2)
        picture[edge] = color
    return picture


def _anchor(scene: Scene, index: int, size: tuple[int, ...]) -> tuple[float, float] | None:
    """Pixel above the object where its label belongs, or None when the object is out of the picture."""
    item = scene.objects[index]
    if item.mask is not None and item.mask.area:
        row, column = item.mask.offset
        return column + item.mask.bits.shape[1] / 2.0, float(row)
    if scene.intrinsics is None:
        return None
    pixels = scene.intrinsics.project(scene.base_T_camera.inverse().transform(item.box.corners))
    if not np.isfinite(pixels).all() or pixels[:, 0].max() < 0 or pixels[:, 0].min() > size[1]:
        return None
    return float(pixels[:, 0].mean()), float(pixels[:, 1].min())


def _free_place(
    extent: tuple[float, float, float, float],
    anchor: tuple[float, float],
    taken: Sequence[tuple[float, float, float, float]],
    size: tuple[int, int],
) -> tuple[float, float, float, float]:
    """Place a label centred above the anchor, moved up until it hides no other label."""
    width, height = extent[2] - extent[0] + 10, extent[3] - extent[1] + 8
    left = min(max(anchor[0] - width / 2, 2.0), size[0] - width - 2.0)
    top = max(anchor[1] - height - 3, 2.0)
    for _ in range(2 * len(taken)):
        clash = [
            box
            for box in taken
            if box[0] < left + width and left < box[2] and box[1] < top + height and top < box[3]
        ]
        if not clash:
            break
        top = min(box[1] for box in clash) - height - 2
    return left, max(top, 2.0), left + width, max(top, 2.0) + height


def frame_at(video: Sequence[VideoFrame], time_s: float) -> UInt8Array:
    """The image nearest to a time; `video` must not be empty."""
    return min(video, key=lambda frame: abs(frame.time_s - time_s)).image


def animation(
    video: Sequence[VideoFrame], events: Sequence[StageEvent], limit_bytes: int = GIF_LIMIT_BYTES
) -> bytes:
    """Encode the execution as an animated GIF with the stage's name and a progress bar in each frame.

    Tries full quality first and then smaller pictures and fewer frames until it fits in `limit_bytes`; plays in
    the run's own time.
    """
    data = b""
    for width, most_frames, colors in ((560, 150, 128), (480, 110, 96), (400, 80, 64), (320, 50, 48)):
        data = _encode_gif(_thinned(video, most_frames), events, width, colors)
        if len(data) <= limit_bytes:
            break
    return data


def _thinned(video: Sequence[VideoFrame], most: int) -> list[VideoFrame]:
    chosen = np.unique(np.linspace(0, len(video) - 1, min(most, len(video))).round().astype(int))
    return [video[index] for index in chosen]


def _encode_gif(video: Sequence[VideoFrame], events: Sequence[StageEvent], width: int, colors: int) -> bytes:
    begin, end = video[0].time_s, max(video[-1].time_s, video[0].time_s + 1e-3)
    pictures = [
        _captioned(frame, events, width, (frame.time_s - begin) / (end - begin), begin) for frame in video
    ]
    palette = _shared_palette(pictures, colors)
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    gaps_ms = np.diff([frame.time_s for frame in video], append=video[-1].time_s + 2.0) * 1000.0
    durations = [int(gap) for gap in np.clip(gaps_ms, 40, 2000)]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        optimize=False,
        disposal=1,
    )
    return buffer.getvalue()


def _shared_palette(pictures: Sequence[Image.Image], colors: int) -> Image.Image:
    """One palette for all frames: what does not move then costs nothing."""
    chosen = [
        pictures[index] for index in np.unique(np.linspace(0, len(pictures) - 1, 6).round().astype(int))
    ]
    sheet = Image.new("RGB", (chosen[0].width, sum(picture.height for picture in chosen)))
    top = 0
    for picture in chosen:
        sheet.paste(picture, (0, top))
        top += picture.height
    return sheet.quantize(colors=colors, method=Image.Quantize.MEDIANCUT)


def _captioned(
    frame: VideoFrame, events: Sequence[StageEvent], width: int, done: float, begin_s: float
) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(frame.image))
    picture = picture.resize((width, round(width * picture.height / picture.width)), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    running = [event for event in events if event.started_s <= frame.time_s]
    finished = bool(events) and frame.time_s > events[-1].ended_s
    name = "done" if finished else running[-1].name if running else "start"
    height, size = picture.height, max(11, width // 38)
    bar = height - size - 12
    draw.rectangle((0, bar, width, height), fill="#14181d")
    draw.text((9, bar + (size + 9) / 2), name, fill="#f1f3f5", font=font(size), anchor="lm")
    clock = f"{frame.time_s - begin_s:.1f} s"
    draw.text((width - 9, bar + (size + 9) / 2), clock, fill="#adb5bd", font=font(size), anchor="rm")
    draw.rectangle((0, height - 3, width * done, height), fill="#ff8c42")
    return picture
