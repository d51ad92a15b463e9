# SPDX-License-Identifier: Apache-2.0
"""Many requests at once are all answered, be it with a refusal."""

from __future__ import annotations

import ast
import threading
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from rclpy.executors import SingleThreadedExecutor
from spatialpin_interfaces.msg import Outcome
from spatialpin_interfaces.srv import CaptureScene, RequestTask
from std_srvs.srv import Trigger

from spatialpin_ros.nodes import qos
from spatialpin_ros.nodes.executor import ExecutorNode
from spatialpin_ros.nodes.scene import SceneNode
from spatialpin_ros.nodes.session import GraphSession

NODES = Path(qos.__file__).parent
COUNT = 40


@pytest.fixture
def serve(ros_context, monkeypatch):
    """Spin a node of the package among the tests' own."""
    made = []

    def start(kind):
        # A node's own context is not among the arguments that ours have.
        monkeypatch.setattr("rclpy.node.get_default_context", lambda *_, **__: ros_context)
        node, executor = kind(), SingleThreadedExecutor(context=ros_context)
        executor.add_node(node)
        thread = threading.Thread(target=executor.spin, daemon=True)
        thread.start()
        made.append((node, executor, thread))

    yield start
    for node, executor, thread in made:
        node.close()
        executor.shutdown()
        thread.join(5.0)


@pytest.mark.parametrize(
    ("node", "service", "kind", "request_"),
    [
        (ExecutorNode, "/executor/request_task", RequestTask, RequestTask.Request(request="stack it")),
        (SceneNode, "/scene/capture", CaptureScene, CaptureScene.Request(timeout_s=0.05)),
    ],
)
def test_a_burst_of_requests_is_answered_to_the_last(serve, ros_domain_id, node, service, kind, request_):
    serve(node)
    session = GraphSession(ros_domain_id)
    session.start()
    try:
        session.call(service, kind, request_, 20.0)
        client = session._client(service, kind)
        sent = [client.call_async(request_) for _ in range(COUNT)]
        replies = [session.result(future, 30.0, service) for future in sent]
    finally:
        session.close()
    assert len(replies) == COUNT
    if kind is RequestTask:
        refused = [reply for reply in replies if not reply.accepted]
        assert len(refused) >= COUNT // 2
        assert all("tasks are waiting already" in reply.message for reply in refused)


def test_every_outcome_of_a_queue_that_is_stopped_arrives(serve, ros_domain_id):
    serve(ExecutorNode)
    session, told, ids, all_told = GraphSession(ros_domain_id), set(), set(), threading.Event()

    def on_outcome(message):
        pause.wait(0.05)
        told.add(message.task_id)
        if len(told) == 8:
            all_told.set()

    pause = threading.Event()
    session.node.create_subscription(Outcome, "/executor/outcome", on_outcome, qos.OUTCOMES)
    session.start()
    try:
        for _ in range(8):
            reply = session.call("/executor/request_task", RequestTask, RequestTask.Request(), 20.0)
            ids.add(reply.task_id)
        assert session.call("/executor/stop", Trigger, Trigger.Request(), 20.0).success
        all_told.wait(20.0)
    finally:
        session.close()
    assert told == ids


def _calls(path):
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def _name(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


@pytest.mark.parametrize("path", sorted(NODES.glob("*.py")), ids=lambda path: path.stem)
def test_every_service_and_action_states_how_deep_its_queue_is(path):
    for call in _calls(path):
        stated = {ast.unparse(keyword.value) for keyword in call.keywords}
        if _name(call) in ("create_service", "create_client"):
            assert stated & {"SERVICE", "serving"}, ast.unparse(call)
        if _name(call) in ("ActionServer",):
            assert "ACTION_SERVICES" in stated, ast.unparse(call)
