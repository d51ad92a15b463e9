# SPDX-License-Identifier: Apache-2.0
"""All five nodes as processes over DDS: from words to a stack, and everything that may come between."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseArray
from nav_msgs.msg import Path
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from spatialpin_interfaces.action import ExecuteTask
from spatialpin_interfaces.msg import Outcome, TaskProgress
from spatialpin_interfaces.srv import AskScene, DescribeTask
from trajectory_msgs.msg import JointTrajectory

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.nodes.qos import LATCHED

pytestmark = pytest.mark.slow
SEED = 3
ROBOT = RobotConfig.load("panda")


def set_parameter(graph, node, name, value):
    if isinstance(value, bool):
        typed = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=value)
    else:
        typed = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
    message = Parameter(name=name, value=typed)
    reply = graph.call(SetParameters, f"/{node}/set_parameters", SetParameters.Request(parameters=[message]))
    return reply.results[0]


def test_a_request_without_words_ends_in_a_stack_and_is_shown_before_it_moves(graph):
    seen = {}
    for kind, topic in ((PoseArray, "waypoints"), (Path, "path"), (JointTrajectory, "trajectory")):
        graph.node.create_subscription(
            kind,
            f"/planner/{topic}",
            lambda m, t=topic: seen.setdefault(t, (m, len(graph.progress))),
            LATCHED,
        )
    graph.randomize(SEED)
    task = graph.request("")
    outcome = graph.outcome(task, 120.0)
    assert (outcome.status, outcome.level) == (Outcome.SUCCEEDED, Outcome.LEVEL_STACKED), outcome
    graph.wait_until(lambda: TaskProgress.SUCCEEDED in graph.states(task), "the end was not told")
    assert graph.states(task) == [
        TaskProgress.QUEUED,
        TaskProgress.LOOKING,
        TaskProgress.REASONING,
        TaskProgress.PLANNING,
        TaskProgress.EXECUTING,
        TaskProgress.VERIFYING,
        TaskProgress.SUCCEEDED,
    ]
    moving = next(
        i for i, m in enumerate(graph.progress) if m.state == TaskProgress.EXECUTING and m.progress > 0.3
    )
    assert set(seen) == {"waypoints", "path", "trajectory"}
    assert all(when <= moving for _, when in seen.values())
    assert list(seen["trajectory"][0].joint_names) == ROBOT.joints
    assert len(seen["path"][0].poses) == len(seen["waypoints"][0].poses) > 10


def test_the_action_carries_a_given_plan_out_with_feedback(graph):
    graph.randomize(SEED + 1)
    task, plan = graph.stack_plan()
    run = graph.execute(ExecuteTask.Goal(task=task, plan=plan))
    status, result = run.result(120.0)
    assert (status, result.outcome.status) == (GoalStatus.STATUS_SUCCEEDED, Outcome.SUCCEEDED), result
    assert result.outcome.task_id == task.id
    expected = list(dict.fromkeys(stage.name for stage in plan.stages))
    assert run.stages == [*expected, "verify"]
    shares = [item.progress for item in run.feedback]
    assert shares == sorted(shares)
    assert len(shares) > 20


@pytest.mark.parametrize("stage", ["approach", "transfer"])
def test_cancelling_stops_the_arm_before_it_is_reported(graph, wait, stage):
    joints = graph.joints(ROBOT)
    graph.randomize(SEED + 2)
    task, plan = graph.stack_plan()
    run = graph.execute(ExecuteTask.Goal(task=task, plan=plan))
    run.wait_for_stage(stage)
    wait(lambda: joints.fastest() > 0.1, "the arm never moved")
    run.cancel()
    status, result = run.result()
    still = joints.positions()
    assert (status, result.outcome.status) == (GoalStatus.STATUS_CANCELED, Outcome.CANCELLED), result
    assert joints.fastest() < 0.05
    end = plan.stages[-1].trajectory.points[-1].positions
    assert np.abs(still - np.array(end)).max() > 0.01
    reply = graph.capture()
    assert reply.success, reply.message
    assert np.abs(joints.positions() - still).max() < 0.01


def test_cancelling_a_goal_of_only_a_plan_stops_the_arm_and_no_other_task(graph, wait):
    joints = graph.joints(ROBOT)
    graph.randomize(SEED)
    _, plan = graph.stack_plan()
    run = graph.execute(ExecuteTask.Goal(plan=plan))
    run.wait_for_stage("approach")
    behind = graph.request("lift the pink elephant")
    wait(lambda: joints.fastest() > 0.1, "the arm never moved")
    run.cancel()
    status, result = run.result()
    assert (status, result.outcome.status) == (GoalStatus.STATUS_CANCELED, Outcome.CANCELLED), result
    outcome = graph.outcome(behind)
    assert (outcome.status, outcome.reason) == (Outcome.FAILED, "unknown_name")


def test_stop_ends_a_request_in_motion_and_the_queue_behind_it(graph, wait):
    joints = graph.joints(ROBOT)
    graph.randomize(SEED)
    first, second = graph.request(""), graph.request("")
    wait(lambda: joints.fastest() > 0.1, "the arm never moved")
    assert graph.trigger("/executor/stop").success
    assert graph.outcome(first).status == Outcome.CANCELLED
    assert graph.outcome(second).status == Outcome.CANCELLED
    assert joints.fastest() < 0.05


def test_a_second_goal_is_rejected_while_one_runs(graph):
    graph.randomize(SEED)
    task, plan = graph.stack_plan()
    first = graph.execute(ExecuteTask.Goal(task=task, plan=plan))
    first.wait_for_stage("approach")
    assert not graph.execute(ExecuteTask.Goal(task=task, plan=plan)).handle.accepted
    first.cancel()
    assert first.result()[0] == GoalStatus.STATUS_CANCELED


def test_a_plan_for_another_place_of_the_arm_is_made_anew(graph, wait):
    joints = graph.joints(ROBOT)
    graph.randomize(SEED)
    task, plan = graph.stack_plan()
    first = graph.execute(ExecuteTask.Goal(task=task, plan=plan))
    first.wait_for_stage("approach")
    wait(lambda: np.abs(joints.positions() - ROBOT.home).max() > 0.1, "the arm never moved")
    first.cancel()
    assert first.result()[0] == GoalStatus.STATUS_CANCELED
    again = graph.execute(ExecuteTask.Goal(task=task, plan=plan))
    status, result = again.result(120.0)
    assert any("planning once more" in item.text for item in again.feedback)
    assert (status, result.outcome.status) == (GoalStatus.STATUS_SUCCEEDED, Outcome.SUCCEEDED), result


def test_dry_run_moves_only_once_approved(graph, wait):
    joints = graph.joints(ROBOT)
    graph.randomize(SEED)
    assert set_parameter(graph, "executor", "dry_run", True).successful
    try:
        task = graph.request("")
        graph.wait_until(lambda: TaskProgress.WAITING_FOR_APPROVAL in graph.states(task), "it never waited")
        assert joints.fastest() < 0.05
        assert graph.trigger("/executor/approve").success
        wait(lambda: joints.fastest() > 0.1, "it did not move once approved")
        assert not graph.trigger("/executor/approve").success
        graph.trigger("/executor/stop")
        assert graph.outcome(task).status == Outcome.CANCELLED
        assert set_parameter(graph, "executor", "approval_timeout_s", 0.0).successful
        graph.randomize(SEED)
        assert graph.outcome(graph.request("")).status == Outcome.PLANNED
    finally:
        set_parameter(graph, "executor", "approval_timeout_s", 600.0)
        set_parameter(graph, "executor", "dry_run", False)


def test_parameters_out_of_range_are_refused_while_running(graph):
    assert not set_parameter(graph, "executor", "velocity_scaling", 7.0).successful
    assert not set_parameter(graph, "planner", "joint_states_timeout_s", 1.0).successful


def test_unknown_name_is_answered_with_what_there_is(graph):
    placed = graph.randomize(SEED)
    graph.capture()
    reply = graph.call(
        DescribeTask, "/reasoner/describe_task", DescribeTask.Request(request="lift the pink elephant")
    )
    assert not reply.success
    assert reply.reason == "unknown_name"
    assert len(reply.candidates) == len(placed)
    outcome = graph.outcome(graph.request("lift the pink elephant"))
    assert (outcome.status, outcome.reason) == (Outcome.FAILED, "unknown_name")
    assert all(name in outcome.message for name in reply.candidates)


def test_questions_are_answered_from_the_scene(graph):
    placed = graph.randomize(SEED)
    graph.capture()
    reply = graph.call(
        AskScene, "/reasoner/ask", AskScene.Request(question="How many objects are on the table?")
    )
    assert reply.success, reply.text
    assert (reply.has_value, reply.value) == (True, float(len(placed)))


def test_reset_puts_the_scene_back(graph):
    graph.randomize(SEED)
    before = graph.capture().scene
    graph.outcome(graph.request(""), 120.0)
    assert graph.trigger("/simulator/reset").success
    after = graph.capture().scene
    old = sorted((o.pose.position.x, o.pose.position.y) for o in before.objects)
    new = sorted((o.pose.position.x, o.pose.position.y) for o in after.objects)
    np.testing.assert_allclose(new, old, atol=0.01)
