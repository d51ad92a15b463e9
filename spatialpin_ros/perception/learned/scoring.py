# SPDX-License-Identifier: Apache-2.0
"""Image-text scores: CLIP and SigLIP."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.perception.learned.loading import ModelSettings, load_model, load_part
from spatialpin_ros.perception.learned.protocols import Images, check_images

_CLASSES = {"clip": "CLIPModel", "siglip": "SiglipModel"}


class ClipScorer:
    """CLIP (probabilities over the texts) or SigLIP (an independent probability for each text).

    Args:
        settings: which model, and how it runs.
        template: sentence around each text; "{}" stands for it.
    """

    name = "clip"
    kinds = _CLASSES

    def __init__(self, settings: ModelSettings, template: str = "a photo of a {}.") -> None:
        if "{}" not in template:
            raise InvalidValueError(f"scorer: the template needs {{}} for the text, got '{template}'")
        self._model = load_model(settings, _CLASSES)
        self._images = load_part("AutoImageProcessor", settings)
        self._tokenizer = load_part("AutoTokenizer", settings)
        self._template = template
        self._length = int(self._model.network.config.text_config.max_position_embeddings)
        self._softmax = self._model.network.config.model_type == "clip"

    def score(self, images: Images, texts: Sequence[str]) -> FloatArray:
        check_images(images)
        if not texts:
            raise InvalidValueError("scorer: needs at least one text")
        tokens = self._tokenizer(
            [self._template.format(text) for text in texts],
            padding="max_length",
            max_length=self._length,
            truncation=True,
            return_tensors="pt",
        )
        # SigLIP was trained on padding that it sees; CLIP's must be masked.
        keys = ("input_ids", "attention_mask") if self._softmax else ("input_ids",)
        text = {key: tokens[key] for key in keys}
        rows = [np.zeros((0, len(texts)))]
        size = self._model.settings.batch_size
        for start in range(0, len(images), size):
            pixels = self._images(images=list(images[start : start + size]), return_tensors="pt")
            logits = self._model.run({**pixels, **text}).logits_per_image.float()
            scores = logits.softmax(dim=1) if self._softmax else logits.sigmoid()
            rows.append(scores.cpu().numpy().astype(np.float64))
        return np.concatenate(rows)
