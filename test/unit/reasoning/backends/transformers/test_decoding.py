# SPDX-License-Identifier: Apache-2.0
"""What constrained decoding lets through, without a network: random walks over the allowed tokens."""

from __future__ import annotations

import json
import math

import jsonschema
import numpy as np
import pytest
import tiny_vlms
import torch
from scenes import five_blocks

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.reasoning import schemas
from spatialpin_ros.reasoning.backends.transformers_decoding import Deadline, Vocabulary, bounded

SCHEMAS = {
    "proposal": schemas.proposal_schema(five_blocks()),
    "request": schemas.request_schema(five_blocks()),
    "answer": schemas.answer_schema(five_blocks()),
}


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_vlms.byte_tokenizer(tiny_vlms.TURNS, "<image>")


@pytest.fixture(scope="module")
def vocabulary(tokenizer):
    return Vocabulary(tokenizer, len(tokenizer) + 3, [tokenizer.eos_token_id])


def walk(vocabulary, tokenizer, schema, seed, longest=600):
    """Write a reply by drawing allowed tokens evenly; the tokens and whether they are a whole object."""
    random = np.random.default_rng(seed)
    constraint = vocabulary.constraint(schema)
    written: list[int] = []
    while len(written) < longest:
        scores = constraint(torch.tensor([[0, *written]]), torch.zeros(1, len(tokenizer) + 3))
        written.append(int(random.choice(np.flatnonzero(np.isfinite(scores[0].numpy())))))
        if written[-1] == tokenizer.eos_token_id:
            break
    return written, constraint.finished_by(written)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_allowed_reply_is_an_object_of_the_schema(vocabulary, tokenizer, name):
    limited = bounded(SCHEMAS[name], max_chars=12, max_items=3)
    for seed in range(12):
        tokens, whole = walk(vocabulary, tokenizer, limited, seed)
        assert whole
        text = tokenizer.decode(tokens, skip_special_tokens=True)
        jsonschema.validate(json.loads(text), SCHEMAS[name])


def test_numbers_stay_finite_and_strings_and_lists_end(vocabulary, tokenizer):
    values = []
    for seed in range(12):
        tokens, _ = walk(vocabulary, tokenizer, bounded(SCHEMAS["answer"], 12, 3), 100 + seed)
        reply = json.loads(tokenizer.decode(tokens, skip_special_tokens=True))
        assert len(reply["answer"]) <= 12
        assert len(reply["object_ids"]) <= 3
        values += [] if reply["value"] is None else [reply["value"]]
    assert values
    assert all(math.isfinite(value) and abs(value) <= 1e6 for value in values)


def test_a_reply_that_is_not_done_is_not_taken_for_one(vocabulary, tokenizer):
    tokens, whole = walk(vocabulary, tokenizer, bounded(SCHEMAS["answer"], 12, 3), 0, longest=20)
    assert len(tokens) == 20
    assert not whole


def test_limits_of_the_schema_itself_are_kept():
    schema = {"type": "array", "maxItems": 2, "items": {"type": ["number", "null"], "minimum": 0.0}}
    limited = bounded(schema, 10, 99)
    assert limited["maxItems"] == 2
    assert limited["items"] == {"type": ["number", "null"], "minimum": 0.0, "maximum": 1e6}
    assert bounded({"type": "string", "enum": ["a"]}, 10, 3) == {"type": "string", "enum": ["a"]}


def test_a_schema_that_cannot_be_enforced_is_refused(vocabulary):
    with pytest.raises(InvalidValueError, match="cannot be constrained to this schema"):
        vocabulary.constraint({"type": "array", "uniqueItems": True, "items": {"type": "string"}})


def test_the_deadline_stops_and_says_that_it_did():
    tokens = torch.zeros(1, 3, dtype=torch.long)
    early, late = Deadline(math.inf), Deadline(-math.inf)
    assert not early(tokens, None).any()
    assert late(tokens, None).all()
    assert (early.passed, late.passed) == (False, True)
