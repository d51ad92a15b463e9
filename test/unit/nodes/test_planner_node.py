# SPDX-License-Identifier: Apache-2.0
"""The planner node over DDS, with a pool of the test's own in the place of planning processes."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from execution_scenes import make_object, make_scene, stack_plan, stack_task

pytest.importorskip("rclpy")

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from spatialpin_interfaces.msg import Scene as SceneMsg
from spatialpin_interfaces.srv import CheckPlan, PlanTask
from std_msgs.msg import String
from std_srvs.srv import Trigger

from spatialpin_ros.conversions import plan_to_msg, scene_to_msg, task_to_msg, time_to_msg
from spatialpin_ros.errors import BackendError
from spatialpin_ros.nodes import newest_scene, planner
from spatialpin_ros.nodes.qos import LATCHED
from spatialpin_ros.nodes.support import wait_for
from spatialpin_ros.plan import PlanFailure
from spatialpin_ros.planning import PlanConflict

SCENE = make_scene(
    make_object("o1", "red", (0.4, -0.1, 0.02)),
    make_object("o2", "blue", (0.6, 0.1, 0.03), (0.08, 0.08, 0.06)),
)
NEW_OBJECT = make_object("o9", "green", (0.5, -0.3, 0.02))
LIMIT_S = 20.0


class Pool:
    """Plans at once or, while `slow`, when cancelled; every recheck finds a conflict."""

    made: list[Pool]
    slow = False

    def __init__(self, robot, urdf, *, workers):
        self.urdf = urdf
        self.closed, self.began = threading.Event(), threading.Event()
        self.cancels = []
        Pool.made.append(self)

    def plan(self, scene, task, start, options, cancel):
        self.cancels.append(cancel)
        self.began.set()
        while self.slow and not cancel.wait(0.01):
            if self.closed.is_set():
                raise BackendError("closed")
        if cancel.is_set():
            return PlanFailure("cancelled", "", "cancelled")
        return stack_plan(scene_stamp_s=scene.stamp_s)

    def revalidate(self, plan, scene, *, from_stage, from_time_s):
        return PlanConflict(0, "approach", 0.1, "in the way", "touches", ("o9",))

    def close(self):
        self.closed.set()


class Joints:
    def __init__(self, *_):
        pass

    def positions(self):
        return np.zeros(7)


class Running:
    """A planner node that spins, and a client's side of it."""

    def __init__(self, node, client):
        self.node, self.client = node, client
        self._scenes = client.create_publisher(SceneMsg, "/scene/scene", LATCHED)
        self._plan = client.create_client(PlanTask, "/planner/plan_task")
        self._check = client.create_client(CheckPlan, "/planner/check_plan")
        self._cancel = client.create_client(Trigger, "/planner/cancel")
        for service in (self._plan, self._check, self._cancel):
            assert service.wait_for_service(LIMIT_S)
            # An answer to a client that the server does not know yet is lost.
            self._await_known(service.service_name)

    def _await_known(self, service):
        limit, pause = time.monotonic() + LIMIT_S, threading.Event()
        while not self.node.count_clients(service):
            assert time.monotonic() < limit, f"{service} does not know its client"
            pause.wait(0.02)
        pause.wait(0.05)

    def see(self, stamp_s, *more):
        scene = replace(SCENE, objects=(*SCENE.objects, *more), stamp_s=stamp_s)
        self._scenes.publish(scene_to_msg(scene))
        self.node._scene.at(stamp_s)

    def ask(self, stamp_s=0.0):
        request = PlanTask.Request(task=task_to_msg(stack_task()), scene_stamp=time_to_msg(stamp_s))
        return self._plan.call_async(request)

    def plan(self, stamp_s=0.0):
        return wait_for(self.ask(stamp_s), LIMIT_S, "the planner")

    def check(self, plan_of_s, seen_s):
        plan = stack_plan(scene_stamp_s=plan_of_s)
        request = CheckPlan.Request(plan=plan_to_msg(plan, 0.0), scene_stamp=time_to_msg(seen_s))
        return wait_for(self._check.call_async(request), LIMIT_S, "the planner")

    def cancel(self):
        return wait_for(self._cancel.call_async(Trigger.Request()), LIMIT_S, "the planner")


