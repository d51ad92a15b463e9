# SPDX-License-Identifier: Apache-2.0
"""Painting over what is not of interest, so that a second look at an object is free of occlusion."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from spatialpin_ros.arrays import BoolArray, UInt8Array
from spatialpin_ros.errors import InvalidValueError


class Inpainter(Protocol):
    """Fills a part of an image with what could be behind it."""

    name: str

    def inpaint(self, image: UInt8Array, mask: BoolArray) -> UInt8Array:
        """Return the (H, W, 3) image with the (H, W) masked pixels replaced."""
        ...


class OpenCvInpainter:
    """Telea's fast marching (2004): needs no weights and continues colours and edges over small gaps.

    Args:
        radius_px: neighbourhood that a pixel is made from.
    """

    name = "opencv"

    def __init__(self, radius_px: float = 5.0) -> None:
        if not radius_px > 0.0:
            raise InvalidValueError(f"inpainting: radius must be positive, got {radius_px} px")
        self._radius = radius_px

    def inpaint(self, image: UInt8Array, mask: BoolArray) -> UInt8Array:
        if mask.shape != image.shape[:2]:
            raise InvalidValueError(f"inpainting: mask has size {mask.shape}, the image {image.shape[:2]}")
        if not mask.any():
            return image
        filled = cv2.inpaint(image, mask.astype(np.uint8), self._radius, cv2.INPAINT_TELEA)
        return np.asarray(filled, dtype=np.uint8)


def dilated(mask: BoolArray, reach_px: int) -> BoolArray:
    """Grow a mask by `reach_px` in every direction."""
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach_px + 1, 2 * reach_px + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), window) > 0)
