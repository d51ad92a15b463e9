# SPDX-License-Identifier: Apache-2.0
"""A client that waits for the executor: as long as a person thinks, and never leaving an arm to itself."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from execution_scenes import stack_plan, stack_task

pytest.importorskip("rclpy")

from rclpy.task import Future
from spatialpin_interfaces.action import ExecuteTask
from spatialpin_interfaces.msg import TaskProgress

from spatialpin_ros.conversions import outcome_to_msg
from spatialpin_ros.errors import BackendError, ExecutionError
from spatialpin_ros.nodes import client as client_module
from spatialpin_ros.nodes.client import GraphClient, Limits
from spatialpin_ros.nodes.servers import ServerLostError
from spatialpin_ros.outcome import Outcome

DONE = Outcome("t1", "succeeded", "stacked")


class Session:
    node = SimpleNamespace(create_subscription=lambda *_: None)
    now_s = 0.0

    def start(self):
        self.started = True

    def health(self):
        assert self.started

    def server(self, service, is_ready):
        def check():
            if not is_ready():
                raise ServerLostError(f"{service} is gone")

        return SimpleNamespace(check=check)

    def result(self, future, limit_s, what, check):
        if not future.done():
            raise BackendError(f"{what} did not answer")
        return future.result()


class Handle:
    accepted = True

    def __init__(self):
        self.cancelled, self.ended = 0, Future()

    def get_result_async(self):
        return self.ended

    def end(self):
        result = ExecuteTask.Result(outcome=outcome_to_msg(DONE))
        self.ended.set_result(SimpleNamespace(result=result))

    def cancel_goal_async(self):
        self.cancelled += 1


class Server:
    """Tells one state after it accepted, then nothing."""

    def __init__(self, *_, **__):
        self.handle, self.sent, self.states = Handle(), Future(), []
        self.alive, self.answers = True, True

    def server_is_ready(self):
        return self.alive

    def send_goal_async(self, goal, feedback_callback):
        for state in self.states:
            feedback_callback(SimpleNamespace(feedback=ExecuteTask.Feedback(state=state)))
        if self.answers:
            self.sent.set_result(self.handle)
        return self.sent


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(client_module, "ActionClient", Server)
    monkeypatch.setattr(client_module, "CANCEL_LIMIT_S", 0.05)
    return GraphClient(Session(), limits=Limits(execute_s=0.05))


def execute(client, cancel=None):
    return client.execute(stack_task(), stack_plan(), lambda _: None, cancel or threading.Event())


def test_a_person_may_think_longer_than_an_execution_may_be_silent(client):
    server = client._execute
    server.states = [TaskProgress.PLANNING, TaskProgress.WAITING_FOR_APPROVAL]
    threading.Timer(0.4, server.handle.end).start()
    assert execute(client).status == "succeeded"
    assert server.handle.cancelled == 0


@pytest.mark.parametrize("states", [[], [TaskProgress.WAITING_FOR_APPROVAL, TaskProgress.EXECUTING]])
def test_a_silent_execution_is_cancelled_before_it_is_given_up(client, states):
    client._execute.states = states
    with pytest.raises(ExecutionError, match="told nothing"):
        execute(client)
    assert client._execute.handle.cancelled == 1


@pytest.mark.parametrize("state", [TaskProgress.WAITING_FOR_APPROVAL, TaskProgress.EXECUTING])
def test_an_executor_that_is_gone_is_not_waited_for(client, state):
    server = client._execute
    server.states, server.alive = [state], False
    with pytest.raises(ExecutionError, match="gone; stop the arm by hand"):
        execute(client)
    assert server.handle.cancelled == 0


def test_a_cancelled_execution_is_given_a_moment_to_end(client):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(ExecutionError, match="did not end"):
        execute(client, cancel)
    assert client._execute.handle.cancelled == 1


def test_a_goal_accepted_too_late_is_cancelled(client):
    server = client._execute
    server.answers = False
    with pytest.raises(BackendError):
        execute(client)
    server.sent.set_result(server.handle)
    assert server.handle.cancelled == 1
