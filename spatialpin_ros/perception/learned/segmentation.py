# SPDX-License-Identifier: Apache-2.0
"""Promptable segmenters: SAM, SAM-HQ and SAM 2."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from spatialpin_ros.arrays import FloatArray, UInt8Array
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.perception.learned.batches import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    batches,
    resize_maps,
    to_pixels,
)
from spatialpin_ros.perception.learned.loading import ModelSettings, load_model, load_part
from spatialpin_ros.perception.learned.protocols import Images, Prompt, Segmentation, check_images
from spatialpin_ros.torch_runtime import require

_SAM = {"sam": "SamModel", "sam_hq": "SamHQModel"}
_SAM2 = {"sam2": "Sam2Model", "sam2_video": "Sam2Model"}


class _PromptedModel(ABC):
    """Batches images whose prompts have equal kind and number; subclasses run one batch."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings

    def segment(self, images: Images, prompts: Sequence[Prompt]) -> list[Segmentation]:
        check_images(images)
        if len(images) != len(prompts):
            raise InvalidValueError(f"segmenter: {len(images)} images but {len(prompts)} prompts")
        results: list[Segmentation] = [
            Segmentation(np.zeros((0, *image.shape[:2]), dtype=np.bool_), np.zeros(0)) for image in images
        ]
        pairs = list(zip(images, prompts, strict=True))
        for indices, batch in batches(pairs, self._settings.batch_size, _kind):
            if not len(batch[0][1]):
                continue
            for index, result in zip(indices, self._run(batch), strict=True):
                results[index] = result
        return results

    @abstractmethod
    def _run(self, batch: Sequence[tuple[UInt8Array, Prompt]]) -> list[Segmentation]:
        """Segment images with prompts of one kind."""


class SamSegmenter(_PromptedModel):
    """SAM or SAM-HQ."""

    name = "sam"
    kinds = _SAM

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self._model = load_model(settings, _SAM)
        self._processor = load_part("AutoProcessor", settings)

    def _run(self, batch: Sequence[tuple[UInt8Array, Prompt]]) -> list[Segmentation]:
        by_box = batch[0][1].boxes is not None
        given: dict[str, Any] = (
            {"input_boxes": [prompt.boxes.tolist() for _, prompt in batch if prompt.boxes is not None]}
            if by_box
            else {
                "input_points": [
                    prompt.points[:, None].tolist() for _, prompt in batch if prompt.points is not None
                ]
            }
        )
        inputs = self._processor(images=[image for image, _ in batch], return_tensors="pt", **given)
        sizes, shrunk = inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes")
        if by_box:
            inputs["input_boxes"] = inputs["input_boxes"].float()
        else:
            inputs["input_points"] = inputs["input_points"].float()
            inputs["input_labels"] = require("torch").ones(inputs["input_points"].shape[:3], dtype=int)
        # One box says what is meant; one point may mean a part or the whole, so that several masks compete.
        output = self._model.run(inputs, multimask_output=not by_box)
        masks = self._processor.image_processor.post_process_masks(
            output.pred_masks.float().cpu(), sizes, shrunk
        )
        return [
            _best(of_image, scores)
            for of_image, scores in zip(masks, output.iou_scores.float().cpu(), strict=True)
        ]


class Sam2Segmenter(_PromptedModel):
    """SAM 2; its own image processor would need torchvision, so images are prepared here."""

    name = "sam2"
    kinds = _SAM2

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self._model = load_model(settings, _SAM2)
        size = self._model.network.config.vision_config.backbone_config.image_size
        self._size = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))

    def _run(self, batch: Sequence[tuple[UInt8Array, Prompt]]) -> list[Segmentation]:
        torch = require("torch")
        images = [image for image, _ in batch]
        inputs: dict[str, Any] = {"pixel_values": to_pixels(images, self._size, IMAGENET_MEAN, IMAGENET_STD)}
        by_box = batch[0][1].boxes is not None
        if by_box:
            boxes = [self._scaled(image, prompt.boxes) for image, prompt in batch if prompt.boxes is not None]
            inputs["input_boxes"] = torch.from_numpy(np.stack(boxes)).float()
        else:
            points = [
                self._scaled(image, prompt.points) for image, prompt in batch if prompt.points is not None
            ]
            inputs["input_points"] = torch.from_numpy(np.stack(points)[:, :, None]).float()
            inputs["input_labels"] = torch.ones(inputs["input_points"].shape[:3], dtype=torch.int32)
        output = self._model.run(inputs, multimask_output=not by_box)
        logits, scores = output.pred_masks.float().cpu(), output.iou_scores.float().cpu()
        return [
            _best(resize_maps(of_image, (image.shape[0], image.shape[1])) > 0.0, of_scores)
            for image, of_image, of_scores in zip(images, logits, scores, strict=True)
        ]

    def _scaled(self, image: UInt8Array, pixels: FloatArray) -> FloatArray:
        """Pixels of the image as pixels of what the network sees."""
        scale = np.array([self._size[1] / image.shape[1], self._size[0] / image.shape[0]])
        return np.asarray(pixels * np.tile(scale, pixels.shape[1] // 2))


def _kind(pair: tuple[UInt8Array, Prompt]) -> tuple[tuple[int, ...], bool, int]:
    image, prompt = pair
    return image.shape, prompt.boxes is not None, len(prompt)


def _best(masks: Any, scores: Any) -> Segmentation:
    """The most certain of the (N, K, H, W) masks of each prompt, by its (N, K) predicted overlap."""
    choice = scores.argmax(dim=1)
    rows = range(len(choice))
    chosen = np.stack([masks[i, int(choice[i])].numpy() for i in rows]).astype(np.bool_)
    best = np.array([float(scores[i, int(choice[i])]) for i in rows])
    return Segmentation(chosen, np.clip(best, 0.0, 1.0))
