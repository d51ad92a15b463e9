# SPDX-License-Identifier: Apache-2.0
"""The robot in the picture: its pixels are known, and neither objects nor obstacles come of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception import PerceptionOptions, reconstruct
from spatialpin_ros.perception.self_filter import robot_mask
from spatialpin_ros.planning.body import BodyPoser
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.robot_body import ConvexPart, RobotBody
from spatialpin_ros.simulation import World

RED = (200, 30, 30)
OVER_THE_TABLE = {
    "high": (0.0, 0.5, 0.0, -1.6, 0.0, 2.1, 0.785),
    "low": (0.4, 0.7, 0.0, -1.5, 0.0, 2.2, 0.3),
    "before the objects": (0.0, 0.6, 0.0, -1.9, 0.0, 2.5, 0.785),
}


def block(centre, size) -> ConvexPart:
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    hull = ConvexHull(np.asarray(centre) + 0.5 * np.asarray(size) * signs)
    return ConvexPart("arm", hull.points, hull.equations[:, :3], -hull.equations[:, 3])


@pytest.fixture(scope="module", name="poser")
def poser_fixture() -> BodyPoser:
    return BodyPoser(RobotModel(RobotConfig.load("panda")))


@pytest.fixture(scope="module", name="world")
def world_fixture():
    with World(RobotConfig.load("panda"), CameraConfig.load("simulation")) as world:
        yield world


def move_arm(world: World, joints) -> dict[str, float]:
    """Put the arm into joint positions by its own controller and return what its encoders say."""
    for _ in range(1200):
        world.robot.command_arm(np.asarray(joints))
        world.step()
    states = world.robot.joint_states()
    return dict(zip(states.names, states.positions.tolist(), strict=True))


def test_mask_holds_what_is_within_the_margin_of_a_part_and_nothing_behind_it(cast, bodies):
    frame = cast([bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED)])
    alone = cast([])
    true = np.abs(frame.depth_m - alone.depth_m) > 1e-4
    part = block((0.5, 0.0, 0.03), (0.06, 0.06, 0.06))
    mask = robot_mask(frame, RobotBody((part,)), margin_m=0.002)
    assert mask[true].mean() > 0.999
    assert mask.sum() < 1.6 * true.sum()
    behind = robot_mask(alone, RobotBody((block((0.9, 0.0, 0.4), (0.06, 0.06, 0.06)),)))
    assert not behind.any()


def test_a_part_behind_the_camera_marks_nothing(cast):
    frame = cast([])
    assert not robot_mask(frame, RobotBody((block((2.0, 0.0, 0.7), (0.1, 0.1, 0.1)),))).any()
    assert not robot_mask(frame, RobotBody(())).any()


def test_large_images_are_masked_in_their_own_size(cast, bodies):
    frame = cast([bodies["box"](0.5, 0.0, (0.1, 0.1, 0.1), RED)], size=(1280, 960))
    part = block((0.5, 0.0, 0.05), (0.1, 0.1, 0.1))
    mask = robot_mask(frame, RobotBody((part,)), margin_m=0.002)
    assert mask.shape == frame.size
    true = np.abs(frame.depth_m - cast([], size=(1280, 960)).depth_m) > 1e-4
    assert mask[true].mean() > 0.999


def test_an_object_partly_behind_the_robot_keeps_its_size(cast, bodies, options):
    box = bodies["box"](0.45, 0.0, (0.06, 0.12, 0.05), (30, 60, 200))
    finger = bodies["box"](0.60, 0.075, (0.02, 0.03, 0.2), RED)
    robot = RobotBody((block((0.60, 0.075, 0.1), (0.02, 0.03, 0.2)),))
    scene = reconstruct(cast([box, finger]), options, robot=robot)
    assert scene.names == ("blue block",)
    np.testing.assert_allclose(np.sort(scene.objects[0].size), (0.05, 0.06, 0.12), atol=0.004)


@pytest.mark.parametrize("pose", OVER_THE_TABLE)
def test_an_arm_over_an_empty_table_is_neither_object_nor_obstacle(world, poser, pose):
    world.robot.go_home()
    world.clear()
    body = poser.at(move_arm(world, OVER_THE_TABLE[pose]))
    frame = world.render()
    seen = PerceptionOptions(workspace=world.camera.workspace)
    without, scene = reconstruct(frame, seen), reconstruct(frame, seen, robot=body)
    assert len(without.unexplained) > 1000
    assert not scene.objects
    assert len(scene.unexplained) < 60


def test_poser_places_the_hand_where_the_simulator_has_it(world, poser):
    positions = move_arm(world, OVER_THE_TABLE["high"])
    hand = next(part for part in poser.at(positions).parts if part.link == "panda_hand")
    true = world.robot.link_poses()["panda_hand"]
    assert (hand.normals @ true.transform(np.array([0.0, 0.0, 0.03])) < hand.offsets_m).all()


def test_poser_names_the_joints_that_are_missing(poser):
    with pytest.raises(InvalidValueError, match="panda_joint7.*missing"):
        poser.at({f"panda_joint{k}": 0.0 for k in range(1, 7)})


def test_parts_are_checked():
    good = block((0, 0, 0), (1, 1, 1))
    with pytest.raises(InvalidValueError, match="4 corners"):
        replace(good, corners=good.corners[:3])


def test_body_of_a_camera_on_the_hand_fills_the_nearest_pixels(cast):
    frame = cast([])
    here = Pose(frame.base_T_camera.transform(np.array([0.0, 0.0, 0.05])))
    mask = robot_mask(frame, RobotBody((block(here.position, (0.2, 0.2, 0.2)),)))
    assert not mask.any()
