# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import make_object, make_scene
from scripted_model import photo

from spatialpin_ros.camera import ImageMask, Intrinsics
from spatialpin_ros.changes import SceneHistory, compare
from spatialpin_ros.geometry import Pose
from spatialpin_ros.scene import Scene, SceneObject


def test_tells_moved_turned_appeared_and_vanished_apart() -> None:
    before = make_scene(
        make_object("o1", "red", "cube"),
        make_object("o2", "blue", "box", (0.04, 0.06, 0.09), (0.6, 0.2)),
        make_object("o3", "green", "cylinder", (0.05, 0.05, 0.09), (0.4, -0.2)),
        make_object("o4", "yellow", "box", (0.03, 0.05, 0.08), (0.4, 0.2)),
    )
    after = make_scene(
        make_object("o1", "green", "cylinder", (0.05, 0.05, 0.09), (0.4, -0.2)),
        make_object("o2", "red", "cube", at=(0.5, 0.12)),
        make_object("o3", "blue", "box", (0.04, 0.06, 0.09), (0.6, 0.2), yaw_rad=np.deg2rad(25.0)),
        make_object("o4", "purple", "cube", at=(0.62, -0.2)),
    )
    changes = compare(before, after)
    assert [(c.before.id, c.after.id) for c in changes.kept] == [("o1", "o2"), ("o2", "o3"), ("o3", "o1")]
    assert [c.before.id for c in changes.moved] == ["o1"]
    assert changes.moved[0].distance_m == pytest.approx(0.12)
    assert [c.before.id for c in changes.turned] == ["o2"]
    assert np.degrees(changes.turned[0].turn_rad) == pytest.approx(25.0)
    assert [item.id for item in changes.appeared] == ["o4"]
    assert [item.id for item in changes.vanished] == ["o4"]


def test_a_new_box_is_not_the_cube_of_its_colour_that_went() -> None:
    before = make_scene(make_object("o1", "green", "cube"))
    after = make_scene(make_object("o1", "green", "box", (0.03, 0.06, 0.09), (0.45, 0.25)))
    changes = compare(before, after)
    assert not changes.kept
    assert changes.appeared
    assert changes.vanished


def test_nothing_changed() -> None:
    scene = make_scene(make_object("o1"), make_object("o2", "blue", at=(0.6, 0.2)))
    changes = compare(scene, scene)
    assert not changes


CAMERA = Intrinsics.from_vertical_fov(640, 480, np.deg2rad(42.0))


def seen_above(x_m: float, *objects: SceneObject) -> Scene:
    """A look straight down from 0.6 m, which shows 0.46 m along x."""
    down = Pose.looking_at((x_m, 0.0, 0.6), (x_m, 0.0, 0.0), up=(1.0, 0.0, 0.0))
    return make_scene(*objects, base_T_camera=down, intrinsics=CAMERA)


def test_what_the_second_look_does_not_show_has_neither_vanished_nor_become_its_like() -> None:
    near, far = make_object("o1", at=(0.3, 0.0)), make_object("o1", at=(0.8, 0.0))
    changes = compare(seen_above(0.3, near), seen_above(0.8, far))
    assert [item.id for item in changes.out_of_view] == ["o1"]
    assert changes.appeared == (far,)
    assert not changes.vanished
    assert not changes.kept
    gone = compare(seen_above(0.3, near), seen_above(0.3))
    assert gone.vanished == (near,)


def test_what_went_within_the_view_has_moved() -> None:
    before, after = make_object("o1", at=(0.3, -0.1)), make_object("o1", at=(0.3, 0.1))
    assert compare(seen_above(0.3, before), seen_above(0.3, after)).moved


def test_what_the_edge_of_the_image_cuts_off_has_not_moved() -> None:
    whole = make_object("o1", "red", "box", (0.12, 0.05, 0.05), (0.55, 0.0))
    mask = ImageMask(np.ones((60, 60), dtype=np.bool_), (0, 290))
    part = make_object("o1", "red", "box", (0.09, 0.05, 0.05), (0.535, 0.0), mask=mask)
    kept = compare(seen_above(0.55, whole), seen_above(0.35, part)).kept
    assert [change.moved for change in kept] == [False]
    further = replace(part, box=replace(part.box, pose=Pose.from_yaw((0.50, 0.0, 0.025), 0.0)))
    assert compare(seen_above(0.55, whole), seen_above(0.35, further)).moved


def test_history_finds_the_newest_scene_that_looked_different() -> None:
    first = make_scene(make_object("o1"))
    moved = make_scene(make_object("o1", at=(0.6, 0.1)))
    again = make_scene(make_object("o1", at=(0.601, 0.1)))
    history = SceneHistory()
    assert history.before(first) is None
    for scene in (first, moved, again):
        history.remember(scene)
    assert history.before(again) is first
    assert history.before(first) is moved
    alone = SceneHistory()
    alone.remember(first)
    assert alone.before(first) is first


def test_history_keeps_the_image_of_what_it_keeps() -> None:
    first, moved = make_scene(make_object("o1")), make_scene(make_object("o1", at=(0.6, 0.1)))
    history, image = SceneHistory(), photo()
    history.remember(first, image)
    history.remember(make_scene(make_object("o1")), photo())
    history.remember(moved)
    assert history.image_of(history.before(moved)) is image
    assert history.image_of(moved) is None
    assert history.image_of(None) is None
