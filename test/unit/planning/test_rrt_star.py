# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.obstacles import scene_obstacles
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.rrt_star import PathFailure, PathOptions, PathResult, plan_path
from spatialpin_ros.planning.shortcut import path_length

# Bounded by edge checks, not by time, so that every run is the same.
OPTIONS = PathOptions(improve_s=30.0, improve_edges=150)


@pytest.fixture
def gate(
    robot: RobotModel, make_object: Callable, make_scene: Callable
) -> tuple[CollisionWorld, np.ndarray, np.ndarray]:
    """A wall between two positions of the arm, to be passed over."""
    start = np.array(robot.config.home)
    start[0], start[1], start[3] = -0.6, 0.2, -2.1
    goal = start.copy()
    goal[0] = 0.6
    wall = make_object("o1", robot.tcp((start + goal) / 2).position[:2], (0.3, 0.03, 0.35))
    world = CollisionWorld(robot, scene_obstacles(make_scene(wall), robot.config.workspace), width_m=0.08)
    assert world.valid(start)
    assert world.valid(goal)
    assert not world.motion(start, goal)
    return world, start, goal


def found(result: PathResult | PathFailure) -> PathResult:
    assert isinstance(result, PathResult), result
    return result


def test_a_free_straight_line_is_taken_and_nothing_else_is_tried(
    robot: RobotModel, make_scene: Callable
) -> None:
    world = CollisionWorld(robot, scene_obstacles(make_scene(), robot.config.workspace), width_m=0.08)
    start = np.array(robot.config.home)
    goal = start + 0.3
    result = found(plan_path(world, start, goal[None], OPTIONS))
    assert result.won == "straight_line"
    assert result.edges == 1
    assert result.cost == pytest.approx(float(np.linalg.norm(goal - start)))


@pytest.mark.parametrize("name", ["rrt_star", "rrt_connect", "informed_rrt_star", "bit_star", "prm_star"])
def test_every_planner_finds_a_free_way_round(gate: tuple, name: str) -> None:
    world, start, goal = gate
    options = replace(OPTIONS, planner=name, improve_s=30.0 if name == "rrt_star" else 1.0)
    result = found(plan_path(world, start, goal[None], options))
    assert np.array_equal(result.path[0], start)
    assert np.allclose(result.path[-1], goal)
    assert world.path(result.path, 0.02)
    costs = [cost for _, cost in result.cost_over_time]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == pytest.approx(path_length(result.path))


def test_the_result_depends_on_the_seed_alone(gate: tuple) -> None:
    world, start, goal = gate
    paths = [
        found(plan_path(world, start, goal[None], replace(OPTIONS, seed=seed))).path for seed in (3, 3, 4)
    ]
    assert np.array_equal(paths[0], paths[1])
    assert paths[0].shape != paths[2].shape or not np.allclose(paths[0], paths[2])


@pytest.mark.parametrize("seed", range(4))
def test_never_longer_than_rrt_connect_with_shortcuts(gate: tuple, seed: int) -> None:
    world, start, goal = gate
    ours = found(plan_path(world, start, goal[None], replace(OPTIONS, seed=seed)))
    plain = found(plan_path(world, start, goal[None], replace(OPTIONS, planner="rrt_connect", seed=seed)))
    assert ours.cost <= plain.cost + 1e-9


def test_the_best_of_several_goals_is_reached(gate: tuple) -> None:
    world, start, goal = gate
    near = start.copy()
    near[0] -= 0.3
    result = found(plan_path(world, start, np.stack([goal, near]), OPTIONS))
    assert result.goal_index == 1
    assert np.array_equal(result.path[-1], near)


def test_collisions_at_the_ends_are_named(gate: tuple) -> None:
    world, start, goal = gate
    inside = (start + goal) / 2
    blocked = plan_path(world, inside, goal[None], OPTIONS)
    assert isinstance(blocked, PathFailure)
    assert blocked.reason == "start_in_collision"
    assert "o1" in blocked.detail
    blocked = plan_path(world, start, inside[None], OPTIONS)
    assert isinstance(blocked, PathFailure)
    assert blocked.reason == "goal_in_collision"


def test_cancelling_ends_the_search(gate: tuple) -> None:
    world, start, goal = gate
    result = plan_path(world, start, goal[None], replace(OPTIONS, cancelled=lambda: True))
    assert isinstance(result, PathFailure)
    assert result.reason == "cancelled"


def test_an_unknown_planner_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="bit_star.*rrt_star"):
        PathOptions(planner="a_star")
