# SPDX-License-Identifier: Apache-2.0
"""One run of the whole flow on a workcell: look, choose, plan, carry out, verify, and keep the record."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.demo.account import Account, Step
from spatialpin_ros.demo.workcell import Workcell
from spatialpin_ros.errors import ReasoningError, SpatialPinError
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.report import RunRecord, Timing
from spatialpin_ros.report.machine import describe_machine
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task

MOST_PROPOSALS = 12


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What one run does.

    Args:
        seed: of the simulated scene; None leaves the table as it is.
        objects: how many objects; 0 leaves it to the seed.
        request: free text; empty picks the best proposal, stacking before others.
        tries: how many proposals may be tried until one can be planned.
    """

    seed: int | None = None
    objects: int = 0
    request: str = ""
    tries: int = 3


def run_once(cell: Workcell, options: RunOptions, account: Account) -> RunRecord:
    """Run the flow once.

    Never raises for what can go wrong on the way: the record then tells how far it came and why it ended.
    """
    run = _Run(cell, options, account)
    try:
        run.go()
    except SpatialPinError as error:
        run.error = str(error)
    return run.record()


def by_preference(proposals: Sequence[Task]) -> list[Task]:
    """Stacking before other tasks, each in the order they were proposed."""
    return sorted(proposals, key=lambda task: task.steps[-1].action != "place_on")


class _Run:
    """The state of one run while it goes on."""

    def __init__(self, cell: Workcell, options: RunOptions, account: Account) -> None:
        self._cell, self._options, self._account = cell, options, account
        self._started_at = datetime.now().astimezone().isoformat(timespec="seconds")
        self._timings: list[Timing] = []
        self._image: UInt8Array | None = None
        self._image_after: UInt8Array | None = None
        self._scene: Scene | None = None
        self._scene_after: Scene | None = None
        self._proposals: tuple[Task, ...] = ()
        self._rejected: list[str] = []
        self._task: Task | None = None
        self._plan: Plan | PlanFailure | None = None
        self._outcome: Outcome | None = None
        self._executed = False
        self.error = ""

    def go(self) -> None:
        self._look()
        for task in self._choose()[: max(1, self._options.tries)]:
            self._task = task
            self._plan = self._make_plan(task)
            if isinstance(self._plan, Plan):
                break
            self._rejected.append(
                f"{task.description} (could not be planned, {self._plan.reason}: {self._plan.message})"
            )
        if isinstance(self._plan, Plan):
            self._carry_out(self._plan)

    @contextmanager
    def _timed(self, name: str) -> Iterator[Step]:
        with self._account.step(name) as step:
            yield step
        self._timings.append(Timing(name, step.seconds))

    def _look(self) -> None:
        if self._options.seed is not None:
            with self._timed("randomise") as step:
                placed = self._cell.randomize(self._options.seed, self._options.objects)
                step.note = f"seed {self._options.seed}, {len(placed)} objects on the table"
        with self._timed("look") as step:
            self._scene = self._cell.capture()
            found = len(self._scene.objects)
            step.note = f"found {found}: {', '.join(self._scene.names)}" if found else "the table is empty"
        self._image = self._cell.image()

    def _choose(self) -> list[Task]:
        if self._options.request:
            with self._timed("understand") as step:
                task = self._cell.describe(self._options.request)
                step.note = task.description
            return [task]
        with self._timed("propose") as step:
            proposed = self._cell.propose(MOST_PROPOSALS)
            step.note = f"{len(proposed.tasks)} things to do, {len(proposed.rejected)} ideas dropped"
        self._proposals, self._rejected = proposed.tasks, list(proposed.rejected)
        if not proposed.tasks:
            step_back = "; ".join(proposed.rejected[:3]) or "the scene holds no object to grasp"
            raise ReasoningError(f"nothing can be done with this scene: {step_back}")
        return by_preference(proposed.tasks)

    def _make_plan(self, task: Task) -> Plan | PlanFailure:
        self._account.remark(task.description)
        with self._timed("plan") as step:
            plan = self._cell.plan(task)
            if isinstance(plan, Plan):
                step.note = (
                    f"{len(plan.stages)} stages, {plan.duration_s:.1f} s of motion, every point checked"
                )
            else:
                step.good, step.note = False, f"{plan.reason}: {plan.message}"
        return plan

    def _carry_out(self, plan: Plan) -> None:
        with self._account.execution() as lines:
            started, self._executed = Step("execute"), True
            self._outcome = self._cell.execute(plan.task, plan, lines.update, threading.Event())
            started.end()
        self._timings.append(Timing("execute", started.seconds))
        newest, self._image_after = self._cell.newest_scene(), self._cell.image()
        if newest is not None and self._scene is not None and newest.stamp_s > self._scene.stamp_s:
            self._scene_after = newest

    def record(self) -> RunRecord:
        plan, task = self._plan, self._task
        recorder = self._cell.recorder
        return RunRecord(
            title=task.description.rstrip(".")
            if task is not None
            else self._options.request or "Nothing was done",
            started_at=self._started_at,
            seed=self._options.seed,
            request=self._options.request,
            backend=task.backend if task is not None else "symbolic",
            transport=self._cell.transport,
            image=self._image,
            image_after=self._image_after,
            scene=self._scene,
            scene_after=self._scene_after,
            proposals=self._proposals,
            rejected=tuple(self._rejected),
            task=task,
            plan=plan if isinstance(plan, Plan) else None,
            plan_failure=plan if isinstance(plan, PlanFailure) else None,
            outcome=self._outcome,
            timings=tuple(self._timings),
            events=recorder.events if self._executed else (),
            joints=recorder.joint_recording if self._executed else None,
            video=recorder.video if self._executed else (),
            machine=describe_machine(),
            error=self.error,
        )
