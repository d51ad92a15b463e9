# SPDX-License-Identifier: Apache-2.0
"""Whoever asks notices that the server ended or was started again, and is known to it before it asks."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future
from std_srvs.srv import Trigger

from spatialpin_ros.errors import BackendError
from spatialpin_ros.nodes import servers
from spatialpin_ros.nodes.servers import Acquaintances, Server, ServerLostError
from spatialpin_ros.nodes.session import GraphSession
from spatialpin_ros.nodes.support import ServiceCaller

SERVICE = "/planner/plan_task"
OURS, ANOTHER, AGAIN = (1, "planner"), (2, "spare_planner"), (3, "planner")


class Node:
    """A node that sees the endpoints a test says, and greets through a client of the test."""

    def __init__(self, *seen):
        self.seen, self.greeted, self.answers = seen, [], True

    def resolve_service_name(self, name):
        return name

    def get_publishers_info_by_topic(self, topic, no_mangle):
        assert (topic, no_mangle) == ("rr/planner/plan_taskReply", True)
        return [
            SimpleNamespace(endpoint_gid=[key], node_namespace="/", node_name=name) for key, name in self.seen
        ]

    def create_client(self, kind, service, **_):
        def ask(_):
            self.greeted.append(service)
            future = Future()
            if self.answers and len(self.greeted) > 1:
                future.set_result(None)
            return future

        return SimpleNamespace(
            service_is_ready=lambda: True, call_async=ask, remove_pending_request=lambda _: None
        )

    def destroy_client(self, client):
        self.greeted.append("destroyed")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(servers, "LOOK_S", -1.0)


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ([OURS], [OURS], False),
        ([OURS], [OURS, ANOTHER], False),
        ([OURS, ANOTHER], [ANOTHER], False),
        ([OURS, AGAIN], [AGAIN], False),
        ([OURS], [], True),
        ([OURS], [ANOTHER], True),
        ([OURS], [AGAIN], True),
        ([OURS], [OURS, AGAIN], True),
    ],
)
def test_a_server_is_lost_once_it_is_gone_or_another_has_its_name(before, after, lost):
    node = Node(*before)
    server = Server(node, SERVICE, lambda: True)
    server.check()
    node.seen = after
    if lost:
        with pytest.raises(ServerLostError, match="plan_task: its node ended or was started again"):
            server.check()
        return
    server.check()


def test_where_servers_cannot_be_told_apart_their_number_counts():
    ready = [True]
    server = Server(Node(), SERVICE, lambda: ready[0])
    server.check()
    ready[0] = False
    with pytest.raises(ServerLostError):
        server.check()


def test_a_server_is_greeted_until_it_answers_and_once_only(monkeypatch):
    monkeypatch.setattr(servers, "GREETING_S", 0.01)
    node = Node(OURS)
    known = Acquaintances(node)
    known.server(SERVICE, lambda: True)
    assert node.greeted == ["/planner/get_parameter_types"] * 2 + ["destroyed"]
    known.server(SERVICE, lambda: True)
    assert len(node.greeted) == 3
    node.seen = [AGAIN]
    known.server(SERVICE, lambda: True)
    assert len(node.greeted) > 3


def test_a_server_that_answers_no_greeting_is_asked_nevertheless(monkeypatch):
    monkeypatch.setattr(servers, "GREETING_S", 0.01)
    monkeypatch.setattr(servers, "MEETING_LIMIT_S", 0.1)
    node = Node(OURS)
    node.answers = False
    Acquaintances(node).server(SERVICE, lambda: True)
    assert node.greeted[-1] == "destroyed"


class Silent:
    """A node that takes requests and never answers."""

    def __init__(self, domain):
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = rclpy.create_node("planner", context=self._context)
        self.asked = threading.Event()

        async def never(request, response):
            self.asked.set()
            await Future()

        self._node.create_service(Trigger, SERVICE, never)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self):
        try:
            self._executor.spin()
        except rclpy.executors.ExternalShutdownException:
            return

    def end(self):
        self._context.try_shutdown()
        self._thread.join(5.0)
        self._node.destroy_node()


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("way", ["session", "executor"])
def test_nobody_waits_for_a_server_that_ended(ros_node, ros_domain_id, way, restart):
    running = [Silent(ros_domain_id)]
    failed: list[Exception] = []
    session = GraphSession(ros_domain_id)
    session.start()
    caller = ServiceCaller(ros_node, Trigger, SERVICE)

    def ask():
        try:
            if way == "session":
                session.call(SERVICE, Trigger, Trigger.Request(), 60.0)
            else:
                caller(Trigger.Request(), 60.0)
        except ServerLostError as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        assert running[0].asked.wait(20.0)
        began_s = time.monotonic()
        if restart:
            running.append(Silent(ros_domain_id))
        running[0].end()
        thread.join(15.0)
    finally:
        for each in running[1:]:
            each.end()
        session.close()
    assert not thread.is_alive()
    assert time.monotonic() - began_s < 15.0
    assert len(failed) == 1
    assert isinstance(failed[0], BackendError)
