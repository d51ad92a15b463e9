# SPDX-License-Identifier: Apache-2.0
"""Small scenes and plans that the tests of this folder share."""

from __future__ import annotations

import numpy as np

from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.plan import Plan, PlanStage, Trajectory
from spatialpin_ros.scene import Scene, SceneObject, SupportSurface
from spatialpin_ros.task import Task, TaskStep

COLORS = {"red": (200, 30, 30), "blue": (30, 40, 200), "green": (30, 180, 40), "yellow": (220, 210, 40)}
JOINTS = ("a", "b")


def make_object(
    key: str, color: str, centre, size=(0.04, 0.04, 0.04), yaw=0.0, on="table", shape="box"
) -> SceneObject:
    return SceneObject(
        id=key,
        name=f"{color} {shape} {key}",
        label="cube",
        color=color,
        color_rgb=np.array(COLORS[color], dtype=np.uint8),
        shape=shape,
        box=OrientedBox(Pose.from_yaw(centre, yaw), np.array(size)),
        supported_by=on,
    )


def make_scene(*objects: SceneObject) -> Scene:
    table = SupportSurface("table", Pose(), [[0.2, -0.5], [0.9, -0.5], [0.9, 0.5], [0.2, 0.5]])
    camera = Pose.looking_at((1.25, 0.0, 0.7), (0.48, 0.0, 0.03))
    return Scene((table,), tuple(objects), camera)


def stack_task() -> Task:
    return Task("t1", "stack it", (TaskStep("pick", "o1"), TaskStep("place_on", "o1", "o2")))


def pick_task() -> Task:
    return Task("t2", "lift it", (TaskStep("pick", "o1"),))


def motion(start: float, end: float, count: int = 5) -> Trajectory:
    positions = np.linspace(start, end, count)[:, None].repeat(2, axis=1)
    zeros = np.zeros_like(positions)
    return Trajectory(JOINTS, np.linspace(0.0, 1.0, count), positions, zeros, zeros)


def stack_plan(task: Task | None = None, **changes) -> Plan:
    stages = (
        PlanStage("approach", 0, trajectory=motion(0.0, 1.0)),
        PlanStage("grasp", 0, trajectory=motion(1.0, 1.2), linear=True),
        PlanStage("grasp", 0, gripper_width_m=0.0, gripper_force_n=20.0),
        PlanStage("lift", 0, trajectory=motion(1.2, 1.0), holding="o1"),
        PlanStage("transfer", 1, trajectory=motion(1.0, 2.0), holding="o1"),
        PlanStage("place", 1, trajectory=motion(2.0, 2.1), holding="o1"),
        PlanStage("release", 1, gripper_width_m=0.08),
        PlanStage("retreat", 1, trajectory=motion(2.1, 2.0)),
        PlanStage("home", 1, trajectory=motion(2.0, 0.0)),
    )
    expected = {"o1": Pose((0.6, 0.1, 0.08))}
    return Plan(task or stack_task(), stages, JOINTS, "base", "tip", expected_poses=expected, **changes)
