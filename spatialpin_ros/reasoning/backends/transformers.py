# SPDX-License-Identifier: Apache-2.0
"""A vision-language model that runs in this process through transformers: a local folder or a hub id."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jinja2
import torch
from PIL import Image

from spatialpin_ros.reasoning.backends.assembly import assemble
from spatialpin_ros.reasoning.backends.prompted import PromptedBackend
from spatialpin_ros.reasoning.backends.transformers_decoding import Deadline, Vocabulary, bounded
from spatialpin_ros.reasoning.backends.transformers_loading import (
    LocalModelSettings,
    load_vlm,
    memory_errors,
)
from spatialpin_ros.reasoning.model_errors import ModelError
from spatialpin_ros.reasoning.protocol import Message, Reply, Schema, Usage
from spatialpin_ros.reasoning.replies import parse_reply


class TransformersModel:
    """A language model whose replies can only be JSON of the schema; safe to use from one thread.

    Raises:
        BackendError: when it cannot be loaded.
    """

    def __init__(self, settings: LocalModelSettings) -> None:
        self.settings = settings
        self.name = settings.model.rstrip("/").rpartition("/")[2]
        self._vlm = load_vlm(settings)
        size = self._vlm.network.config.get_text_config().vocab_size
        self._vocabulary = Vocabulary(self._vlm.tokenizer, size, self._vlm.end_ids)

    @property
    def device(self) -> str:
        return self._vlm.device

    def close(self) -> None:
        """Free the memory of the weights."""
        device = self._vlm.device
        del self._vlm, self._vocabulary
        if device.startswith("cuda"):
            torch.cuda.empty_cache()

    def complete(self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema) -> Reply:
        """Ask once; see `LanguageModel.complete`.

        Raises:
            ModelError: "timeout", "cut_off", "rejected" (the model does not take this prompt) or "malformed".
            BackendError: out of memory.
        """
        started = time.monotonic()
        constraint = self._vocabulary.constraint(
            bounded(schema, self.settings.max_chars, self.settings.max_items)
        )
        deadline = Deadline(started + self.settings.timeout_s)
        inputs = self._inputs(messages, images, schema)
        asked = int(inputs["input_ids"].shape[1])
        tokens = self._generate(inputs, self._room(asked), constraint, deadline)
        text = self._vlm.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        if not constraint.finished_by(tokens):
            raise self._unfinished(len(tokens), deadline)
        return Reply(parse_reply(text, schema), text, Usage(asked, len(tokens)), time.monotonic() - started)

    def _inputs(self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema) -> Any:
        chat = as_chat(messages, len(images), schema)
        pictures = [Image.open(io.BytesIO(png)).convert("RGB") for png in images]
        try:
            try:
                with self._memory():
                    return self._vlm.encode(chat, pictures)
            except jinja2.TemplateError:  # some templates know no system role
                return self._vlm.encode(_without_system(chat), pictures)
        except (jinja2.TemplateError, ValueError, IndexError) as error:
            raise ModelError(f"{self.name} does not take this prompt: {error!s:.200}", "rejected") from error

    def _memory(self) -> AbstractContextManager[None]:
        return memory_errors(self.settings, self.device)

    def _room(self, asked: int) -> int:
        """Tokens that the reply may have."""
        limit = self._vlm.context_tokens
        room = self.settings.max_tokens if limit is None else min(self.settings.max_tokens, limit - asked)
        if room < 1:
            raise ModelError(
                f"the prompt has {asked} tokens, {self.name} takes {limit}; send fewer turns (priors) or a smaller "
                "image, or take a model with a longer context",
                "rejected",
            )
        return room

    def _generate(self, inputs: Any, room: int, constraint: Any, deadline: Deadline) -> list[int]:
        """Reply tokens, the one that ends the reply included."""
        sampling: dict[str, Any] = {"do_sample": False}
        if self.settings.temperature > 0.0:
            sampling = {
                "do_sample": True,
                "temperature": self.settings.temperature,
                "top_k": 50,
                "top_p": 0.95,
            }
        ends = self._vlm.end_ids
        gpu = [] if self.device == "cpu" else [torch.device(self.device)]
        kind = "cuda" if self.device == "cpu" else gpu[0].type
        try:
            with self._memory(), torch.inference_mode(), torch.random.fork_rng(gpu, device_type=kind):
                torch.manual_seed(self.settings.seed)
                output = self._vlm.network.generate(
                    **inputs,
                    max_new_tokens=room,
                    logits_processor=[constraint],
                    stopping_criteria=[deadline],
                    num_beams=1,
                    repetition_penalty=1.0,  # JSON repeats its punctuation and keys
                    eos_token_id=list(ends),
                    pad_token_id=ends[0],
                    **sampling,
                )
        except (ValueError, IndexError) as error:
            raise ModelError(f"{self.name} does not take this prompt: {error!s:.200}", "rejected") from error
        except RuntimeError as error:
            raise ModelError(
                f"{self.name} failed: {error!s:.200}; try precision: full", "malformed"
            ) from error
        tokens: list[int] = output[0, inputs["input_ids"].shape[1] :].tolist()
        return tokens

    def _unfinished(self, count: int, deadline: Deadline) -> ModelError:
        if deadline.passed:
            return ModelError(
                f"{self.name} wrote {count} tokens in {self.settings.timeout_s:g} s on {self.device} and was not "
                "done; raise timeout_s or take a smaller model",
                "timeout",
            )
        return ModelError(f"the reply was cut off after {count} tokens; raise max_tokens", "cut_off")


def as_chat(messages: Sequence[Message], images: int, schema: Schema) -> list[dict[str, Any]]:
    """The conversation as chat templates take it, the schema in the first message, images in the user's first."""
    chat = [
        {"role": message.role, "content": [{"type": "text", "text": message.text}]} for message in messages
    ]
    chat[0]["content"][0]["text"] += f"\nJSON schema of the reply:\n{json.dumps(schema)}"  # type: ignore[index]
    first = next((each for each in chat if each["role"] == "user"), None)
    if first is not None:
        first["content"] = [*({"type": "image"} for _ in range(images)), *first["content"]]
    return chat


def _without_system(chat: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The system's text put in front of the first user's."""
    system = [part for each in chat if each["role"] == "system" for part in each["content"]]
    rest = [dict(each) for each in chat if each["role"] != "system"]
    if rest:
        pictures = [part for part in rest[0]["content"] if part["type"] == "image"]
        said = [part for part in rest[0]["content"] if part["type"] != "image"]
        rest[0]["content"] = [*pictures, *system, *said]
    return rest


def create(**settings: Any) -> PromptedBackend:
    """Make the back end; settings are the fields of `LocalModelSettings` and those of `assemble`.

    Raises:
        InvalidValueError: on a setting out of range.
        BackendError: when the model cannot be loaded.
    """
    return assemble("transformers", lambda **own: TransformersModel(LocalModelSettings(**own)), settings)
