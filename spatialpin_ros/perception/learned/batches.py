# SPDX-License-Identifier: Apache-2.0
"""Images into tensors, and batches of equal kind."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeVar

import cv2
import numpy as np

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.torch_runtime import require

Item = TypeVar("Item")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def batches(
    items: Sequence[Item], size: int, kind: Callable[[Item], Hashable]
) -> Iterator[tuple[list[int], list[Item]]]:
    """Split items into batches of at most `size` that agree in `kind`; with the indices of their items."""
    groups: dict[Hashable, list[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault(kind(item), []).append(index)
    for group in groups.values():
        for start in range(0, len(group), size):
            chosen = group[start : start + size]
            yield chosen, [items[index] for index in chosen]


def to_pixels(
    images: Sequence[UInt8Array], size: tuple[int, int], mean: Sequence[float], std: Sequence[float]
) -> Any:
    """(B, 3, h, w) float tensor of images stretched to `size` (height, width) and normalised."""
    torch = require("torch")
    stretched = [
        cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR).astype(np.float32)
        for image in images
    ]
    pixels = (np.stack(stretched) / 255.0 - np.asarray(mean)) / np.asarray(std)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32))


def resize_maps(maps: Any, size: tuple[int, int], mode: str = "bilinear") -> Any:
    """(..., h, w) tensor resampled to `size` (height, width)."""
    torch = require("torch")
    flat = maps.float().reshape(1, -1, *maps.shape[-2:])
    resized = torch.nn.functional.interpolate(flat, size, mode=mode, align_corners=False)
    return resized.reshape(*maps.shape[:-2], *size)
