# SPDX-License-Identifier: Apache-2.0
"""Scenes survive the way into a message, through the wire format, and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from message_samples import (
    SETTINGS,
    close,
    over_the_wire,
    scenes,
)

pytest.importorskip("rclpy")


from spatialpin_ros import conversions as cv
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.scene import Scene, SupportSurface


@SETTINGS
@given(scenes())
def test_scene(scene):
    close(cv.scene_from_msg(over_the_wire(cv.scene_to_msg(scene))).to_dict(), scene.to_dict())


def test_where_the_depth_came_from_goes_with_the_scene():
    table = SupportSurface("table", Pose(), np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    scene = Scene((table,), (), Pose(), depth_source="estimated")
    assert cv.scene_from_msg(over_the_wire(cv.scene_to_msg(scene))).depth_source == "estimated"
    assert Scene.from_dict(scene.to_dict()).depth_source == "estimated"
    old = cv.scene_to_msg(scene)
    old.depth_source = ""
    assert cv.scene_from_msg(old).depth_source == "measured"
    with pytest.raises(InvalidValueError, match="guessed"):
        replace(scene, depth_source="guessed")