@pytest.fixture
def start(ros_node, ros_domain_id, monkeypatch):
    """Start a planner node with parameters."""
    monkeypatch.setattr(planner, "PlanningPool", Pool)
    monkeypatch.setattr(planner, "JointStateMonitor", Joints)
    monkeypatch.setattr(newest_scene, "GRACE_S", 0.5)
    Pool.made, Pool.slow = [], False
    running = []

    def make(*values):
        given = ("scene_max_age_s:=0.0", *values)
        rclpy.init(args=["--ros-args", *(part for value in given for part in ("-p", value))])
        node = planner.PlannerNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)

        def spin():
            try:
                executor.spin()
            except ExternalShutdownException:
                return

        thread = threading.Thread(target=spin, daemon=True)
        thread.start()
        running.append((node, executor, thread))
        return Running(node, ros_node)

    yield make
    for node, executor, thread in running:
        node.close()
        executor.shutdown()
        thread.join(LIMIT_S)
        node.destroy_node()
    rclpy.try_shutdown()


def test_it_plans_in_the_scene_asked_for_and_in_the_newest_when_none_is(start):
    graph = start("urdf_source:=config")
    for stamp_s in (100.0, 101.25, 102.5):
        graph.see(stamp_s)
    stamps = [graph.plan(asked_s).plan.scene_stamp for asked_s in (101.25, 0.0)]
    assert [(stamp.sec, stamp.nanosec) for stamp in stamps] == [(101, 250_000_000), (102, 500_000_000)]


def test_a_scene_that_is_not_known_is_a_typed_failure(start):
    graph = start("urdf_source:=config")
    graph.see(100.0)
    reply = graph.plan(99.0)
    assert (reply.success, reply.failure.reason) == (False, "stale_scene")
    assert "99.000 s" in reply.message


def test_a_plan_is_checked_however_many_scenes_came_since(start, monkeypatch):
    monkeypatch.setattr(newest_scene, "REMEMBERED", 2)
    graph = start("urdf_source:=config")
    graph.see(100.0)
    assert graph.plan(100.0).success
    for stamp_s in (101.0, 102.0, 103.0):
        graph.see(stamp_s, NEW_OBJECT)
    reply = graph.check(100.0, 103.0)
    assert (reply.success, reply.holds, list(reply.object_ids)) == (True, False, ["o9"]), reply.message
    assert not graph.check(99.0, 103.0).success


def test_nothing_holds_before_the_robot_is_known(start):
    graph = start("urdf_source:=topic", "robot_description_wait_s:=0.0")
    graph.see(100.0)
    reply = graph.check(100.0, 100.0)
    assert (reply.success, reply.holds) == (False, False)
    assert "robot_description" in reply.message


def test_cancelling_ends_the_requests_there_are_and_no_later_one(start):
    Pool.slow = True
    graph = start("urdf_source:=config")
    graph.see(100.0)
    first = graph.ask()
    assert Pool.made[0].began.wait(LIMIT_S)
    second = graph.ask()
    wait_until(lambda: len(graph.node._cancels) == 2)
    assert graph.cancel().success
    replies = [wait_for(future, LIMIT_S, "the planner") for future in (first, second)]
    assert [reply.failure.reason for reply in replies] == ["cancelled", "cancelled"]
    Pool.slow = False
    assert graph.plan().success
    assert not graph.node._cancels


def test_a_request_that_queues_does_not_revive_a_cancelled_one(start):
    Pool.slow = True
    graph = start("urdf_source:=config")
    graph.see(100.0)
    first = graph.ask()
    assert Pool.made[0].began.wait(LIMIT_S)
    # Both are in the queue before the pool looks: what the second does must not undo the first's end.
    graph.cancel()
    second = graph.ask()
    assert wait_for(first, LIMIT_S, "the planner").failure.reason == "cancelled"
    wait_until(lambda: len(Pool.made[0].cancels) == 2)
    assert not second.done()
    graph.cancel()
    assert wait_for(second, LIMIT_S, "the planner").failure.reason == "cancelled"


def test_a_description_that_comes_while_planning_has_it_planned_again(start):
    Pool.slow = True
    graph = start("urdf_source:=auto", "robot_description_wait_s:=0.0")
    graph.see(100.0)
    asked = graph.ask()
    wait_until(lambda: Pool.made and Pool.made[0].began.is_set())
    Pool.slow = False
    # The pool that plans is told to wait on, so that only its end ends the plan.
    Pool.made[0].slow = True
    described = graph.client.create_publisher(String, "/robot_description", LATCHED)
    described.publish(String(data="<robot/>"))
    reply = wait_for(asked, LIMIT_S, "the planner")
    assert reply.success, reply.message
    assert [pool.urdf for pool in Pool.made] == [None, "<robot/>"]
    assert Pool.made[0].closed.is_set()


def wait_until(condition):
    pause = threading.Event()
    for _ in range(int(LIMIT_S / 0.02)):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it never came to that")
