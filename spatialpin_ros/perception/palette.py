# SPDX-License-Identifier: Apache-2.0
"""Drawing colours taken from the objects themselves, made to stand out."""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt

INK = (38, 44, 52)
PAPER = (250, 250, 248)


def ink(rgb: npt.ArrayLike) -> tuple[int, int, int]:
    """A clear, bright version of an RGB colour 0..255 for lines; grey stays grey."""
    red, green, blue = (np.asarray(rgb, dtype=np.float64) / 255.0).tolist()
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    if saturation > 0.18:
        saturation, value = max(saturation, 0.65), max(value, 0.85)
    else:
        value = max(value, 0.55)
    strong = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * strong[0]), round(255 * strong[1]), round(255 * strong[2])


def fill(rgb: npt.ArrayLike, share: float = 0.55) -> tuple[int, int, int]:
    """The colour mixed with paper, for areas."""
    strong = ink(rgb)
    return (
        round(share * strong[0] + (1 - share) * PAPER[0]),
        round(share * strong[1] + (1 - share) * PAPER[1]),
        round(share * strong[2] + (1 - share) * PAPER[2]),
    )
