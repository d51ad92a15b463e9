# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import coal
import numpy as np
import pytest

from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.obstacles import Obstacle
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.rrt_connect import rrt_connect
from spatialpin_ros.planning.shortcut import cut_corners, path_length, shortcut, skip_vertices

STEP_RAD = 0.02


@pytest.fixture(scope="module")
def detours(robot: RobotModel) -> tuple[CollisionWorld, list[np.ndarray]]:
    """Ways round a tall post between two positions."""
    post = Obstacle("post", coal.Box(0.05, 0.05, 0.8), Pose([0.45, 0.0, 0.4]))
    world = CollisionWorld(robot, (post,), width_m=0.08, step_rad=STEP_RAD)
    start = np.array([-0.6, 0.2, 0.0, -2.1, 0.0, 1.570796, 0.785398])
    goal = start.copy()
    goal[0] = 0.6
    assert not world.motion(start, goal)
    found = [rrt_connect(world, start, goal[None], lambda: False, seed) for seed in range(6)]
    return world, [path for path in found if path is not None]


def test_cutting_corners_keeps_ends_and_freedom_and_shortens(
    detours: tuple[CollisionWorld, list[np.ndarray]],
) -> None:
    world, paths = detours
    touching = world.derive(padding_m=0.0)
    assert len(paths) == 6
    for path in paths:
        skipped = skip_vertices(world, path, STEP_RAD)
        cut = cut_corners(world, skipped, step_rad=STEP_RAD)
        assert path_length(cut) < path_length(skipped) <= path_length(path)
        assert np.array_equal(cut[[0, -1]], path[[0, -1]])
        assert touching.path(cut, STEP_RAD)


def test_cut_corners_are_no_longer_than_random_shortcuts_and_take_fewer_checks(
    detours: tuple[CollisionWorld, list[np.ndarray]],
) -> None:
    world, paths = detours
    lengths, states = [], []
    for path in paths:
        before = world.counters.states
        cut = cut_corners(world, skip_vertices(world, path, STEP_RAD), step_rad=STEP_RAD)
        between = world.counters.states
        joined = shortcut(world, path, np.random.default_rng(0), step_rad=STEP_RAD)
        lengths.append((path_length(cut), path_length(joined)))
        states.append((between - before, world.counters.states - between))
    mean = np.mean(lengths, axis=0)
    assert mean[0] < 1.02 * mean[1]
    assert np.sum(states, axis=0)[0] < np.sum(states, axis=0)[1]


def test_a_straight_path_is_left_alone(detours: tuple[CollisionWorld, list[np.ndarray]]) -> None:
    world, paths = detours
    line = np.stack([paths[0][0], paths[0][0] + 0.05])
    assert np.array_equal(cut_corners(world, line), line)
    assert np.array_equal(skip_vertices(world, line), line)
