# SPDX-License-Identifier: Apache-2.0
"""The executor's guard of a plan with a planner of the test's own: what it asks, and when."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from execution_scenes import stack_plan

pytest.importorskip("rclpy")

from spatialpin_interfaces.srv import CheckPlan

from spatialpin_ros.conversions import seconds, time_to_msg
from spatialpin_ros.nodes import plan_guard
from spatialpin_ros.nodes.plan_guard import PlanGuard

HOLDS = CheckPlan.Response(success=True, holds=True)
BLOCKED = CheckPlan.Response(
    success=True,
    holds=False,
    message="in the way",
    conflict_stage="transfer",
    conflict_kind="touches",
    object_ids=["o9"],
    object_names=["grey post"],
)


class Answer:
    def __init__(self):
        self._callbacks = []

    def add_done_callback(self, callback):
        self._callbacks.append(callback)

    def give(self, response):
        self.result = lambda: response
        for callback in self._callbacks:
            callback(self)


class Client:
    def __init__(self):
        self.asked = []
        self.answers = []
        self.removed = []

    def service_is_ready(self):
        return True

    def call_async(self, request):
        self.asked.append(seconds(request.scene_stamp))
        self.answers.append(Answer())
        return self.answers[-1]

    def remove_pending_request(self, future):
        self.removed.append(future)


class Clock:
    nanoseconds = 100_000_000_000

    def now(self):
        return self


@pytest.fixture
def watched():
    """A guard of a plan that set off at 100 s, its client and what it complained about."""
    complaints = []
    clock, logger = Clock(), SimpleNamespace(warning=complaints.append)
    node = SimpleNamespace(get_clock=lambda: clock, get_logger=lambda: logger)
    client = Client()
    return PlanGuard(node, client, stack_plan(scene_stamp_s=99.0)), client, complaints


def see(guard, *stamps):
    for stamp_s in stamps:
        guard.on_scene(time_to_msg(stamp_s))


def test_one_check_at_a_time_and_then_the_newest_scene(watched):
    guard, client, _ = watched
    see(guard, 101.0, 102.0, 103.0, 104.0)
    assert client.asked == [101.0]
    client.answers[0].give(HOLDS)
    assert client.asked == [101.0, 104.0]
    client.answers[1].give(HOLDS)
    assert client.asked == [101.0, 104.0]


def test_a_scene_from_before_the_arm_set_off_is_not_checked(watched):
    guard, client, _ = watched
    see(guard, 99.5)
    assert client.asked == []


def test_what_blocks_is_named_and_ends_the_checks(watched):
    guard, client, _ = watched
    see(guard, 101.0, 102.0)
    client.answers[0].give(BLOCKED)
    blocked = guard.blocked()
    assert blocked is not None
    assert blocked.object_ids == ("o9",)
    assert "grey post (o9)" in blocked.message
    assert client.asked == [101.0]


def test_a_check_that_could_not_be_made_is_told_and_the_next_scene_checked(watched):
    guard, client, complaints = watched
    see(guard, 101.0, 102.0)
    client.answers[0].give(CheckPlan.Response(success=False, message="no robot"))
    assert guard.blocked() is None
    assert "no robot" in complaints[0]
    assert client.asked == [101.0, 102.0]


def test_an_answer_that_never_comes_does_not_end_the_watch(watched, monkeypatch):
    guard, client, complaints = watched
    see(guard, 101.0)
    monkeypatch.setattr(plan_guard, "ANSWER_LIMIT_S", -1.0)
    see(guard, 102.0)
    assert client.asked == [101.0, 102.0]
    assert client.removed == client.answers[:1]
    assert len(complaints) == 1
    client.answers[0].give(BLOCKED)
    assert guard.blocked() is None


def test_nothing_is_asked_once_the_execution_is_over(watched):
    guard, client, _ = watched
    see(guard, 101.0, 102.0)
    guard.close()
    client.answers[0].give(HOLDS)
    see(guard, 103.0)
    assert client.asked == [101.0]
