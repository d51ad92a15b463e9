# SPDX-License-Identifier: Apache-2.0
"""The scene node makes scenes without being asked; tasks go on in the scene that they began in."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from action_msgs.msg import GoalStatus
from spatialpin_interfaces.action import ExecuteTask
from spatialpin_interfaces.msg import Outcome, Scene

from spatialpin_ros.nodes.qos import LATCHED

pytestmark = pytest.mark.slow
SEED = 3


NODES = {
    "simulator": ("real_time_factor:=2.0",),
    "scene": ("rate_hz:=3.0",),
    "reasoner": (),
    "planner": (),
    "executor": ("dry_run:=false",),
}


@pytest.fixture(scope="module")
def graph(graph_of):
    with graph_of(NODES) as running:
        yield running


def test_a_request_ends_in_a_stack_while_scenes_come(graph):
    stamps = []
    graph.node.create_subscription(Scene, "/scene/scene", lambda m: stamps.append(m.header.stamp), LATCHED)
    graph.randomize(SEED)
    before = len(stamps)
    outcome = graph.outcome(graph.request(""), 120.0)
    assert (outcome.status, outcome.level) == (Outcome.SUCCEEDED, Outcome.LEVEL_STACKED), (
        f"{outcome}\n{graph.logs()}"
    )
    assert len(stamps) - before > 5


def test_a_given_plan_is_carried_out_while_scenes_come(graph):
    graph.randomize(SEED + 1)
    task, plan = graph.stack_plan()
    status, result = graph.execute(ExecuteTask.Goal(task=task, plan=plan)).result(120.0)
    assert (status, result.outcome.status) == (GoalStatus.STATUS_SUCCEEDED, Outcome.SUCCEEDED), (
        f"{result}\n{graph.logs()}"
    )
