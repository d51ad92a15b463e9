# SPDX-License-Identifier: Apache-2.0
"""Carries a plan out stage by stage on an abstract arm and gripper and judges the result in a fresh scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import ExecutionError, SpatialPinError
from spatialpin_ros.execution.devices import Arm, Gripper, GripperResult, MotionResult, StopSignal
from spatialpin_ros.execution.grip import Grip, grip_of
from spatialpin_ros.execution.guard import Blocked, Guard, NoGuard
from spatialpin_ros.execution.judge import Verdict, judge
from spatialpin_ros.execution.options import ExecutionOptions
from spatialpin_ros.execution.stopping import StopMotion
from spatialpin_ros.outcome import Level, Outcome, Status
from spatialpin_ros.plan import Plan, PlanStage, Trajectory
from spatialpin_ros.scene import Scene

_GRIPPER_SHARE_S = 1.0
_LOOK_SHARE_S = 1.0


@dataclass(frozen=True, slots=True)
class Feedback:
    """Where the execution is.

    Args:
        stage: name of the plan's stage, or "verify".
        progress: share of the whole execution done, 0..1, never falling.
        text: one readable line.
    """

    stage: str
    progress: float
    text: str


@dataclass(frozen=True, slots=True)
class _End:
    """Why the stages ended before the last one."""

    status: Status
    reason: str
    message: str
    stage: str
    object_ids: tuple[str, ...] = ()
    measurements: Mapping[str, float] = field(default_factory=dict)


def run_plan(
    plan: Plan,
    scene_before: Scene,
    arm: Arm,
    gripper: Gripper,
    look: Callable[[], Scene],
    on_feedback: Callable[[Feedback], None],
    cancel: StopSignal,
    options: ExecutionOptions | None = None,
    guard: Guard | None = None,
) -> Outcome:
    """Carry out a plan and say truthfully what came of it.

    The arm is brought to a stop before this returns, however it ends, and before this raises. A grasp that caught
    nothing is followed, unless the options say otherwise, by opening the gripper and going back the way the arm came,
    so that it is clear of the objects.

    Args:
        plan: made for `scene_before`.
        scene_before: the scene that the plan's ids refer to.
        arm, gripper: what moves.
        look: takes a fresh scene; its SpatialPinErrors become the reason "scene_unavailable".
        on_feedback: told before each stage and while it moves.
        cancel: once set, the arm stops and the outcome is "cancelled".
        guard: once it says that the rest of the plan is blocked, the arm stops and the outcome is
            "path_blocked", with the objects that are in the way.
    """
    options = options or ExecutionOptions()
    guard = guard or NoGuard()
    return _Run(plan, scene_before, arm, gripper, look, on_feedback, cancel, options, guard).outcome()


class _Run:
    """One execution; lives as long as it takes."""

    def __init__(
        self,
        plan: Plan,
        scene_before: Scene,
        arm: Arm,
        gripper: Gripper,
        look: Callable[[], Scene],
        on_feedback: Callable[[Feedback], None],
        cancel: StopSignal,
        options: ExecutionOptions,
        guard: Guard,
    ) -> None:
        self._guard = guard
        self._plan, self._before, self._arm, self._gripper = plan, scene_before, arm, gripper
        self._look, self._tell, self._cancel, self._options = look, on_feedback, cancel, options
        self._started_s = time.monotonic()
        self._shares = [stage.duration_s or _GRIPPER_SHARE_S for stage in plan.stages]
        self._total = sum(self._shares) + _LOOK_SHARE_S
        self._held_width_m: float | None = None
        self._grip: Grip | None = None
        self._opened_m = max(stage.gripper_width_m or 0.0 for stage in plan.stages)
        self._lifted = False
        self._back: list[Trajectory] = []

    def outcome(self) -> Outcome:
        try:
            return self._outcome()
        except BaseException:
            self._arm.stop()
            raise

    def _outcome(self) -> Outcome:
        try:
            end = self._check_joints() or self._check_start() or self._run_stages()
        except ExecutionError as error:
            end = _End("failed", "controller_lost", str(error), "")
        if end is None:
            return self._verify()
        self._arm.stop()
        return self._ended_early(end)

    def _check_joints(self) -> _End | None:
        planned, there = self._plan.joint_names, self._arm.joint_names
        if planned == there:
            return None
        message = (
            f"the plan moves {', '.join(planned)}, but the arm has {', '.join(there)}; plan for this arm"
        )
        return _End("failed", "wrong_joints", message, self._plan.stages[0].name)

    def _check_start(self) -> _End | None:
        positions = self._positions()
        if isinstance(positions, _End):
            return positions
        deviation = np.abs(positions - self._plan.start_positions)
        worst = int(deviation.argmax())
        if deviation[worst] <= self._options.start_tolerance_rad:
            return None
        message = (
            f"{self._plan.joint_names[worst]} is {deviation[worst]:.3f} rad from the plan's start "
            f"(allowed {self._options.start_tolerance_rad:.3f}); plan again from where the arm is"
        )
        return _End("failed", "start_deviation", message, self._plan.stages[0].name)

    def _positions(self) -> FloatArray | _End:
        try:
            return self._arm.joint_positions()
        except ExecutionError as error:
            return _End("failed", "stale_joint_states", str(error), self._plan.stages[0].name)

    def _run_stages(self) -> _End | None:
        done_s = 0.0
        for index, (stage, share) in enumerate(zip(self._plan.stages, self._shares, strict=True)):
            if self._cancel.is_set():
                return self._cancelled(stage)
            self._guard.at(index, 0.0)
            blocked = self._guard.blocked()
            if blocked is not None:
                return self._blocked(stage, blocked)
            self._report(stage, done_s)
            if stage.trajectory is not None:
                end = self._move_arm(index, stage, stage.trajectory, done_s)
            else:
                end = self._move_gripper(stage)
            if end is not None:
                return end
            done_s += share
        return self._cancelled(self._plan.stages[-1]) if self._cancel.is_set() else None

    def _report(self, stage: PlanStage, done_s: float) -> None:
        self._tell(Feedback(stage.name, min(done_s / self._total, 1.0), stage.text or stage.name))

    def _move_arm(self, index: int, stage: PlanStage, trajectory: Trajectory, done_s: float) -> _End | None:
        signal = StopMotion(self._cancel, self._gripper, self._lost_m(), self._guard)

        def on_progress(share: float) -> None:
            self._guard.at(index, share)
            if stage.holding:
                signal.watch()
            self._report(stage, done_s + share * trajectory.duration_s)

        result = self._arm.follow(trajectory, signal, on_progress)
        if stage.holding and result.status == "reached":
            signal.watch()
        if signal.slipped:
            return self._dropped(stage)
        if result.status == "cancelled" and signal.blocked is not None and not self._cancel.is_set():
            return self._blocked(stage, signal.blocked)
        if result.status != "reached":
            return self._motion_end(stage, result)
        self._lifted = self._lifted or (stage.name == "lift" and self._grip is not None)
        self._back.append(trajectory)
        return None

    def _lost_m(self) -> float:
        """Opening under which what was held is lost [m]; minus infinity while nothing is held."""
        if self._grip is None or self._held_width_m is None:
            return -np.inf
        return self._grip.lost_m(self._held_width_m, self._options.slip_width_m)

    def _dropped(self, stage: PlanStage) -> _End:
        width_m = self._gripper.width()
        how_far = "" if width_m is None else f" to {width_m * 1000:.1f} mm"
        figures = {} if width_m is None or self._grip is None else self._grip.figures(width_m)
        message = (
            f"the gripper closed{how_far} during '{stage.name}': the object slipped out; look and plan again"
        )
        return _End("failed", "dropped", message, stage.name, measurements=figures)

    def _motion_end(self, stage: PlanStage, result: MotionResult) -> _End:
        if result.status == "cancelled":
            return self._cancelled(stage)
        return self._fail(
            stage, result.status, f"'{stage.name}' ended early: {result.message or result.status}"
        )

    def _move_gripper(self, stage: PlanStage) -> _End | None:
        width_m = stage.gripper_width_m or 0.0
        result = self._gripper.move(width_m, stage.gripper_force_n, self._cancel)
        if result.status == "cancelled":
            return self._cancelled(stage)
        if result.status != "done":
            return self._fail(
                stage, result.status, f"the gripper did not obey in '{stage.name}': {result.message}"
            )
        if stage.name == "grasp":
            return self._check_grasp(stage, result)
        self._opened_m = width_m
        if stage.name == "release":
            self._held_width_m, self._grip, self._back = None, None, []
        return None

    def _check_grasp(self, stage: PlanStage, result: GripperResult) -> _End | None:
        grip = grip_of(self._plan, stage, self._before, self._options)
        if not grip.missed(result):
            held_m = self._gripper.width() if np.isnan(result.width_m) else result.width_m
            self._held_width_m, self._grip = held_m, grip
            return None
        backed_off = self._back_off() if self._options.back_off_after_miss else ""
        message = f"{grip.in_words(result.width_m)}: nothing is between the pads{backed_off}"
        figures = grip.figures(result.width_m)
        return _End("failed", "grasp_missed", message, stage.name, measurements=figures)

    def _back_off(self) -> str:
        """Open and go back the checked way the arm came; returns what to add to the message."""
        self._gripper.move(self._opened_m, 0.0, self._cancel)
        for trajectory in reversed(self._back):
            result = self._arm.follow(_reversed(trajectory), self._cancel, lambda _: None)
            if result.status != "reached":
                return f"; the arm stopped on its way back ({result.status})"
        return "; the arm went back to where it started"

    def _cancelled(self, stage: PlanStage) -> _End:
        holding = "; the gripper still holds the object" if self._grip is not None else ""
        return _End(
            "cancelled", "cancelled", f"stopped on request during '{stage.name}'{holding}", stage.name
        )

    def _blocked(self, stage: PlanStage, blocked: Blocked) -> _End:
        holding = "; the gripper still holds the object" if self._grip is not None else ""
        message = (
            f"stopped during '{stage.name}', as '{blocked.stage}' is blocked: {blocked.message}{holding}; "
            "clear the way or plan again"
        )
        return _End("failed", "path_blocked", message, stage.name, blocked.object_ids)

    def _fail(self, stage: PlanStage, reason: str, message: str) -> _End:
        return _End("failed", reason, message, stage.name)

    def _ended_early(self, end: _End) -> Outcome:
        level: Level = "picked" if self._lifted else "none"
        verdict = self._fresh_verdict() if end.reason in ("grasp_missed", "dropped") else None
        if verdict is not None and self._lifted and verdict.level != "none":
            level = verdict.level
        numbers = {**(verdict.measurements if verdict else {}), **end.measurements}
        outcome = self._make(end.status, level, end.reason, end.message, end.stage, numbers)
        return replace(outcome, object_ids=end.object_ids)

    def _verify(self) -> Outcome:
        self._tell(Feedback("verify", 1.0 - _LOOK_SHARE_S / self._total, "look at the result"))
        try:
            after = self._look()
        except SpatialPinError as error:
            message = f"the motion was completed but its result could not be seen: {error}"
            level: Level = "picked" if self._lifted else "none"
            return self._make("failed", level, "scene_unavailable", message, "verify", {})
        verdict = self._judge(after)
        status: Status = "succeeded" if verdict.success else "failed"
        self._tell(Feedback("verify", 1.0, verdict.message))
        return self._make(
            status, verdict.level, verdict.reason, verdict.message, "verify", verdict.measurements
        )

    def _fresh_verdict(self) -> Verdict | None:
        try:
            return self._judge(self._look())
        except SpatialPinError:
            return None

    def _judge(self, after: Scene) -> Verdict:
        held = self._holds_something()
        return judge(self._plan.task, self._before, after, expected=self._plan.expected_poses, held=held)

    def _holds_something(self) -> bool | None:
        width = self._gripper.width()
        return None if width is None else self._grip is not None and width > self._lost_m()

    def _make(
        self,
        status: Status,
        level: Level,
        reason: str,
        message: str,
        stage: str,
        measurements: Mapping[str, float],
    ) -> Outcome:
        numbers = dict(measurements)
        if self._held_width_m is not None:
            numbers["held_width_m"] = self._held_width_m
        duration_s = time.monotonic() - self._started_s
        return Outcome(self._plan.task.id, status, level, reason, message, stage, duration_s, numbers)


def _reversed(trajectory: Trajectory) -> Trajectory:
    """Return the same motion backwards: as smooth, as fast, through the same checked points."""
    return Trajectory(
        trajectory.joint_names,
        trajectory.times[-1] - trajectory.times[::-1],
        trajectory.positions[::-1],
        -trajectory.velocities[::-1],
        trajectory.accelerations[::-1],
    )
