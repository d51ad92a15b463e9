# SPDX-License-Identifier: Apache-2.0
"""One task from words to outcome: look, understand, plan, wait for approval, carry out, verify; on a worker thread."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from spatialpin_interfaces.msg import TaskProgress

from spatialpin_ros.doubts import LEAST_CONFIDENCE, doubts_about
from spatialpin_ros.errors import ExecutionError, PerceptionError, SpatialPinError, UnknownNameError
from spatialpin_ros.execution import (
    Arm,
    ExecutionOptions,
    Feedback,
    Gripper,
    Guard,
    NoGuard,
    changes_for,
    match_objects,
    run_plan,
    slowed,
    translate_task,
)
from spatialpin_ros.nodes.approval import Approval
from spatialpin_ros.nodes.stages import StageServices, TaskRefusedError
from spatialpin_ros.nodes.support import POLL_S
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task

SHARES = {
    TaskProgress.QUEUED: 0.0,
    TaskProgress.LOOKING: 0.02,
    TaskProgress.REASONING: 0.05,
    TaskProgress.PLANNING: 0.08,
    TaskProgress.WAITING_FOR_APPROVAL: 0.15,
    TaskProgress.EXECUTING: 0.15,
}
REPLAN_REASONS = ("start_deviation", "stale_scene")


@dataclass(frozen=True, slots=True)
class Settings:
    """What may change from task to task; see the executor's parameters."""

    dry_run: bool
    approval_timeout_s: float
    velocity_scaling: float
    scene_max_age_s: float
    execution: ExecutionOptions
    least_confidence: float = LEAST_CONFIDENCE
    allow_estimated_depth: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """Progress of a task: a state of TaskProgress, the plan's stage, share of the whole 0..1, one line."""

    state: int
    stage: str
    progress: float
    text: str


