# SPDX-License-Identifier: Apache-2.0
"""The action never answers a fault of the program with the empty result, whose zero means success."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from spatialpin_interfaces.action import ExecuteTask

from spatialpin_ros.nodes.executor import ExecutorNode


class Handle:
    """An accepted goal without a task."""

    def __init__(self, request):
        self.request, self.is_active, self.ended = request, True, []

    def abort(self):
        self.is_active = False
        self.ended.append("aborted")


@pytest.fixture
def node(monkeypatch):
    context = Context()
    rclpy.init(context=context, domain_id=97)
    original = rclpy.node.Node.__init__
    monkeypatch.setattr(rclpy.node.Node, "__init__", lambda self, name: original(self, name, context=context))
    made = ExecutorNode()
    yield made
    made.close()
    made.destroy_node()
    context.try_shutdown()


@pytest.mark.parametrize("method", ["_job", "_carry_out"])
def test_a_fault_of_the_program_aborts_the_goal_with_a_failure(node, monkeypatch, method):
    def broken(*_):
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(node, "_job", lambda _: None)
    monkeypatch.setattr(node, method, broken)
    handle = Handle(ExecuteTask.Goal())
    result = asyncio.run(node._execute(handle))
    assert (result.status, handle.ended) == (ExecuteTask.Result.FAILED, ["aborted"])
    assert "nobody foresaw this" in result.message
