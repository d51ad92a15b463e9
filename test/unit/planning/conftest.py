# SPDX-License-Identifier: Apache-2.0
"""Arm, scenes and tasks for the planning tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.planning import Planner
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.scene import Scene, SceneObject, Shape, SupportSurface
from spatialpin_ros.task import Task, TaskStep

ObjectMaker = Callable[..., SceneObject]
SceneMaker = Callable[..., Scene]


@pytest.fixture(scope="session")
def planner() -> Planner:
    return Planner(RobotConfig.load("panda"))


@pytest.fixture(scope="session")
def robot(planner: Planner) -> RobotModel:
    return planner.robot


@pytest.fixture(scope="session")
def make_object() -> ObjectMaker:
    def make(
        key: str,
        xy: Sequence[float],
        size: Sequence[float] = (0.04, 0.04, 0.04),
        yaw_rad: float = 0.0,
        shape: Shape = "box",
        bottom_z: float = 0.0,
        supported_by: str = "table",
    ) -> SceneObject:
        pose = Pose.from_yaw([xy[0], xy[1], bottom_z + size[2] / 2.0], yaw_rad)
        color = np.array([200, 30, 30])
        box = OrientedBox(pose, np.asarray(size))
        return SceneObject(key, f"thing {key}", "block", "red", color, shape, box, supported_by=supported_by)

    return make


@pytest.fixture(scope="session")
def make_scene() -> SceneMaker:
    def make(*objects: SceneObject, unexplained: np.ndarray | None = None) -> Scene:
        outline = np.array([[0.2, -0.45], [0.9, -0.45], [0.9, 0.45], [0.2, 0.45]])
        camera = Pose.looking_at([1.25, 0.0, 0.7], [0.48, 0.0, 0.03])
        points = np.zeros((0, 3)) if unexplained is None else unexplained
        return Scene((SupportSurface("table", Pose(), outline),), objects, camera, unexplained=points)

    return make


@pytest.fixture(scope="session")
def random_scene(make_object: ObjectMaker, make_scene: SceneMaker) -> Callable[[int, int], Scene]:
    def make(seed: int, count: int) -> Scene:
        rng = np.random.default_rng(seed)
        objects: list[SceneObject] = []
        while len(objects) < count:
            size, xy = rng.uniform(0.03, 0.065, 3), rng.uniform([0.32, -0.32], [0.70, 0.32])
            shape: Shape = "cylinder" if rng.random() < 0.4 else "box"
            if shape == "cylinder":
                size[1] = size[0]
            reach = np.hypot(*size[:2]) / 2.0
            apart = [np.linalg.norm(xy - o.centre[:2]) - np.hypot(*o.size[:2]) / 2.0 - reach for o in objects]
            if min(apart, default=1.0) > 0.03:
                yaw = rng.uniform(-np.pi, np.pi)
                objects.append(make_object(f"o{len(objects)}", xy, size, yaw, shape))
        return make_scene(*objects)

    return make


@pytest.fixture(scope="session")
def stack() -> Callable[[str, str], Task]:
    def make(moved: str, target: str) -> Task:
        steps = (TaskStep("pick", moved), TaskStep("place_on", moved, target))
        return Task(f"stack-{moved}-{target}", f"put {moved} on {target}", steps)

    return make
