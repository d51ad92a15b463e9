# SPDX-License-Identifier: Apache-2.0
"""Colour words that people would use, from RGB, by lightness, chroma and hue in CIE Lab."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import FloatArray, UInt8Array

COLOR_WORDS = (
    "red",
    "orange",
    "yellow",
    "green",
    "cyan",
    "blue",
    "purple",
    "pink",
    "brown",
    "black",
    "grey",
    "white",
)
# Upper hue bounds in Lab [deg] of the saturated colour words, measured on the sRGB gamut.
_HUES = (
    (12.0, "pink"),
    (50.0, "red"),
    (78.0, "orange"),
    (112.0, "yellow"),
    (172.0, "green"),
    (228.0, "cyan"),
    (308.5, "blue"),
    (336.0, "purple"),
)
_GREY_CHROMA = 9.0
_COLOR_SAMPLE = 400
# Brightest channel of a lit colour in the shade [0..255], and saturations (1 - min / max) of vivid and pale colours.
_SHADED, _VIVID, _PALE = 115.0, 0.90, 0.68


def representative_color(colors: npt.NDArray[np.uint8]) -> UInt8Array:
    """(3,) median of the brighter half of (N, 3) RGB colours: the lit faces, without highlights."""
    few = colors[:: max(1, len(colors) // _COLOR_SAMPLE)]
    order = np.argsort(few.sum(axis=1, dtype=np.int32), kind="stable")
    lit = few[order[int(0.4 * len(order)) : max(1, int(0.95 * len(order)))]]
    return np.asarray(np.median(lit if len(lit) else few, axis=0), dtype=np.uint8)


def to_lab(rgb: npt.ArrayLike) -> FloatArray:
    """(N, 3) CIE L* (0..100), a*, b* of (N, 3) sRGB values 0..255 (D65)."""
    values = np.asarray(rgb, dtype=np.float32).reshape(-1, 1, 3) / np.float32(255.0)
    return np.asarray(cv2.cvtColor(values, cv2.COLOR_RGB2Lab), dtype=np.float64).reshape(-1, 3)


def color_word(rgb: npt.ArrayLike) -> str:
    """The colour word of one RGB value 0..255."""
    lightness, a, b = to_lab(rgb)[0]
    most, least = float(np.max(rgb)), float(np.min(rgb))
    saturation = 1.0 - least / max(most, 1.0)
    chroma, hue = float(np.hypot(a, b)), float(np.degrees(np.arctan2(b, a)) % 360.0)
    if lightness < 14.0 and chroma < 22.0:
        return "black"
    if chroma < _GREY_CHROMA + 0.03 * lightness:
        return "white" if lightness > 78.0 else "grey" if lightness > 22.0 else "black"
    word = next((name for bound, name in _HUES if hue < bound), "pink")
    dim = lightness < (52.0 if hue < 78.0 else 45.0) and chroma < 62.0
    # Shade keeps the saturation: a vivid orange stays orange until it is dark, brown is dull.
    shaded = most >= _SHADED and saturation > _VIVID
    if word in ("red", "orange", "yellow") and hue >= 46.0 and dim and not shaded:
        return "brown"
    if word == "red" and lightness > 62.0 and chroma < 60.0:
        return "pink"
    if word == "pink" and lightness < 45.0 and not (most >= _SHADED and saturation < _PALE):
        return "red" if hue > 350.0 or hue < 12.0 else "purple"
    return word
