# SPDX-License-Identifier: Apache-2.0
"""When a scene is not good enough to move an arm on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from execution_scenes import make_object, make_scene, stack_task

from spatialpin_ros.doubts import doubts_about

SCENE = make_scene(
    make_object("o1", "red", (0.4, -0.1, 0.02)),
    make_object("o2", "blue", (0.6, 0.1, 0.03), (0.08, 0.08, 0.06)),
    make_object("o3", "green", (0.5, 0.3, 0.02)),
)


def with_confidence(**values):
    objects = tuple(replace(item, confidence=values.get(item.id, 1.0)) for item in SCENE.objects)
    return replace(SCENE, objects=objects)


def test_a_clear_scene_with_measured_depth_leaves_no_doubt():
    assert doubts_about(SCENE, stack_task()) == ()


def test_estimated_depth_is_doubted_unless_allowed():
    guessed = replace(SCENE, depth_source="estimated")
    assert "estimated" in doubts_about(guessed, stack_task())[0]
    assert doubts_about(guessed, stack_task(), allow_estimated_depth=True) == ()


@pytest.mark.parametrize("key", ["o1", "o2"])
def test_what_is_moved_and_what_carries_it_must_be_recognised(key):
    (doubt,) = doubts_about(with_confidence(**{key: 0.2}), stack_task())
    assert SCENE.object(key).name in doubt
    assert doubts_about(with_confidence(**{key: 0.2}), stack_task(), 0.1) == ()


def test_other_objects_do_not_matter():
    assert doubts_about(with_confidence(o3=0.0), stack_task()) == ()
