# SPDX-License-Identifier: Apache-2.0
"""The executor's calls of the other nodes, over DDS, with a planner of the test's own or none."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from execution_scenes import make_object, make_scene, stack_plan, stack_task

pytest.importorskip("rclpy")

from spatialpin_interfaces.msg import Scene as SceneMsg
from spatialpin_interfaces.srv import PlanTask

from spatialpin_ros.conversions import plan_to_msg, scene_to_msg, seconds
from spatialpin_ros.nodes import newest_scene
from spatialpin_ros.nodes.qos import LATCHED
from spatialpin_ros.nodes.stages import StageServices, TaskRefusedError
from spatialpin_ros.plan import Plan

SCENE = make_scene(make_object("o1", "red", (0.4, -0.1, 0.02)))
VALUES = {
    "scene_node": "/scene",
    "reasoner_node": "/reasoner",
    "planner_node": "/planner",
    "capture_timeout_s": 0.2,
    "reasoning_timeout_s": 0.2,
    "planning_timeout_s": 5.0,
}


@pytest.fixture
def stages(ros_node, monkeypatch):
    monkeypatch.setattr(newest_scene, "GRACE_S", 0.3)
    monkeypatch.setattr("spatialpin_ros.nodes.stages.SERVICE_SLACK_S", 0.0)
    return StageServices(ros_node, VALUES)


@pytest.fixture
def planner(ros_node):
    """A planner that notes the scenes it is to plan in, and plans in that of a stamp."""
    asked = []

    def serve(stamp_s=None):
        def answer(request, response):
            asked.append(seconds(request.scene_stamp))
            response.success = True
            response.plan = plan_to_msg(stack_plan(scene_stamp_s=stamp_s or asked[-1]), 0.0)
            return response

        ros_node.create_service(PlanTask, "/planner/plan_task", answer)
        return asked

    return serve


def test_a_plan_is_asked_for_once_and_for_the_scene_of_the_task(stages, planner):
    asked = planner()
    result = stages.plan(stack_task(), 101.123456789, threading.Event())
    assert isinstance(result, Plan)
    assert asked == [pytest.approx(101.123456789, abs=1e-6)]


def test_a_planner_that_plans_in_another_scene_is_refused(stages, planner):
    planner(stamp_s=50.0)
    with pytest.raises(TaskRefusedError, match=r"50\.000") as refused:
        stages.plan(stack_task(), 101.0, threading.Event())
    assert refused.value.reason == "stale_scene"


def test_a_node_that_does_not_answer_is_the_reason(stages):
    for ask in (lambda: stages.capture(None), lambda: stages.understand("stack", threading.Event())):
        with pytest.raises(TaskRefusedError, match="is its node running") as refused:
            ask()
        assert refused.value.reason == "node_unavailable"


def test_scenes_are_told_and_known_by_their_stamp(ros_node, stages):
    told, done = [], threading.Event()

    def listen(stamp):
        told.append(seconds(stamp))
        if told[-1] == 102.0:
            done.set()

    stages.tell_scenes(listen)
    publisher = ros_node.create_publisher(SceneMsg, "/scene/scene", LATCHED)
    for stamp_s in (101.0, 102.0):
        publisher.publish(scene_to_msg(replace(SCENE, stamp_s=stamp_s)))
        assert stages.scene_at(stamp_s).stamp_s == pytest.approx(stamp_s)
    assert done.wait(10.0)
    assert told == [101.0, 102.0]
    assert stages.newest_scene().stamp_s == pytest.approx(102.0)
    assert stages.scene_at(101.0).stamp_s == pytest.approx(101.0)
    with pytest.raises(TaskRefusedError) as refused:
        stages.scene_at(100.0)
    assert refused.value.reason == "stale_scene"
