# SPDX-License-Identifier: Apache-2.0
"""The turns before the question, with a scripted model: their order, priors, records and failures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from prompted_samples import ABILITIES, backend, scene
from scenes import five_blocks, make_object, make_scene
from scripted_model import (
    ANSWER,
    CAMERA,
    COARSE,
    photo,
)

from spatialpin_ros.errors import (
    InvalidValueError,
)
from spatialpin_ros.reasoning.model_errors import ModelError
from spatialpin_ros.reasoning.turns import PRESETS, Priors


def test_all_turns_come_before_the_question_and_feed_it():
    made, model = backend()
    made.answer(scene(), "how tall is the green cylinder?", photo())
    assert model.turns == ["objects", "coarse", "fine", "answer"]
    prompt = model.prompt("answer")
    assert "seen as toy block" in prompt
    assert "Scene size W x D x H" in prompt
    assert "41 degrees downwards: the view is horizontal" in prompt
    assert "Five objects stand apart" in prompt
    assert "Checked and right: o1 is left of o2." in prompt
    assert "nearest (gap)" in prompt
    assert "seen as toy block" in model.prompt("fine")
    assert "o1: toy block" in model.prompt("coarse")


@pytest.mark.parametrize(
    ("priors", "turns", "holds", "lacks"),
    [
        ("full", ["objects", "coarse", "fine"], ["toy block", "Scene size", "centre ("], []),
        ("coarse", ["objects", "coarse"], ["toy block", "Scene size"], ["centre (", "Five objects"]),
        ("objects", ["objects"], ["toy block"], ["centre (", "Scene size"]),
        ("none", [], ["o1: large red cube"], ["toy block", "centre (", "Scene size"]),
        ("direct", [], ["centre ("], ["toy block", "Scene size"]),
        ("objects+fine", ["objects", "fine"], ["toy block", "centre ("], ["Scene size"]),
        ("coarse+fine", ["coarse", "fine"], ["Scene size", "centre ("], ["toy block"]),
    ],
)
def test_each_turn_can_be_switched_off(priors, turns, holds, lacks):
    made, model = backend(priors)
    made.answer(scene(), "how tall is the green cylinder?", photo())
    assert model.turns == [*turns, "answer"]
    prompt = model.prompt("answer")
    assert [word for word in holds if word not in prompt] == []
    assert [word for word in lacks if word in prompt] == []
    system = model.prompt("answer", 0)
    assert ("trust the numbers" in system) is made.priors.numbers
    assert ("with the numbers above" in prompt) is made.priors.numbers


def test_priors_have_names_and_unknown_ones_are_listed():
    assert [str(value) for value in PRESETS.values()] == list(PRESETS)
    assert Priors.named("fine") == Priors(objects=False, coarse=False)
    for wrong in ("everything", "", "fine+all"):
        with pytest.raises(InvalidValueError, match="full, coarse, objects, none"):
            Priors.named(wrong)


def test_every_turn_is_kept_with_prompt_images_reply_time_and_tokens():
    made, _ = backend()
    made.answer(scene(), "how tall is the green cylinder?", photo())
    assert [turn.name for turn in made.trace] == ["objects", "coarse", "fine", "answer"]
    for turn in made.trace:
        (exchange,) = turn.exchanges
        assert [message.role for message in exchange.messages] == ["system", "user"]
        assert exchange.reply is not None
        assert turn.latency_s > 0.0
        assert turn.tokens == (100, 10)
    assert [len(turn.exchanges[0].images) for turn in made.trace] == [1, 1, 1, 2]
    findings = made.trace[0].findings
    assert any("ghost" in finding for finding in findings)
    assert any("o3" in finding for finding in findings)


def test_a_second_question_about_the_same_scene_reuses_the_turns():
    made, model = backend()
    made.answer(scene(), "how tall is the green cylinder?", photo())
    made.answer(scene(), "how wide is the blue box?", photo())
    assert model.turns == ["objects", "coarse", "fine", "answer", "answer"]
    assert [turn.reused for turn in made.trace] == [True, True, True, False]
    assert made.trace[0].tokens == (0, 0)
    made.answer(scene(), "how wide is the blue box?", photo(shade=120))
    assert model.turns[-4:] == ["objects", "coarse", "fine", "answer"]
    moved = make_scene(*scene().objects[1:], make_object("o1", at=(0.6, 0.3)), intrinsics=CAMERA)
    made.answer(moved, "how wide is the blue box?", photo(shade=120))
    assert model.turns[-4:] == ["objects", "coarse", "fine", "answer"]


def test_without_an_image_the_turns_that_need_one_are_skipped_with_the_reason():
    made, model = backend()
    made.answer(five_blocks(), "how tall is the green cylinder?")
    assert model.turns == ["fine", "answer"]
    assert {turn.name: bool(turn.skipped) for turn in made.trace} == {
        "objects": True,
        "coarse": True,
        "fine": False,
        "answer": False,
    }
    assert all(not images for _, _, images, _ in model.calls)
    assert "the view is horizontal" in model.prompt("answer")


def test_a_turn_without_a_usable_reply_leaves_the_numbers_and_no_opinion():
    refused = ModelError("the model refused: no", "refused")
    made, model = backend(objects=["what?"], coarse=[refused], fine=["{"])
    made.answer(scene(), "how tall is the green cylinder?", photo())
    assert model.turns == ["objects"] * 3 + ["coarse"] + ["fine"] * 3 + ["answer"]
    skipped = [turn.skipped for turn in made.trace]
    assert "no JSON object" in skipped[0]
    assert "refused" in skipped[1]
    assert "centre (" in model.prompt("answer")
    assert "Your summary" not in model.prompt("answer")


def test_a_turn_that_failed_is_asked_again_with_the_next_question():
    made, model = backend("coarse", coarse=[ModelError("the model refused: no", "refused"), COARSE])
    made.answer(scene(), "how tall?", photo())
    made.answer(scene(), "how wide?", photo())
    made.answer(scene(), "how deep?", photo())
    assert model.turns.count("coarse") == 2


def test_an_empty_table_can_be_asked_about():
    nothing = {
        **ANSWER,
        "answer": "Nothing is on the table.",
        "value": 0,
        "unit": "count",
        "object_ids": [""],
    }
    made, model = backend(objects=[{"objects": []}], answer=[nothing])
    answer = made.answer(make_scene(intrinsics=CAMERA), "how many objects are there?", photo())
    assert (answer.value, answer.object_ids) == (0.0, ())
    assert model.turns == ["objects", "coarse", "answer"]


def test_a_dead_server_is_not_passed_over():
    made, _ = backend(coarse=[ModelError("cannot reach it", "unreachable")])
    with pytest.raises(ModelError, match="cannot reach"):
        made.answer(scene(), "how tall?", photo())


def test_a_wrong_perspective_and_a_wrong_relation_are_reported_and_not_believed():
    relations = [{"object_id": "o1", "relation": "right of", "reference_id": "o2"}]
    made, model = backend(
        coarse=[{**COARSE, "perspective": "top-down"}], fine=[{"summary": "Hm.", "relations": relations}]
    )
    made.answer(scene(), "how tall?", photo())
    findings = {turn.name: turn.findings for turn in made.trace}
    assert "takes the view for top-down" in findings["coarse"][0]
    assert "o1 is right of o2" in findings["fine"][0]
    prompt = model.prompt("answer")
    assert "the view is horizontal" in prompt
    assert "Checked and wrong, do not rely on it: o1 is right of o2." in prompt


def test_the_photo_is_plain_for_finding_and_marked_after():
    made, model = backend()
    made.answer(scene(), "how tall?", photo())
    images = {turn: shown for turn, _, shown, _ in model.calls}
    plain, marked = (
        cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        for png in (images["objects"][0], images["coarse"][0])
    )
    assert np.unique(plain).tolist() == [90]
    assert len(np.unique(marked)) > 10
    drawn = cv2.imdecode(np.frombuffer(images["fine"][0], np.uint8), cv2.IMREAD_COLOR)
    blue, green, red = (drawn[..., i].astype(int) for i in range(3))
    assert ((red > 180) & (green < 90) & (blue < 90)).sum() > 50
    assert ((blue > 180) & (red < 90) & (green < 120)).sum() > 50
    assert images["answer"] == (images["coarse"][0], images["fine"][0])


def test_the_schema_of_a_turn_carries_its_name():
    made, model = backend()
    made.propose(scene(), ABILITIES, 2, image=photo())
    assert [call[3]["title"] for call in model.calls] == [
        "objects",
        "coarse",
        "fine",
        "propose",
        "parameters",
    ]
