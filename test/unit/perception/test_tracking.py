# SPDX-License-Identifier: Apache-2.0
"""Identities over time: who is who after things moved, went and came back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import make_object, make_scene

from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception import reconstruct
from spatialpin_ros.perception.tracking import SceneTracker, describe_changes

RED, GREEN, BLUE = (200, 30, 30), (30, 150, 50), (30, 60, 200)


def at(stamp_s: float, *objects):
    return make_scene(*objects, stamp_s=stamp_s)


def above(x_m: float, stamp_s: float, *objects):
    """A look straight down from 0.6 m, which shows 0.46 m along x."""
    down = Pose.looking_at((x_m, 0.0, 0.6), (x_m, 0.0, 0.0), up=(1.0, 0.0, 0.0))
    camera = Intrinsics.from_vertical_fov(640, 480, np.deg2rad(42.0))
    return make_scene(*objects, stamp_s=stamp_s, base_T_camera=down, intrinsics=camera)


def red(key: str = "o1", xy=(0.5, -0.1), **more):
    return make_object(key, "red", "cube", at=xy, **more)


def blue(key: str = "o2", xy=(0.5, 0.2), **more):
    return make_object(key, "blue", "box", (0.08, 0.05, 0.04), at=xy, **more)


def test_first_scene_has_only_appearances():
    tracked = SceneTracker().update(at(0.0, red(), blue()))
    assert [item.id for item in tracked.scene.objects] == ["o1", "o2"]
    assert {item.name for item in tracked.changes.appeared} == {"red cube", "blue box"}
    assert not tracked.changes.kept
    assert not tracked.changes.vanished


def test_ids_stay_when_perception_counts_in_another_order_and_supporters_follow():
    tracker = SceneTracker()
    tracker.update(at(0.0, red(), blue()))
    moved = at(1.0, blue("o1", (0.5, -0.3)), red("o2", (0.5, -0.3), bottom_z=0.04, supported_by="o1"))
    tracked = tracker.update(moved)
    assert {item.name: item.id for item in tracked.scene.objects} == {"red cube": "o1", "blue box": "o2"}
    assert tracked.scene.object("o1").supported_by == "o2"
    distances = {change.after.id: change.distance_m for change in tracked.changes.moved}
    assert distances["o2"] == pytest.approx(0.5, abs=1e-9)
    assert "moved: " in describe_changes(tracked.changes)
    assert "blue box by 0.50 m" in describe_changes(tracked.changes)


def test_what_a_moving_camera_leaves_out_of_view_is_itself_when_it_is_seen_again():
    near, far = red("o1", (0.3, 0.0)), red("o1", (0.8, 0.0))
    tracker = SceneTracker()
    first, away, again, both_gone = (
        tracker.update(above(x_m, stamp_s, *objects))
        for stamp_s, (x_m, *objects) in enumerate([(0.3, near), (0.8, far), (0.3, near), (0.3,)])
    )
    assert [item.id for item in first.scene.objects] == ["o1"]
    assert [item.id for item in away.scene.objects] == ["o2"]
    assert not away.changes.vanished
    assert [item.id for item in again.scene.objects] == ["o1"]
    assert not again.changes
    assert [item.id for item in both_gone.changes.vanished] == ["o1"]


def test_two_alike_are_told_apart_by_where_they_stand():
    tracker = SceneTracker()
    tracker.update(at(0.0, red("o1", (0.4, -0.2), name="left"), red("o2", (0.4, 0.2), name="right")))
    tracked = tracker.update(at(1.0, red("o1", (0.4, 0.21), name="a"), red("o2", (0.4, -0.19), name="b")))
    assert {item.name: item.id for item in tracked.scene.objects} == {"a": "o2", "b": "o1"}


def test_an_id_is_never_given_to_another_object():
    tracker = SceneTracker()
    tracker.update(at(0.0, red(), blue()))
    gone = tracker.update(at(1.0, blue("o1")))
    assert [item.id for item in gone.changes.vanished] == ["o1"]
    green = make_object("o2", "green", "cylinder", (0.05, 0.05, 0.1), at=(0.4, 0.0))
    tracked = tracker.update(at(2.0, blue("o1"), green))
    assert {item.color: item.id for item in tracked.scene.objects} == {"blue": "o2", "green": "o3"}
    assert [item.id for item in tracked.changes.appeared] == ["o3"]


def test_what_was_hidden_for_a_while_comes_back_as_itself():
    tracker = SceneTracker()
    tracker.update(at(0.0, red(), blue()))
    tracker.update(at(1.0, blue("o1")))
    tracked = tracker.update(at(2.0, blue("o1"), red("o2", (0.51, -0.1))))
    assert tracked.scene.named("red cube").id == "o1"
    assert tracked.returned == {"o1"}
    assert [item.id for item in tracked.changes.appeared] == ["o1"]


def test_what_was_gone_for_long_is_new():
    tracker = SceneTracker(forget_after_s=10.0)
    tracker.update(at(0.0, red()))
    tracker.update(at(1.0))
    tracker.update(at(12.0))
    tracked = tracker.update(at(13.0, red()))
    assert tracked.scene.objects[0].id == "o2"
    assert not tracked.returned


def test_time_that_goes_back_starts_anew_with_fresh_ids():
    tracker = SceneTracker()
    tracker.update(at(50.0, red()))
    tracked = tracker.update(at(1.0, red()))
    assert tracked.scene.objects[0].id == "o2"
    assert not tracked.changes.kept


def test_another_base_frame_is_refused_until_reset():
    tracker = SceneTracker()
    tracker.update(at(0.0, red()))
    other = replace(at(1.0, red()), base_frame="map")
    with pytest.raises(InvalidValueError, match="'map' after scenes in 'base'"):
        tracker.update(other)
    tracker.reset()
    assert tracker.update(other).scene.objects[0].id == "o2"


def test_empty_scenes_are_tracked_too():
    tracker = SceneTracker()
    assert not tracker.update(at(0.0)).changes.appeared
    assert not describe_changes(tracker.update(at(1.0)).changes)


def test_ids_survive_perceived_motion(cast, bodies, options):
    tracker, rng = SceneTracker(), np.random.default_rng(1)
    spots = {RED: (0.42, -0.2), GREEN: (0.55, 0.0), BLUE: (0.45, 0.2)}
    ids: dict[str, str] = {}
    for frame_number in range(4):
        shapes = [bodies["box"](*spots[rgb], (0.05, 0.05, 0.05), rgb, yaw=0.3) for rgb in spots]
        scene = replace(reconstruct(cast(shapes, noise_m=0.0015), options), stamp_s=float(frame_number))
        seen = {item.color: item.id for item in tracker.update(scene).scene.objects}
        ids = ids or seen
        assert seen == ids
        spots = {rgb: (x + rng.uniform(-0.03, 0.03), y + 0.02) for rgb, (x, y) in spots.items()}
