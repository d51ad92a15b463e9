# SPDX-License-Identifier: Apache-2.0
"""What RViz shows of scenes and plans."""

from __future__ import annotations

import numpy as np
import pytest
from message_samples import (
    make_plan,
    over_the_wire,
)

pytest.importorskip("rclpy")


from spatialpin_ros import conversions as cv
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.scene import Scene, SceneObject, SupportSurface


def test_markers_show_every_object_and_delete_the_old_ones():
    box = OrientedBox(Pose((0.5, 0.0, 0.1)), np.array([0.1, 0.2, 0.2]))
    red = np.array([255, 0, 0], dtype=np.uint8)
    item = SceneObject("o1", "red block", "block", "red", red, "box", box)
    table = SupportSurface("table", Pose(), [[0, 0], [1, 0], [1, 1]])
    markers = cv.scene_to_markers(Scene((table,), (item,), Pose())).markers
    assert markers[0].action == markers[0].DELETEALL
    solid, text = markers[1], markers[2]
    assert (solid.type, solid.scale.y, solid.color.r) == (solid.CUBE, 0.2, 1.0)
    assert text.text == "red block"
    assert text.pose.position.z > box.top_z
    assert len({(marker.ns, marker.id) for marker in markers[1:]}) == len(markers) - 1


def test_cloud_of_a_scene_holds_all_points():
    item = SceneObject(
        "o1",
        "a",
        "a",
        "red",
        np.array([255, 0, 0], dtype=np.uint8),
        "box",
        OrientedBox(Pose(), np.ones(3)),
        points=np.ones((4, 3), dtype=np.float32),
    )
    table = SupportSurface("table", Pose(), [[0, 0], [1, 0], [1, 1]])
    scene = Scene((table,), (item,), Pose(), unexplained=np.zeros((2, 3), dtype=np.float32))
    points, colors = cv.points_from_msg(cv.scene_to_cloud(scene))
    assert len(points) == 6
    assert colors[0].tolist() == [255, 0, 0]
    assert colors[-1].tolist() == [128, 128, 128]


def test_plan_for_display_is_one_increasing_trajectory_and_a_path():
    plan = make_plan()
    trajectory = cv.trajectory_from_msg(over_the_wire(cv.plan_to_trajectory(plan)))
    assert trajectory.duration_s == pytest.approx(plan.duration_s, abs=1e-6)
    np.testing.assert_array_equal(trajectory.positions[-1], plan.stages[-1].trajectory.positions[-1])
    path = cv.plan_to_path(plan)
    assert len(path.poses) == len(plan.waypoints)
    assert path.header.frame_id == "base"
    lines = [marker for marker in cv.plan_to_markers(plan).markers if marker.ns == "stages"]
    assert len(lines) == 2
    assert len(lines[0].points) == 3
