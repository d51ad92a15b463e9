# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.plan import Trajectory
from spatialpin_ros.planning.collision_world import CollisionWorld, densify
from spatialpin_ros.planning.obstacles import scene_obstacles
from spatialpin_ros.planning.recheck import resample
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.timing import TimingFailure, TimingOptions, time_path


@pytest.fixture(scope="module")
def empty(robot: RobotModel, make_scene: Callable) -> CollisionWorld:
    return CollisionWorld(robot, scene_obstacles(make_scene(), robot.config.workspace), width_m=0.08)


def timed(world: CollisionWorld, path: np.ndarray, **options: object) -> Trajectory:
    result = time_path(world, path, TimingOptions(**options), checked=False)  # type: ignore[arg-type]
    assert isinstance(result, Trajectory), result
    return result


@given(seed=st.integers(0, 10_000), corners=st.integers(0, 6), speed=st.sampled_from([0.3, 1.0]))
@settings(max_examples=25, deadline=None)
def test_limits_ends_and_continuity(empty: CollisionWorld, seed: int, corners: int, speed: float) -> None:
    robot = empty.robot
    path = np.random.default_rng(seed).uniform(robot.lower, robot.upper, (2 + corners, 7))
    made = timed(empty, path, speed=speed)
    assert np.allclose(made.positions[0], path[0], atol=1e-9)
    assert np.allclose(made.positions[-1], path[-1], atol=1e-9)
    assert not made.velocities[[0, -1]].any()
    velocity, acceleration = speed * robot.velocity, speed**2 * robot.acceleration
    assert (np.abs(made.velocities) <= velocity * 1.000001).all()
    assert (np.abs(made.accelerations) <= acceleration * 1.000001).all()
    steps = np.diff(made.times)[:, None]
    assert (np.abs(np.diff(made.positions, axis=0)) / steps <= velocity * 1.0001).all()
    assert (np.abs(np.diff(made.velocities, axis=0)) / steps <= acceleration * 1.0001).all()
    assert (np.abs(np.diff(made.accelerations, axis=0)) / steps <= speed**3 * robot.jerk * 1.0001).all()
    assert robot.within_limits(made.positions).all()


@given(
    seed=st.integers(0, 10_000), corners=st.integers(0, 5), per_acceleration=st.sampled_from([2.0, 8.0, 30.0])
)
@settings(max_examples=15, deadline=None)
def test_low_jerk_limits_are_kept(
    low_jerk: Callable[[float], CollisionWorld], seed: int, corners: int, per_acceleration: float
) -> None:
    world = low_jerk(per_acceleration)
    robot = world.robot
    path = np.random.default_rng(seed).uniform(robot.lower, robot.upper, (2 + corners, 7))
    made = timed(world, path)
    steps = np.diff(made.times)[:, None]
    assert (np.abs(np.diff(made.accelerations, axis=0)) / steps <= robot.jerk * 1.0001).all()
    third = np.abs(np.diff(made.positions, n=3, axis=0)) / steps[0] ** 3
    assert (third <= robot.jerk * 1.0001).all()
    assert np.allclose(made.positions[-1], path[-1], atol=1e-9)


@pytest.fixture(scope="module")
def low_jerk(make_scene: Callable) -> Callable[[float], CollisionWorld]:
    """Worlds of arms whose jerk limits are few times their acceleration limits, as those of small arms are."""
    config = RobotConfig.load("panda")

    @cache
    def make(per_acceleration: float) -> CollisionWorld:
        limits = replace(config.limits, jerk=per_acceleration * config.limits.acceleration)
        robot = RobotModel(replace(config, limits=limits))
        return CollisionWorld(robot, scene_obstacles(make_scene(), config.workspace), width_m=0.08)

    return make


def test_slower_takes_longer(empty: CollisionWorld) -> None:
    path = np.stack([empty.robot.config.home, empty.robot.config.home + 0.8])
    assert timed(empty, path, speed=0.25).duration_s > 3 * timed(empty, path).duration_s


def test_a_straight_path_stays_straight(empty: CollisionWorld) -> None:
    start, end = np.array(empty.robot.config.home), np.array(empty.robot.config.home) + 0.5
    positions = resample(timed(empty, np.stack([start, end])), 0.002).positions
    share = (positions - start) / (end - start)
    assert np.ptp(share, axis=1).max() < 1e-4
    assert (np.diff(share[:, 0]) > -1e-5).all()


class Corridor(CollisionWorld):
    """Free only within a distance of a polyline in joint space: whatever cuts the corners collides."""

    def __init__(self, robot: RobotModel, polyline: np.ndarray, width_rad: float) -> None:
        super().__init__(robot, (), width_m=0.08)
        self.polyline, self.width_rad = polyline, width_rad

    def valid_many(self, q: np.ndarray) -> np.ndarray:
        away = [np.linalg.norm(densify(self.polyline, 0.002) - position, axis=1).min() for position in q]
        return np.array(away) < self.width_rad

    def path(self, waypoints: np.ndarray, step_rad: float | None = None) -> bool:
        return bool(self.valid_many(densify(waypoints, step_rad or self.step_rad)).all())


@pytest.mark.parametrize(("width_rad", "cutting"), [(0.05, (0.5,)), (0.004, (0.5, 0.2, 0.08))])
def test_where_the_spline_would_collide_it_keeps_to_the_path(
    robot: RobotModel, width_rad: float, cutting: tuple[float, ...]
) -> None:
    start = np.array(robot.config.home)
    corner, end = start.copy(), start.copy()
    corner[0], end[0], end[1] = 1.0, 1.0, 0.3
    path = np.stack([start, corner, end])
    world = Corridor(robot, path, width_rad)
    assert isinstance(time_path(world, path, TimingOptions(spacing_rad=cutting)), TimingFailure)
    made = time_path(world, path)
    assert isinstance(made, Trajectory), made
    assert world.path(made.positions, 0.02)


def test_a_colliding_path_is_refused_and_the_contact_named(
    robot: RobotModel, make_object: Callable, make_scene: Callable
) -> None:
    start = np.array(robot.config.home)
    end = start.copy()
    start[0], end[0] = -0.5, 0.5
    middle = robot.tcp((start + end) / 2).position
    scene = make_scene(make_object("o1", middle[:2], (0.05, 0.05, 0.8)))
    world = CollisionWorld(robot, scene_obstacles(scene, robot.config.workspace), width_m=0.08)
    refused = time_path(world, np.stack([start, end]))
    assert isinstance(refused, TimingFailure)
    assert not refused.limits
    assert "o1" in refused.detail


def test_a_path_without_length_is_refused(empty: CollisionWorld) -> None:
    home = np.array(empty.robot.config.home)
    assert isinstance(time_path(empty, np.stack([home, home])), TimingFailure)


def test_sampling_is_regular(empty: CollisionWorld) -> None:
    path = np.stack([empty.robot.config.home, empty.robot.config.home + 0.8])
    made = time_path(empty, path, replace(TimingOptions(), sample_s=0.01), checked=False)
    assert isinstance(made, Trajectory)
    assert np.allclose(np.diff(made.times), np.diff(made.times)[0])
