# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning import ik
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.obstacles import scene_obstacles
from spatialpin_ros.planning.robot_model import RobotModel


def from_above(x: float, y: float, z: float, yaw_rad: float) -> Pose:
    return Pose.from_xyz_rpy([x, y, z], [np.pi, 0.0, yaw_rad])


def test_reachable_poses_from_above_are_all_reached(robot: RobotModel) -> None:
    rng = np.random.default_rng(5)
    ranges = ((0.3, -0.35, 0.02, -np.pi), (0.65, 0.35, 0.25, np.pi))
    poses = [from_above(*rng.uniform(*ranges)) for _ in range(60)]
    found = ik.solve(robot, poses, np.array(robot.config.home), rng)
    assert {solution.index for solution in found} == set(range(60))
    for solution in found:
        assert robot.within_limits(solution.q)
        metres, radians = robot.tcp(solution.q).distance_to(poses[solution.index])
        assert metres < 2e-5
        assert radians < 2e-4


def test_solutions_are_distinct_and_ranked(robot: RobotModel) -> None:
    home = np.array(robot.config.home)
    found = ik.solve(robot, [from_above(0.45, 0.1, 0.1, 0.5)], home, np.random.default_rng(0))
    assert len(found) >= 3
    distances = [solution.distance for solution in found]
    assert distances == sorted(distances)
    for i, first in enumerate(found):
        for second in found[i + 1 :]:
            assert np.abs(first.q - second.q).max() > ik.IkOptions().distinct_rad


def test_the_same_seed_gives_the_same_solutions(robot: RobotModel) -> None:
    home, poses = np.array(robot.config.home), [from_above(0.5, 0.2, 0.05, 1.0)]
    first = ik.solve(robot, poses, home, np.random.default_rng(7))
    second = ik.solve(robot, poses, home, np.random.default_rng(7))
    assert [s.q.tolist() for s in first] == [s.q.tolist() for s in second]


def test_out_of_reach_gives_nothing(robot: RobotModel) -> None:
    home = np.array(robot.config.home)
    assert ik.solve(robot, [from_above(1.4, 0.0, 0.1, 0.0)], home, np.random.default_rng(0)) == []
    assert ik.solve(robot, [], home, np.random.default_rng(0)) == []


def test_colliding_solutions_are_left_out(
    robot: RobotModel, make_object: Callable, make_scene: Callable
) -> None:
    scene = make_scene(make_object("o1", (0.5, 0.12), (0.05, 0.06, 0.3)))
    world = CollisionWorld(robot, scene_obstacles(scene, robot.config.workspace), width_m=0.08)
    pose, home = from_above(0.5, 0.05, 0.05, 0.0), np.array(robot.config.home)
    assert ik.solve(robot, [pose], home, np.random.default_rng(0))
    assert not ik.solve_free(world, [pose], home, np.random.default_rng(0))
    beside = from_above(0.5, -0.10, 0.05, 0.0)
    free = ik.solve_free(world, [pose, beside], home, np.random.default_rng(0))
    assert free
    assert all(solution.index == 1 and world.valid(solution.q) for solution in free)
