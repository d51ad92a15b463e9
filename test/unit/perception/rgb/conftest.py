# SPDX-License-Identifier: Apache-2.0
"""Modules that know the ray-cast scene, in the place of networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.perception.learned import DepthEstimate, Detection, Modules, Prompt, Segmentation


class KnownDepth:
    name = "known"

    def __init__(self, depth_m: np.ndarray, focal_px: float | None = None) -> None:
        self.depth_m, self.focal_px = depth_m, focal_px
        self.asked: list[Intrinsics | None] = []

    def estimate(
        self, images: Sequence[np.ndarray], intrinsics: Intrinsics | None = None
    ) -> list[DepthEstimate]:
        self.asked.append(intrinsics)
        return [DepthEstimate(self.depth_m, self.focal_px) for _ in images]


class KnownDetector:
    name = "known"

    def __init__(self, masks: dict[str, np.ndarray]) -> None:
        self.masks = masks

    def detect(self, images: Sequence[np.ndarray], names: Sequence[str]) -> list[tuple[Detection, ...]]:
        wanted = {name.lower() for name in names}
        found = [
            Detection(n.lower(), box_of(m), 0.9)
            for n, m in self.masks.items()
            if n.lower() in wanted and m.any()
        ]
        return [tuple(found) for _ in images]


class KnownSegmenter:
    """Visible masks in the given image; whole silhouettes of what is not painted over in any other."""

    name = "known"

    def __init__(self, image: np.ndarray, visible: Sequence[np.ndarray], whole: Sequence[np.ndarray]) -> None:
        self.image, self.visible, self.whole = image, list(visible), list(whole)
        self.calls: list[int] = []

    def segment(self, images: Sequence[np.ndarray], prompts: Sequence[Prompt]) -> list[Segmentation]:
        self.calls.append(len(images))
        results = []
        for image, prompt in zip(images, prompts, strict=True):
            painted = (image != self.image).any(axis=2)
            masks = self.whole if painted.any() else self.visible
            chosen = [masks[self._meant(box, painted)] for box in prompt.boxes]
            results.append(Segmentation(np.stack(chosen), np.ones(len(chosen))))
        return results

    def _meant(self, box: np.ndarray, painted: np.ndarray) -> int:
        """The object that the box is around; of a repainted image, the one that is still there."""
        if not painted.any():
            return int(np.argmin([np.abs(box_of(mask) - box).sum() for mask in self.visible]))
        left, top, right, bottom = np.round(box).astype(int)
        shown = [(mask & ~painted)[top:bottom, left:right].sum() / mask.sum() for mask in self.visible]
        return int(np.argmax(shown))


def box_of(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=np.float64)


@dataclass
class Known:
    """A ray-cast frame with the masks of its bodies and modules that know them."""

    frame: CameraFrame
    visible: dict[str, np.ndarray]
    whole: dict[str, np.ndarray]
    depth: KnownDepth
    segmenter: KnownSegmenter
    modules: Modules


@pytest.fixture(scope="session")
def know(cast) -> Callable[..., Known]:
    """Make `know({name: body}, focal_px=None, depth_scale=1.0, **view)`."""

    def make(
        named: dict[str, object], focal_px: float | None = None, depth_scale: float = 1.0, **view: object
    ) -> Known:
        frame = cast(list(named.values()), **view)
        visible, whole = {}, {}
        for name, body in named.items():
            alone = cast([body], table=False, **view).depth_m
            whole[name] = alone > 0
            visible[name] = whole[name] & (np.abs(alone - frame.depth_m) < 1e-5)
        depth = KnownDepth(np.asarray(frame.depth_m) * np.float32(depth_scale), focal_px)
        segmenter = KnownSegmenter(frame.color, list(visible.values()), list(whole.values()))
        return Known(
            frame, visible, whole, depth, segmenter, Modules(KnownDetector(visible), segmenter, depth)
        )

    return make
