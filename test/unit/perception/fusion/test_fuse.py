# SPDX-License-Identifier: Apache-2.0
"""Several views of one table: hidden things appear, sizes are whole, wrong poses are put right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import InvalidValueError, PerceptionError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception import reconstruct
from spatialpin_ros.perception.fusion import FusionOptions, SceneFuser, fuse
from spatialpin_ros.perception.fusion.joining import fragments
from spatialpin_ros.perception.fusion.registration import Surface, align
from spatialpin_ros.perception.fusion.views import Shot, find_common_table, segment_view
from spatialpin_ros.perception.models import Solid
from spatialpin_ros.perception.support import overlap_share
from spatialpin_ros.perception.timing import StepClock
from spatialpin_ros.robot_body import ConvexPart, RobotBody

RED, GREEN, BLUE, YELLOW = (200, 30, 30), (30, 150, 50), (30, 60, 200), (235, 205, 30)
FRONT, SIDE = (1.25, 0.0, 0.70), (0.62, -0.92, 0.70)


@pytest.fixture(name="hiding")
def hiding_fixture(bodies):
    """A tall box, a cube right behind it as the front camera sees it, and two boxes in the open."""
    return [
        bodies["box"](0.60, 0.0, (0.04, 0.12, 0.15), BLUE),
        bodies["box"](0.48, 0.0, (0.045, 0.045, 0.045), RED, yaw=0.3),
        bodies["box"](0.45, -0.22, (0.05, 0.05, 0.05), GREEN, yaw=0.5),
        bodies["box"](0.50, 0.22, (0.09, 0.05, 0.04), YELLOW, yaw=-0.4),
    ]


def two_views(cast, shapes, **more) -> list[CameraFrame]:
    return [cast(shapes, eye=SIDE, **more), cast(shapes, eye=FRONT, **more)]


def off(frame: CameraFrame, shift_m=(0.004, -0.003, 0.002), turn_deg=0.8) -> CameraFrame:
    half = 0.5 * np.deg2rad(turn_deg)
    turn = Pose(np.array(shift_m), np.array([0.0, np.sin(half), 0.0, np.cos(half)]))
    return replace(frame, base_T_camera=frame.base_T_camera @ turn)


def test_what_one_view_hides_the_other_shows(cast, hiding, options):
    frames = two_views(cast, hiding, noise_m=0.0015)
    assert "red cube" not in reconstruct(frames[1], options).names
    scene = fuse(frames, options)
    assert sorted(scene.names) == ["blue box", "green cube", "red cube", "yellow block"]
    np.testing.assert_allclose(scene.named("red cube").centre, hiding[1].pose.position, atol=0.003)
    assert scene.named("red cube").mask is None
    assert scene.named("red cube").visibility > 0.6


def test_masks_stamp_and_camera_are_the_last_view_s(cast, hiding, options):
    first, last = two_views(cast, hiding)
    last = replace(last, stamp_s=7.5)
    scene = fuse([first, last], options)
    assert scene.stamp_s == 7.5
    assert scene.base_T_camera.distance_to(last.base_T_camera)[0] < 1e-9
    mask = scene.named("green cube").mask.full(last.size)
    assert last.color[mask][:, 1].mean() > 2 * last.color[mask][:, 0].mean()


def test_a_part_hidden_from_each_side_is_measured_whole(cast, bodies, options):
    shapes = [
        bodies["box"](0.45, 0.0, (0.10, 0.10, 0.04), RED),
        bodies["box"](0.545, 0.0, (0.03, 0.06, 0.13), BLUE),
    ]
    scene = fuse(two_views(cast, shapes, noise_m=0.0015), options)
    red = next(item for item in scene.objects if item.color == "red")
    np.testing.assert_allclose(np.sort(red.size), (0.04, 0.10, 0.10), atol=0.004)
    np.testing.assert_allclose(red.centre, (0.45, 0.0, 0.02), atol=0.003)


def test_one_view_alone_gives_what_reconstruct_gives(cast, hiding, options):
    frame = cast(hiding)
    alone, fused = reconstruct(frame, options), fuse([frame], options)
    assert fused.names == alone.names
    for one, other in zip(alone.objects, fused.objects, strict=True):
        np.testing.assert_allclose(other.centre, one.centre, atol=1e-6)
        assert other.supported_by == one.supported_by


def test_small_pose_errors_are_corrected(cast, hiding, options):
    frames = two_views(cast, hiding, noise_m=0.0015)
    wrong = [off(frames[0]), frames[1]]
    truth = {"green cube": hiding[2], "yellow block": hiding[3], "red cube": hiding[1]}
    for name, body in truth.items():
        refined = fuse(wrong, options).named(name)
        np.testing.assert_allclose(refined.centre[:2], body.pose.position[:2], atol=0.003)
    given = fuse(wrong, options, FusionOptions(refine_poses=False))
    errors = [np.linalg.norm(item.centre - hiding[1].pose.position) for item in given.objects]
    assert min(errors) > 0.006


def test_surfaces_correct_the_pose_where_no_object_is_seen_whole_twice(cast, bodies, options):
    shapes = [
        bodies["ball"](0.45, 0.1, 0.09, RED),
        bodies["lying"](0.5, -0.12, 0.06, 0.14, BLUE, yaw=0.7),
        bodies["ball"](0.6, 0.2, 0.07, GREEN),
    ]
    frames = two_views(cast, shapes)
    scene = fuse([off(frames[0], (0.008, 0.0, 0.0), 0.4), frames[1]], options)
    assert len(scene.objects) == 3
    red = next(item for item in scene.objects if item.color == "red")
    np.testing.assert_allclose(red.centre, shapes[0].pose.position, atol=0.004)


def test_views_with_little_in_common_are_left_where_their_poses_have_them():
    rng = np.random.default_rng(0)
    up = np.array([0.0, 0.0, 1.0])

    def wall(x_m: float, height_m: float) -> Surface:
        points = np.column_stack(
            [np.full(150, x_m), rng.uniform(-0.1, 0.1, 150), rng.uniform(0, height_m, 150)]
        )
        return Surface(points, np.tile([1.0, 0.0, 0.0], (150, 1)))

    def beside(surface: Surface, y_m: float) -> Surface:
        floor = np.column_stack(
            [rng.uniform(0.0, 0.4, 900), rng.uniform(-0.2, 0.2, 900) + y_m, np.zeros(900)]
        )
        normals = np.concatenate([surface.normals, np.tile(up, (900, 1))])
        return Surface(np.concatenate([surface.points, floor]), normals)

    here, there = wall(0.5, 0.1), wall(0.51, 0.1)
    apart = align(beside(here, 1.0), beside(there, -1.0), FusionOptions())
    assert apart.distance_to(Pose()) == (0.0, 0.0)
    together = align(beside(here, 0.0), beside(there, 0.0), FusionOptions())
    assert together.position[0] == pytest.approx(0.01, abs=0.004)


def test_corrections_beyond_the_limits_are_not_believed(cast, hiding, options):
    frames = two_views(cast, hiding)
    wrong = [off(frames[0], turn_deg=0.0), frames[1]]
    strict = fuse(wrong, options, FusionOptions(max_shift_m=0.0005))
    given = fuse(wrong, options, FusionOptions(refine_poses=False))
    assert strict.names == given.names
    for one, other in zip(strict.objects, given.objects, strict=True):
        np.testing.assert_allclose(one.centre, other.centre, atol=1e-3)


def test_what_another_view_looks_through_is_dropped(cast, hiding, bodies, options):
    ghost = bodies["box"](0.38, -0.05, (0.05, 0.05, 0.05), YELLOW)
    first, last = cast([*hiding, ghost], eye=SIDE), cast(hiding, eye=(0.9, 0.6, 0.8))
    scene = fuse([first, last], options)
    gap = min(np.linalg.norm(item.centre - ghost.pose.position) for item in scene.objects)
    assert gap > 0.04


def test_what_came_since_the_older_views_is_there(cast, hiding, options):
    older = [cast([], eye=SIDE, noise_m=0.0015), cast(hiding[:1], eye=(0.9, 0.6, 0.8), noise_m=0.0015)]
    scene = fuse([*older, cast(hiding, eye=SIDE, noise_m=0.0015)], options)
    assert sorted(scene.names) == ["blue box", "green cube", "red cube", "yellow block"]
    np.testing.assert_allclose(scene.named("green cube").size, (0.05, 0.05, 0.05), atol=0.004)


def test_the_moving_robot_is_left_out_of_every_view(cast, hiding, bodies, options):
    frames, robots = [], []
    for eye, y in ((SIDE, 0.05), (FRONT, -0.1)):
        finger = bodies["box"](0.40, y, (0.03, 0.03, 0.25), (120, 120, 120))
        frames.append(cast([*hiding, finger], eye=eye))
        signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
        hull = ConvexHull(finger.pose.position + 0.5 * np.array(finger.size) * signs)
        robots.append(
            RobotBody((ConvexPart("f", hull.points, hull.equations[:, :3], -hull.equations[:, 3]),))
        )
    scene = fuse(frames, options, robots=robots)
    assert sorted(scene.names) == ["blue box", "green cube", "red cube", "yellow block"]
    assert len(scene.unexplained) < 30


def test_stacks_keep_their_carrier(cast, bodies, options):
    base = bodies["box"](0.5, 0.05, (0.09, 0.08, 0.05), BLUE, yaw=0.3)
    top = bodies["box"](0.5, 0.05, (0.04, 0.04, 0.04), YELLOW, yaw=0.3, floor=0.05)
    scene = fuse(two_views(cast, [base, top], noise_m=0.001), options)
    assert len(scene.objects) == 2
    assert scene.named("yellow cube").supported_by == next(o.id for o in scene.objects if o.color == "blue")


def test_an_empty_table_stays_empty(cast, options):
    assert not fuse(two_views(cast, [], noise_m=0.002), options).objects


def test_a_fuser_keeps_the_newest_views(cast, hiding, options):
    fuser = SceneFuser(options, FusionOptions(max_views=2))
    with pytest.raises(PerceptionError, match="no view yet"):
        fuser.scene()
    for frame in (cast([]), *two_views(cast, hiding)):
        fuser.add(frame)
    assert len(fuser) == 2
    assert len(fuser.scene().objects) == 4
    fuser.clear()
    assert len(fuser) == 0


def test_bad_arguments_are_named(cast, options):
    frame = cast([])
    with pytest.raises(InvalidValueError, match="at least one frame"):
        fuse([])
    with pytest.raises(InvalidValueError, match="'base', 'map'"):
        fuse([frame, replace(frame, base_frame="map")], options)
    with pytest.raises(InvalidValueError, match="1 frames but 2 robot bodies"):
        fuse([frame], options, robots=[None, None])
    with pytest.raises(InvalidValueError, match="voxel_m"):
        FusionOptions(voxel_m=0.0)


def test_slivers_of_a_face_join_their_solid_and_a_rider_does_not(cast, bodies, options):
    shapes = [
        bodies["box"](0.5, 0.0, (0.08, 0.08, 0.08), RED),
        bodies["box"](0.5, 0.0, (0.04, 0.04, 0.04), RED, floor=0.08),
    ]
    shot = Shot.of(cast(shapes), None, options)
    table, noise_m = find_common_table([shot], options)
    candidates = list(segment_view(shot, table, noise_m, options, StepClock()).candidates)
    assert len(candidates) == 2
    assert not fragments(candidates, FusionOptions())
    base = min(candidates, key=lambda c: c.evidence.top_m)
    face = base.evidence.points[:, 2] < 0.05
    few = replace(base.evidence, points=base.evidence.points[face], top_m=0.05)
    size = np.array([0.002, 0.08, 0.05])
    sliver = replace(base, evidence=few, solid=replace(base.solid, size=size), colors=base.colors[face])
    assert fragments([*candidates, sliver], FusionOptions()) == {2}


def test_like_footprints_overlap_wholly():
    solid = Solid("box", np.array([0.6, 0.0, 0.07]), np.array([0.04, 0.12, 0.16]), 0.0, False, 0.0, 1.0)
    assert overlap_share(solid, solid) > 0.99
    beside = replace(solid, centre=np.array([0.62, 0.0, 0.07]))
    assert overlap_share(solid, beside) == pytest.approx(0.5, abs=0.02)
