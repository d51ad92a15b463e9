# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.plan import Plan
from spatialpin_ros.planning import Planner, PlanOptions
from spatialpin_ros.planning.bullet_world import BulletWorld
from spatialpin_ros.planning.recheck import limit_use, recheck, resample
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.scene import Scene

OPTIONS = PlanOptions(improve_s=30.0, time_limit_s=60.0)


@pytest.fixture(scope="module")
def planned(
    planner: Planner, random_scene: Callable[[int, int], Scene], stack: Callable
) -> tuple[Scene, Plan]:
    scene = random_scene(2, 6)
    plan = planner.plan(scene, stack("o0", "o1"), np.array(planner.robot.config.home), OPTIONS)
    assert isinstance(plan, Plan), plan
    return scene, plan


@pytest.mark.parametrize("held", ["", "o2"])
def test_collision_steps_and_exact_distances_agree(
    robot: RobotModel, random_scene: Callable[[int, int], Scene], held: str
) -> None:
    scene = random_scene(6, 6)
    samples = robot.config.home + np.random.default_rng(3).normal(0.0, 0.9, (300, 7))
    grip, verdicts = Pose.from_xyz_rpy([0.0, 0.0, 0.01], [np.pi, 0.0, 0.4]), []
    with BulletWorld(robot, scene) as world:
        world.check_only(held)
        for q in np.clip(samples, robot.lower, robot.upper):
            world.place_arm(q, 0.06)
            if held:
                world.place_body(held, world.tip() @ grip)
            nearest = world.least_distance(held)
            if abs(nearest.depth_m - 0.0005) > 0.0015:
                verdicts.append(nearest.depth_m > 0.0)
                assert world.overlaps(0.0005) == verdicts[-1], (q.tolist(), nearest)
    assert len(verdicts) > 250
    assert 30 < sum(verdicts) < len(verdicts) - 30


def test_a_good_plan_passes_and_an_object_put_in_its_way_is_found(
    robot: RobotModel, planned: tuple[Scene, Plan], make_object: Callable
) -> None:
    scene, plan = planned
    assert recheck(robot, scene, plan) == []
    carried = next(stage for stage in plan.stages if stage.name == "transfer")
    middle = carried.tcp_waypoints[len(carried.tcp_waypoints) // 2]
    intruder = make_object("o9", middle[:2], (0.03, 0.03, float(middle[2])))
    found = recheck(robot, replace(scene, objects=(*scene.objects, intruder)), plan)
    assert "transfer" in {overlap.stage for overlap in found}
    assert any("o9" in (overlap.first, overlap.second) for overlap in found)


def test_what_is_held_is_checked_too(robot: RobotModel, planned: tuple[Scene, Plan]) -> None:
    scene, plan = planned
    item = scene.object("o0")
    taller = item.size + np.array([0.0, 0.0, 0.3])
    swollen = replace(item, box=OrientedBox(item.box.pose, taller))
    objects = tuple(swollen if other.id == "o0" else other for other in scene.objects)
    found = recheck(robot, replace(scene, objects=objects), plan)
    assert any(overlap.first == "o0" and overlap.stage == "transfer" for overlap in found)


def test_limits_are_measured_between_the_points_too(robot: RobotModel, planned: tuple[Scene, Plan]) -> None:
    _, plan = planned
    used = limit_use(robot, plan)
    assert used.kept
    assert used.velocity > 0.5
    motion = next(stage.trajectory for stage in plan.stages if stage.trajectory is not None)
    fine = resample(motion, 0.002)
    assert np.diff(fine.times).max() <= 0.002 + 1e-9
    at = np.searchsorted(fine.times, motion.times[:-1] - 1e-6)
    assert np.allclose(fine.positions[at], motion.positions[:-1], atol=1e-6)
    differences = np.diff(fine.positions[:-1], axis=0) / 0.002
    assert np.allclose(differences, (fine.velocities[1:-1] + fine.velocities[:-2]) / 2.0, atol=1e-3)
    fast = replace(motion, times=motion.times / 1.5, velocities=motion.velocities * 1.5)
    stages = tuple(
        replace(stage, trajectory=fast) if stage.trajectory is motion else stage for stage in plan.stages
    )
    assert not limit_use(robot, replace(plan, stages=stages)).kept
