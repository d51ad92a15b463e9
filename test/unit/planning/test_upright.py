# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.plan import Plan
from spatialpin_ros.planning import Planner, PlanOptions
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.obstacles import scene_obstacles
from spatialpin_ros.planning.recheck import recheck, resample
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.rrt_star import PathFailure, PathOptions, PathResult, plan_path
from spatialpin_ros.planning.upright import Upright
from spatialpin_ros.planning.upright_rrt import connect_upright
from spatialpin_ros.task import Task, TaskStep

DOWN = np.array([0.0, 0.0, -1.0])
OPTIONS = PlanOptions(improve_s=30.0, time_limit_s=60.0)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_projection_ends_upright_and_not_far_away(robot: RobotModel, seed: int) -> None:
    rng, upright = np.random.default_rng(seed), Upright(DOWN, 0.1)
    near = np.clip(robot.config.home + rng.normal(0.0, 0.15, 7), robot.lower, robot.upper)
    projected = upright.project(robot, near)
    assert projected is not None
    assert upright.tilt(robot, projected[None])[0] <= 0.1
    assert robot.within_limits(projected)
    tilt = upright.tilt(robot, near[None])[0]
    assert np.linalg.norm(projected - near) <= 2.0 * tilt + 1e-9


def test_the_tilt_is_that_of_the_tip(robot: RobotModel) -> None:
    q = robot.config.home + np.random.default_rng(0).normal(0.0, 0.5, (50, 7))
    tilts = Upright(DOWN, 0.1).tilt(robot, q)
    for position, tilt in zip(q, tilts, strict=True):
        assert np.cos(tilt) == pytest.approx(-robot.tcp(position).axes[2, 2], abs=1e-9)


def test_a_tilted_position_is_not_valid_and_says_by_how_much(robot: RobotModel, make_scene: Callable) -> None:
    plain = CollisionWorld(robot, scene_obstacles(make_scene(), robot.config.workspace), width_m=0.08)
    world = plain.derive(upright=Upright(DOWN, np.deg2rad(10.0)))
    home = np.array(robot.config.home)
    tilted = home.copy()
    tilted[5] += np.deg2rad(25.0)
    assert world.valid(home)
    assert plain.valid(tilted)
    assert not world.valid(tilted)
    assert "25 degrees" in world.explain(tilted)
    assert not world.motion(home, tilted)
    assert not world.path(np.stack([home, tilted]))
    assert world.derive(padding_m=0.0).upright is world.upright


@pytest.fixture
def barred(robot: RobotModel, make_object: Callable, make_scene: Callable) -> tuple:
    """A wall to be passed over: the shortest way over it tilts the hand."""
    start = np.array(robot.config.home)
    start[0], start[1], start[3] = -0.6, 0.2, -2.1
    start[5] = 0.2 + 2.1  # fingers straight down
    goal = start.copy()
    goal[0] = 0.6
    wall = make_object("o1", robot.tcp((start + goal) / 2).position[:2], (0.3, 0.03, 0.35))
    obstacles = scene_obstacles(make_scene(wall), robot.config.workspace)
    world = CollisionWorld(robot, obstacles, width_m=0.08, upright=Upright(DOWN, 0.2))
    assert world.valid(start)
    assert world.valid(goal)
    return world, start, goal


@pytest.mark.parametrize("seed", range(3))
def test_a_tight_bound_on_the_tilt_is_no_hindrance(barred: tuple, seed: int) -> None:
    loose, start, goal = barred
    upright = Upright(DOWN, 0.03)
    world = loose.derive(upright=upright)
    path = connect_upright(world, start, goal[None], lambda: world.counters.edges > 5000, seed)
    assert path is not None
    assert np.array_equal(path[0], start)
    assert np.array_equal(path[-1], goal)
    assert world.path(path, 0.05)
    again = connect_upright(world, start, goal[None], lambda: False, seed)
    assert again is not None
    assert np.array_equal(path, again)


@pytest.mark.parametrize("seed", range(3))
def test_paths_round_an_obstacle_stay_upright(barred: tuple, seed: int) -> None:
    world, start, goal = barred
    result = plan_path(world, start, goal[None], PathOptions(improve_s=30.0, improve_edges=100, seed=seed))
    assert isinstance(result, PathResult), result
    assert result.won != "straight_line"
    assert world.path(result.path, 0.02)
    free = plan_path(world.derive(upright=None), start, goal[None], PathOptions(improve_s=30.0, seed=seed))
    assert isinstance(free, PathResult)
    assert not world.path(free.path, 0.02)


def test_where_nothing_stays_upright_there_is_no_path(barred: tuple) -> None:
    world, start, goal = barred
    strict = world.derive(upright=Upright(DOWN, 1e-4))
    tilted = goal.copy()
    tilted[5] += 0.3
    refused = plan_path(strict, start, tilted[None], PathOptions())
    assert isinstance(refused, PathFailure)
    assert refused.reason == "goal_in_collision"
    assert "tilted by" in refused.detail


def carried_tilts(robot: RobotModel, plan: Plan) -> np.ndarray:
    """Angles between the object's own vertical and the vertical at 2 ms, over all of what is done while it is held."""
    tilts = [np.zeros(0)]
    for stage in plan.stages:
        if stage.holding and stage.trajectory is not None:
            rotations, _ = robot.tcp_batch(resample(stage.trajectory).positions)
            up = plan.object_T_tcp[stage.holding].axes[2]
            tilts.append(np.arccos(np.clip(rotations[:, 2] @ up, -1.0, 1.0)))
    return np.concatenate(tilts)


def test_where_no_way_is_found_the_constraint_is_named(barred: tuple) -> None:
    world, start, goal = barred
    refused = plan_path(world, start, goal[None], PathOptions(first_path_s=0.0))
    assert isinstance(refused, PathFailure)
    assert refused.reason == "no_path"
    assert "upright" in refused.detail


@pytest.mark.parametrize("where", ["pick", "place", "options"])
def test_a_cup_is_carried_over_a_tower_upright(
    planner: Planner, make_object: Callable, make_scene: Callable, where: str
) -> None:
    scene = make_scene(
        make_object("o1", (0.45, 0.25), (0.05, 0.05, 0.08), 0.0, "cylinder"),
        make_object("o2", (0.45, -0.25), (0.07, 0.07, 0.03)),
        make_object("o3", (0.52, 0.0), (0.25, 0.04, 0.30)),
    )
    steps = (
        TaskStep("pick", "o1", keep_upright=where == "pick"),
        TaskStep("place_on", "o1", "o2", keep_upright=where == "place"),
    )
    options = replace(OPTIONS, keep_upright=where == "options")
    home, robot = np.array(planner.robot.config.home), planner.robot
    plan = planner.plan(scene, Task("t", "put the cup down", steps), home, options)
    assert isinstance(plan, Plan), plan
    assert carried_tilts(robot, plan).max() <= options.upright_tolerance_rad + 1e-3
    assert recheck(robot, scene, plan, step_s=0.01) == []


def test_tolerance_and_axis_are_checked() -> None:
    with pytest.raises(InvalidValueError, match="unit axis"):
        Upright(np.array([0.0, 0.0, 2.0]), 0.1)
    with pytest.raises(InvalidValueError, match="tolerance"):
        Upright(DOWN, 0.0)
