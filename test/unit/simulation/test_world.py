# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from simulation_motions import standing

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.errors import BackendError, InvalidValueError, UnknownNameError
from spatialpin_ros.simulation import World


def test_depth_of_the_table_is_exact(world: World) -> None:
    points = world.render().points_base()
    table = (np.abs(points[..., 0] - 0.5) < 0.3) & (np.abs(points[..., 1]) < 0.4) & (points[..., 2] < 0.05)
    assert table.sum() > 50_000
    assert np.abs(points[table][:, 2]).max() < 0.0005


def test_depth_of_a_box_is_exact(world: World) -> None:
    world.reset(objects=[standing("box", (0.10, 0.12, 0.06), 0.5, 0.1)])
    points = world.render().points_base()
    truth = world.truth()
    seen = points[truth.labels == 0]
    local = truth.objects[0].box.pose.inverse().transform(seen)
    assert len(seen) > 1000
    assert np.abs(np.abs(local / (truth.objects[0].box.size / 2.0)).max(axis=1) - 1.0).max() < 0.01


def test_labels_name_the_objects_in_order(world: World) -> None:
    world.reset(
        objects=[standing("cube", (0.05,) * 3, 0.5, -0.2, "a"), standing("cube", (0.05,) * 3, 0.5, 0.2, "b")]
    )
    assert world.truth().labels is None
    frame = world.render()
    truth = world.truth()
    for index, item in enumerate(truth.objects):
        centre = frame.intrinsics.project(frame.base_T_camera.inverse().transform(item.box.centre))
        assert truth.labels[int(centre[1]), int(centre[0])] == index
    assert (np.unique(truth.labels) == [-1, 0, 1]).all()


def test_the_arm_at_home_hides_no_object(world: World) -> None:
    objects = world.reset(seed=11, count=8)
    world.render()
    areas = np.bincount(world.truth().labels.ravel() + 1, minlength=9)[1:]
    assert len(objects) == 8
    assert areas.min() > 300


def test_noise_is_an_option_and_follows_the_seed() -> None:
    camera = replace(CameraConfig.load("simulation"), noise="realsense_d435")
    depths = []
    for seed in (1, 1, 2):
        with World(RobotConfig.load("panda"), camera) as noisy:
            noisy.reset(objects=[], seed=seed)
            depths.append(noisy.render().depth_m)
    np.testing.assert_array_equal(depths[0], depths[1])
    assert (depths[0] != depths[2]).mean() > 0.3


def test_a_seed_gives_the_same_settled_scene_and_image(world: World) -> None:
    world.reset(seed=5, count=5)
    first, poses = world.render(), [item.box.pose.matrix for item in world.truth().objects]
    world.reset(seed=6, count=3)
    world.reset(seed=5, count=5)
    again = world.render()
    np.testing.assert_allclose([item.box.pose.matrix for item in world.truth().objects], poses, atol=1e-6)
    assert (first.color != again.color).mean() < 1e-3


def test_settled_objects_stand_where_the_generator_put_them(world: World) -> None:
    for seed in range(3):
        world.reset(seed=seed, count=8)
        for item in world.truth().objects:
            shift, turn = item.spec.box.pose.distance_to(item.box.pose)
            assert shift < 0.005
            assert turn < np.deg2rad(2.0)


def test_a_scene_that_does_not_stay_up_is_drawn_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    toppling = standing("cylinder", (0.02, 0.02, 0.3), 0.5, 0.0).at(
        standing("cylinder", (0.02, 0.02, 0.3), 0.5, 0.0).box.pose.from_xyz_rpy(
            (0.5, 0.0, 0.155), (0.3, 0.0, 0.0)
        )
    )
    drawn = iter([(toppling,), (standing("cube", (0.05,) * 3, 0.5, 0.0, "cube"),)])
    monkeypatch.setattr("spatialpin_ros.simulation.world.generate_objects", lambda *_: next(drawn))
    assert [spec.id for spec in world.reset(seed=0)] == ["cube"]


def test_objects_fall_with_gravity(world: World) -> None:
    spec = standing("cube", (0.05,) * 3, 0.5, 0.0)
    world.add_object(spec.at(spec.box.pose.from_yaw((0.5, 0.0, 0.325), 0.0)))
    world.step(48)
    fallen = 0.325 - world.truth().objects[0].box.centre[2]
    assert fallen == pytest.approx(9.81 * 0.2**2 / 2.0, rel=0.05)
    world.step(240)
    assert world.truth().objects[0].box.bottom_z == pytest.approx(0.0, abs=0.001)


def test_two_objects_with_one_id_are_refused(world: World) -> None:
    world.add_object(standing("cube", (0.05,) * 3, 0.5, 0.0))
    with pytest.raises(InvalidValueError, match="unique"):
        world.add_object(standing("cube", (0.05,) * 3, 0.5, 0.2))


def test_time_runs_with_the_steps_and_never_back(world: World) -> None:
    before = world.time_s
    world.step(120)
    assert world.time_s - before == pytest.approx(0.5)
    world.reset(objects=[])
    assert world.time_s >= before + 0.5


def test_frames_carry_time_frames_and_exact_intrinsics(world: World) -> None:
    frame = world.render()
    assert isinstance(frame, CameraFrame)
    assert (frame.base_frame, frame.camera_frame) == ("panda_link0", "camera_color_optical_frame")
    assert frame.stamp_s == pytest.approx(world.time_s)
    assert (frame.intrinsics.cx, frame.intrinsics.cy) == (320.0, 239.0)


def test_snapshots_show_arm_and_scene_from_every_view(world: World) -> None:
    for name in ("overview", "close", "top"):
        picture = world.snapshot(name, 160, 120)
        assert picture.shape == (120, 160, 3)
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    with pytest.raises(UnknownNameError, match="overview"):
        world.snapshot("behind")


def test_a_window_without_a_display_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(BackendError, match="DISPLAY"):
        World(RobotConfig.load("panda"), CameraConfig.load("simulation"), gui=True)


def test_a_configuration_that_does_not_fit_the_urdf_names_what_there_is() -> None:
    robot = RobotConfig.load("panda")
    wrong = replace(robot, joints=[*robot.joints[:6], "elbow"])
    with pytest.raises(UnknownNameError, match="panda_joint7"):
        World(wrong, CameraConfig.load("simulation"))


def test_a_closed_world_can_be_closed_again() -> None:
    world = World(RobotConfig.load("panda"), CameraConfig.load("simulation"))
    world.close()
    world.close()
