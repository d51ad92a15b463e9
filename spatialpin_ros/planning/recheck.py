# SPDX-License-Identifier: Apache-2.0
"""Follow a whole plan a second time in PyBullet, at 2 ms, and list what overlaps or leaves the limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.plan import Plan, Trajectory
from spatialpin_ros.planning.bullet_world import BulletWorld, Overlap
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.walk import Moving, motions
from spatialpin_ros.scene import Scene

_SCREEN_M = 0.0005


@dataclass(frozen=True, slots=True)
class LimitUse:
    """Largest share of each limit that a motion uses, over all joints; above 1 is a violation.

    Args:
        position_margin_rad: least distance to a position limit, negative beyond it [rad].
        jerk: of the mean jerk between the trajectory's own points.
    """

    position_margin_rad: float
    velocity: float
    acceleration: float
    jerk: float

    @property
    def kept(self) -> bool:
        """Whether all limits are kept."""
        largest = max(self.velocity, self.acceleration, self.jerk)
        return self.position_margin_rad >= -1e-6 and largest <= 1.0 + 1e-6


def resample(trajectory: Trajectory, step_s: float = 0.002) -> Trajectory:
    """The trajectory every `step_s`, by the quintic through positions, velocities and accelerations.

    That is what ros2_control's joint_trajectory_controller follows between the points that it is sent.
    """
    times: FloatArray = step_s * np.arange(
        int(np.ceil(trajectory.duration_s / step_s - 1e-6)) + 1, dtype=float
    )
    times[-1] = trajectory.duration_s
    index = np.clip(np.searchsorted(trajectory.times, times, side="right") - 1, 0, len(trajectory.times) - 2)
    span = np.diff(trajectory.times)[index][:, None]
    u = (times - trajectory.times[index])[:, None] / span
    c = _quintic(trajectory)[:, index]
    positions = c[0] + u * (c[1] + u * (c[2] + u * (c[3] + u * (c[4] + u * c[5]))))
    velocities = (c[1] + u * (2 * c[2] + u * (3 * c[3] + u * (4 * c[4] + u * 5 * c[5])))) / span
    accelerations = (2 * c[2] + u * (6 * c[3] + u * (12 * c[4] + u * 20 * c[5]))) / span**2
    return Trajectory(trajectory.joint_names, times, positions, velocities, accelerations)


def _quintic(trajectory: Trajectory) -> FloatArray:
    """(6, N - 1, D) coefficients of each segment's quintic over its own time, scaled to 0..1."""
    h = np.diff(trajectory.times)[:, None]
    p, v, a = trajectory.positions, trajectory.velocities, trajectory.accelerations
    change, v0, v1 = p[1:] - p[:-1], v[:-1] * h, v[1:] * h
    a0, a1 = a[:-1] * h**2, a[1:] * h**2
    return np.stack(
        [
            p[:-1],
            v0,
            a0 / 2,
            10 * change - 6 * v0 - 4 * v1 - (3 * a0 - a1) / 2,
            -15 * change + 8 * v0 + 7 * v1 + (3 * a0 - 2 * a1) / 2,
            6 * change - 3 * (v0 + v1) - (a0 - a1) / 2,
        ]
    )


def limit_use(robot: RobotModel, plan: Plan, step_s: float = 0.002) -> LimitUse:
    """How near a plan comes to the limits, every `step_s` of all its motions."""
    motions = [stage.trajectory for stage in plan.stages if stage.trajectory is not None]
    fine = [resample(motion, step_s) for motion in motions]
    positions = np.concatenate([motion.positions for motion in fine])
    jerks = [np.diff(m.accelerations, axis=0) / np.diff(m.times)[:, None] for m in motions]
    return LimitUse(
        float(np.minimum(positions - robot.lower, robot.upper - positions).min()),
        max(float((np.abs(motion.velocities) / robot.velocity).max()) for motion in fine),
        max(float((np.abs(motion.accelerations) / robot.acceleration).max()) for motion in fine),
        max(float((np.abs(jerk) / robot.jerk).max()) for jerk in jerks),
    )


def recheck(
    robot: RobotModel, scene: Scene, plan: Plan, step_s: float = 0.002, tolerance_m: float = 0.001
) -> list[Overlap]:
    """Follow a whole plan in PyBullet, moving held objects with the hand, and list every stage's deepest overlap.

    Held objects may touch what they are taken from and put on during lift and place; nothing else may
    overlap by more than the tolerance, which covers PyBullet's collision margins.
    """
    found: list[Overlap] = []
    with BulletWorld(robot, scene) as world:
        for moving in motions(plan, scene, robot.config.gripper.max_width_m):
            worst = _follow(world, plan, moving, step_s)
            if worst.depth_m > tolerance_m:
                found.append(worst)
    return found


def _follow(world: BulletWorld, plan: Plan, moving: Moving, step_s: float) -> Overlap:
    """The deepest overlap of one motion; what a collision step suspects is measured by exact distances."""
    held = moving.stage.holding
    world.check_only(held, moving.allowed)
    tip_T_object = plan.object_T_tcp[held].inverse() if held else None
    worst = Overlap("", "", -1.0)
    fine = resample(moving.trajectory, step_s)
    for time_s, q in zip(fine.times, fine.positions, strict=True):
        world.place_arm(q, moving.width_m)
        if tip_T_object is not None:
            world.place_body(held, world.tip() @ tip_T_object)
        if world.overlaps(_SCREEN_M):
            overlap = world.least_distance(held, moving.allowed)
            if overlap.depth_m > worst.depth_m:
                name = moving.stage.name
                worst = Overlap(overlap.first, overlap.second, overlap.depth_m, name, float(time_s))
    return worst
