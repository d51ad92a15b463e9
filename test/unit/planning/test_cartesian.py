# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import Plan
from spatialpin_ros.planning import Planner, PlanOptions, cartesian, ik
from spatialpin_ros.planning.cartesian import LineOptions, straight_line, straight_lines
from spatialpin_ros.planning.collision_world import densify
from spatialpin_ros.planning.recheck import resample
from spatialpin_ros.planning.robot_model import RobotModel


def grasping(robot: RobotModel, x: float = 0.5, y: float = 0.1, yaw_rad: float = 0.3) -> np.ndarray:
    pose = Pose.from_xyz_rpy([x, y, 0.03], [np.pi, 0.0, yaw_rad])
    return ik.solve(robot, [pose], np.array(robot.config.home), np.random.default_rng(0))[0].q


@given(x=st.floats(0.35, 0.6), y=st.floats(-0.3, 0.3), yaw=st.floats(-1.5, 1.5), length=st.floats(0.02, 0.12))
@settings(max_examples=20, deadline=None)
def test_the_tip_stays_on_the_line_and_keeps_its_orientation(
    robot: RobotModel, x: float, y: float, yaw: float, length: float
) -> None:
    start = grasping(robot, x, y, yaw)
    line = straight_line(robot, start, np.array([0.0, 0.0, length]))
    assert line, line.failure
    rotations, positions = robot.tcp_batch(densify(line.path, 0.01))
    assert np.abs(positions[:, :2] - positions[0, :2]).max() < 0.001
    assert positions[-1, 2] - positions[0, 2] == pytest.approx(length, abs=1e-4)
    assert (np.diff(positions[:, 2]) > 0).all()
    tilt = np.arccos(np.clip((np.trace(rotations @ rotations[0].T, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert tilt.max() < 0.01
    assert np.abs(line.path[0] - start).max() < 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_the_timed_motion_stays_on_the_line_between_its_points_too(
    planner: Planner, random_scene: Callable, stack: Callable, seed: int
) -> None:
    options = PlanOptions(improve_s=30.0, time_limit_s=60.0)
    plan = planner.plan(
        random_scene(seed, 6), stack("o0", "o1"), np.array(planner.robot.config.home), options
    )
    assert isinstance(plan, Plan), plan
    straight = [stage for stage in plan.stages if stage.linear and stage.trajectory is not None]
    assert [stage.name for stage in straight] == ["approach", "lift", "place", "retreat"]
    for stage in straight:
        assert stage.trajectory is not None
        fine = resample(stage.trajectory, 0.002).positions
        rotations, positions = planner.robot.tcp_batch(fine)
        way = positions[-1] - positions[0]
        along = way / np.linalg.norm(way)
        away = positions - positions[0]
        assert np.linalg.norm(away - np.outer(away @ along, along), axis=1).max() < 0.001
        assert (np.diff(away @ along) > -2e-5).all()
        turned = np.clip((np.trace(rotations @ rotations[0].T, axis1=1, axis2=2) - 1) / 2, -1, 1)
        assert np.arccos(turned).max() < 0.01
        assert np.abs(np.diff(stage.trajectory.positions, axis=0)).max() < 0.1


def test_a_change_of_branch_is_noticed(robot: RobotModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half way the inverse kinematics answers from another branch: each pose is right, the way between is not."""
    start, other = (
        ik.solve(robot, [tip_pose()], np.array(home), np.random.default_rng(0))[0].q for home in HOMES
    )
    assert np.abs(start - other).max() > 0.5

    def switching(robot, rotations, positions, seeds, options):
        half = len(seeds) // 2
        seeds = np.concatenate([seeds[:half], np.repeat(other[None], len(seeds) - half, axis=0)])
        return ik.solve_batch(robot, rotations, positions, seeds, replace(options, iterations=60))

    up = np.array([0.0, 0.0, 0.06])
    assert straight_line(robot, start, up)
    monkeypatch.setattr(cartesian, "solve_batch", switching)
    line = straight_line(robot, start, up)
    assert "jump" in line.failure
    assert len(line.path) == 0


HOMES = ([0.0, -0.8, 0.0, -2.4, 0.0, 1.6, 0.8], [1.0, -0.9, -1.2, -2.4, -0.5, 1.8, 2.0])


def tip_pose() -> Pose:
    return Pose.from_xyz_rpy([0.5, 0.1, 0.1], [np.pi, 0.0, 0.3])


def test_out_of_reach_is_named(robot: RobotModel) -> None:
    line = straight_line(robot, grasping(robot), np.array([0.8, 0.0, 0.0]))
    assert not line
    assert "out of reach" in line.failure
    assert len(line.path) == 0


def test_jumps_and_errors_are_refused(robot: RobotModel) -> None:
    start, up = grasping(robot), np.array([0.0, 0.0, 0.1])
    assert "jump" in straight_line(robot, start, up, LineOptions(most_jump_rad=0.01)).failure
    assert (
        "leave the straight line" in straight_line(robot, start, up, LineOptions(most_error_m=1e-9)).failure
    )


def test_a_batch_gives_what_single_lines_give(robot: RobotModel) -> None:
    starts = np.stack([grasping(robot, 0.4), grasping(robot, 0.5)])
    ups = np.tile([0.0, 0.0, 0.08], (2, 1))
    for start, line in zip(starts, straight_lines(robot, starts, ups), strict=True):
        assert np.allclose(line.path, straight_line(robot, start, ups[0]).path, atol=1e-6)
