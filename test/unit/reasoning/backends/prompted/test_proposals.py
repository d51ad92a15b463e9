# SPDX-License-Identifier: Apache-2.0
"""Proposals of a scripted model: checked, replaced once, or dropped with the reason."""

from __future__ import annotations

import pytest
from prompted_samples import ABILITIES, backend, scene
from scenes import five_blocks, make_object, make_scene
from scripted_model import (
    proposal,
)

from spatialpin_ros.reasoning.feasibility import check_task
from spatialpin_ros.reasoning.model_errors import ReplyFormatError


def test_proposals_are_checked_tasks_with_parameters():
    made, model = backend("direct")
    found = made.propose(scene(), ABILITIES, 5)
    assert [[step.object_id for step in task.steps] for task in found.tasks] == [["o1"] * 2, ["o5"] * 2]
    assert all(check_task(scene(), task, ABILITIES) for task in found.tasks)
    assert found.tasks[0].description == "Put the large red cube on the blue box."
    assert found.tasks[0].steps[0].closing_width_m == pytest.approx(0.04)
    assert found.tasks[1].steps[0].closing_width_m == pytest.approx(0.02)
    assert "2. Take o5" in model.prompt("parameters")
    prompt = model.prompt("propose")
    for rule in ("single robot hand", "stays where it is", "Do not imagine objects", "rigid"):
        assert rule in prompt


def test_a_rejected_proposal_is_replaced_once_with_the_reason_and_both_are_accounted_for():
    made, model = backend(
        "direct",
        suggest=False,
        propose=[
            {"tasks": [proposal("o1", "o2"), proposal("o4", "o2"), proposal("o2", "o2")]},
            {"tasks": [proposal("o4", "o1"), proposal("o5", "o2")]},
        ],
    )
    found = made.propose(scene(), ABILITIES, 5)
    assert model.turns == ["propose", "propose"]
    asked = model.prompt("propose")
    assert "would roll off" in asked
    assert "relative to itself" in asked
    assert "one other task" in asked
    assert [(task.steps[1].object_id, task.steps[1].target_id) for task in found.tasks] == [
        ("o1", "o2"),
        ("o5", "o2"),
    ]
    assert [(each.object_id, each.reason) for each in found.rejected] == [
        ("o4", "round_base"),
        ("o2", "same_object"),
        ("o4", "round_base"),
    ]
    assert all("dropped" in finding for finding in made.trace[-1].findings)


def test_no_replacement_is_asked_for_when_there_are_enough():
    tasks = [proposal("o1", "o2"), proposal("o4", "o2"), proposal("o5", "o1"), proposal("o3", "o2")]
    made, model = backend("direct", suggest=False, propose=[{"tasks": tasks}])
    assert len(made.propose(scene(), ABILITIES, 2).tasks) == 2
    assert model.turns == ["propose"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (proposal("o2", "o1"), "too_wide"),
        (proposal("o1", "o4"), "round_top"),
        (proposal("o3", "o6"), "top_too_small"),
        (proposal("o1", "o2", sentence="Put the yellow ball on the green cylinder."), "other_objects"),
    ],
)
def test_each_rejection_has_its_reason(entry, reason):
    wide = make_scene(
        *[item for item in five_blocks().objects if item.id != "o2"],
        make_object("o2", "blue", "box", (0.12, 0.10, 0.06), (0.55, 0.05)),
        make_object("o6", "black", "box", (0.012, 0.012, 0.05), (0.40, -0.32)),
    )
    made, _ = backend("direct", suggest=False, propose=[{"tasks": [entry]}])
    found = made.propose(wide, ABILITIES, 5)
    assert found.tasks == ()
    assert [each.reason for each in found.rejected] == [reason]


def test_an_imagined_object_costs_only_its_own_proposal():
    tasks = [proposal("o1", "o2"), proposal("o9", "o2"), proposal("o5", "o2", "inside")]
    made, model = backend(
        "direct", suggest=False, propose=[{"tasks": tasks}, {"tasks": [proposal("o9", "o1")]}]
    )
    found = made.propose(scene(), ABILITIES, 5)
    assert [task.object_ids for task in found.tasks] == [("o1",)]
    assert [(each.object_id, each.reason) for each in found.rejected] == [
        ("o9", "unknown_word"),
        ("o5", "unknown_word"),
        ("o9", "unknown_word"),
    ]
    assert "there is no object o9; there is: o1, o2" in model.prompt("propose")
    assert "place 'inside' is none of on, left" in model.prompt("propose")
    assert model.turns == ["propose", "propose"]


def test_proposals_that_cannot_be_read_at_all_are_an_error():
    made, model = backend("direct", propose=["no idea"])
    with pytest.raises(ReplyFormatError, match="no JSON object"):
        made.propose(scene(), ABILITIES, 5)
    assert len(model.calls) == 3


def test_out_of_reach_is_seen():
    far = make_scene(make_object("o1", at=(0.82, 0.4)), make_object("o2", "blue", "box", (0.1, 0.07, 0.06)))
    made, _ = backend("direct", suggest=False, propose=[{"tasks": [proposal("o1", "o2")]}])
    assert made.propose(far, ABILITIES).rejected[0].reason == "out_of_reach"


def test_beside_is_a_task_as_well_and_its_place_is_computed():
    made, _ = backend(
        "direct", suggest=False, propose=[{"tasks": [proposal("o4", "o2", "left", "Roll o4 to o2.")]}]
    )
    (task,) = made.propose(scene(), ABILITIES).tasks
    assert task.steps[1].action == "place_in_area"
    assert task.steps[1].area[:, 1].max() < scene().object("o2").centre[1]
    assert task.description == "Roll yellow ball to blue box."


def test_so_many_tasks_per_object():
    tasks = [proposal("o1", "o2"), proposal("o1", "o3"), proposal("o1", "o2", "left"), proposal("o5", "o2")]
    made, model = backend("direct", suggest=False, per_object=2, propose=[{"tasks": tasks}])
    found = made.propose(scene(), ABILITIES, 10)
    assert [task.steps[0].object_id for task in found.tasks] == ["o1", "o1", "o5"]
    assert "Propose 2 different tasks for each of the objects" in model.prompt("propose")
