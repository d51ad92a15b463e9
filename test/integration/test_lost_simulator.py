# SPDX-License-Identifier: Apache-2.0
"""What moves the arm is killed, or told to end, in the middle of a motion."""

from __future__ import annotations

import signal

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from action_msgs.msg import GoalStatus
from spatialpin_interfaces.action import ExecuteTask
from spatialpin_interfaces.msg import Outcome

from spatialpin_ros.config import RobotConfig

pytestmark = pytest.mark.slow
ROBOT = RobotConfig.load("panda")


def test_a_killed_simulator_is_a_lost_controller_and_the_executor_lives(own_graph, wait):
    graph = own_graph
    joints = graph.joints(ROBOT)
    graph.randomize(3)
    task, plan = graph.stack_plan()
    run = graph.execute(ExecuteTask.Goal(task=task, plan=plan))
    run.wait_for_stage("lift")
    wait(lambda: joints.fastest() > 0.05, "the arm never moved")
    graph.signal("simulator", signal.SIGKILL)
    status, result = run.result(30.0)
    assert status == GoalStatus.STATUS_ABORTED
    assert (result.outcome.status, result.outcome.reason) == (Outcome.FAILED, "controller_lost"), result
    assert "joint states" in result.outcome.message
    assert graph.trigger("/executor/stop").success
    again = graph.execute(ExecuteTask.Goal(task=task, plan=plan))
    assert again.result(30.0)[1].outcome.reason == "stale_joint_states"


def test_ending_the_executor_in_motion_stops_the_arm(own_graph, wait):
    graph = own_graph
    joints = graph.joints(ROBOT)
    graph.randomize(3)
    task, plan = graph.stack_plan()
    run = graph.execute(ExecuteTask.Goal(task=task, plan=plan))
    run.wait_for_stage("approach", 0.2)
    wait(lambda: joints.fastest() > 0.1, "the arm never moved")
    graph.signal("executor", signal.SIGINT)
    assert graph.exit_status("executor") == 0
    wait(lambda: joints.fastest() < 0.02, "the arm goes on moving")
    assert not joints.stale
