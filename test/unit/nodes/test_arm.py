# SPDX-License-Identifier: Apache-2.0
"""The arm and gripper behind actions whose servers answer late, fail, or not at all."""

from __future__ import annotations

import threading
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

    def positions(self):
        return np.zeros(2)

    def fastest(self):
        return 0.0

    def gripper_width(self):
        return 0.03


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
