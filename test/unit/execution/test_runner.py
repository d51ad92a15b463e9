# SPDX-License-Identifier: Apache-2.0
"""A plan is followed stage by stage; whatever goes wrong ends with a standing arm and the true reason."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from execution_scenes import JOINTS, make_object, make_scene, stack_plan

from spatialpin_ros.errors import PerceptionError
from spatialpin_ros.execution import (
    Blocked,
    ExecutionOptions,
    GripperResult,
    MotionResult,
    StaleJointStatesError,
    run_plan,
)
from spatialpin_ros.geometry import Pose
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import PlanStage

BEFORE = make_scene(
    make_object("o1", "red", (0.4, -0.1, 0.02)),
    make_object("o2", "blue", (0.6, 0.1, 0.03), (0.08, 0.08, 0.06)),
)
STACKED = make_scene(
    make_object("n1", "blue", (0.6, 0.1, 0.03), (0.08, 0.08, 0.06)),
    make_object("n2", "red", (0.6, 0.1, 0.08), on="n1"),
)


class FakeArm:
    """Goes where it is told; fails or is cancelled where a test says so."""

    joint_names = JOINTS

    def __init__(self, at=0.0):
        self.at = np.full(2, at)
        self.stopped = 0
        self.paths = []
        self.results = {}
        self.during = {}

    def follow(self, trajectory, cancel, on_progress):
        index = len(self.paths)
        self.paths.append(trajectory)
        on_progress(0.5)
        self.during.get(index, lambda: None)()
        on_progress(0.6)
        if cancel.is_set():
            return MotionResult("cancelled", "stopped")
        if index in self.results:
            return self.results[index]
        self.at = trajectory.positions[-1]
        on_progress(1.0)
        return MotionResult("reached")

    def stop(self):
        self.stopped += 1

    def joint_positions(self):
        return self.at


class FakeGripper:
    """Closes on an object of a width, or on nothing."""

    def __init__(self, object_width_m=0.04):
        self.object_width_m = object_width_m
        self.now_m = 0.08
        self.commands = []

    def move(self, width_m, force_n, cancel):
        self.commands.append(width_m)
        self.now_m = max(width_m, self.object_width_m if width_m < 0.06 else 0.0)
        stalled = self.now_m > width_m
        return GripperResult(self.now_m, stalled, not stalled)

    def width(self):
        return self.now_m


def run(arm=None, gripper=None, look=lambda: STACKED, cancel=None, plan=None, **options):
    told = []
    arm, gripper = arm or FakeArm(), gripper or FakeGripper()
    outcome = run_plan(
        plan or stack_plan(),
        BEFORE,
        arm,
        gripper,
        look,
        told.append,
        cancel or threading.Event(),
        ExecutionOptions(**options),
    )
    return outcome, told


def test_success_with_feedback_of_every_stage_in_order():
    outcome, told = run()
    assert (outcome.status, outcome.level, outcome.reason) == ("succeeded", "stacked", "")
    names = list(dict.fromkeys(item.stage for item in told))
    assert names == ["approach", "grasp", "lift", "transfer", "place", "release", "retreat", "home", "verify"]
    progress = [item.progress for item in told]
    assert progress == sorted(progress)
    assert progress[0] == 0.0
    assert progress[-1] == 1.0


def test_success_needs_the_fresh_scene():
    outcome, _ = run(look=lambda: BEFORE)
    assert (outcome.status, outcome.reason) == ("failed", "grasp_missed")


def test_start_deviation_moves_nothing():
    arm = FakeArm(at=0.02)
    outcome, _ = run(arm)
    assert (outcome.status, outcome.reason) == ("failed", "start_deviation")
    assert arm.paths == []


def test_a_plan_for_other_joints_moves_nothing():
    arm = FakeArm(at=0.5)
    arm.joint_names = ("b", "a", "c")
    outcome, told = run(arm)
    assert (outcome.status, outcome.reason, told) == ("failed", "wrong_joints", [])
    assert "b, a, c" in outcome.message
    assert arm.paths == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_nobody_foresaw_is_raised_from_a_standing_arm(error):
    def broken():
        raise error("nobody foresaw this")

    arm = FakeArm()
    arm.during[2] = broken
    with pytest.raises(error, match="nobody foresaw"):
        run(arm)
    assert arm.stopped == 1
    assert len(arm.paths) == 3


def test_small_start_deviation_is_accepted():
    assert run(FakeArm(at=0.009))[0].status == "succeeded"


def test_unknown_joint_states_move_nothing():
    class Blind(FakeArm):
        def joint_positions(self):
            raise StaleJointStatesError("no joint states for 3 s")

    arm = Blind()
    outcome, _ = run(arm)
    assert outcome.reason == "stale_joint_states"
    assert arm.paths == []


@pytest.mark.parametrize("index", range(7))
def test_cancel_in_any_motion_stops_the_arm_first(index):
    arm, cancel = FakeArm(), threading.Event()
    arm.during[index] = cancel.set
    outcome, _ = run(arm, cancel=cancel)
    assert outcome.status == "cancelled"
    assert arm.stopped >= 1
    assert len(arm.paths) == index + 1


def test_cancelled_before_it_began():
    arm, cancel = FakeArm(), threading.Event()
    cancel.set()
    outcome, _ = run(arm, cancel=cancel)
    assert outcome.status == "cancelled"
    assert arm.paths == []


def test_missed_grasp_opens_and_backs_off_through_the_same_points():
    arm, gripper = FakeArm(), FakeGripper(object_width_m=0.0)
    outcome, _ = run(arm, gripper, look=lambda: BEFORE)
    assert (outcome.status, outcome.level, outcome.reason) == ("failed", "none", "grasp_missed")
    assert gripper.commands == [0.0, 0.08]
    assert len(arm.paths) == 4
    np.testing.assert_allclose(arm.paths[2].positions, arm.paths[1].positions[::-1])
    np.testing.assert_allclose(arm.at, 0.0)


def closing_to(width_m, opened_m=0.06):
    """The plan as the planner makes it: opened for the object, then closed to a little under its width."""
    plan = stack_plan()
    first, down, grasp, *rest = plan.stages
    opening = PlanStage("approach", 0, gripper_width_m=opened_m)
    stages = (opening, first, down, replace(grasp, gripper_width_m=width_m), *rest)
    return replace(plan, stages=stages, object_T_tcp={"o1": Pose()})


def test_a_grasp_of_air_is_missed_where_the_pads_were_sent():
    arm, gripper = FakeArm(), FakeGripper(object_width_m=0.0)
    outcome, told = run(arm, gripper, look=lambda: BEFORE, plan=closing_to(0.025))
    assert (outcome.status, outcome.level, outcome.reason, outcome.stage) == (
        "failed",
        "none",
        "grasp_missed",
        "grasp",
    )
    assert "closed to 25.0 mm (sent to 25.0 mm, the object is 40.0 mm wide)" in outcome.message
    assert outcome.measurements["closed_to_m"] == pytest.approx(0.025)
    assert outcome.measurements["object_width_m"] == pytest.approx(0.04)
    assert gripper.commands == [0.06, 0.025, 0.06]
    np.testing.assert_allclose(arm.at, 0.0)
    assert "lift" not in {item.stage for item in told}


def test_a_grip_that_is_lost_while_lifting_is_noticed_at_its_end():
    class Slipping(FakeArm):
        def follow(self, trajectory, cancel, on_progress):
            result = super().follow(trajectory, cancel, on_progress)
            if len(self.paths) == 3:
                gripper.now_m = 0.0255
            return result

    arm, gripper = Slipping(), FakeGripper(0.03)
    outcome, _ = run(arm, gripper, look=lambda: BEFORE, plan=closing_to(0.025))
    assert (outcome.reason, outcome.stage, outcome.level) == ("dropped", "lift", "none")
    assert "25.5 mm" in outcome.message
    assert outcome.measurements["held_width_m"] == pytest.approx(0.03)
    assert len(arm.paths) == 3


@pytest.mark.parametrize("width_m", [0.0365, 0.045, 0.031])
def test_a_width_seen_wrong_by_millimetres_is_no_miss(width_m):
    assert run(gripper=FakeGripper(width_m), plan=closing_to(0.025))[0].status == "succeeded"


def test_missed_grasp_may_stay():
    arm = FakeArm()
    outcome, _ = run(arm, FakeGripper(0.0), look=lambda: BEFORE, back_off_after_miss=False)
    assert outcome.reason == "grasp_missed"
    assert len(arm.paths) == 2


def test_object_slipping_out_in_transfer_is_noticed_while_moving():
    arm, gripper = FakeArm(), FakeGripper()
    arm.during[3] = lambda: setattr(gripper, "now_m", 0.0)
    fallen = make_scene(BEFORE.objects[1], make_object("n2", "red", (0.5, 0.0, 0.02)))
    outcome, _ = run(arm, gripper, look=lambda: fallen)
    assert (outcome.status, outcome.level, outcome.reason, outcome.stage) == (
        "failed",
        "picked",
        "dropped",
        "transfer",
    )
    assert len(arm.paths) == 4
    assert arm.stopped >= 1


@pytest.mark.parametrize("status", ["tolerance", "controller_lost", "rejected", "stale_joint_states"])
def test_controller_trouble_is_the_reason(status):
    arm = FakeArm()
    arm.results[0] = MotionResult(status, "joint a is 0.3 rad off")
    outcome, _ = run(arm)
    assert (outcome.status, outcome.reason, outcome.stage) == ("failed", status, "approach")
    assert "0.3 rad" in outcome.message
    assert arm.stopped >= 1


def test_unseen_result_is_no_success():
    def blind():
        raise PerceptionError("no table in view")

    outcome, _ = run(look=blind)
    assert (outcome.status, outcome.reason) == ("failed", "scene_unavailable")
    assert outcome.level == "picked"


class Obstructed:
    """Reports that the rest is blocked once the execution has come to a stage."""

    def __init__(self, index, share=0.0):
        self.index, self.share, self.there = index, share, False
        self.told = []

    def at(self, stage_index, share):
        self.told.append((stage_index, share))
        self.there = self.there or (stage_index == self.index and share >= self.share)

    def blocked(self):
        return (
            Blocked("place", "touches", ("o5",), "red cube (o5): hand touches red cube")
            if self.there
            else None
        )


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_something_in_the_way_stops_the_arm_and_is_named(share):
    arm, gripper, guard = FakeArm(), FakeGripper(), Obstructed(4, share)
    outcome = run_plan(
        stack_plan(), BEFORE, arm, gripper, lambda: BEFORE, lambda _: None, threading.Event(), guard=guard
    )
    assert (outcome.status, outcome.reason, outcome.stage) == ("failed", "path_blocked", "transfer")
    assert outcome.object_ids == ("o5",)
    assert outcome.level == "picked"
    assert "'place' is blocked" in outcome.message
    assert "still holds" in outcome.message
    assert arm.stopped
    assert [index for index, _ in guard.told] == sorted(index for index, _ in guard.told)
    assert Outcome.from_dict(outcome.to_dict()) == outcome
