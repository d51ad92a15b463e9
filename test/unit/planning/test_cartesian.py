# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning import ik
from spatialpin_ros.planning.cartesian import LineOptions, straight_line, straight_lines
from spatialpin_ros.planning.collision_world import densify
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


def test_out_of_reach_is_named(robot: RobotModel) -> None:
    line = straight_line(robot, grasping(robot), np.array([0.8, 0.0, 0.0]))
    assert not line
    assert "out of reach" in line.failure
    assert len(line.path) == 0


def test_jumps_and_errors_are_refused(robot: RobotModel) -> None:
    start, up = grasping(robot), np.array([0.0, 0.0, 0.1])
    assert "jump" in straight_line(robot, start, up, LineOptions(most_jump_rad=0.01)).failure
    assert "leave the straight line" in straight_line(robot, start, up, LineOptions(most_error_m=1e-9)).failure


def test_a_batch_gives_what_single_lines_give(robot: RobotModel) -> None:
    starts = np.stack([grasping(robot, 0.4), grasping(robot, 0.5)])
    ups = np.tile([0.0, 0.0, 0.08], (2, 1))
    for start, line in zip(starts, straight_lines(robot, starts, ups), strict=True):
        assert np.allclose(line.path, straight_line(robot, start, ups[0]).path, atol=1e-6)
