# SPDX-License-Identifier: Apache-2.0
"""One call of the planner: what was asked, the scene as the plan changes it, the plan as it grows, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.plan import Alternative, CandidateFailure, FailureReason, PlanStage
from spatialpin_ros.planning.collision_world import without_own_camera
from spatialpin_ros.planning.obstacles import Obstacle, scene_obstacles
from spatialpin_ros.planning.options import PlanOptions
from spatialpin_ros.planning.place import PlacePose
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task, TaskStep


class Failed(Exception):
    """Ends the planning of a task; carries what becomes the PlanFailure."""

    def __init__(
        self, reason: FailureReason, stage: str, message: str, candidates: tuple[CandidateFailure, ...] = ()
    ) -> None:
        super().__init__(message)
        self.reason, self.stage, self.message, self.candidates = reason, stage, message, candidates


@dataclass(slots=True, eq=False)
class Job:
    """One call of Planner.plan: where the arm and the objects are as the plan grows."""

    robot: RobotModel
    scene: Scene
    task: Task
    start: FloatArray
    options: PlanOptions
    fixtures: tuple[Obstacle, ...]
    began: float
    stages: list[PlanStage] = field(default_factory=list)
    grasps: dict[str, Pose] = field(default_factory=dict)
    ends: dict[str, Pose] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    alternatives: list[Alternative] = field(default_factory=list)

    def count(self, metric: str, amount: float) -> None:
        """Add to a metric."""
        self.metrics[metric] = self.metrics.get(metric, 0.0) + amount

    def stopped(self) -> bool:
        return self.options.cancelled() or time.perf_counter() - self.began > self.options.time_limit_s

    def check_time(self, stage: str, candidates: Callable[[], tuple[CandidateFailure, ...]] = tuple) -> None:
        """Raise Failed when the caller has cancelled or the time is up."""
        if self.options.cancelled():
            raise Failed("cancelled", stage, "planning was cancelled", candidates())
        if time.perf_counter() - self.began > self.options.time_limit_s:
            raise Failed(
                "timeout",
                stage,
                f"no plan within {self.options.time_limit_s:.1f} s; allow more time or simplify the task",
                candidates(),
            )

    def obstacles(self) -> tuple[Obstacle, ...]:
        """The scene's obstacles as it is now."""
        moved = {step.object_id for step in self.task.steps} | {step.target_id for step in self.task.steps}
        clear_of = tuple(item.box for item in self.scene.objects if item.id in moved)
        found = scene_obstacles(
            self.scene, self.robot.config.workspace, fixtures=self.fixtures, clear_of=clear_of
        )
        return without_own_camera(self.robot, found, self.start)

    def put_down(self, object_id: str, place: TaskStep, pose: PlacePose) -> None:
        """Let an object stand at a place from now on."""
        self.ends[object_id] = pose.object_pose
        objects = tuple(
            replace(
                item, box=OrientedBox(pose.object_pose, item.size), supported_by=place.target_id, mesh=None
            )
            if item.id == object_id
            else item
            for item in self.scene.objects
        )
        self.scene = replace(self.scene, objects=objects)
