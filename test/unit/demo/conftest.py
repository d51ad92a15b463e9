# SPDX-License-Identifier: Apache-2.0
"""A workcell that obeys at once, so that the flow around it can be tested."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.demo.account import Account
from spatialpin_ros.demo.recorder import Recorder
from spatialpin_ros.demo.workcell import Answered, Progress, Proposed
from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import Plan, PlanFailure, PlanStage, Trajectory
from spatialpin_ros.scene import Scene, SceneObject, SupportSurface
from spatialpin_ros.task import Task, TaskStep


def block(object_id: str, name: str, x: float) -> SceneObject:
    box = OrientedBox(Pose(np.array([x, 0.0, 0.025])), np.full(3, 0.05))
    return SceneObject(object_id, name, "cube", name.split()[0], np.zeros(3, np.uint8), "box", box)


def two_blocks() -> Scene:
    outline = np.array([[0.2, -0.4], [0.8, -0.4], [0.8, 0.4], [0.2, 0.4]])
    objects = (block("o1", "red cube", 0.4), block("o2", "blue cube", 0.6))
    return Scene((SupportSurface("table", Pose(), outline),), objects, Pose())


def pick(task_id: str, moved: str, target: str = "") -> Task:
    steps = [TaskStep("pick", moved)] + ([TaskStep("place_on", moved, target)] if target else [])
    return Task(task_id, f"do {task_id}", tuple(steps))


def make_plan(task: Task) -> Plan:
    positions = np.array([[0.0, 0.0], [0.5, 0.1]])
    motion = Trajectory(("a", "b"), np.array([0.0, 1.0]), positions, np.zeros((2, 2)), np.zeros((2, 2)))
    back = Trajectory(("a", "b"), np.array([0.0, 1.0]), positions[::-1], np.zeros((2, 2)), np.zeros((2, 2)))
    stages = (
        PlanStage("approach", 0, motion, text="go there"),
        PlanStage("grasp", 0, gripper_width_m=0.04, text="close"),
        PlanStage("home", 0, back, text="go home"),
    )
    return Plan(task, stages, ("a", "b"), "base", "tip")


class ObedientCell:
    """Answers as the test tells it to; `calls` says what it was asked."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.calls: list[str] = []
        self.proposals = (pick("t1", "o1"), pick("t2", "o1", "o2"))
        self.failures: dict[str, PlanFailure] = {}
        self.outcome = Outcome("t2", "succeeded", "stacked", message="it stands")
        self.scene = two_blocks()

    @property
    def transport(self) -> str:
        return "a test"

    def randomize(self, seed: int, objects: int) -> tuple[str, ...]:
        self.calls.append(f"randomize {seed} {objects}")
        return ("thing",) * 2

    def capture(self) -> Scene:
        self.calls.append("capture")
        return self.scene

    def image(self) -> UInt8Array | None:
        return np.zeros((12, 16, 3), np.uint8)

    def newest_scene(self) -> Scene | None:
        return self.scene

    def propose(self, max_tasks: int) -> Proposed:
        self.calls.append("propose")
        return Proposed(self.proposals, ("no room on o1",))

    def describe(self, request: str) -> Task:
        self.calls.append(f"describe {request}")
        if "red" not in request:
            raise UnknownNameError(request, self.scene.names)
        return pick("asked", "o1", "o2")

    def answer(self, question: str) -> Answered:
        return Answered("42")

    def plan(self, task: Task) -> Plan | PlanFailure:
        self.calls.append(f"plan {task.id}")
        return self.failures.get(task.id) or make_plan(task)

    def execute(
        self, task: Task, plan: Plan, on_progress: Callable[[Progress], None], cancel: threading.Event
    ) -> Outcome:
        self.calls.append(f"execute {task.id}")
        self.recorder.begin(plan, 10.0)
        for index, stage in enumerate(plan.stages):
            self.recorder.stage(10.0 + index, stage.name, stage.text)
            on_progress(Progress(stage.name, index / 3.0, stage.text, 10.0 + index))
        self.recorder.end(13.5)
        return self.outcome

    def close(self) -> None:
        self.calls.append("close")


class Paper:
    """An account written to a text of 80 columns, as when piped."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.account = Account(Console(file=self.stream, width=80, force_terminal=False, highlight=False))

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def cell() -> ObedientCell:
    return ObedientCell()


@pytest.fixture
def paper() -> Paper:
    return Paper()
