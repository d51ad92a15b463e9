# SPDX-License-Identifier: Apache-2.0
"""Tiny models of several families through the real loading and constrained decoding."""

from __future__ import annotations

import dataclasses

import jsonschema
import pytest
import tiny_vlms
import torch
from scenes import five_blocks

from spatialpin_ros.errors import BackendError, ReasoningError
from spatialpin_ros.reasoning import Abilities, Message, create_backend, schemas
from spatialpin_ros.reasoning.backends.transformers import as_chat
from spatialpin_ros.reasoning.model_errors import ModelError
from spatialpin_ros.task import Task

SCENE = five_blocks()
ASKED = (Message("system", "You see a table."), Message("user", "What is there?"))
SCHEMA = schemas.answer_schema(SCENE)


@pytest.mark.parametrize("family", tiny_vlms.FAMILIES)
def test_replies_fit_the_schema_and_are_counted(load, png, family):
    model = load(family)
    for schema in (SCHEMA, schemas.proposal_schema(SCENE), schemas.request_schema(SCENE)):
        reply = model.complete(ASKED, [png], schema)
        jsonschema.validate(reply.object, schema)
        assert reply.usage.completion_tokens > 10
        assert reply.latency_s > 0.0
        blind = model.complete(ASKED, [], schema)
        assert blind.usage.prompt_tokens < reply.usage.prompt_tokens


def test_the_seed_decides_and_nothing_else_is_touched(load, png):
    model = load("qwen", seed=3)
    before = torch.get_rng_state()
    first = model.complete(ASKED, [png], SCHEMA)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    assert model.complete(ASKED, [png], SCHEMA).raw == first.raw
    assert load("qwen", seed=3).complete(ASKED, [png], SCHEMA).raw == first.raw
    assert load("qwen", seed=4).complete(ASKED, [png], SCHEMA).raw != first.raw


def test_without_temperature_the_seed_does_not_matter(load):
    replies = {load(temperature=0.0, seed=seed).complete(ASKED, [], SCHEMA).raw for seed in (1, 2)}
    assert len(replies) == 1


def test_half_precision_writes_replies_too(load, png):
    model = load("qwen", precision="half", device="cpu")
    jsonschema.validate(model.complete(ASKED, [png], SCHEMA).object, SCHEMA)


def test_a_repair_turn_is_understood(load, png):
    asked = (*ASKED, Message("assistant", "No."), Message("user", "Reply with JSON."))
    assert load("smolvlm").complete(asked, [png, png], SCHEMA).object["unit"] in schemas.UNITS


def test_the_conversation_carries_the_schema_and_the_images():
    chat = as_chat(ASKED, 2, {"type": "object"})
    assert '{"type": "object"}' in chat[0]["content"][0]["text"]
    assert [part["type"] for part in chat[1]["content"]] == ["image", "image", "text"]


def test_a_template_without_a_system_role_gets_its_text_with_the_users(load):
    model = load()
    strict = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "{% endfor %}" + tiny_vlms.TEMPLATE.replace("IMAGE", "<image>\n")
    )
    usual = model.complete(ASKED, [], SCHEMA).usage.prompt_tokens
    model._vlm = dataclasses.replace(model._vlm, template=strict)
    fewer = usual - model.complete(ASKED, [], SCHEMA).usage.prompt_tokens
    assert fewer == len("system\n") + len("\n") + 2  # and two marks, but not what the system says


def kind_of(model, asked=ASKED, images=()):
    with pytest.raises(ModelError) as caught:
        model.complete(asked, images, SCHEMA)
    return caught.value.kind, str(caught.value)


def test_a_reply_that_takes_too_long_is_named(load):
    kind, said = kind_of(load(timeout_s=1e-3))
    assert kind == "timeout"
    assert "raise timeout_s" in said


def test_a_reply_that_is_cut_off_is_named(load):
    kind, said = kind_of(load("qwen", max_tokens=9))
    assert kind == "cut_off"
    assert "after 9 tokens; raise max_tokens" in said


def test_a_prompt_that_is_too_long_is_named(load):
    kind, said = kind_of(load(), (Message("user", "long " * 7000),))
    assert kind == "rejected"
    assert "takes 32768" in said


@pytest.mark.parametrize("family", ["llava", "qwen"])
def test_marks_of_images_in_the_text_are_refused_not_read_past_the_end(load, png, family):
    mark = {"llava": "<image>", "qwen": "<|image_pad|>"}[family]
    kind, said = kind_of(load(family), (Message("user", f"put the {mark} here"),), [png])
    assert kind == "rejected"
    assert "does not take this prompt" in said


def test_weights_that_are_not_numbers_are_named(load):
    model = load()
    with torch.no_grad():
        model._vlm.network.get_output_embeddings().weight.fill_(torch.nan)
    kind, said = kind_of(model)
    assert kind == "malformed"
    assert "precision: full" in said


def test_running_out_of_memory_is_named(load, monkeypatch):
    model = load()

    def full(**_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    monkeypatch.setattr(model._vlm.network, "generate", full)
    with pytest.raises(BackendError, match="out of memory; take a smaller model"):
        model.complete(ASKED, [], SCHEMA)


SHORT = {"temperature": 1.0, "max_chars": 8, "max_items": 3, "suggest_parameters": False, "max_repairs": 0}


@pytest.mark.parametrize("family", ["qwen", "llava"])
def test_what_a_random_model_says_is_checked_against_the_scene(folder, family):
    ids = {item.id for item in SCENE.objects}
    outcomes = []
    for seed in range(2):
        backend = create_backend("transformers", model=folder(family), seed=seed, priors="none", **SHORT)
        proposals = backend.propose(SCENE, Abilities(), max_tasks=3)
        assert all(isinstance(task, Task) and task.backend == "transformers" for task in proposals.tasks)
        assert all(entry.reason and {entry.object_id, entry.target_id} <= ids for entry in proposals.rejected)
        try:
            outcomes.append(backend.describe(SCENE, Abilities(), "stack the red one"))
        except ReasoningError as error:
            outcomes.append(error)
        answer = backend.answer(SCENE, "how tall is the can?")
        assert set(answer.object_ids) <= ids
        assert answer.unit in schemas.UNITS
        assert answer.program.startswith("model(")
        backend.close()
    assert all(isinstance(each, Task | ReasoningError) for each in outcomes)
