# SPDX-License-Identifier: Apache-2.0
"""The recorder: joints in the plan's order, stages matched with the plan's, images thinned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spatialpin_ros.demo.recorder import Recorder
from spatialpin_ros.plan import Plan, PlanStage, Trajectory
from spatialpin_ros.task import Task, TaskStep


@pytest.fixture
def plan() -> Plan:
    rest = np.zeros((2, 2))
    still = Trajectory(("a", "b"), np.array([0.0, 1.0]), rest, rest, rest)
    stages = (
        PlanStage("approach", 0, still, text="go"),
        PlanStage("grasp", 0, still, text="down"),
        PlanStage("grasp", 0, gripper_width_m=0.03, text="close"),
        PlanStage("approach", 1, still, text="again"),
    )
    return Plan(Task("t", "do", (TaskStep("pick", "o1"),)), stages, ("a", "b"), "base", "tip")


def test_joints_are_put_into_the_plans_order(plan: Plan) -> None:
    recorder = Recorder()
    recorder.begin(plan, 0.0)
    recorder.joints(0.2, ("finger", "b", "a"), (9.0, 2.0, 1.0), (0.0, 0.2, 0.1))
    recorder.joints(0.1, ("b", "a"), (4.0, 3.0), ())
    recorder.joints(0.3, ("finger",), (9.0,), ())
    recording = recorder.joint_recording
    assert recording is not None
    np.testing.assert_array_equal(recording.times, [0.1, 0.2])
    np.testing.assert_array_equal(recording.positions, [[3.0, 4.0], [1.0, 2.0]])
    np.testing.assert_array_equal(recording.velocities, [[0.0, 0.0], [0.1, 0.2]])


def test_stages_of_one_name_are_told_apart_by_their_text(plan: Plan) -> None:
    recorder = Recorder()
    recorder.begin(plan, 0.0)
    reports = [
        ("approach", "go"),
        ("approach", "go"),
        ("grasp", "down"),
        ("grasp", "close"),
        ("approach", "again"),
    ]
    assert [recorder.stage(float(n), *report) for n, report in enumerate(reports)] == [
        True,
        False,
        True,
        True,
        True,
    ]
    recorder.stage(6.0, "verify", "look")
    recorder.stage(6.5, "verify", "it stands")
    recorder.end(7.0)
    events = recorder.events
    assert [event.plan_index for event in events] == [0, 1, 2, 3, -1]
    assert [event.duration_s for event in events] == [2.0, 1.0, 1.0, 2.0, 1.0]


def test_images_nearer_than_the_gap_are_dropped(plan: Plan) -> None:
    recorder = Recorder(image_gap_s=0.5)
    recorder.begin(plan, 0.0)
    for time_s in (0.0, 0.2, 0.4, 0.6, 1.2):
        recorder.image(time_s, np.zeros((2, 2, 3), np.uint8))
    assert [frame.time_s for frame in recorder.video] == [0.0, 0.6, 1.2]


def test_nothing_is_kept_before_the_beginning_and_after_the_end(plan: Plan) -> None:
    recorder = Recorder()

    def report() -> None:
        recorder.joints(1.0, ("a", "b"), (0.0, 0.0), (0.0, 0.0))
        recorder.image(1.0, np.zeros((2, 2, 3), np.uint8))
        recorder.stage(1.0, "approach", "go")

    report()
    recorder.begin(plan, 0.5)
    recorder.end(0.6)
    report()
    kept: tuple[Any, ...] = (recorder.joint_recording, recorder.video, recorder.events)
    assert kept == (None, (), ())
