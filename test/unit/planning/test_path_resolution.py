# SPDX-License-Identifier: Apache-2.0
"""Paths are free at the fine resolution that is asked for, though the search works at a coarser one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.obstacles import scene_obstacles
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.rrt_star import PathOptions, PathResult, plan_path

FINE_RAD = 0.01


@pytest.fixture(scope="module")
def posts(
    robot: RobotModel, make_object: Callable, make_scene: Callable
) -> tuple[CollisionWorld, np.ndarray, np.ndarray]:
    """Thin posts between two positions of the arm: a coarse check can step over them."""
    start = np.array(robot.config.home)
    start[0], start[1], start[3] = -0.7, 0.35, -2.1
    goal = start.copy()
    goal[0] = 0.7
    angles = (-0.25, 0.0, 0.25)
    radius = float(np.linalg.norm(robot.tcp(start).position[:2]))
    made = [
        make_object(f"o{k}", (radius * np.cos(at), radius * np.sin(at)), (0.006, 0.006, 0.5))
        for k, at in enumerate(angles)
    ]
    obstacles = scene_obstacles(make_scene(*made), robot.config.workspace)
    return CollisionWorld(robot, obstacles, width_m=0.08, padding_m=0.0, step_rad=0.1), start, goal


@pytest.mark.parametrize("seed", range(6))
def test_the_path_is_free_at_the_resolution_asked_for(posts: tuple, seed: int) -> None:
    world, start, goal = posts
    options = PathOptions(improve_s=30.0, improve_edges=150, check_rad=FINE_RAD, seed=seed)
    result = plan_path(world, start, goal[None], options)
    assert isinstance(result, PathResult), result
    assert world.path(result.path, FINE_RAD)


def test_a_motion_may_leave_out_a_start_that_is_known(posts: tuple) -> None:
    world, start, goal = posts
    middle = (start + goal) / 2.0
    assert not world.valid(middle)
    away = middle.copy()
    away[1] -= 0.8
    assert world.valid(away)
    assert not world.motion(middle, away)
    assert not world.motion(away, middle, start_is_free=True)
    counted = world.counters.states
    assert world.motion(start, start + 0.01, 0.02, start_is_free=True)
    assert world.counters.states - counted == 2
