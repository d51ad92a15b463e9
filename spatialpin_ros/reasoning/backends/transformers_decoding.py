# SPDX-License-Identifier: Apache-2.0
"""Decoding that can only write JSON of a schema, and that stops at a deadline."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer

from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.reasoning.protocol import Schema

_LARGEST = 1e6


def bounded(schema: Schema, max_chars: int, max_items: int) -> dict[str, Any]:
    """Limit what has no limit of its own: small models repeat themselves without end, and write numbers like 1e999."""
    result = {key: _bounded(value, max_chars, max_items) for key, value in schema.items()}
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if "string" in kinds and "enum" not in schema:
        result.setdefault("maxLength", max_chars)
    if "array" in kinds:
        result.setdefault("maxItems", max_items)
    if "number" in kinds or "integer" in kinds:
        result.setdefault("minimum", -_LARGEST)
        result.setdefault("maximum", _LARGEST)
    return result


def _bounded(value: Any, max_chars: int, max_items: int) -> Any:
    if isinstance(value, Mapping):
        return bounded(value, max_chars, max_items)
    if isinstance(value, list):
        return [_bounded(each, max_chars, max_items) for each in value]
    return value


class Vocabulary:
    """A tokenizer as the grammar engine reads it; making one takes about a second for large vocabularies.

    Args:
        tokenizer: a fast tokenizer of transformers.
        size: entries of the network's output, at least.
        end_ids: tokens that end a reply.

    Raises:
        BackendError: when the tokenizer is not a fast one.
    """

    def __init__(self, tokenizer: Any, size: int, end_ids: Sequence[int]) -> None:
        if not tokenizer.is_fast:
            raise BackendError(
                f"{type(tokenizer).__name__} is a slow tokenizer; constrained decoding needs tokenizer.json: "
                "download the model anew with hf download, or use its newer release"
            )
        self._tokenizer: LLTokenizer = from_tokenizer(
            tokenizer, n_vocab=max(size, len(tokenizer)), eos_token=list(end_ids)
        )

    def constraint(self, schema: Schema) -> SchemaConstraint:
        """Make the constraint of one reply.

        Raises:
            InvalidValueError: the schema has something that cannot be enforced.
        """
        try:
            grammar = LLMatcher.grammar_from_json_schema(
                dict(schema), overrides={"whitespace_flexible": False}
            )
            matcher = LLMatcher(self._tokenizer, grammar)
            problem = matcher.get_error()
        except ValueError as error:
            problem = str(error)
        if problem:
            raise InvalidValueError(f"a reply cannot be constrained to this schema: {problem:.300}")
        return SchemaConstraint(matcher)


class SchemaConstraint:
    """A logits processor of transformers for one reply: tokens that would leave the schema get no probability."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher
        self._seen = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Mask (1, V) scores given the (1, T) tokens so far, the prompt's at the first call."""
        if self._seen:
            self._matcher.consume_tokens(input_ids[0, self._seen :].tolist())
        self._seen = input_ids.shape[1]
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        allowed = np.zeros(scores.shape[-1], dtype=bool)
        unpacked = np.unpackbits(bits, count=min(bits.size * 8, allowed.size), bitorder="little")
        allowed[: unpacked.size] = unpacked
        return scores.masked_fill(~torch.from_numpy(allowed).to(scores.device), -torch.inf)

    def finished_by(self, tokens: Sequence[int]) -> bool:
        """Whether a whole object was written; `tokens` are those of the reply, the last one not yet seen here."""
        if not self._matcher.is_stopped() and tokens:
            self._matcher.consume_token(tokens[-1])
        return not self._matcher.get_error() and (self._matcher.is_stopped() or self._matcher.is_accepting())


class Deadline:
    """A stopping criterion of transformers: ends the reply at a time of `time.monotonic` [s]."""

    def __init__(self, at_s: float) -> None:
        self._at_s = at_s
        self.passed = False

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Return (1,) whether to stop."""
        self.passed = self.passed or time.monotonic() > self._at_s
        return torch.full((input_ids.shape[0],), self.passed, dtype=torch.bool, device=input_ids.device)
