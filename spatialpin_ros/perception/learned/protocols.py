# SPDX-License-Identifier: Apache-2.0
"""What a learned module must offer, and the values it returns; images are (H, W, 3) uint8 RGB throughout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spatialpin_ros.arrays import BoolArray, Float32Array, FloatArray, UInt8Array, read_only
from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.errors import InvalidValueError

Images = Sequence[UInt8Array]


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One thing found by name.

    Args:
        name: the name that was asked for and that fits it best.
        box: (4,) left, top, right, bottom [px].
        score: 0..1.
    """

    name: str
    box: FloatArray
    score: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", read_only(self.box, f"box of '{self.name}'", (4,)))


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """What to segment in one image: (N, 4) boxes, or (N, 2) points, one object each [px]."""

    boxes: FloatArray | None = None
    points: FloatArray | None = None

    def __post_init__(self) -> None:
        if (self.boxes is None) == (self.points is None):
            raise InvalidValueError("segmentation prompt: give boxes or points, not both and not neither")
        for name, width in (("boxes", 4), ("points", 2)):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, read_only(value, f"prompt {name}", (None, width)))

    def __len__(self) -> int:
        return len(self.boxes if self.boxes is not None else np.asarray(self.points))


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """One mask for each prompt of an image: (N, H, W) bool and (N,) scores 0..1."""

    masks: BoolArray
    scores: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class DepthEstimate:
    """Metric depth of one image.

    Args:
        depth_m: (H, W) z-depth along the optical axis [m], 0 where the model gives none.
        focal_px: focal length that the model believes in [px]; None when it has no opinion.
    """

    depth_m: Float32Array
    focal_px: float | None = None


class Detector(Protocol):
    """Open-vocabulary detection."""

    name: str

    def detect(self, images: Images, names: Sequence[str]) -> list[tuple[Detection, ...]]:
        """Find things by name in each image, best first.

        Raises:
            BackendError: when the model cannot be loaded or run.
        """
        ...


class Segmenter(Protocol):
    """Promptable segmentation."""

    name: str

    def segment(self, images: Images, prompts: Sequence[Prompt]) -> list[Segmentation]:
        """Return the masks of what each prompt of each image points at; raises as `Detector.detect`."""
        ...


class DepthEstimator(Protocol):
    """Monocular metric depth."""

    name: str

    def estimate(self, images: Images, intrinsics: Intrinsics | None = None) -> list[DepthEstimate]:
        """Estimate depth; `intrinsics`, if known, are those of every image. Raises as `Detector.detect`."""
        ...


class ImageTextScorer(Protocol):
    """Image-text similarity."""

    name: str

    def score(self, images: Images, texts: Sequence[str]) -> FloatArray:
        """(images, texts) scores 0..1, comparable within a row. Raises as `Detector.detect`."""
        ...


def check_images(images: Images) -> None:
    """Refuse what is not (H, W, 3) uint8.

    Raises:
        InvalidValueError: names the first image that is not.
    """
    for index, image in enumerate(images):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise InvalidValueError(
                f"image {index}: expected (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}"
            )
