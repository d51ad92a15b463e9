# SPDX-License-Identifier: Apache-2.0
"""What changed between two scenes, as a message."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from execution_scenes import make_object, make_scene

pytest.importorskip("rclpy")

from spatialpin_interfaces.msg import ObjectChange

from spatialpin_ros.conversions import changes_to_msg
from spatialpin_ros.perception.tracking import SceneTracker, describe_changes


def told(tracker, scene):
    tracked = tracker.update(scene)
    message = changes_to_msg(
        tracked.changes, tracked.scene, describe_changes(tracked.changes), tracked.returned
    )
    return message, {(change.kind, change.name) for change in message.changes}


def test_every_kind_of_change_is_told_with_its_poses():
    red, blue = make_object("a", "red", (0.4, -0.1, 0.02)), make_object("b", "blue", (0.6, 0.1, 0.02))
    tracker = SceneTracker()
    scenes = [
        replace(make_scene(*objects), stamp_s=float(k))
        for k, objects in enumerate([(red, blue), (red,), (make_object("a", "red", (0.5, -0.1, 0.02)), blue)])
    ]
    _, kinds = told(tracker, scenes[0])
    assert {kind for kind, _ in kinds} == {ObjectChange.APPEARED}
    assert len(kinds) == 2
    second, kinds = told(tracker, scenes[1])
    assert [kind for kind, _ in kinds] == [ObjectChange.VANISHED]
    gone = second.changes[0]
    assert gone.before.position.x == pytest.approx(0.6)
    third, kinds = told(tracker, scenes[2])
    assert {kind for kind, _ in kinds} == {ObjectChange.RETURNED, ObjectChange.MOVED}
    moved = next(change for change in third.changes if change.kind == ObjectChange.MOVED)
    assert moved.distance_m == pytest.approx(0.1)
    assert (moved.before.position.x, moved.after.position.x) == pytest.approx((0.4, 0.5))
    assert math.isnan(moved.turn_rad) or moved.turn_rad < 0.01
    back = next(change for change in third.changes if change.kind == ObjectChange.RETURNED)
    assert back.id == gone.id
    assert third.header.frame_id == scenes[2].base_frame
    assert "moved" in third.text


def test_nothing_changed_is_an_empty_message():
    scene = make_scene(make_object("a", "red", (0.4, -0.1, 0.02)))
    tracker = SceneTracker()
    told(tracker, scene)
    message, kinds = told(tracker, replace(scene, stamp_s=1.0))
    assert kinds == set()
    assert message.text == ""
