# SPDX-License-Identifier: Apache-2.0
"""Objects are found again under other ids, and strangers are not taken for them."""

from __future__ import annotations

import numpy as np
import pytest
from execution_scenes import COLORS, make_object, make_scene, stack_task
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.execution import match_objects, translate_task


@settings(max_examples=40, deadline=None)
@given(st.permutations(list(COLORS)), st.integers(0, 2**31))
def test_colours_survive_shuffled_ids_noise_and_one_long_move(order, seed):
    rng = np.random.default_rng(seed)
    before = make_scene(
        *(make_object(f"o{i}", c, (0.3 + 0.1 * i, 0.1 * i - 0.2, 0.02)) for i, c in enumerate(COLORS))
    )
    moved = int(rng.integers(len(order)))
    after = []
    for index, color in enumerate(order):
        home = before.objects[list(COLORS).index(color)].centre
        centre = (
            rng.uniform((0.3, -0.3, 0.02), (0.7, 0.3, 0.2))
            if index == moved
            else home + rng.normal(0, 0.003, 3)
        )
        after.append(make_object(f"o{index}", color, centre, 0.04 + rng.normal(0, 0.003, 3)))
    found = match_objects(before, make_scene(*after))
    assert {key: item.color for key, item in found.items()} == {o.id: o.color for o in before.objects}


def test_twins_are_told_apart_by_where_they_may_be():
    before = make_scene(make_object("a", "red", (0.4, 0.2, 0.02)), make_object("b", "red", (0.4, -0.2, 0.02)))
    after = make_scene(make_object("x", "red", (0.4, 0.2, 0.02)), make_object("y", "red", (0.7, 0.0, 0.08)))
    found = match_objects(before, after, {"b": [np.array([0.7, 0.0, 0.08])]})
    assert {key: item.id for key, item in found.items()} == {"a": "x", "b": "y"}


def test_a_stranger_is_no_match():
    before = make_scene(make_object("a", "red", (0.4, 0.2, 0.02)))
    after = make_scene(make_object("x", "green", (0.4, -0.2, 0.1), (0.1, 0.1, 0.2), shape="cylinder"))
    assert match_objects(before, after) == {}


def test_empty_scenes():
    scene = make_scene(make_object("a", "red", (0.4, 0.2, 0.02)))
    assert match_objects(scene, make_scene()) == {}
    assert match_objects(make_scene(), scene) == {}


def test_darker_light_does_not_change_who_is_who():
    before = make_scene(
        make_object("a", "red", (0.4, 0.2, 0.02)), make_object("b", "blue", (0.4, -0.2, 0.02))
    )
    dark = [make_object("p", "blue", (0.5, 0.2, 0.02)), make_object("q", "red", (0.5, -0.2, 0.02))]
    after = make_scene(*dark)
    found = match_objects(before, after)
    assert {key: item.id for key, item in found.items()} == {"a": "q", "b": "p"}


def test_a_task_follows_its_objects_into_another_scene():
    before = make_scene(
        make_object("o1", "red", (0.4, 0.2, 0.02)), make_object("o2", "blue", (0.4, -0.2, 0.02))
    )
    after = make_scene(
        make_object("o1", "blue", (0.4, -0.2, 0.02)), make_object("o2", "red", (0.4, 0.2, 0.02))
    )
    task = translate_task(stack_task(), match_objects(before, after))
    assert [(step.object_id, step.target_id) for step in task.steps] == [("o2", ""), ("o2", "o1")]


def test_a_task_whose_object_is_gone_cannot_follow():
    before = make_scene(
        make_object("o1", "red", (0.4, 0.2, 0.02)), make_object("o2", "blue", (0.4, -0.2, 0.02))
    )
    after = make_scene(make_object("o1", "blue", (0.4, -0.2, 0.02)))
    with pytest.raises(UnknownNameError, match="o1"):
        translate_task(stack_task(), match_objects(before, after))
