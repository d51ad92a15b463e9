# SPDX-License-Identifier: Apache-2.0
"""Open-vocabulary detectors: GroundingDINO and OWLv2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.perception.learned.batches import batches
from spatialpin_ros.perception.learned.loading import ModelSettings, load_model, load_part
from spatialpin_ros.perception.learned.protocols import Detection, Images, check_images

_DINO = {
    "grounding-dino": "GroundingDinoForObjectDetection",
    "mm-grounding-dino": "MMGroundingDinoForObjectDetection",
}
_OWL = {"owlv2": "Owlv2ForObjectDetection", "owlvit": "OwlViTForObjectDetection"}


class GroundingDinoDetector:
    """GroundingDINO: names are joined to "a. b. c."; a box gets the name whose words it attends to most.

    Args:
        settings: which model, and how it runs.
        threshold: smallest score of a detection.
    """

    name = "grounding_dino"
    kinds = _DINO

    def __init__(self, settings: ModelSettings, threshold: float = 0.3) -> None:
        self._model = load_model(settings, _DINO)
        self._images = load_part("AutoImageProcessor", settings)
        self._tokenizer = load_part("AutoTokenizer", settings)
        self._threshold = threshold
        self._limit = int(self._model.network.config.max_text_len)

    def detect(self, images: Images, names: Sequence[str]) -> list[tuple[Detection, ...]]:
        check_images(images)
        found: list[list[Detection]] = [[] for _ in images]
        for part in self._parts([_checked(name) for name in names]):
            tokens = self._tokens(part)
            spans = self._spans(tokens["input_ids"][0].tolist(), len(part))
            for indices, batch in batches(list(images), self._model.settings.batch_size, lambda i: i.shape):
                pixels = self._images(images=batch, return_tensors="pt")
                text = {key: value.expand(len(batch), -1) for key, value in tokens.items()}
                output = self._model.run({**pixels, **text})
                probability = output.logits.sigmoid().float().cpu().numpy()
                boxes = output.pred_boxes.float().cpu().numpy()
                for index, image, tokens_of, boxes_of in zip(indices, batch, probability, boxes, strict=True):
                    scores = np.stack([tokens_of[:, span].max(axis=1) for span in spans], axis=1)
                    scale = np.array([image.shape[1], image.shape[0]] * 2, dtype=np.float64)
                    found[index] += _chosen(part, scores, _corners(boxes_of) * scale, self._threshold, image)
        return [_sorted(items) for items in found]

    def _tokens(self, names: Sequence[str]) -> dict[str, Any]:
        text = "".join(f"{name}. " for name in names).strip()
        return dict(self._tokenizer([text], return_tensors="pt"))

    def _parts(self, names: Sequence[str]) -> list[list[str]]:
        """Split the names so that each part's text fits the model."""
        if not names:
            return []
        if self._tokens(names)["input_ids"].shape[1] <= self._limit:
            return [list(names)]
        if len(names) == 1:
            raise InvalidValueError(f"detector: the name '{names[0]:.60}' is too long for the model")
        half = len(names) // 2
        return self._parts(names[:half]) + self._parts(names[half:])

    def _spans(self, ids: list[int], count: int) -> list[list[int]]:
        """Positions of each name's tokens: what stands between the full stops."""
        stop = self._tokenizer.convert_tokens_to_ids(".")
        special = set(self._tokenizer.all_special_ids) - {self._tokenizer.unk_token_id}
        spans: list[list[int]] = [[]]
        for position, token in enumerate(ids):
            if token == stop:
                spans.append([])
            elif token not in special:
                spans[-1].append(position)
        named = [span for span in spans if span]
        if len(named) != count:
            raise BackendError(
                f"{self._model.settings.model}: its tokenizer does not keep the full stops between names"
            )
        return named


class Owlv2Detector:
    """OWLv2 or OWL-ViT: every name is a query of its own.

    Args:
        settings: which model, and how it runs.
        threshold: smallest score of a detection.
    """

    name = "owlv2"
    kinds = _OWL

    def __init__(self, settings: ModelSettings, threshold: float = 0.2) -> None:
        self._model = load_model(settings, _OWL)
        self._images = load_part("AutoImageProcessor", settings)
        self._tokenizer = load_part("AutoTokenizer", settings)
        self._threshold = threshold
        self._length = int(self._model.network.config.text_config.max_position_embeddings)
        # OWLv2 pads the image to a square; OWL-ViT stretches it.
        self._square = self._model.network.config.model_type == "owlv2"

    def detect(self, images: Images, names: Sequence[str]) -> list[tuple[Detection, ...]]:
        check_images(images)
        wanted = [_checked(name) for name in names]
        found: list[tuple[Detection, ...]] = [() for _ in images]
        if not wanted:
            return found
        for indices, batch in batches(list(images), self._model.settings.batch_size, lambda i: i.shape):
            tokens = self._tokenizer(
                wanted * len(batch),
                padding="max_length",
                max_length=self._length,
                truncation=True,
                return_tensors="pt",
            )
            text = {key: tokens[key] for key in ("input_ids", "attention_mask")}
            output = self._model.run({**self._images(images=batch, return_tensors="pt"), **text})
            scores = output.logits.sigmoid().float().cpu().numpy()
            boxes = output.pred_boxes.float().cpu().numpy()
            for index, image, scores_of, boxes_of in zip(indices, batch, scores, boxes, strict=True):
                height, width = image.shape[:2]
                side = (max(height, width),) * 4 if self._square else (width, height, width, height)
                corners = _corners(boxes_of) * np.array(side, dtype=np.float64)
                found[index] = _sorted(_chosen(wanted, scores_of, corners, self._threshold, image))
        return found


def _checked(name: str) -> str:
    """Lower case, without the full stop that separates names."""
    text = " ".join(name.lower().replace(".", " ").split())
    if not text:
        raise InvalidValueError(f"detector: cannot look for a thing named {name!r}")
    return text


def _corners(boxes: npt.NDArray[Any]) -> FloatArray:
    """(N, 4) left, top, right, bottom of (N, 4) centre x, y, width, height."""
    centre, half = boxes[:, :2].astype(np.float64), 0.5 * boxes[:, 2:]
    return np.concatenate([centre - half, centre + half], axis=1)


def _chosen(
    names: Sequence[str],
    scores: npt.NDArray[Any],
    boxes: FloatArray,
    threshold: float,
    image: npt.NDArray[Any],
) -> list[Detection]:
    """Boxes whose best name scores at least `threshold`, clipped to the image."""
    height, width = image.shape[:2]
    clipped = np.clip(boxes, 0.0, [width, height, width, height])
    best = scores.argmax(axis=1)
    score = scores.max(axis=1)
    size = clipped[:, 2:] - clipped[:, :2]
    keep = np.flatnonzero((score >= threshold) & (size >= 1.0).all(axis=1))
    return [Detection(names[int(best[i])], clipped[i], float(score[i])) for i in keep]


def _sorted(detections: Sequence[Detection]) -> tuple[Detection, ...]:
    return tuple(sorted(detections, key=lambda item: -item.score))
