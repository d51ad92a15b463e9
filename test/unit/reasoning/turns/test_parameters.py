# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import five_blocks, make_object, make_scene, stacked
from scripted_model import ScriptedModel, parameters

from spatialpin_ros.reasoning import Abilities
from spatialpin_ros.reasoning.prompting import Prompts
from spatialpin_ros.reasoning.turns import Conversation, Priors, SceneContext
from spatialpin_ros.reasoning.turns.parameters import DROP_M, LIFT_M, motions, read_parameters, suggest
from spatialpin_ros.task import Task, TaskStep

ABILITIES = Abilities()
CONTEXT = SceneContext(Priors())


def stacking(*pairs):
    steps = [step for a, b in pairs for step in (TaskStep("pick", a), TaskStep("place_on", a, b))]
    return Task("t", "Stack.", tuple(steps), rationale="checked")


def suggested(scene, task, *replies):
    model = ScriptedModel(parameters=replies)
    conversation = Conversation(model, Prompts())
    return suggest(conversation, scene, ABILITIES, (task,), CONTEXT)[0], conversation.records[-1], model


def test_sensible_numbers_are_taken_as_they_are():
    task, record, model = suggested(five_blocks(), stacking(("o1", "o2")), parameters((4.2, 9.0, 0.5)))
    pick, place = task.steps
    assert (pick.closing_width_m, pick.lift_height_m) == pytest.approx((0.042, 0.09))
    assert place.drop_height_m == pytest.approx(0.005)
    assert record.findings == ()
    assert "instead" not in task.rationale
    prompt = model.prompt("parameters")
    assert "Take o1, the large red cube, W x D x H 5.0 x 5.0 x 5.0" in prompt
    assert "put it on the blue box, W x D x H 10.0 x 7.0 x 6.0, its top at 6.0" in prompt


def test_numbers_beyond_the_geometry_are_clamped_and_the_difference_is_told():
    task, record, _ = suggested(five_blocks(), stacking(("o1", "o2")), parameters((6.5, 4.0, 12.0)))
    pick, place = task.steps
    assert pick.closing_width_m == pytest.approx(0.045)
    assert pick.lift_height_m == pytest.approx(0.07)
    assert place.drop_height_m == pytest.approx(0.01)
    assert "close to 4.5 cm instead of 6.5 cm (its thinnest side is 5.0 cm)" in task.rationale
    assert "lift by 7.0 cm instead of 4.0 cm (to clear the blue box" in task.rationale
    assert "drop from 1.0 cm instead of 12.0 cm" in task.rationale
    assert len(record.findings) == 3
    assert task.rationale.startswith("checked; ")


def test_the_thinnest_horizontal_side_counts_however_the_object_is_turned():
    plank = make_object("o1", "red", "box", (0.10, 0.03, 0.05), (0.5, -0.2), yaw_rad=0.7)
    scene = make_scene(plank, make_object("o2", "blue", "box", (0.12, 0.12, 0.05), (0.5, 0.1)))
    task, _, _ = suggested(scene, stacking(("o1", "o2")), parameters((9.0, 10.0, 0.5)))
    assert task.steps[0].closing_width_m == pytest.approx(0.025)


def test_what_stands_between_must_be_cleared():
    scene = make_scene(
        make_object("o1", "red", at=(0.5, -0.3)),
        make_object("o2", "blue", at=(0.5, 0.3)),
        make_object("o3", "green", "cylinder", (0.04, 0.04, 0.16), (0.51, 0.0)),
        make_object("o4", "white", "cylinder", (0.04, 0.04, 0.20), (0.75, 0.0)),
    )
    (motion,) = motions(scene, ABILITIES, (stacking(("o1", "o2")),))
    assert [item.id for item in motion.on_the_way] == ["o3"]
    assert motion.limits.lift_height_m[0] == pytest.approx(0.17)
    assert motion.limits.cleared == "the green cylinder"


def test_a_second_motion_starts_from_what_the_first_one_leaves():
    scene = five_blocks()
    first, second = motions(scene, ABILITIES, (stacking(("o1", "o2"), ("o5", "o1")),))
    assert first.limits.lift_height_m[0] == pytest.approx(0.07)
    assert second.target_object.box.bottom_z == pytest.approx(0.06)
    assert second.limits.lift_height_m[0] == pytest.approx(0.12)


def test_what_is_lifted_off_a_tower_need_not_be_lifted_as_far():
    base = make_object("o1", "blue", "box", (0.08, 0.08, 0.10), (0.5, -0.2))
    scene = make_scene(base, stacked(make_object("o2"), base), make_object("o3", "green", at=(0.5, 0.2)))
    (motion,) = motions(scene, ABILITIES, (stacking(("o2", "o3")),))
    assert motion.limits.lift_height_m[0] == pytest.approx(LIFT_M[0])


def test_a_place_on_the_table_and_a_bare_pick_have_parameters_too():
    area = np.array([[0.4, 0.2], [0.5, 0.2], [0.5, 0.3], [0.4, 0.3]])
    steps = (TaskStep("pick", "o1"), TaskStep("place_in_area", "o1", "table", area), TaskStep("pick", "o5"))
    task, _, model = suggested(
        five_blocks(), Task("t", "Move.", steps), parameters((4.0, 10.0, 0.2), (2.0, 5.0, 9.0))
    )
    assert task.steps[1].drop_height_m == pytest.approx(0.002)
    assert task.steps[2].lift_height_m == pytest.approx(0.05)
    assert "put it on the table" in model.prompt("parameters")


def test_a_missing_motion_and_a_number_that_is_none_are_asked_for_again():
    task = stacking(("o1", "o2"))
    made, record, model = suggested(five_blocks(), task, {"motions": []}, parameters((4.0, 8.0, 0.3)))
    assert made.steps[0].closing_width_m == pytest.approx(0.04)
    assert "motion 1" in model.prompt("parameters")
    assert len(record.exchanges) == 2
    wanted = motions(five_blocks(), ABILITIES, (task,))
    assert read_parameters(wanted, parameters((float("nan"), 1.0, 1.0)))[1]


def test_without_a_usable_reply_the_planner_chooses():
    task, record, model = suggested(five_blocks(), stacking(("o1", "o2")), "no idea")
    assert task.steps[0].closing_width_m is None
    assert "the planner chooses" in task.rationale
    assert "no usable reply" in record.skipped
    assert len(model.calls) == 3


@settings(max_examples=60, deadline=None)
@given(*(st.floats(-1e4, 1e4) for _ in range(3)))
def test_whatever_is_suggested_stays_within_the_limits(closing, lift, drop):
    task, _, _ = suggested(five_blocks(), stacking(("o3", "o2")), parameters((closing, lift, drop)))
    pick, place = task.steps
    assert 0.03 - 1e-9 <= pick.closing_width_m <= 0.045 + 1e-9
    assert 0.07 - 1e-9 <= pick.lift_height_m <= LIFT_M[1]
    assert DROP_M[0] <= place.drop_height_m <= DROP_M[1]
