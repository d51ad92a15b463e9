# SPDX-License-Identifier: Apache-2.0
"""A task from words to outcome with fakes in the place of the other nodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from execution_scenes import JOINTS, make_object, make_scene, stack_plan, stack_task

pytest.importorskip("rclpy")

from spatialpin_interfaces.msg import TaskProgress

from spatialpin_ros.errors import PerceptionError
from spatialpin_ros.execution import ExecutionOptions, GripperResult, MotionResult
from spatialpin_ros.geometry import Pose
from spatialpin_ros.nodes.stages import TaskRefusedError
from spatialpin_ros.nodes.task_runner import Job, Settings, TaskRunner
from spatialpin_ros.plan import PlanFailure

BEFORE = replace(
    make_scene(
        make_object("o1", "red", (0.4, -0.1, 0.02)),
        make_object("o2", "blue", (0.6, 0.1, 0.03), (0.08, 0.08, 0.06)),
    ),
    stamp_s=100.0,
)
AFTER = replace(
    make_scene(
        make_object("o1", "blue", (0.6, 0.1, 0.03), (0.08, 0.08, 0.06)),
        make_object("o2", "red", (0.6, 0.1, 0.08), on="o1"),
    ),
    stamp_s=120.0,
)
SETTINGS = Settings(False, 0.0, 1.0, 60.0, ExecutionOptions())


class Arm:
    joint_names = JOINTS

    def __init__(self, at=0.0):
        self.at, self.stopped = np.full(2, at), 0
        self.durations = []

    def follow(self, trajectory, cancel, on_progress):
        self.durations.append(trajectory.duration_s)
        self.at = trajectory.positions[-1]
        return MotionResult("reached")

    def stop(self):
        self.stopped += 1

    def joint_positions(self):
        return self.at


class Gripper:
    def __init__(self):
        self.now_m = 0.08

    def move(self, width_m, force_n, cancel):
        self.now_m = max(width_m, 0.04)
        return GripperResult(self.now_m, self.now_m > width_m, self.now_m == width_m)

    def width(self):
        return self.now_m


class Stages:
    """The other nodes: scenes in order, a task for any words, a plan for any task."""

    def __init__(self, scenes=(BEFORE, AFTER), plans=None, newest=BEFORE):
        self.scenes, self.plans, self.newest = list(scenes), plans, newest
        self.planned = []

    def newest_scene(self):
        return self.newest

    def scene_at(self, stamp_s):
        if stamp_s != BEFORE.stamp_s:
            raise TaskRefusedError("stale_scene", "not known any more")
        return BEFORE

    def capture(self, cancel):
        scene = self.scenes.pop(0)
        if isinstance(scene, Exception):
            raise scene
        self.newest = scene
        return scene

    def understand(self, request, cancel):
        if "elephant" in request:
            raise TaskRefusedError("unknown_name", "no object called 'elephant'; there is: red box o1")
        return stack_task()

    def plan(self, task, scene_stamp_s, cancel):
        self.planned.append(task)
        return self.plans.pop(0) if self.plans else stack_plan(task, scene_stamp_s=scene_stamp_s)


def run(job, stages=None, arm=None, settings=SETTINGS, now_s=130.0, listener=lambda _: None):
    told = []
    stages, arm = stages or Stages(), arm or Arm()

    def tell(item):
        told.append(item)
        listener(item)

    clock = now_s if callable(now_s) else lambda: now_s
    ended = TaskRunner(arm, Gripper(), stages, clock).run(job, settings, tell)
    return ended, told


def test_words_become_a_stack_under_the_id_of_the_request():
    ended, told = run(Job("task-7", request="stack them"))
    assert (ended.outcome.task_id, ended.outcome.status, ended.outcome.level) == (
        "task-7",
        "succeeded",
        "stacked",
    )
    states = list(dict.fromkeys(item.state for item in told))
    assert states == [
        TaskProgress.LOOKING,
        TaskProgress.REASONING,
        TaskProgress.PLANNING,
        TaskProgress.EXECUTING,
        TaskProgress.VERIFYING,
    ]
    shares = [item.progress for item in told]
    assert shares == sorted(shares)


def test_unknown_name_is_the_reason_and_nothing_is_planned():
    stages = Stages()
    ended, _ = run(Job("t", request="lift the elephant"), stages)
    assert (ended.outcome.status, ended.outcome.reason) == ("failed", "unknown_name")
    assert "red box" in ended.outcome.message
    assert stages.planned == []


def test_blind_camera_is_the_reason():
    ended, _ = run(Job("t", request="x"), Stages([PerceptionError("no table in view")]))
    assert (ended.outcome.status, ended.outcome.reason) == ("failed", "scene_unavailable")


def test_a_planner_that_does_not_know_the_scene_gets_a_fresh_one():
    unknown = PlanFailure("stale_scene", "", "the scene is not among the last 128")
    again = replace(BEFORE, stamp_s=110.0)
    stages = Stages((BEFORE, again, AFTER), [unknown, stack_plan(scene_stamp_s=110.0)])
    ended, *_ = run(Job("t1", request="stack them"), stages)
    assert ended.outcome.status == "succeeded", ended
    assert len(stages.planned) == 2
    stages = Stages((BEFORE, again), [unknown, unknown])
    ended, *_ = run(Job("t1", request="stack them"), stages)
    assert ended.failure is unknown


def test_plan_failure_is_passed_on():
    failure = PlanFailure("ik", "place", "cannot reach")
    ended, _ = run(Job("t", task=stack_task()), Stages(plans=[failure]))
    assert (ended.outcome.reason, ended.outcome.stage) == ("ik", "place")
    assert ended.failure is failure


def test_a_given_plan_is_used_as_it_is():
    stages = Stages([AFTER])
    ended, _ = run(Job("t1", task=stack_task(), plan=stack_plan(scene_stamp_s=100.0)), stages)
    assert ended.outcome.status == "succeeded"
    assert stages.planned == []


def test_a_plan_of_a_forgotten_scene_is_refused():
    ended, _ = run(Job("t1", task=stack_task(), plan=stack_plan(scene_stamp_s=5.0)))
    assert (ended.outcome.status, ended.outcome.reason) == ("failed", "stale_scene")


def elsewhere(item, x, y):
    return replace(item, box=replace(item.box, pose=Pose((x, y, item.centre[2]))))


def test_a_newer_scene_like_the_plans_changes_nothing():
    jitter = replace(elsewhere(BEFORE.objects[0], 0.404, -0.102), id="n7")
    newer = replace(BEFORE, stamp_s=110.0, objects=(jitter, BEFORE.objects[1]))
    stages = Stages([AFTER], newest=newer)
    ended, _ = run(Job("t1", task=stack_task(), plan=stack_plan(scene_stamp_s=100.0)), stages)
    assert ended.outcome.status == "succeeded"
    assert stages.planned == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_given_plan_is_not_carried_out_where_its_object_moved(dry_run):
    moved = replace(
        BEFORE, stamp_s=110.0, objects=(elsewhere(BEFORE.objects[0], 0.4, 0.05), BEFORE.objects[1])
    )
    job, arm = Job("t1", task=stack_task(), plan=stack_plan(scene_stamp_s=100.0)), Arm()
    job.approval.give_in_advance()
    stages = Stages([replace(moved, stamp_s=120.0), AFTER], newest=moved)
    ended, told = run(job, stages, arm, replace(SETTINGS, dry_run=dry_run))
    assert len(stages.planned) == 1
    assert any("the red box o1 is 15.0 cm from where it was" in item.text for item in told), told
    assert ended.outcome.status == ("planned" if dry_run else "succeeded")
    assert bool(arm.durations) != dry_run


def test_a_given_plan_is_refused_where_its_object_is_gone():
    gone = replace(BEFORE, stamp_s=110.0, objects=BEFORE.objects[1:])
    arm, stages = Arm(), Stages([replace(gone, stamp_s=120.0)], newest=gone)
    ended, told = run(Job("t1", task=stack_task(), plan=stack_plan(scene_stamp_s=100.0)), stages, arm)
    assert (ended.outcome.status, ended.outcome.reason) == ("failed", "stale_scene")
    assert "red box o1 is not on the table any more" in ended.outcome.message
    assert any("the red box o1 is gone" in item.text for item in told)
    assert arm.durations == []


def test_what_moved_while_a_person_thought_is_noticed():
    moved = replace(
        BEFORE, stamp_s=110.0, objects=(elsewhere(BEFORE.objects[0], 0.4, 0.05), BEFORE.objects[1])
    )
    job, stages = Job("t", task=stack_task()), Stages([replace(moved, stamp_s=120.0), AFTER])

    def tell(told):
        if told.state == TaskProgress.WAITING_FOR_APPROVAL:
            stages.newest = moved if stages.newest is BEFORE else stages.newest
            assert job.approval.give()

    settings = replace(SETTINGS, dry_run=True, approval_timeout_s=30.0)
    ended, told = run(job, stages, settings=settings, listener=tell)
    assert [item.state for item in told].count(TaskProgress.WAITING_FOR_APPROVAL) == 2
    assert ended.outcome.status == "succeeded"


def test_an_old_scene_is_taken_again_and_its_ids_translated():
    swapped = replace(
        make_scene(
            make_object("o2", "red", (0.41, -0.1, 0.02)),
            make_object("o1", "blue", (0.6, 0.1, 0.03), (0.08, 0.08, 0.06)),
        ),
        stamp_s=500.0,
    )
    stages = Stages([swapped, AFTER])
    ended, _ = run(Job("t1", task=stack_task()), stages, now_s=500.0)
    assert [step.object_id for step in stages.planned[0].steps] == ["o2", "o2"]
    assert stages.planned[0].steps[1].target_id == "o1"
    assert ended.outcome.status == "succeeded"


def test_start_deviation_is_planned_anew_once():
    arm, moved = Arm(at=0.5), stack_plan(scene_stamp_s=100.0)
    stages = Stages([BEFORE])
    ended, told = run(Job("t1", task=stack_task(), plan=moved), stages, arm)
    assert ended.outcome.reason == "start_deviation"
    assert len(stages.planned) == 1
    assert any("once more" in item.text for item in told)
    assert arm.durations == []


@pytest.mark.parametrize("approved", [True, False])
def test_dry_run_moves_only_when_approved(approved):
    job, arm = Job("t", task=stack_task()), Arm()
    if approved:
        job.approval.give_in_advance()
    ended, _ = run(job, Stages([AFTER]), arm, replace(SETTINGS, dry_run=True))
    assert ended.outcome.status == ("succeeded" if approved else "planned")
    assert bool(arm.durations) == approved


def approving(job, at_s=None, clock=None):
    """Return a listener that says yes once to every plan that waits, when the clock has come to the next time."""
    times = iter(at_s or [])

    def tell(told):
        if told.state == TaskProgress.WAITING_FOR_APPROVAL:
            if clock is not None:
                clock[0] = next(times)
            assert job.approval.give()

    return tell


def test_approval_while_waiting():
    job = Job("t", task=stack_task())
    settings = replace(SETTINGS, dry_run=True, approval_timeout_s=30.0)
    ended, told = run(job, Stages([AFTER]), settings=settings, listener=approving(job))
    assert ended.outcome.status == "succeeded"
    assert TaskProgress.WAITING_FOR_APPROVAL in {item.state for item in told}


def test_approval_is_taken_only_while_a_plan_is_shown():
    job, arm, said = Job("t", request="stack them"), Arm(), {}

    def tell(told):
        said[told.state] = job.approval.give()

    settings = replace(SETTINGS, dry_run=True, approval_timeout_s=30.0)
    ended, _ = run(job, arm=arm, settings=settings, listener=tell)
    assert ended.outcome.status == "succeeded"
    assert [state for state, given in said.items() if given] == [TaskProgress.WAITING_FOR_APPROVAL]


@pytest.mark.parametrize("second_s", [520.0, 900.0])
def test_an_approval_of_a_plan_that_became_old_looks_plans_and_asks_again(second_s):
    job, arm, clock = Job("t", task=stack_task()), Arm(), [130.0]
    fresh = replace(BEFORE, stamp_s=500.0)
    stages = Stages([fresh, AFTER])
    ended, told = run(
        job,
        stages,
        arm,
        replace(SETTINGS, dry_run=True, approval_timeout_s=30.0),
        now_s=lambda: clock[0],
        listener=approving(job, [500.0, second_s], clock),
    )
    assert [item.state for item in told].count(TaskProgress.WAITING_FOR_APPROVAL) == 2
    assert len(stages.planned) == 2
    if second_s > 560.0:
        assert (ended.outcome.status, ended.outcome.reason) == ("failed", "stale_scene")
        assert "400 s old" in ended.outcome.message
        assert arm.durations == []
    else:
        assert ended.outcome.status == "succeeded"


def test_a_plan_made_anew_needs_its_own_approval():
    job, arm = Job("t", task=stack_task(), plan=stack_plan(scene_stamp_s=100.0)), Arm(at=0.5)
    job.approval.give_in_advance()
    ended, told = run(job, Stages([BEFORE]), arm, replace(SETTINGS, dry_run=True))
    assert any("once more" in item.text for item in told)
    assert (ended.outcome.status, arm.durations) == ("planned", [])


def test_a_plan_in_the_place_of_an_outdated_one_needs_its_own_approval():
    job, arm = Job("t", task=stack_task(), plan=stack_plan(scene_stamp_s=100.0)), Arm()
    job.approval.give_in_advance()
    fresh = replace(BEFORE, stamp_s=500.0)
    ended, _ = run(job, Stages([fresh]), arm, replace(SETTINGS, dry_run=True), now_s=500.0)
    assert (ended.outcome.status, arm.durations) == ("planned", [])


def test_cancelled_before_it_moves():
    job, arm = Job("t", task=stack_task()), Arm()
    job.cancel.set()
    ended, _ = run(job, arm=arm)
    assert ended.outcome.status == "cancelled"
    assert arm.durations == []


def test_velocity_scaling_slows_every_motion():
    arm = Arm()
    run(Job("t", task=stack_task()), Stages([AFTER]), arm, replace(SETTINGS, velocity_scaling=0.25))
    assert arm.durations == [pytest.approx(4.0)] * 7


def test_estimated_depth_waits_for_approval_unless_allowed():
    guessed = tuple(replace(scene, depth_source="estimated") for scene in (BEFORE, AFTER))
    ended, told = run(Job("t", "stack them"), stages=Stages(guessed))
    assert ended.outcome.status == "planned"
    assert "estimated" in ended.outcome.message
    assert any(item.state == TaskProgress.WAITING_FOR_APPROVAL and "estimated" in item.text for item in told)
    allowed = replace(SETTINGS, allow_estimated_depth=True)
    assert run(Job("t", "stack them"), Stages(guessed), settings=allowed)[0].outcome.status == "succeeded"
    approved = Job("t", "stack them")
    approved.approval.give_in_advance()
    assert run(approved, stages=Stages(guessed))[0].outcome.status == "succeeded"


@pytest.mark.parametrize("state", [TaskProgress.PLANNING, TaskProgress.EXECUTING])
def test_a_fault_of_the_program_is_an_outcome_and_stops_the_arm(state):
    def tell(told):
        if told.state == state:
            raise RuntimeError("nobody foresaw this")

    arm = Arm()
    ended, _ = run(Job("t", task=stack_task()), arm=arm, listener=tell)
    assert (ended.outcome.task_id, ended.outcome.status, ended.outcome.reason) == (
        "t",
        "failed",
        "internal_error",
    )
    assert "nobody foresaw this" in ended.outcome.message
    assert "Traceback" in ended.trace
    assert arm.stopped


def test_a_fault_is_told_although_the_arm_cannot_be_stopped():
    class Broken(Arm):
        def follow(self, trajectory, cancel, on_progress):
            raise RuntimeError("no way")

        def stop(self):
            raise OSError("no line")

    ended, _ = run(Job("t", task=stack_task()), arm=Broken())
    assert ended.outcome.reason == "internal_error"
    assert "stop it by hand" in ended.outcome.message
    assert "no line" in ended.outcome.message
