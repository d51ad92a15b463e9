# SPDX-License-Identifier: Apache-2.0
"""Scenes rebuilt from exact frames: what is found, how exactly, and what must not be found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import PerceptionError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception import PerceptionOptions, reconstruct

RED, GREEN, BLUE, YELLOW = (200, 30, 30), (30, 150, 50), (30, 60, 200), (235, 205, 30)


def _yaw_error_deg(found, true_rad, period_deg):
    error = np.degrees(found.box.pose.yaw_rad - true_rad)
    return abs((error + period_deg / 2) % period_deg - period_deg / 2)


@pytest.mark.parametrize(("noise", "tolerance"), [(0.0, 0.0015), (0.0017, 0.004)])
def test_separate_objects_are_found_measured_and_named(cast, bodies, options, noise, tolerance):
    red = bodies["box"](0.45, -0.2, (0.05, 0.05, 0.05), RED, yaw=0.5)
    blue = bodies["box"](0.55, 0.15, (0.12, 0.06, 0.04), BLUE, yaw=-0.3)
    green = bodies["cylinder"](0.40, 0.0, 0.06, 0.08, GREEN)
    scene = reconstruct(cast([red, blue, green], noise_m=noise), options)
    assert sorted(scene.names) == ["blue block", "green cylinder", "red cube"]
    for name, body in (("red cube", red), ("green cylinder", green)):
        found = scene.named(name)
        np.testing.assert_allclose(found.centre, body.pose.position, atol=tolerance)
        np.testing.assert_allclose(found.size, body.size, atol=1.5 * tolerance)
        assert found.supported_by == "table"
        assert found.confidence > 0.7
        assert found.visibility > 0.9
    block = scene.named("blue block")
    np.testing.assert_allclose(block.centre, blue.pose.position, atol=tolerance)
    np.testing.assert_allclose(np.sort(block.size), np.sort(blue.size), atol=1.5 * tolerance)
    assert _yaw_error_deg(scene.named("red cube"), 0.5, 90) < 1.5
    assert scene.named("green cylinder").shape == "cylinder"


def test_points_lie_on_the_object_and_are_few(cast, bodies, options):
    body = bodies["box"](0.5, 0.0, (0.2, 0.15, 0.1), RED)
    found = reconstruct(cast([body]), options).objects[0]
    assert 200 < len(found.points) <= options.max_points
    assert found.box.contains(found.points, margin_m=0.003).all()
    assert len(found.colors) == len(found.points)


def test_mask_covers_the_object_in_the_image(cast, bodies, options):
    with_object, without = cast([bodies["box"](0.5, 0.1, (0.06, 0.08, 0.05), RED)]), cast([])
    mask = reconstruct(with_object, options).objects[0].mask.full(with_object.size)
    true = np.abs(with_object.depth_m - without.depth_m) > 1e-4
    assert np.count_nonzero(mask & true) / np.count_nonzero(mask | true) > 0.95


def test_ball_and_lying_cylinder(cast, bodies, options):
    ball = bodies["ball"](0.45, 0.15, 0.07, RED)
    roll = bodies["lying"](0.5, -0.15, 0.05, 0.12, BLUE, yaw=0.6)
    scene = reconstruct(cast([ball, roll]), options)
    seen_ball, seen_roll = scene.named("red ball"), scene.named("blue cylinder")
    np.testing.assert_allclose(seen_ball.size, 0.07, atol=0.003)
    np.testing.assert_allclose(seen_ball.centre, ball.pose.position, atol=0.003)
    np.testing.assert_allclose(seen_roll.size, (0.05, 0.05, 0.12), atol=0.005)
    np.testing.assert_allclose(seen_roll.centre, roll.pose.position, atol=0.004)
    along = seen_roll.box.pose.axes[:, 2]
    assert abs(along @ np.array([np.cos(0.6), np.sin(0.6), 0.0])) > np.cos(np.deg2rad(3))


@pytest.mark.parametrize("top_color", [YELLOW, BLUE], ids=["two colours", "one colour"])
def test_a_stack_is_two_objects_and_knows_its_carrier(cast, bodies, options, top_color):
    base = bodies["box"](0.5, 0.05, (0.09, 0.08, 0.05), BLUE, yaw=0.3)
    top = bodies["box"](0.5, 0.05, (0.04, 0.04, 0.04), top_color, yaw=0.3, floor=0.05)
    scene = reconstruct(cast([base, top]), options)
    assert len(scene.objects) == 2
    lower, upper = sorted(scene.objects, key=lambda o: o.centre[2])
    assert upper.supported_by == lower.id
    assert lower.supported_by == "table"
    np.testing.assert_allclose(upper.centre, top.pose.position, atol=0.003)
    np.testing.assert_allclose(lower.centre, base.pose.position, atol=0.003)
    np.testing.assert_allclose(np.sort(lower.size), np.sort(base.size), atol=0.004)


def test_a_base_that_its_rider_divides_is_one_object(cast, bodies, options):
    base = bodies["box"](0.409, -0.116, (0.067, 0.078, 0.054), (250, 120, 10), yaw=0.5)
    rider = bodies["box"](0.408, -0.118, (0.063, 0.048, 0.054), BLUE, yaw=1.55, floor=0.054)
    scene = reconstruct(cast([base, rider]), options)
    assert len(scene.objects) == 2
    lower, upper = sorted(scene.objects, key=lambda o: o.centre[2])
    assert upper.supported_by == lower.id
    np.testing.assert_allclose(lower.centre, base.pose.position, atol=0.006)


def test_a_tower_of_three(cast, bodies, options):
    floors, sizes = (0.0, 0.04, 0.08), (0.08, 0.06, 0.04)
    tower = [
        bodies["box"](0.5, 0.0, (s, s, 0.04), c, yaw=0.2, floor=f)
        for f, s, c in zip(floors, sizes, (RED, GREEN, BLUE), strict=True)
    ]
    scene = reconstruct(cast(tower), options)
    low, middle, high = sorted(scene.objects, key=lambda o: o.centre[2])
    assert (low.supported_by, middle.supported_by, high.supported_by) == ("table", low.id, middle.id)


def test_touching_boxes_of_two_colours(cast, bodies, options):
    left = bodies["box"](0.5, 0.05, (0.05, 0.05, 0.05), RED)
    right = bodies["box"](0.5, 0.0, (0.05, 0.05, 0.05), GREEN)
    scene = reconstruct(cast([left, right]), options)
    for name, body in (("red cube", left), ("green cube", right)):
        np.testing.assert_allclose(scene.named(name).centre, body.pose.position, atol=0.002)


def test_touching_boxes_of_one_colour_and_unlike_height(cast, bodies, options):
    low = bodies["box"](0.52, 0.03, (0.06, 0.06, 0.03), RED)
    tall = bodies["box"](0.52, -0.03, (0.06, 0.06, 0.08), RED)
    scene = reconstruct(cast([low, tall]), options)
    assert sorted(round(float(o.box.height), 2) for o in scene.objects) == [0.03, 0.08]


def test_a_partly_hidden_cube_keeps_its_size(cast, bodies, options):
    front = bodies["box"](0.6, 0.0, (0.03, 0.05, 0.07), YELLOW)
    behind = bodies["box"](0.5, 0.025, (0.05, 0.05, 0.05), BLUE)
    found = reconstruct(cast([front, behind]), options).named("blue cube")
    np.testing.assert_allclose(found.size, 0.05, atol=0.006)
    assert found.visibility < 0.95


def test_empty_table_has_no_objects(cast, options):
    for noise in (0.0, 0.002):
        scene = reconstruct(cast([], noise_m=noise), options)
        assert scene.objects == ()
        assert abs(scene.table.height_z) < 0.001
        assert len(scene.table.outline) >= 3


def test_without_a_table_there_is_an_error_that_says_so(cast, options):
    wall = replace(cast([]), depth_m=np.full((480, 640), 0.5, dtype=np.float32))
    with pytest.raises(PerceptionError, match="no support plane"):
        reconstruct(wall, options)
    rng = np.random.default_rng(0)
    clutter = replace(cast([]), depth_m=rng.uniform(0.6, 1.4, (480, 640)).astype(np.float32))
    with pytest.raises(PerceptionError, match="no support plane"):
        reconstruct(clutter, options)


def test_nan_and_holes_are_not_objects(cast, bodies, options):
    body = bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED)
    frame = cast([body])
    depth = np.array(frame.depth_m)
    rng = np.random.default_rng(1)
    depth[rng.random(depth.shape) < 0.15] = np.nan
    depth[100:140, 60:120] = 0.0
    depth[300:320, 400:420] = np.inf
    scene = reconstruct(replace(frame, depth_m=depth), options)
    assert scene.names == ("red cube",)
    np.testing.assert_allclose(scene.objects[0].centre, body.pose.position, atol=0.004)


def test_something_that_reaches_in_from_outside_is_an_obstacle_not_an_object(cast, bodies, options):
    arm = bodies["box"](0.15, 0.1, (0.4, 0.08, 0.08), (230, 230, 230), floor=0.10)
    scene = reconstruct(cast([arm, bodies["box"](0.55, -0.2, (0.05, 0.05, 0.05), RED)]), options)
    assert scene.names == ("red cube",)
    assert len(scene.unexplained) > 100


def test_something_in_the_air_is_an_obstacle_not_an_object(cast, bodies, options):
    scene = reconstruct(cast([bodies["box"](0.5, 0.0, (0.05, 0.05, 0.05), RED, floor=0.15)]), options)
    assert scene.objects == ()
    assert np.median(scene.unexplained[:, 2]) > 0.1


def test_an_object_whose_foot_is_hidden_stands_on_the_table(cast, bodies, options):
    front = bodies["box"](0.60, 0.0, (0.04, 0.10, 0.06), YELLOW)
    behind = bodies["box"](0.55, 0.0, (0.05, 0.06, 0.10), BLUE)
    scene = reconstruct(cast([front, behind]), options)
    found = next(o for o in scene.objects if o.color == "blue")
    assert found.supported_by == "table"
    assert found.box.height == pytest.approx(0.10, abs=0.002)


def test_without_a_workspace_the_table_bounds_the_search(cast, bodies):
    scene = reconstruct(cast([bodies["box"](0.5, 0.0, (0.05, 0.05, 0.05), RED)]), PerceptionOptions())
    assert scene.names == ("red cube",)


def test_an_object_cut_by_the_image_is_less_certain(cast, bodies, options):
    whole, cut = (
        bodies["box"](0.45, 0.0, (0.06, 0.06, 0.06), RED),
        bodies["box"](0.6, 0.28, (0.08, 0.08, 0.06), BLUE),
    )
    scene = reconstruct(cast([whole, cut], target=(0.4, -0.16, 0.0)), options)
    seen_whole, seen_cut = (next(o for o in scene.objects if o.color == color) for color in ("red", "blue"))
    assert seen_cut.confidence < 0.75 * seen_whole.confidence


def test_a_miscalibrated_camera_still_measures_from_the_table_it_sees(cast, bodies, options):
    body = bodies["box"](0.5, 0.0, (0.05, 0.05, 0.05), RED)
    frame = cast([body])
    tilted = replace(
        frame, base_T_camera=Pose.from_xyz_rpy((0, 0, 0.02), (0.02, -0.015, 0)) @ frame.base_T_camera
    )
    found = reconstruct(tilted, options).objects[0]
    np.testing.assert_allclose(found.size, 0.05, atol=0.002)


@pytest.mark.parametrize(
    ("eye", "target", "up"),
    [
        ((0.5, 0.0, 1.2), (0.5, 0.0, 0.0), (1.0, 0.0, 0.0)),
        ((0.1, -0.7, 0.5), (0.5, 0.0, 0.0), (0.0, 0.0, 1.0)),
        ((1.25, 0.0, 0.7), (0.48, 0.0, 0.03), (0.0, 1.0, 0.2)),
    ],
    ids=["from above", "from the side", "rolled"],
)
def test_any_view(cast, bodies, options, eye, target, up):
    cube = bodies["box"](0.45, 0.1, (0.05, 0.05, 0.05), RED, yaw=0.4)
    can = bodies["cylinder"](0.55, -0.1, 0.06, 0.06, GREEN)
    scene = reconstruct(cast([cube, can], eye=eye, target=target, up=up), options)
    assert sorted(scene.names) == ["green cylinder", "red cube"]
    np.testing.assert_allclose(scene.named("red cube").centre, cube.pose.position, atol=0.003)
    np.testing.assert_allclose(scene.named("green cylinder").centre, can.pose.position, atol=0.003)


def test_large_images_are_thinned_and_masks_are_not(cast, bodies, options):
    body = bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED)
    frame = cast([body], size=(1920, 1440))
    found = reconstruct(frame, options).objects[0]
    np.testing.assert_allclose(found.centre, body.pose.position, atol=0.003)
    full = found.mask.full(frame.size)
    pixel = (
        frame.intrinsics.project(frame.base_T_camera.inverse().transform(found.centre)).round().astype(int)
    )
    assert full[pixel[1], pixel[0]]


def test_grey_images_leave_geometry(cast, bodies, options):
    frame = cast([bodies["box"](0.5, 0.0, (0.05, 0.05, 0.05), RED)])
    grey = np.repeat(np.asarray(frame.color).mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    found = reconstruct(replace(frame, color=grey), options).objects[0]
    np.testing.assert_allclose(found.size, 0.05, atol=0.003)
    assert found.color in ("grey", "black")


def test_same_frame_same_scene(cast, bodies, options):
    frame: CameraFrame = cast([bodies["box"](0.5, 0.0, (0.05, 0.07, 0.05), RED, yaw=0.3)], noise_m=0.002)
    assert reconstruct(frame, options).to_dict() == reconstruct(frame, options).to_dict()


def test_a_strange_shape_is_reported_unknown_with_a_closed_body(cast, bodies, options):
    # Parts of one thing: a tall plate through a wide cone-like heap of balls of one colour.
    heap = [
        bodies["ball"](0.5 + dx, dy, 0.05, GREEN)
        for dx, dy in ((0, 0), (0.03, 0.02), (-0.02, 0.035), (0.02, -0.03))
    ]
    scene = reconstruct(cast(heap), options)
    assert len(scene.objects) >= 1
    for item in scene.objects:
        if item.shape == "unknown":
            edges = np.sort(
                np.concatenate([item.mesh.triangles[:, [i, (i + 1) % 3]] for i in range(3)]), axis=1
            )
            _, counts = np.unique(edges, axis=0, return_counts=True)
            assert (counts == 2).all()
            v, t = item.mesh.vertices, item.mesh.triangles
            assert np.einsum("ij,ij->", v[t[:, 0]], np.cross(v[t[:, 1]], v[t[:, 2]])) > 0.0
