# SPDX-License-Identifier: Apache-2.0
"""Verdicts on scenes that show what was meant, something else, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from execution_scenes import make_object, make_scene, pick_task, stack_task

from spatialpin_ros.execution import judge
from spatialpin_ros.geometry import Pose
from spatialpin_ros.task import Task, TaskStep

RED = make_object("o1", "red", (0.4, -0.1, 0.02))
BLUE = make_object("o2", "blue", (0.6, 0.1, 0.03), (0.08, 0.08, 0.06))
BEFORE = make_scene(RED, BLUE)
EXPECTED = {"o1": Pose((0.6, 0.1, 0.08))}


def blue(key="x2", centre=(0.6, 0.1, 0.03)):
    return make_object(key, "blue", centre, (0.08, 0.08, 0.06))


def red(centre, key="x1", on="table"):
    return make_object(key, "red", centre, on=on)


def test_stacked_with_other_ids_and_small_errors():
    after = make_scene(blue("o1"), red((0.605, 0.097, 0.083), "o2", on="o1"))
    verdict = judge(stack_task(), BEFORE, after, expected=EXPECTED)
    assert verdict.success
    assert verdict.level == "stacked"
    assert verdict.measurements["horizontal_offset_m"] == pytest.approx(np.hypot(0.005, 0.003), abs=1e-9)
    assert verdict.measurements["height_error_m"] == pytest.approx(0.003, abs=1e-9)
    assert verdict.measurements["supported_by_target"] == 1.0


def test_claimed_relation_does_not_make_a_stack():
    after = make_scene(blue(), red((0.45, 0.1, 0.02), on="x2"))
    verdict = judge(stack_task(), BEFORE, after, expected=EXPECTED)
    assert not verdict.success
    assert verdict.reason == "not_on_target"
    assert verdict.level == "picked"


def test_leaning_beside_the_target_is_contact():
    after = make_scene(blue(), red((0.6 - 0.062, 0.1, 0.02)))
    verdict = judge(stack_task(), BEFORE, after, expected=EXPECTED)
    assert (verdict.level, verdict.reason) == ("contacted", "not_on_target")


def test_nothing_moved_is_a_missed_grasp():
    verdict = judge(stack_task(), BEFORE, make_scene(blue(), red((0.402, -0.1, 0.02))), expected=EXPECTED)
    assert (verdict.level, verdict.reason) == ("none", "grasp_missed")


def test_object_gone_is_said_with_what_there_is():
    verdict = judge(stack_task(), BEFORE, make_scene(blue()))
    assert (verdict.level, verdict.reason) == ("none", "object_lost")
    assert "blue" in verdict.message


def test_target_gone():
    verdict = judge(stack_task(), BEFORE, make_scene(red((0.6, 0.1, 0.02))))
    assert verdict.reason == "object_lost"
    assert BLUE.name in verdict.message


def test_hovering_above_the_target_is_no_stack():
    verdict = judge(stack_task(), BEFORE, make_scene(blue(), red((0.6, 0.1, 0.15))))
    assert not verdict.success


def test_disturbed_bystanders_are_counted():
    green = make_object("o3", "green", (0.5, 0.3, 0.02))
    pushed = make_object("x3", "green", (0.5, 0.34, 0.02))
    verdict = judge(
        stack_task(), make_scene(RED, BLUE, green), make_scene(blue(), red((0.6, 0.1, 0.08), on="x2"), pushed)
    )
    assert verdict.success
    assert verdict.measurements["disturbed_objects"] == 1.0


@pytest.mark.parametrize(
    ("centre", "held", "level", "reason"),
    [
        ((0.4, -0.1, 0.15), True, "picked", ""),
        ((0.4, -0.1, 0.15), None, "picked", ""),
        ((0.4, -0.1, 0.02), False, "none", "grasp_missed"),
        ((0.4, -0.03, 0.02), False, "none", "dropped"),
    ],
)
def test_pick_only(centre, held, level, reason):
    verdict = judge(pick_task(), BEFORE, make_scene(blue(), red(centre)), held=held)
    assert (verdict.level, verdict.reason) == (level, reason)


@pytest.mark.parametrize(("held", "level"), [(True, "picked"), (False, "none"), (None, "none")])
def test_pick_of_an_object_hidden_in_the_hand_needs_the_gripper_as_witness(held, level):
    verdict = judge(pick_task(), BEFORE, make_scene(blue()), held=held)
    assert verdict.level == level
    assert verdict.success == (level == "picked")


@pytest.mark.parametrize(
    ("centre", "level", "reason"),
    [
        ((0.5, 0.3, 0.02), "placed", ""),
        ((0.5, 0.36, 0.02), "placed", ""),
        ((0.5, 0.39, 0.02), "picked", "not_in_area"),
        ((0.5, 0.3, 0.12), "picked", "not_in_area"),
        ((0.4, -0.1, 0.02), "none", "grasp_missed"),
    ],
)
def test_place_in_area(centre, level, reason):
    area = [[0.45, 0.25], [0.55, 0.25], [0.55, 0.35], [0.45, 0.35]]
    task = Task(
        "t", "clear", (TaskStep("pick", "o1"), TaskStep("place_in_area", "o1", "table", np.array(area)))
    )
    on = "x2" if centre[2] > 0.1 else "table"
    verdict = judge(task, BEFORE, make_scene(blue(), red(centre, on=on)))
    assert (verdict.level, verdict.reason) == (level, reason)


def test_second_stack_of_a_tower_decides_when_the_first_is_right():
    green = make_object("o3", "green", (0.4, 0.2, 0.02))
    steps = (
        TaskStep("pick", "o1"),
        TaskStep("place_on", "o1", "o2"),
        TaskStep("pick", "o3"),
        TaskStep("place_on", "o3", "o1"),
    )
    task = Task("tower", "tower", steps)
    good = make_scene(
        blue(), red((0.6, 0.1, 0.08), on="x2"), make_object("x3", "green", (0.6, 0.1, 0.12), on="x1")
    )
    bad = make_scene(blue(), red((0.6, 0.1, 0.08), on="x2"), make_object("x3", "green", (0.6, 0.2, 0.02)))
    before = make_scene(RED, BLUE, green)
    assert judge(task, before, good).success
    assert judge(task, before, bad).reason == "not_on_target"


def body(height, centre=(0.6, 0.1), bottom=0.0):
    """What perception makes of two objects of one colour that it cannot tell apart."""
    return make_object("x1", "blue", (*centre, bottom + height / 2.0), (0.08, 0.08, height))


def judged_as_one(seen, color="blue"):
    before = make_scene(make_object("o1", color, (0.4, -0.1, 0.02)), BLUE)
    return judge(stack_task(), before, make_scene(seen), expected=EXPECTED)


def test_one_body_as_high_as_both_in_the_targets_place_is_a_stack():
    verdict = judged_as_one(body(0.103))
    assert verdict.success
    assert verdict.level == "stacked"
    assert verdict.measurements["height_error_m"] == pytest.approx(0.003)
    assert "one body" in verdict.message


@pytest.mark.parametrize("seen", [body(0.06), body(0.12), body(0.10, (0.66, 0.1)), body(0.10, bottom=0.03)])
def test_one_body_of_another_height_or_place_is_not_a_stack(seen):
    verdict = judged_as_one(seen)
    assert not verdict.success
    assert verdict.reason == "object_lost"


def test_objects_of_different_colours_are_never_taken_for_one_body():
    assert judged_as_one(body(0.10), color="red").reason == "object_lost"
