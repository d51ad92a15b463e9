# SPDX-License-Identifier: Apache-2.0
"""Monocular metric depth: Depth Anything V2 (metric), ZoeDepth and Depth Pro."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from spatialpin_ros.arrays import Float32Array, UInt8Array
from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.errors import BackendError
from spatialpin_ros.perception.learned.batches import batches, resize_maps, to_pixels
from spatialpin_ros.perception.learned.loading import ModelSettings, load_model, load_part
from spatialpin_ros.perception.learned.protocols import DepthEstimate, Images, check_images

_FOV_DEG = (5.0, 150.0)
_FAR_M = 200.0


class _DepthModel(ABC):
    """Batches images of one size; subclasses run one batch."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings

    def estimate(self, images: Images, intrinsics: Intrinsics | None = None) -> list[DepthEstimate]:
        check_images(images)
        results: dict[int, DepthEstimate] = {}
        for indices, batch in batches(list(images), self._settings.batch_size, lambda image: image.shape):
            results.update(zip(indices, self._run(batch, intrinsics), strict=True))
        return [results[index] for index in range(len(images))]

    @abstractmethod
    def _run(self, batch: Sequence[UInt8Array], intrinsics: Intrinsics | None) -> list[DepthEstimate]:
        """Estimate images of one size."""


class DepthAnythingEstimator(_DepthModel):
    """Depth Anything V2, the metric checkpoints only."""

    name = "depth_anything"
    kinds = {"depth_anything": "DepthAnythingForDepthEstimation"}  # noqa: RUF012

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self._model = load_model(settings, self.kinds)
        if self._model.network.config.depth_estimation_type != "metric":
            raise BackendError(
                f"{settings.model}: gives relative depth, which has no unit; use a metric checkpoint such as "
                "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf"
            )
        self._images = load_part("AutoImageProcessor", settings)

    def _run(self, batch: Sequence[UInt8Array], intrinsics: Intrinsics | None) -> list[DepthEstimate]:
        output = self._model.run(self._images(images=list(batch), return_tensors="pt"))
        height, width = batch[0].shape[:2]
        return [DepthEstimate(_metres(one)) for one in resize_maps(output.predicted_depth, (height, width))]


class ZoeDepthEstimator(_DepthModel):
    """ZoeDepth; its own resizing of the result would need torchvision."""

    name = "zoedepth"
    kinds = {"zoedepth": "ZoeDepthForDepthEstimation"}  # noqa: RUF012

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self._model = load_model(settings, self.kinds)
        self._images = load_part("AutoImageProcessor", settings)

    def _run(self, batch: Sequence[UInt8Array], intrinsics: Intrinsics | None) -> list[DepthEstimate]:
        output = self._model.run(self._images(images=list(batch), return_tensors="pt"))
        height, width = batch[0].shape[:2]
        # ZoeDepth mirrors a border of 3 sqrt(size / 2) pixels around the image before it is resized.
        rows, columns = (
            (int(np.sqrt(extent / 2) * 3) for extent in (height, width))
            if getattr(self._images, "do_pad", True)
            else (0, 0)
        )
        padded = resize_maps(output.predicted_depth, (height + 2 * rows, width + 2 * columns), "bicubic")
        return [
            DepthEstimate(_metres(one[rows : rows + height, columns : columns + width])) for one in padded
        ]


class DepthProEstimator(_DepthModel):
    """Depth Pro: metric depth and the camera's focal length; prepared here, its processor needs torchvision."""

    name = "depth_pro"
    kinds = {"depth_pro": "DepthProForDepthEstimation"}  # noqa: RUF012

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self._model = load_model(settings, self.kinds)
        config = self._model.network.config
        side = round(config.patch_size / config.scaled_images_ratios[0])
        self._size = (side, side)

    def _run(self, batch: Sequence[UInt8Array], intrinsics: Intrinsics | None) -> list[DepthEstimate]:
        pixels = to_pixels(batch, self._size, (0.5,) * 3, (0.5,) * 3)
        output = self._model.run({"pixel_values": pixels})
        height, width = batch[0].shape[:2]
        canonical = resize_maps(output.predicted_depth, (height, width))
        views = [None] * len(batch) if output.field_of_view is None else output.field_of_view.float().cpu()
        results = []
        for inverse, view in zip(canonical, views, strict=True):
            guess = _focal_px(view, width)
            focal = intrinsics.fx if intrinsics is not None else guess
            if focal is None:
                raise BackendError(
                    f"{self._settings.model}: gave no usable field of view; metric depth then needs intrinsics"
                )
            # The network predicts inverse depth for a focal length equal to the image width (Bochkovskii et al. 2024).
            metres = 1.0 / (inverse * (width / focal)).clamp(1e-4, 1e4)
            results.append(DepthEstimate(_metres(metres), guess))
        return results


def _focal_px(horizontal_fov_deg: Any, width: int) -> float | None:
    """Focal length of a horizontal field of view; None when it is not one that a camera has."""
    if horizontal_fov_deg is None or not _FOV_DEG[0] < float(horizontal_fov_deg) < _FOV_DEG[1]:
        return None
    return float(0.5 * width / np.tan(0.5 * np.deg2rad(float(horizontal_fov_deg))))


def _metres(depth: Any) -> Float32Array:
    """(H, W) float32 depth, 0 where it is not a finite positive distance of at most 200 m."""
    values = depth.float().cpu().numpy().astype(np.float32)
    good = np.isfinite(values) & (values > 0.0) & (values < _FAR_M)
    return np.where(good, values, np.float32(0.0))
