# SPDX-License-Identifier: Apache-2.0
"""The simulated arm and gripper as execution uses them: following, stopping, grasping, and telling the truth."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.plan import Trajectory
from spatialpin_ros.simulation import ObjectSpec, World
from spatialpin_ros.simulation.adapters import SimulatedArm, SimulatedGripper


@pytest.fixture
def world() -> Iterator[World]:
    with World(RobotConfig.load(), CameraConfig.load()) as world:
        world.reset(objects=())
        yield world


def turn(world: World, angle_rad: float, duration_s: float) -> Trajectory:
    """Turn the first joint from home by an angle along a quintic from rest to rest."""
    config = world.robot.config
    times = np.linspace(0.0, duration_s, 50)
    t = times / duration_s
    first = np.eye(len(config.joints))[0]
    positions = config.home + np.outer(angle_rad * (10 * t**3 - 15 * t**4 + 6 * t**5), first)
    velocities = np.outer(angle_rad * (30 * t**2 - 60 * t**3 + 30 * t**4) / duration_s, first)
    return Trajectory(tuple(config.joints), times, positions, velocities, np.zeros_like(positions))


def test_a_trajectory_is_followed_and_progress_told(world: World) -> None:
    arm, told = SimulatedArm(world), []
    began_s = world.time_s
    motion = turn(world, 0.6, 1.5)
    result = arm.follow(motion, threading.Event(), told.append)
    assert result.status == "reached"
    np.testing.assert_allclose(arm.joint_positions(), motion.positions[-1], atol=0.01)
    assert world.time_s - began_s == pytest.approx(1.5, abs=1.0)
    assert told == sorted(told)
    assert len(told) >= 10


def test_cancelling_stops_the_arm_before_it_is_reported(world: World) -> None:
    cancel = threading.Event()

    def after_a_while(share: float) -> None:
        if share > 0.4:
            cancel.set()

    arm = SimulatedArm(world)
    result = arm.follow(turn(world, 1.2, 1.5), cancel, after_a_while)
    assert result.status == "cancelled"
    assert np.abs(world.robot.arm_states().velocities).max() < 0.05
    assert 0.2 < arm.joint_positions()[0] < 1.1


def test_a_motion_that_the_arm_cannot_make_breaks_a_tolerance(world: World) -> None:
    result = SimulatedArm(world).follow(turn(world, 2.5, 0.1), threading.Event(), lambda _: None)
    assert result.status == "tolerance"
    assert "rad off" in result.message


def test_the_gripper_stalls_on_what_it_holds(world: World) -> None:
    tip = world.robot.tip_pose()
    height = tip.position[2] + 0.02
    column = OrientedBox(
        Pose.from_yaw([*tip.position[:2], height / 2.0], tip.yaw_rad), np.array([0.04, 0.04, height])
    )
    world.add_object(ObjectSpec("held", "box", "red", column, 0.5))
    result = SimulatedGripper(world).move(0.0, 20.0, threading.Event())
    assert result.stalled
    assert not result.reached
    assert result.width_m == pytest.approx(0.04, abs=0.004)


def test_the_gripper_reaches_its_width_on_nothing(world: World) -> None:
    gripper = SimulatedGripper(world)
    result = gripper.move(0.02, 20.0, threading.Event())
    assert result.reached
    assert not result.stalled
    assert gripper.width() == pytest.approx(0.02, abs=0.002)
