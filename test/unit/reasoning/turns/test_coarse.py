# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from scenes import five_blocks, make_object, make_scene, table

from spatialpin_ros.geometry import Pose
from spatialpin_ros.reasoning.turns import coarse

VERDICT = {"visual_cues": "a", "spatial_data": "b"}


def looking(tilt_deg):
    """A camera 1 m from the origin whose line of sight is so many degrees below the horizon."""
    tilt = np.radians(tilt_deg)
    return Pose.looking_at((np.cos(tilt), 0.0, np.sin(tilt)), (0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("tilt_deg", "word"),
    [
        (0.0, "horizontal"),
        (45.0, "horizontal"),
        (80.0, "top-down"),
        (-80.0, "bottom-up"),
        (-30.0, "horizontal"),
    ],
)
def test_the_true_perspective_is_the_cameras_tilt(tilt_deg, word):
    said, measured = coarse.true_perspective(looking(tilt_deg))
    assert (said, round(measured, 6)) == (word, tilt_deg)


@pytest.mark.parametrize(
    ("tilt_deg", "said", "agrees"),
    [
        (41.0, "horizontal", True),
        (41.0, "top-down", False),
        (55.0, "top-down", True),
        (65.0, "horizontal", True),
        (75.0, "horizontal", False),
        (75.0, "bottom-up", False),
    ],
)
def test_a_wrong_verdict_is_reported_unless_it_is_a_close_call(tilt_deg, said, agrees):
    scene = make_scene(make_object(), base_T_camera=looking(tilt_deg))
    view = coarse.judge(scene, {**VERDICT, "perspective": said})
    assert view.agrees is agrees
    assert bool(view.finding) is not agrees
    if not agrees:
        assert said in view.finding
        assert view.true in view.finding


def test_no_verdict_leaves_the_truth():
    view = coarse.judge(five_blocks(), None)
    assert (view.true, view.agrees, view.finding) == ("horizontal", True, "")


def test_extents_are_the_viewers():
    scene = make_scene(
        make_object("o1", size=(0.05, 0.05, 0.20), at=(0.4, 0.1)),
        supports=(table((0.2, 0.6), (-0.3, 0.5)),),
    )
    size = coarse.extents(scene)
    assert size.size_cm == (80.0, 40.0, 20.0)
    assert (size.low_cm, size.high_cm) == ((-40.0, -20.0, 0.0), (40.0, 20.0, 20.0))


def test_looking_straight_down_the_scene_is_shallow():
    down = Pose.looking_at((0.5, 0.0, 1.5), (0.5, 0.0, 0.0), up=(-1.0, 0.0, 0.0))
    scene = make_scene(make_object("o1", size=(0.05, 0.05, 0.08)), base_T_camera=down)
    assert coarse.extents(scene).camera_size_cm[2] == pytest.approx(8.0)
