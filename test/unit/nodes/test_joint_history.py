# SPDX-License-Identifier: Apache-2.0
"""Joint positions between the states that were received."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("rclpy")

from spatialpin_ros.nodes.joint_history import JointHistory


def history(*states):
    made = JointHistory(["a", "b"])
    for stamp_s, positions in states:
        made.add(stamp_s, positions)
    return made


def test_positions_are_those_of_the_moment_between_two_states():
    joints = history((1.0, {"a": 0.0, "b": 1.0}), (1.1, {"a": 0.2, "b": 1.0}), (1.2, {"a": 1.2, "b": 1.0}))
    found = joints.at(1.125, 0.0)
    assert dict(found.positions) == pytest.approx({"a": 0.45, "b": 1.0})
    assert found.apart_s == pytest.approx(0.025)


def test_beyond_the_ends_they_are_those_of_the_end_and_how_far_it_is():
    joints = history((1.0, {"a": 0.0, "b": 0.0}), (1.1, {"a": 1.0, "b": 0.0}))
    assert (joints.at(0.5, 0.0).positions["a"], joints.at(0.5, 0.0).apart_s) == (0.0, pytest.approx(0.5))
    assert (joints.at(1.4, 0.0).positions["a"], joints.at(1.4, 0.0).apart_s) == (1.0, pytest.approx(0.3))


def test_joints_that_somebody_else_publishes_go_along():
    joints = history((1.0, {"finger": 0.04}), (1.0, {"a": 0.0, "b": 0.0}), (1.1, {"finger": 0.01}))
    joints.add(1.2, {"a": 1.0, "b": 0.0})
    assert joints.at(1.1, 0.0).positions == pytest.approx({"a": 0.5, "b": 0.0, "finger": 0.025})


def test_it_waits_for_the_state_after_the_stamp():
    joints = history((1.0, {"a": 0.0, "b": 0.0}))
    timer = threading.Timer(0.05, joints.add, (1.2, {"a": 1.0, "b": 0.0}))
    timer.start()
    assert joints.at(1.1, 30.0).positions["a"] == pytest.approx(0.5)
    timer.join()


def test_stamps_of_another_clock_are_not_waited_for():
    joints = history((1.0, {"a": 0.0, "b": 0.0}))
    assert joints.at(1e9, 30.0).apart_s > 1e8


def test_time_that_begins_anew_forgets_and_late_messages_are_ignored():
    joints = history((9.0, {"a": 9.0, "b": 0.0}), (8.99, {"a": 5.0, "b": 0.0}))
    assert joints.at(9.0, 0.0).positions["a"] == 9.0
    joints.add(1.0, {"a": 1.0, "b": 0.0})
    assert joints.at(9.0, 0.0).positions["a"] == 1.0


def test_before_the_first_state_nothing_is_known():
    joints = history((1.0, {"a": 0.0}))
    assert joints.at(1.0, 0.0) is None
    assert joints.silent_s == float("inf")
