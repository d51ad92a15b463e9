# SPDX-License-Identifier: Apache-2.0
"""The arm and gripper behind actions whose servers answer late, fail, or not at all."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from execution_scenes import motion

pytest.importorskip("rclpy")

from action_msgs.msg import GoalStatus
from rclpy.task import Future

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.nodes import arm as arm_module
from spatialpin_ros.nodes.arm import RosArm, RosGripper

PANDA = RobotConfig.load("panda")


class Handle:
    """A goal's handle; a cancelled goal ends."""

    def __init__(self, accepted=True):
        self.accepted, self.cancelled = accepted, 0
        self.ended = Future()

    def get_result_async(self):
        return self.ended

    def cancel_goal_async(self):
        self.cancelled += 1
        result = SimpleNamespace(error_code=0, SUCCESSFUL=0, error_string="", stalled=False)
        if not self.ended.done():
            self.ended.set_result(SimpleNamespace(status=GoalStatus.STATUS_CANCELED, result=result))


class Client:
    """An action client whose server answers when a test says so."""

    def __init__(self, *_, **__):
        self.sent, self.feedback, self.on_send = Future(), None, lambda: None

    def wait_for_server(self, timeout_s):
        return True

    def server_is_ready(self):
        return True

    def send_goal_async(self, goal, feedback_callback=None):
        self.feedback = feedback_callback
        self.on_send()
        return self.sent


class Joints:
    stale, age_s, topic = False, 0.0, "/joint_states"
    width_m = 0.03

    def positions(self):
        return np.zeros(2)

    def fastest(self):
        return 0.0

    def gripper_width(self):
        return self.width_m


class Node:
    def create_publisher(self, *_):
        return None


@pytest.fixture
def devices(monkeypatch):
    monkeypatch.setattr(arm_module, "ActionClient", Client)
    monkeypatch.setattr(arm_module, "ANSWER_S", 0.05)
    monkeypatch.setattr(arm_module, "CANCELLED_ANSWER_S", 0.05)
    node, joints = Node(), Joints()
    arm, gripper = RosArm(node, PANDA, joints), RosGripper(node, PANDA, joints)

    def move_arm(cancel, on_progress=lambda _: None):
        return arm.follow(motion(0.0, 1.0), cancel, on_progress)

    def move_gripper(cancel):
        return gripper.move(0.02, 10.0, cancel)

    return {"arm": (arm._client, move_arm), "gripper": (gripper._client, move_gripper)}


def cancelled():
    event = threading.Event()
    event.set()
    return event


@pytest.mark.parametrize("name", ["arm", "gripper"])
@pytest.mark.parametrize(
    ("cancel", "status"), [(threading.Event(), "controller_lost"), (cancelled(), "cancelled")]
)
def test_a_goal_accepted_after_it_was_given_up_is_cancelled(devices, name, cancel, status):
    client, move = devices[name]
    assert move(cancel).status == status
    late = Handle()
    client.sent.set_result(late)
    assert late.cancelled == 1


@pytest.mark.parametrize("name", ["arm", "gripper"])
def test_a_goal_rejected_late_is_left_alone(devices, name):
    client, move = devices[name]
    move(threading.Event())
    late = Handle(accepted=False)
    client.sent.set_result(late)
    assert late.cancelled == 0


def test_a_goal_accepted_while_it_is_cancelled_is_waited_for(devices):
    client, move = devices["arm"]
    handle, cancel = Handle(), cancelled()
    client.on_send = lambda: threading.Timer(0.03, client.sent.set_result, [handle]).start()
    assert move(cancel).status == "cancelled"
    assert handle.cancelled == 1
    assert handle.ended.done()


def test_an_error_while_the_arm_moves_cancels_its_goal(devices):
    client, move = devices["arm"]
    handle = Handle()
    client.sent.set_result(handle)

    def broken(_):
        raise RuntimeError("nobody foresaw this")

    desired = SimpleNamespace(time_from_start=SimpleNamespace(sec=0, nanosec=500_000_000))
    client.on_send = lambda: client.feedback(SimpleNamespace(feedback=SimpleNamespace(desired=desired)))
    with pytest.raises(RuntimeError, match="nobody foresaw"):
        move(threading.Event(), broken)
    assert handle.cancelled == 1


KINDS = ("gripper_command", "parallel_gripper_command")


def gripper_of(monkeypatch, kind, *, position, stalled, reached, widths):
    """A gripper whose controller ends a goal as given, and whose joints then are seen at some openings in turn."""

    class Passing(Joints):
        def gripper_width(self):
            return widths.pop(0) if len(widths) > 1 else widths[0]

    monkeypatch.setattr(arm_module, "ActionClient", Client)
    gripper = RosGripper(
        Node(), replace(PANDA, controllers=replace(PANDA.controllers, gripper_action_type=kind)), Passing()
    )
    state = SimpleNamespace(position=[] if math.isnan(position) else [position])
    result = SimpleNamespace(position=position, state=state, stalled=stalled, reached_goal=reached)
    handle = Handle()
    handle.ended.set_result(SimpleNamespace(status=GoalStatus.STATUS_SUCCEEDED, result=result))
    gripper._client.sent.set_result(handle)
    return gripper.move(0.025, 10.0, threading.Event())


@pytest.mark.parametrize("kind", KINDS)
def test_a_stalled_gripper_is_where_its_controller_says(monkeypatch, kind):
    found = gripper_of(monkeypatch, kind, position=0.02, stalled=True, reached=False, widths=[0.039])
    assert (found.width_m, found.stalled, found.reached) == (pytest.approx(0.04), True, False)


@pytest.mark.parametrize("kind", KINDS)
def test_an_opening_reached_within_a_wide_tolerance_is_measured_once_the_pads_rest(monkeypatch, kind):
    passing = [0.055, 0.05, 0.045, 0.04]
    held = gripper_of(monkeypatch, kind, position=0.03, stalled=False, reached=True, widths=passing)
    assert held.width_m == pytest.approx(0.04)
    passing = [0.055, 0.04, 0.03, 0.0251]
    air = gripper_of(monkeypatch, kind, position=0.03, stalled=False, reached=True, widths=passing)
    assert air.width_m == pytest.approx(0.0251)


def test_a_result_without_a_position_is_measured(monkeypatch):
    found = gripper_of(monkeypatch, KINDS[1], position=math.nan, stalled=True, reached=False, widths=[0.0395])
    assert found.width_m == pytest.approx(0.0395)
    unknown = gripper_of(monkeypatch, KINDS[1], position=math.nan, stalled=True, reached=False, widths=[None])
    assert math.isnan(unknown.width_m)
