# SPDX-License-Identifier: Apache-2.0
"""The arm takes an object in the simulated world and carries it along its path; the physics says where it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("pybullet")

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.plan import Plan, Trajectory
from spatialpin_ros.planning import Planner, PlanOptions
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.object_motion import (
    ObjectMotionOptions,
    ObjectMotionPlanner,
    ObjectPath,
    RotateSelf,
    RotateWref,
    TranslateDirecAxis,
    TranslateTarObj,
    follow_with_arm,
)
from spatialpin_ros.planning.obstacles import scene_obstacles
from spatialpin_ros.simulation import ObjectSpec, World
from spatialpin_ros.simulation.adapters import SimulatedArm, SimulatedGripper
from spatialpin_ros.task import Task, TaskStep

SIZE = (0.04, 0.04, 0.06)
MOTIONS = {
    "to above another and turned": (TranslateTarObj("o2", (0.0, 0.0, 0.10)), RotateSelf("z", 60.0)),
    "up and tilted": (TranslateTarObj("o2", (-0.05, -0.1, 0.2)), RotateSelf("x", 30.0)),
    "away from another": (
        TranslateTarObj("o2", (-0.1, -0.1, 0.12)),
        TranslateDirecAxis(-0.08, "o1", "o2"),
        RotateWref("o2", "roll", 25.0),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MOTIONS)
def test_the_object_ends_where_its_path_ends(
    planner: Planner, make_object: Callable, make_scene: Callable, name: str
) -> None:
    scene = make_scene(make_object("o1", (0.45, -0.15), SIZE), make_object("o2", (0.55, 0.12)))
    home, robot = np.array(planner.robot.config.home), planner.robot
    path = ObjectMotionPlanner().plan(scene, "o1", MOTIONS[name], ObjectMotionOptions())
    assert isinstance(path, ObjectPath), path
    options = PlanOptions(improve_s=30.0, time_limit_s=60.0)
    pick = planner.plan(scene, Task("t", "take it", (TaskStep("pick", "o1"),)), home, options)
    assert isinstance(pick, Plan), pick
    config = RobotConfig.load("panda")
    with World(config, CameraConfig.load("simulation")) as world:
        for item in scene.objects:
            world.add_object(
                ObjectSpec(item.id, "box", "red", OrientedBox(item.box.pose, item.size), mass_kg=0.1)
            )
        world.step(120)
        arm, gripper, cancel = SimulatedArm(world), SimulatedGripper(world), threading.Event()
        for stage in pick.stages:
            if stage.name == "lift":
                break
            if stage.trajectory is not None:
                assert arm.follow(stage.trajectory, cancel, lambda _: None).status == "reached"
            else:
                gripper.move(stage.gripper_width_m or 0.0, stage.gripper_force_n, cancel)
        obstacles = scene_obstacles(scene, robot.config.workspace)
        around = CollisionWorld(robot, obstacles, width_m=SIZE[0], padding_m=0.0)
        carried = follow_with_arm(around, path, pick.object_T_tcp["o1"], arm.joint_positions())
        assert isinstance(carried, Trajectory), carried
        assert arm.follow(carried, cancel, lambda _: None).status == "reached"
        world.step(60)
        there = next(item for item in world.truth().objects if item.spec.id == "o1").box.pose
    apart, turned = there.distance_to(Pose(path.poses[-1, :3], path.poses[-1, 3:]))
    assert apart < 0.003
    assert np.degrees(turned) < 2.0