@dataclass(slots=True, eq=False)
class Job:
    """A task to do: words, a task, or a task with its plan, and what steers it."""

    task_id: str
    request: str = ""
    task: Task | None = None
    plan: Plan | None = None
    approval: Approval = field(default_factory=Approval)
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a job, with the plan failure when planning failed, and the traceback of a fault of the program."""

    outcome: Outcome
    failure: PlanFailure | None = None
    trace: str = ""


class _NoPlanError(Exception):
    """Planning failed for a typed reason."""

    def __init__(self, failure: PlanFailure) -> None:
        self.failure = failure


class TaskRunner:
    """Runs jobs, one at a time.

    Args:
        arm, gripper: what moves.
        stages: the other nodes.
        now_s: time of the node's clock.
        watch: makes what watches a plan while it is carried out.
    """

    def __init__(
        self,
        arm: Arm,
        gripper: Gripper,
        stages: StageServices,
        now_s: Callable[[], float],
        watch: Callable[[Plan], AbstractContextManager[Guard]] = lambda _: nullcontext(NoGuard()),
    ) -> None:
        self._watch = watch
        self._arm, self._gripper, self._stages, self._now_s = arm, gripper, stages, now_s

    def run(self, job: Job, settings: Settings, tell: Callable[[Told], None]) -> Ended:
        """Do a job; whatever goes wrong is told by the outcome, never raised."""
        began_s = time.monotonic()
        try:
            ended = self._attempt(job, settings, tell)
        except Exception as error:  # the job's boundary: whoever waits for it gets an outcome
            ended = self._broken(job, error)
        return replace(ended, outcome=replace(ended.outcome, duration_s=time.monotonic() - began_s))

    def _attempt(self, job: Job, settings: Settings, tell: Callable[[Told], None]) -> Ended:
        try:
            return _Attempt(self, job, settings, tell).run()
        except _NoPlanError as error:
            return Ended(_no_plan(job, error.failure), error.failure)
        except SpatialPinError as error:
            return Ended(_refused(job, error))

    def _broken(self, job: Job, error: Exception) -> Ended:
        """Stop the arm after what nobody foresaw."""
        message = f"a fault of the program ended the task: {error!r}; see the executor's log"
        try:
            self._arm.stop()
        except Exception as fault:  # the first error is the one to tell
            message = f"{message}; the arm could not be told to stop ({fault!r}): stop it by hand if it moves"
        trace = "".join(traceback.format_exception(error))
        return Ended(Outcome(job.task_id, "failed", "none", "internal_error", message), trace=trace)

    @property
    def devices(self) -> tuple[Arm, Gripper]:
        return self._arm, self._gripper

    @property
    def stages(self) -> StageServices:
        return self._stages

    def watch(self, plan: Plan) -> AbstractContextManager[Guard]:
        return self._watch(plan)

    def age_s(self, scene_stamp_s: float) -> float:
        return self._now_s() - scene_stamp_s


class _Attempt:
    """One job while it runs."""

    def __init__(
        self, runner: TaskRunner, job: Job, settings: Settings, tell: Callable[[Told], None]
    ) -> None:
        self._runner, self._job, self._settings, self._tell_all = runner, job, settings, tell
        self._stages = runner.stages

    def run(self) -> Ended:
        scene, task = self._scene_and_task()
        plan = self._job.plan
        if plan is not None and self._too_old(scene):
            # What was approved in advance is the given plan, not the one that takes its place.
            self._job.approval.take()
            plan = None
        if plan is None:
            if self._too_old(scene):
                scene, task = self._look_again(scene, task)
            scene, plan = self._plan_anew(scene, task)
        ended = self._carry_out(scene, plan)
        if ended.outcome.reason not in REPLAN_REASONS or self._job.cancel.is_set():
            return ended
        self._tell(TaskProgress.LOOKING, f"{ended.outcome.message}: planning once more")
        return self._carry_out(*self._plan_anew(*self._look_again(scene, task)))

    def _tell(self, state: int, text: str, stage: str = "") -> None:
        self._tell_all(Told(state, stage, SHARES[state], text))

    def _too_old(self, scene: Scene) -> bool:
        limit_s = self._settings.scene_max_age_s
        return limit_s > 0.0 and self._runner.age_s(scene.stamp_s) > limit_s

    def _scene_and_task(self) -> tuple[Scene, Task]:
        job = self._job
        if job.plan is not None:
            return self._stages.scene_at(job.plan.scene_stamp_s), job.plan.task
        if job.task is not None:
            return self._stages.newest_scene(), job.task
        scene = self._look()
        self._tell(
            TaskProgress.REASONING, f"thinking about '{job.request}'" if job.request else "looking for a task"
        )
        task = self._stages.understand(job.request, job.cancel)
        return scene, replace(task, id=job.task_id)

    def _look(self) -> Scene:
        self._tell(TaskProgress.LOOKING, "looking at the table")
        return self._stages.capture(self._job.cancel)

    def _look_again(self, scene: Scene, task: Task) -> tuple[Scene, Task]:
        """Take a fresh scene and find the task's objects in it."""
        fresh = self._look()
        try:
            return fresh, translate_task(task, match_objects(scene, fresh))
        except UnknownNameError as error:
            name = scene.object(error.name).name
            raise TaskRefusedError(
                "stale_scene", f"the {name} is not on the table any more: {error}"
            ) from error

    def _plan_anew(self, scene: Scene, task: Task) -> tuple[Scene, Plan]:
        """Plan in a scene, or in a fresh one where the planner does not know it, as when it started after it."""
        try:
            return scene, self._plan(scene, task)
        except _NoPlanError as error:
            if error.failure.reason != "stale_scene" or self._job.cancel.is_set():
                raise
        scene, task = self._look_again(scene, task)
        return scene, self._plan(scene, task)

    def _plan(self, scene: Scene, task: Task) -> Plan:
        self._tell(TaskProgress.PLANNING, f"planning: {task.description}")
        result = self._stages.plan(task, scene.stamp_s, self._job.cancel)
        if isinstance(result, PlanFailure):
            raise _NoPlanError(result)
        return result

    def _carry_out(self, scene: Scene, plan: Plan) -> Ended:
        doubts = doubts_about(
            scene,
            plan.task,
            self._settings.least_confidence,
            allow_estimated_depth=self._settings.allow_estimated_depth,
        )
        if not self._approved(doubts):
            if self._job.cancel.is_set():
                return Ended(
                    Outcome(self._job.task_id, "cancelled", "none", "cancelled", "cancelled before it moved")
                )
            why = f"not without approval ({'; '.join(doubts)})" if doubts else "dry run"
            message = f"{why}: {len(plan.stages)} stages planned and shown, nothing moved"
            return Ended(Outcome(self._job.task_id, "planned", "none", "", message))
        outdated = self._outdated(scene, plan.task)
        if outdated:
            return Ended(Outcome(self._job.task_id, "failed", "none", "stale_scene", outdated))
        arm, gripper = self._runner.devices
        with self._runner.watch(plan) as guard:
            outcome = run_plan(
                slowed(plan, self._settings.velocity_scaling),
                scene,
                arm,
                gripper,
                lambda: self._stages.capture(None),
                self._on_feedback,
                self._job.cancel,
                self._settings.execution,
                guard,
            )
        return Ended(replace(outcome, task_id=self._job.task_id))

    def _outdated(self, scene: Scene, task: Task) -> str:
        """Why a plan that was made in a scene must not be carried out any more; empty while it may."""
        if self._too_old(scene):
            age_s, limit_s = self._runner.age_s(scene.stamp_s), self._settings.scene_max_age_s
            return (
                f"the plan's scene is {age_s:.0f} s old by now (allowed {limit_s:.0f}); look and plan again"
            )
        newest = self._stages.newest_scene()
        if newest.stamp_s <= scene.stamp_s:
            return ""
        changes = changes_for(task, scene, newest)
        return f"since the plan's scene, {', '.join(changes)}; look and plan again" if changes else ""

    def _approved(self, doubts: Sequence[str]) -> bool:
        """Whether the arm may move: at once when nothing speaks against it, else when a person says so.

        An approval is good for one plan: the next one of the same job needs another.
        """
        approval, cancel = self._job.approval, self._job.cancel
        if approval.take() or not (self._settings.dry_run or doubts):
            return not cancel.is_set()
        why = f"; {'; '.join(doubts)}" if doubts else ""
        approval.ask()
        self._tell(TaskProgress.WAITING_FOR_APPROVAL, f"the plan is shown; waiting for ~/approve{why}")
        deadline = time.monotonic() + self._settings.approval_timeout_s
        while time.monotonic() < deadline and not cancel.is_set() and not approval.wait(POLL_S):
            pass
        return approval.take() and not cancel.is_set()

    def _on_feedback(self, feedback: Feedback) -> None:
        state = TaskProgress.VERIFYING if feedback.stage == "verify" else TaskProgress.EXECUTING
        start = SHARES[TaskProgress.EXECUTING]
        self._tell_all(Told(state, feedback.stage, start + (1.0 - start) * feedback.progress, feedback.text))


def _no_plan(job: Job, failure: PlanFailure) -> Outcome:
    if job.cancel.is_set() or failure.reason == "cancelled":
        return Outcome(
            job.task_id, "cancelled", "none", "cancelled", "cancelled while planning", failure.stage
        )
    return Outcome(job.task_id, "failed", "none", failure.reason, failure.message, failure.stage)


def _refused(job: Job, error: SpatialPinError) -> Outcome:
    if job.cancel.is_set():
        return Outcome(job.task_id, "cancelled", "none", "cancelled", f"cancelled: {error}")
    if isinstance(error, TaskRefusedError):
        return Outcome(job.task_id, "failed", "none", error.reason, str(error))
    unseen = isinstance(error, (PerceptionError, ExecutionError))
    return Outcome(job.task_id, "failed", "none", "scene_unavailable" if unseen else "infeasible", str(error))
