# SPDX-License-Identifier: Apache-2.0
"""Frames that are turned, huge, tiny, blind or wrong: the same scene where there is enough, else a clear error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.errors import CameraFrameError, PerceptionError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception import reconstruct

RED, GREEN, BLUE = (200, 30, 30), (30, 150, 50), (30, 60, 200)


@pytest.fixture(name="shapes")
def shapes_fixture(bodies):
    return [
        bodies["box"](0.45, 0.1, (0.05, 0.05, 0.05), RED, yaw=0.4),
        bodies["cylinder"](0.55, -0.1, 0.06, 0.06, GREEN),
    ]


def quarter_turn(frame: CameraFrame, *, tell: bool = True) -> CameraFrame:
    """The image of a camera rolled by 90 degrees, whose pose says so or not."""
    k = frame.intrinsics
    # Column u' = v, row v' = W - 1 - u.
    turned = Intrinsics(k.height, k.width, k.fy, k.fx, k.cy, k.width - 1 - k.cx, k.source)
    roll = Pose.from_matrix(np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    return replace(
        frame,
        color=np.rot90(frame.color).copy(),
        depth_m=np.rot90(frame.depth_m).copy(),
        intrinsics=turned,
        base_T_camera=frame.base_T_camera @ roll if tell else frame.base_T_camera,
    )


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_rolled_camera_sees_the_same_scene(cast, shapes, options, quarters):
    frame = cast(shapes, noise_m=0.0015)
    plain, turned = reconstruct(frame, options), frame
    for _ in range(quarters):
        turned = quarter_turn(turned)
    np.testing.assert_allclose(
        turned.points_base().reshape(-1, 3).mean(axis=0),
        frame.points_base().reshape(-1, 3).mean(axis=0),
        atol=1e-4,
    )
    scene = reconstruct(turned, options)
    assert sorted(scene.names) == sorted(plain.names) == ["green cylinder", "red cube"]
    for item in plain.objects:
        np.testing.assert_allclose(scene.named(item.name).centre, item.centre, atol=0.002)
        np.testing.assert_allclose(scene.named(item.name).size, item.size, atol=0.004)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_roll_that_the_pose_does_not_know_is_an_error(cast, shapes, options, quarters):
    turned = cast(shapes)
    for _ in range(quarters):
        turned = quarter_turn(turned, tell=False)
    with pytest.raises(PerceptionError, match="camera pose"):
        reconstruct(turned, options)


def test_a_4k_image_is_measured_as_well(cast, shapes, options):
    small = cast(shapes, size=(960, 540))
    k = small.intrinsics
    large = replace(
        small,
        color=small.color.repeat(4, axis=0).repeat(4, axis=1),
        depth_m=small.depth_m.repeat(4, axis=0).repeat(4, axis=1),
        intrinsics=Intrinsics(3840, 2160, 4 * k.fx, 4 * k.fy, 4 * k.cx + 1.5, 4 * k.cy + 1.5),
    )
    scene = reconstruct(large, options)
    assert sorted(scene.names) == ["green cylinder", "red cube"]
    for body, name in zip(shapes, ("red cube", "green cylinder"), strict=True):
        np.testing.assert_allclose(scene.named(name).centre, body.pose.position, atol=0.003)
        assert scene.named(name).mask.full(large.size).any()


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_intrinsics_of_another_lens_are_an_error(cast, shapes, options, scale):
    frame = cast(shapes)
    k = frame.intrinsics
    wrong = replace(frame, intrinsics=replace(k, fx=scale * k.fx, fy=scale * k.fy))
    with pytest.raises(PerceptionError, match="camera pose"):
        reconstruct(wrong, options)


def test_the_table_of_wrong_intrinsics_leans(cast, shapes, options):
    frame = cast(shapes)
    k = frame.intrinsics
    straight = reconstruct(frame, options)
    leaning = reconstruct(replace(frame, intrinsics=replace(k, fx=1.15 * k.fx, fy=1.15 * k.fy)), options)
    assert straight.table.pose.axes[2, 2] > np.cos(np.deg2rad(0.5))
    assert leaning.table.pose.axes[2, 2] < np.cos(np.deg2rad(3.0))


def test_slightly_wrong_intrinsics_give_slightly_wrong_sizes_and_no_false_objects(cast, shapes, options):
    frame = cast(shapes)
    k = frame.intrinsics
    scene = reconstruct(replace(frame, intrinsics=replace(k, fx=1.03 * k.fx, fy=1.03 * k.fy)), options)
    assert len(scene.objects) == 2
    for item, body in zip(sorted(scene.objects, key=lambda o: o.centre[0]), shapes, strict=True):
        np.testing.assert_allclose(item.size, body.size, atol=0.006)


@pytest.mark.parametrize(
    "scale", [1000.0, 0.001], ids=["millimetres taken for metres", "metres for millimetres"]
)
def test_depth_in_another_unit_is_an_error(cast, shapes, options, scale):
    frame = cast(shapes)
    wrong = replace(frame, depth_m=frame.depth_m * np.float32(scale))
    with pytest.raises(PerceptionError, match="no support plane.*check the camera pose"):
        reconstruct(wrong, options)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -1.0])
def test_a_blind_camera_is_refused_as_a_frame(cast, bad):
    frame = cast([])
    with pytest.raises(CameraFrameError, match="depth stream running"):
        replace(frame, depth_m=np.full(frame.size, bad, dtype=np.float32))


def test_a_nearly_blind_camera_is_an_error(cast, shapes, options):
    frame = cast(shapes)
    keep = np.random.default_rng(0).random(frame.size) < 2e-3
    with pytest.raises(PerceptionError, match="measured points"):
        reconstruct(replace(frame, depth_m=np.where(keep, frame.depth_m, np.float32(0.0))), options)


def test_half_of_the_depth_missing_at_random_leaves_the_objects(cast, shapes, options):
    frame = cast(shapes, noise_m=0.001)
    keep = np.random.default_rng(0).random(frame.size) < 0.8
    scene = reconstruct(replace(frame, depth_m=np.where(keep, frame.depth_m, np.float32(0.0))), options)
    centres = np.array([item.centre for item in scene.objects])
    for body in shapes:
        assert np.linalg.norm(centres - body.pose.position, axis=1).min() < 0.01


def test_a_wall_is_no_table(options):
    size = (480, 640)
    camera = Intrinsics.from_vertical_fov(640, 480, np.deg2rad(42.0))
    frame = CameraFrame(
        np.full((*size, 3), 90, dtype=np.uint8),
        np.full(size, 0.8, dtype=np.float32),
        camera,
        Pose.looking_at((1.25, 0.0, 0.1), (0.4, 0.0, 0.1)),
    )
    with pytest.raises(PerceptionError, match="no support plane"):
        reconstruct(frame, options)


@pytest.mark.parametrize("size", [(4, 4), (16, 12), (300, 2)])
def test_tiny_images_are_an_error_that_says_why(cast, options, size):
    with pytest.raises(PerceptionError, match="measured points"):
        reconstruct(cast([], size=size), options)


@pytest.mark.parametrize("shade", [0, 255])
def test_black_and_white_pictures_leave_the_geometry(cast, shapes, options, shade):
    frame = cast(shapes)
    scene = reconstruct(replace(frame, color=np.full_like(frame.color, shade)), options)
    centres = np.array([item.centre for item in scene.objects])
    assert len(centres) == 2
    for body in shapes:
        assert np.linalg.norm(centres - body.pose.position, axis=1).min() < 0.004


def test_noise_on_an_empty_table_is_no_object(cast, options):
    frame = cast([])
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(0.0, 0.003, frame.size).astype(np.float32)
        assert not reconstruct(replace(frame, depth_m=frame.depth_m + noise), options).objects
