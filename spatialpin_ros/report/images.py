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

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.report.record import StageEvent, VideoFrame
from spatialpin_ros.scene import SceneObject

VIVID = 70  # difference between a pixel's strongest and weakest channel
GIF_LIMIT_BYTES = 8_000_000


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The DejaVu Sans that comes with matplotlib, so that no font of the system is needed."""
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size
    )


def color_of(item: SceneObject) -> str:
    """The object's own colour as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*item.color_rgb.tolist())


def ink_on(background: str) -> str:
    """Black or white, whichever reads better on a #rrggbb colour (luma of ITU-R BT.601)."""
    red, green, blue = (int(background[k : k + 2], 16) for k in (1, 3, 5))
    return "#111111" if 0.299 * red + 0.587 * green + 0.114 * blue > 150.0 else "#ffffff"


def png(image: UInt8Array | Image.Image) -> bytes:
    """Encode an RGB image as PNG."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(np.ascontiguousarray(image))).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


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
    for width, most_frames, colors in ((640, 160, 160), (520, 110, 112), (400, 80, 64), (320, 50, 48)):
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
    """One palette for all frames: what does not move then costs nothing.

    Vivid pixels count as much as all others together, or the small bright objects would turn grey.
    """
    chosen = [
        pictures[index] for index in np.unique(np.linspace(0, len(pictures) - 1, 6).round().astype(int))
    ]
    pixels = np.concatenate([np.asarray(picture).reshape(-1, 3) for picture in chosen])
    vivid = pixels[np.ptp(pixels.astype(np.int16), axis=1) > VIVID]
    if len(vivid):
        pixels = np.concatenate([pixels, np.resize(vivid, pixels.shape)])
    rows = len(pixels) // chosen[0].width
    sheet = Image.fromarray(pixels[: rows * chosen[0].width].reshape(rows, chosen[0].width, 3))
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
