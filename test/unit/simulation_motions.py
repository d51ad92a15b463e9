# SPDX-License-Identifier: Apache-2.0
"""Scripted motions for simulation tests."""

from __future__ import annotations

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.simulation import ArmGoal, ObjectSpec, Workcell


def rest_to_rest(names: list[str], start: FloatArray, end: FloatArray, duration_s: float) -> ArmGoal:
    """A minimum-jerk motion."""
    times = np.linspace(0.0, duration_s, 40)
    u = (times / duration_s)[:, None]
    step = (end - start)[None]
    return ArmGoal(
        tuple(names),
        times,
        start + (10 * u**3 - 15 * u**4 + 6 * u**5) * step,
        (30 * u**2 - 60 * u**3 + 30 * u**4) / duration_s * step,
        (60 * u - 180 * u**2 + 120 * u**3) / duration_s**2 * step,
    )


def pointing_down(position: tuple[float, float, float], yaw_rad: float = 0.0) -> Pose:
    return Pose.from_xyz_rpy(position, (np.pi, 0.0, yaw_rad))


def reach(workcell: Workcell, tip: Pose, duration_s: float) -> None:
    """Move the tip to a pose with PyBullet's inverse kinematics, which the library itself never uses."""
    robot, world = workcell.world.robot, workcell.world
    solution = world._bullet.calculateInverseKinematics(
        robot.body,
        robot._tip,
        tip.position.tolist(),
        tip.quaternion.tolist(),
        maxNumIterations=500,
        residualThreshold=1e-6,
        physicsClientId=world._client,
    )
    goal = rest_to_rest(robot.config.joints, robot.target, np.array(solution[:7]), duration_s)
    assert workcell.arm.start(goal).accepted
    assert workcell.run_until(lambda: not workcell.arm.busy, duration_s + 2.0)


def grip(workcell: Workcell, position: float, effort: float = 40.0) -> None:
    assert workcell.gripper.start(position, effort).accepted
    assert workcell.run_until(lambda: not workcell.gripper.busy, 4.0)


def standing(
    kind: str, size: tuple[float, float, float], x: float, y: float, name: str = "thing", color: str = "red"
) -> ObjectSpec:
    box = OrientedBox(Pose(np.array([x, y, size[2] / 2.0])), np.array(size))
    return ObjectSpec(name, kind, color, box, mass_kg=float(np.prod(size)) * 600.0)  # type: ignore[arg-type]
