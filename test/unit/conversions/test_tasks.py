# SPDX-License-Identifier: Apache-2.0
"""Tasks, plans, failures and outcomes survive the way into a message, through the wire format, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_samples import (
    SETTINGS,
    TEXT,
    close,
    make_plan,
    make_trajectory,
    over_the_wire,
)

pytest.importorskip("rclpy")


from spatialpin_ros import conversions as cv
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import CandidateFailure, Plan, PlanFailure
from spatialpin_ros.task import Task, TaskStep


@SETTINGS
@given(st.floats(0.0, 0.1) | st.none(), st.booleans(), TEXT)
def test_task(number, in_area, words):
    area = np.array([[0.4, 0.1], [0.5, 0.1], [0.5, 0.2]])
    place = (
        TaskStep("place_in_area", "o1", "table", area, drop_height_m=number)
        if in_area
        else TaskStep("place_on", "o1", "o2", drop_height_m=number)
    )
    pick = TaskStep("pick", "o1", closing_width_m=number, lift_height_m=number, keep_upright=in_area)
    task = Task("t", words, (pick, place), words, "symbolic", words, 0.25)
    close(cv.task_from_msg(over_the_wire(cv.task_to_msg(task))).to_dict(), task.to_dict())


def test_plan():
    plan = make_plan()
    back = cv.plan_from_msg(over_the_wire(cv.plan_to_msg(plan, 3.0)))
    for one, other in zip(plan.stages, back.stages, strict=True):
        assert (one.name, one.holding, one.linear, one.text) == (
            other.name,
            other.holding,
            other.linear,
            other.text,
        )
        assert one.gripper_width_m == other.gripper_width_m
        np.testing.assert_array_equal(one.tcp_waypoints, other.tcp_waypoints)
        if one.trajectory is not None:
            np.testing.assert_allclose(one.trajectory.times, other.trajectory.times, atol=1e-9)
            for name in ("positions", "velocities", "accelerations"):
                np.testing.assert_array_equal(getattr(one.trajectory, name), getattr(other.trajectory, name))
    assert (back.scene_stamp_s, back.metrics, back.tip_frame) == (12.5, {"planning_s": 0.3}, "tip")
    assert back.alternatives == plan.alternatives
    assert Plan.from_dict(plan.to_dict()).alternatives == plan.alternatives
    np.testing.assert_array_equal(back.object_T_tcp["o1"].matrix, plan.object_T_tcp["o1"].matrix)


def test_joints_in_another_order_are_sorted_and_strangers_refused():
    message = cv.trajectory_to_msg(make_trajectory())
    back = cv.trajectory_from_msg(message, ["b", "a"])
    np.testing.assert_array_equal(back.positions, make_trajectory().positions[:, ::-1])
    with pytest.raises(InvalidValueError, match="not the expected"):
        cv.trajectory_from_msg(message, ["a", "c"])
    with pytest.raises(InvalidValueError, match="not the expected"):
        cv.trajectory_from_msg(message, ["a"])


def test_trajectory_with_a_short_point_is_refused():
    message = cv.trajectory_to_msg(make_trajectory())
    message.points[2].positions = [1.0]
    with pytest.raises(InvalidValueError, match="point 2"):
        cv.trajectory_from_msg(message)


@SETTINGS
@given(st.floats(0.0, 60.0), TEXT)
def test_plan_failure(elapsed_s, words):
    failure = PlanFailure(
        "ik", "place", words, (CandidateFailure("g1", "place", "no_path", words),), elapsed_s
    )
    assert cv.plan_failure_from_msg(over_the_wire(cv.plan_failure_to_msg(failure))) == failure


@pytest.mark.parametrize(
    ("status", "level", "reason"),
    [("succeeded", "stacked", ""), ("failed", "contacted", "not_on_target"), ("cancelled", "picked", "cancelled"),
     ("planned", "none", ""), ("succeeded", "placed", "")],
)  # fmt: skip
def test_outcome(status, level, reason):
    outcome = Outcome(
        "t", status, level, reason, "said", "place", 4.5, {"horizontal_offset_m": 0.002}, ("o5",)
    )
    assert cv.outcome_from_msg(over_the_wire(cv.outcome_to_msg(outcome))) == outcome


def test_outcome_with_an_unknown_number_is_refused():
    message = cv.outcome_to_msg(Outcome("t", "succeeded", "stacked"))
    message.level = 99
    with pytest.raises(InvalidValueError, match="99"):
        cv.outcome_from_msg(message)
