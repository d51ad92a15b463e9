# SPDX-License-Identifier: Apache-2.0
"""Modules of a user's own for the scene node: they know the files that a test wrote instead of looking."""

from __future__ import annotations

from typing import Any

import numpy as np

from spatialpin_ros.perception.learned import DepthEstimate, Detection, Segmentation


class KnownDepth:
    """Depth from a file, scaled as a network might get it wrong, and a focal length."""

    name = "known_depth"

    def __init__(self, file: str, scale: float = 1.0, focal_px: float | None = None) -> None:
        self._depth, self._focal_px = np.load(file) * np.float32(scale), focal_px

    def estimate(self, images: Any, intrinsics: Any = None) -> list[DepthEstimate]:
        return [DepthEstimate(self._depth, self._focal_px) for _ in images]


class KnownMask:
    """Detector and segmenter of one thing."""

    name = "known_mask"

    def __init__(self, file: str) -> None:
        self._mask = np.load(file)

    def detect(self, images: Any, names: Any) -> list[tuple[Detection, ...]]:
        rows, columns = np.nonzero(self._mask)
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=float)
        return [(Detection(names[0], box, 0.9),) for _ in images]

    def segment(self, images: Any, prompts: Any) -> list[Segmentation]:
        return [Segmentation(np.repeat(self._mask[None], len(p), axis=0), np.ones(len(p))) for p in prompts]
