# SPDX-License-Identifier: Apache-2.0
"""The first path: free, from start to a goal, by the seed alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spatialpin_ros.planning import rrt_connect as rrt_connect_module
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.obstacles import scene_obstacles
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.rrt_connect import RANGE_RAD, rrt_connect

Gate = tuple[CollisionWorld, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def gate(robot: RobotModel, make_object: Callable, make_scene: Callable) -> Gate:
    """A wall between two positions of the arm."""
    start = np.array(robot.config.home)
    start[0], start[1], start[3] = -0.6, 0.2, -2.1
    goal = start.copy()
    goal[0] = 0.6
    wall = make_object("o1", robot.tcp((start + goal) / 2).position[:2], (0.3, 0.03, 0.35))
    world = CollisionWorld(robot, scene_obstacles(make_scene(wall), robot.config.workspace), width_m=0.08)
    assert not world.motion(start, goal)
    return world, start, goal


def never() -> bool:
    return False


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("turned", [False, True])
def test_a_way_round_is_free_and_has_short_edges(gate: Gate, seed: int, turned: bool) -> None:
    world, start, goal = gate
    first, last = (goal, start) if turned else (start, goal)
    path = rrt_connect(world, first, last[None], never, seed)
    assert path is not None
    assert np.array_equal(path[0], first)
    assert np.array_equal(path[-1], last)
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() <= RANGE_RAD + 1e-9
    assert world.path(path, world.step_rad)


def test_the_path_depends_on_the_seed_alone(gate: Gate) -> None:
    world, start, goal = gate
    paths = [rrt_connect(world, start, goal[None], never, seed) for seed in (3, 3, 4)]
    assert np.array_equal(paths[0], paths[1])
    assert paths[0].shape != paths[2].shape or not np.array_equal(paths[0], paths[2])


def test_the_nearer_of_several_goals_will_do(gate: Gate) -> None:
    world, start, goal = gate
    near = start.copy()
    near[6] += 0.3
    path = rrt_connect(world, start, np.stack([goal, near]), never, 0)
    assert path is not None
    assert any(np.array_equal(path[-1], other) for other in (goal, near))


def test_it_stops_when_told(gate: Gate) -> None:
    world, start, goal = gate
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    assert rrt_connect(world, start, goal[None], stop, 0) is None
    assert len(asked) == 3


def test_samples_that_no_shorter_path_can_pass_are_left_out(robot: RobotModel) -> None:
    start = np.array(robot.config.home)
    goals = np.stack([start + 0.2, start - 0.1])
    lower, upper = rrt_connect_module._box(start, goals, 1.0, robot.lower, robot.upper)
    assert (lower >= robot.lower).all()
    assert (upper <= robot.upper).all()
    assert (upper - lower).max() < 1.5
    samples = np.random.default_rng(0).normal(start, 0.25, (20_000, robot.dimension))
    useful = rrt_connect_module._useful(samples, start, goals, 1.0)
    inside = ((samples >= lower) & (samples <= upper)).all(axis=1)
    assert not (useful & ~inside).any()
    assert 0 < useful.sum() < len(samples)
    ends = np.concatenate([start[None], goals])
    assert rrt_connect_module._useful(ends, start, goals, 1.0).all()
    everywhere = rrt_connect_module._box(start, goals, np.inf, robot.lower, robot.upper)
    assert np.array_equal(everywhere, (robot.lower, robot.upper))
