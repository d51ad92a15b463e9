# SPDX-License-Identifier: Apache-2.0
"""The arm carries an object along its planned path."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import PlanFailure, Trajectory
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.object_motion import (
    ObjectMotionOptions,
    ObjectMotionPlanner,
    ObjectPath,
    RotateSelf,
    TranslateTarObj,
    attach_to_arm,
    follow_with_arm,
)
from spatialpin_ros.planning.obstacles import scene_obstacles
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.scene import Scene

FROM_ABOVE = Pose(np.array([0.0, 0.0, 0.0]), Rotation.from_euler("x", np.pi).as_quat())


@pytest.fixture(scope="module")
def scene(make_object: Callable, make_scene: Callable) -> Scene:
    return make_scene(make_object("o1", (0.45, -0.15), (0.04, 0.04, 0.06)), make_object("o2", (0.55, 0.15)))


@pytest.fixture(scope="module")
def world(robot: RobotModel, scene: Scene) -> CollisionWorld:
    return CollisionWorld(robot, scene_obstacles(scene, robot.config.workspace), width_m=0.04)


def moved(scene: Scene, *motions: RotateSelf | TranslateTarObj) -> ObjectPath:
    path = ObjectMotionPlanner().plan(scene, "o1", motions, ObjectMotionOptions())
    assert isinstance(path, ObjectPath), path
    return path


def test_the_tcp_keeps_its_place_in_the_object(scene: Scene) -> None:
    path = moved(scene, TranslateTarObj("o2", (0.0, 0.0, 0.08)), RotateSelf("z", 90.0))
    grasp = Pose(np.array([0.01, 0.0, 0.02]), Rotation.from_euler("xz", [np.pi, 0.3]).as_quat())
    rows = attach_to_arm(path, grasp)
    for index in (0, len(rows) // 2, len(rows) - 1):
        base_T_object = Pose(path.poses[index, :3], path.poses[index, 3:])
        apart, angle = (base_T_object @ grasp).distance_to(Pose(rows[index, :3], rows[index, 3:]))
        assert apart < 1e-12
        assert angle < 1e-7


def test_the_arm_carries_the_object_along(robot: RobotModel, scene: Scene, world: CollisionWorld) -> None:
    path = moved(scene, TranslateTarObj("o2", (0.0, 0.0, 0.08)), RotateSelf("z", 60.0))
    followed = follow_with_arm(world, path, FROM_ABOVE, robot.config.home)
    assert isinstance(followed, Trajectory), followed
    rotations, positions = robot.tcp_batch(followed.positions)
    rows = attach_to_arm(path, FROM_ABOVE)
    assert np.abs(positions - rows[:, :3]).max() < 1e-4
    turned = Rotation.from_matrix(rotations).inv() * Rotation.from_quat(rows[:, 3:])
    assert turned.magnitude().max() < 1e-3
    assert (np.abs(followed.velocities) <= robot.velocity * 1.001).all()
    assert (np.abs(followed.accelerations) <= robot.acceleration * 1.001).all()
    assert np.abs(np.diff(followed.positions, axis=0)).max() < 0.1
    assert world.robot.within_limits(followed.positions).all()


def test_a_grasp_through_the_table_and_one_out_of_reach_fail_with_a_reason(
    robot: RobotModel, scene: Scene, world: CollisionWorld
) -> None:
    path = moved(scene, TranslateTarObj("o2", (0.0, 0.0, 0.08)))
    below = follow_with_arm(world, path, Pose(), robot.config.home)
    assert isinstance(below, PlanFailure)
    assert below.reason in ("ik", "no_path")
    assert below.candidates
    if below.reason == "no_path":
        assert "touches" in below.message
    far = follow_with_arm(world, path, Pose(np.array([0.0, 0.0, 2.0])), robot.config.home)
    assert isinstance(far, PlanFailure)
    assert (far.reason, far.stage) == ("ik", "carry")


def test_a_full_turn_exceeds_the_last_joint(robot: RobotModel, scene: Scene, world: CollisionWorld) -> None:
    path = moved(scene, TranslateTarObj("o2", (0.0, 0.0, 0.15)), RotateSelf("z", 720.0))
    failure = follow_with_arm(world, path, FROM_ABOVE, robot.config.home)
    assert isinstance(failure, PlanFailure)
    assert failure.reason == "ik"
    assert "of the path" in failure.message
