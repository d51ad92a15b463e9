# SPDX-License-Identifier: Apache-2.0
"""A simulated camera on the arm: it looks from where its link is, and sees fingers that perception leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.arrays import BoolArray
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.errors import InvalidValueError, NoDepthError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception import PerceptionOptions, reconstruct
from spatialpin_ros.perception.self_filter import robot_mask
from spatialpin_ros.planning.body import BodyPoser
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.simulation import World, robot_description

PANDA = RobotConfig.load("panda")
WRIST = replace(CameraConfig.load("simulation_wrist"), noise="none")
# As people mount one that should watch the grasp; nearer than a D435 can measure, as a D405 can.
AT_FINGERS = replace(
    WRIST,
    pose={"xyz": [0.07, 0.0, -0.02], "rpy": [-0.45, 0.0, 1.5708]},
    image=replace(WRIST.image, near_m=0.03),
)


@pytest.fixture(scope="module")
def wrist_world() -> Iterator[World]:
    with World(PANDA, WRIST) as world:
        yield world


def move(world: World, *changes: tuple[int, float]) -> None:
    """Put the arm home but for some joints, by index and change [rad]."""
    target = PANDA.home.copy()
    for joint, change_rad in changes:
        target[joint] += change_rad
    world.robot.command_arm(target)
    world.step(480)


def test_the_picture_is_from_where_the_arm_holds_the_camera(wrist_world: World) -> None:
    wrist_world.reset(objects=())
    home = wrist_world.render()
    move(wrist_world, (0, 0.4), (5, 0.2))
    moved = wrist_world.render()
    assert moved.base_T_camera.distance_to(home.base_T_camera)[0] > 0.1
    hand = wrist_world.robot.link_pose("panda_hand")
    assert moved.base_T_camera.distance_to(hand @ WRIST.parent_T_camera) == pytest.approx(
        (0.0, 0.0), abs=1e-9
    )
    for frame in (home, moved):
        assert abs(float(np.median(frame.points_base()[..., 2]))) < 0.001


def test_home_shows_most_tables_whole(wrist_world: World) -> None:
    for seed in (3, 88):
        wrist_world.reset(seed, 6)
        frame = wrist_world.render()
        scene = reconstruct(frame, PerceptionOptions(workspace=WRIST.workspace))
        truth = wrist_world.truth().objects
        missed = [
            t for t in truth if all(np.linalg.norm(o.centre - t.box.centre) > 0.01 for o in scene.objects)
        ]
        assert len(missed) <= 1
        assert len(scene.objects) == len(truth)


def test_a_camera_on_the_arm_is_moved_by_the_arm_alone(wrist_world: World) -> None:
    with pytest.raises(InvalidValueError, match="move the arm"):
        wrist_world.move_camera(Pose())


def test_a_camera_too_near_to_measure_anything_still_takes_pictures() -> None:
    with World(PANDA, replace(WRIST, image=replace(WRIST.image, near_m=2.0))) as world:
        color, depth_m = world.expose()
        assert color.shape == (480, 848, 3)
        assert not depth_m.any()
        with pytest.raises(NoDepthError):
            world.render()


@pytest.fixture(scope="module")
def finger_view() -> tuple[CameraFrame, BoolArray, BodyPoser, dict[str, float]]:
    model = RobotModel(PANDA, robot_description(PANDA, AT_FINGERS))
    with World(PANDA, AT_FINGERS) as world:
        world.reset(3, 6)
        world.robot.command_fingers(0.05, 20.0)
        move(world, (0, 0.3))
        frame = world.render()
        states = world.robot.joint_states()
        joints = dict(zip(states.names, states.positions.tolist(), strict=True))
        above_table = frame.points_base()[..., 2] > 0.005
        is_robot = above_table & (world.truth().labels < 0)
    return frame, is_robot, BodyPoser(model), joints


def test_the_link_that_the_joints_tell_is_where_the_camera_was(finger_view) -> None:
    frame, _, poser, joints = finger_view
    base_T_camera = poser.link("panda_hand", joints) @ AT_FINGERS.parent_T_camera
    assert base_T_camera.distance_to(frame.base_T_camera) == pytest.approx((0.0, 0.0), abs=1e-4)


def test_hand_and_fingers_in_view_are_left_out_and_the_table_is_not(finger_view) -> None:
    frame, is_robot, poser, joints = finger_view
    body = poser.at(joints)
    mask = robot_mask(frame, body)
    assert 0.1 < is_robot.mean() < 0.7
    assert mask[is_robot].mean() > 0.99
    assert (mask & ~is_robot).mean() < 0.05
    options = PerceptionOptions(workspace=AT_FINGERS.workspace)
    without = reconstruct(frame, options)
    scene = reconstruct(frame, options, robot=body)
    near_hand = poser.link("panda_hand", joints).position[2] - 0.2
    assert all(item.box.top_z < near_hand for item in scene.objects)
    assert len(scene.unexplained) <= len(without.unexplained)
