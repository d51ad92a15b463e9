# SPDX-License-Identifier: Apache-2.0
"""Workcell: what the demo needs of a robot, its camera and its reasoning, over ROS or in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.demo.recorder import Recorder
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task


@dataclass(frozen=True, slots=True)
class Proposed:
    """Tasks a back end proposes, best first, and what it dropped and why."""

    tasks: tuple[Task, ...]
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """A spatial question's answer and what it rests on."""

    text: str
    value: float | None = None
    unit: str = ""
    object_ids: tuple[str, ...] = ()
    program: str = ""
    frame: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an execution is.

    Args:
        stage: name of the plan's stage, or "verify".
        share: of the whole done, 0..1.
        text: one readable line.
        time_s: on the run's clock: simulated time where there is a simulator [s].
    """

    stage: str
    share: float
    text: str
    time_s: float


class Workcell(Protocol):
    """A table, an arm and a camera, and the flow around them; every method blocks and raises SpatialPinErrors."""

    @property
    def transport(self) -> str:
        """What carries the flow, in words for the report."""
        ...

    @property
    def recorder(self) -> Recorder:
        """Records joints, images and stages while `execute` runs."""
        ...

    def randomize(self, seed: int, objects: int) -> tuple[str, ...]:
        """Put a new random scene on the simulated table (objects 0: as many as the seed gives); returns their names."""
        ...

    def capture(self) -> Scene:
        """Take a fresh frame and rebuild the scene from it."""
        ...

    def image(self) -> UInt8Array | None:
        """The newest colour image (H, W, 3), or None when there is none."""
        ...

    def newest_scene(self) -> Scene | None:
        """The scene that was made last, by `capture` or to judge an execution."""
        ...

    def propose(self, max_tasks: int) -> Proposed: ...

    def describe(self, request: str) -> Task:
        """Turn free text into a task of the captured scene."""
        ...

    def answer(self, question: str) -> Answered: ...

    def plan(self, task: Task) -> Plan | PlanFailure: ...

    def execute(
        self, task: Task, plan: Plan, on_progress: Callable[[Progress], None], cancel: threading.Event
    ) -> Outcome:
        """Carry out a plan and judge it in a fresh scene; `cancel` brings the arm to a controlled stop."""
        ...

    def close(self) -> None: ...
