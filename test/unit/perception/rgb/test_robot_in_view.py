# SPDX-License-Identifier: Apache-2.0
"""The robot in a picture without depth is left out, although estimated depth puts it a little beside itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from spatialpin_ros.perception.configuration import PerceptionConfig
from spatialpin_ros.perception.learned import Modules
from spatialpin_ros.perception.perceive import ColorView, Perception
from spatialpin_ros.robot_body import ConvexPart, RobotBody


@pytest.fixture
def seen(know, bodies):
    named = {
        "cube": bodies["box"](0.45, 0.15, (0.06, 0.06, 0.06), (200, 30, 30)),
        "arm": bodies["box"](0.55, -0.15, (0.08, 0.08, 0.2), (230, 230, 230)),
    }
    known = know(named, depth_scale=1.02)
    return known, ColorView(known.frame.color, known.frame.intrinsics, known.frame.base_T_camera)


def body_of(box):
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    hull = ConvexHull(box.pose.position + 0.5 * np.array(box.size) * signs)
    return RobotBody((ConvexPart("arm", hull.points, hull.equations[:, :3], -hull.equations[:, 3]),))


def test_the_robot_is_left_out_of_a_scene_with_estimated_depth(seen, bodies, options):
    known, view = seen
    perception = Perception(PerceptionConfig(), options.workspace, modules=Modules(depth=known.depth))
    assert len(perception.colored(view).scene.objects) == 2
    arm = body_of(bodies["box"](0.55, -0.15, (0.08, 0.08, 0.2), (230, 230, 230)))
    scene = perception.colored(view, robot=arm).scene
    assert [item.color for item in scene.objects] == ["red"]
    assert np.linalg.norm(scene.unexplained[:, :2] - (0.55, -0.15), axis=1).min(initial=1.0) > 0.1
    assert scene.depth_source == "estimated"
