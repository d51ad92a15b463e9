# SPDX-License-Identifier: Apache-2.0
"""While the arm carries a plan out, scenes keep coming: what is in the way stops it, what only seems to does not."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from action_msgs.msg import GoalStatus
from spatialpin_interfaces.action import ExecuteTask
from spatialpin_interfaces.msg import Outcome, Scene

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.nodes.qos import LATCHED

pytestmark = pytest.mark.slow
SEED = 3
ROBOT = RobotConfig.load("panda")


def with_post_under(scene: Scene, plan, stage_name: str, share: float) -> Scene:
    """The scene with one more object, as tall as the hand is high some way through a stage, right under it."""
    stage = next(stage for stage in plan.stages if stage.name == stage_name)
    poses = stage.tcp_waypoints.poses
    hand = poses[int(share * len(poses))].position
    changed = deepcopy(scene)
    changed.header.stamp.nanosec ^= 1 << 20  # another scene, a millisecond away
    post = deepcopy(changed.objects[0])
    post.id, post.name, post.confidence = "o99", "grey post", 1.0
    post.shape, post.size.x, post.size.y, post.size.z = "box", 0.04, 0.04, hand.z
    post.pose.position.x, post.pose.position.y, post.pose.position.z = hand.x, hand.y, hand.z / 2.0
    post.pose.orientation.x = post.pose.orientation.y = post.pose.orientation.z = 0.0
    post.pose.orientation.w = 1.0
    changed.objects.append(post)
    return changed


def test_scenes_seen_while_the_arm_moves_do_not_stop_it(graph):
    graph.randomize(SEED)
    task, plan = graph.stack_plan()
    run = graph.execute(ExecuteTask.Goal(task=task, plan=plan))
    for stage in ("approach", "lift", "transfer", "retreat"):
        run.wait_for_stage(stage)
        assert graph.capture().success
    status, result = run.result(120.0)
    assert (status, result.outcome.status) == (GoalStatus.STATUS_SUCCEEDED, Outcome.SUCCEEDED), result


@pytest.mark.parametrize(("during", "way", "share"), [("approach", "transfer", 0.5), ("lift", "home", 0.75)])
def test_an_object_that_gets_in_the_way_stops_the_arm_and_is_named(graph, wait, during, way, share):
    publisher = graph.node.create_publisher(Scene, "/scene/scene", LATCHED)
    joints = graph.joints(ROBOT)
    graph.randomize(SEED)
    task, plan = graph.stack_plan()
    wait(lambda: publisher.get_subscription_count() >= 3, "nobody listens to scenes")
    run = graph.execute(ExecuteTask.Goal(task=task, plan=plan))
    run.wait_for_stage(during)
    wait(lambda: joints.fastest() > 0.1, "the arm never moved")
    reply = graph.capture()
    assert reply.success, reply.message
    publisher.publish(with_post_under(reply.scene, plan, way, share))
    status, result = run.result()
    outcome = result.outcome
    assert status == GoalStatus.STATUS_ABORTED, (result, graph.logs())
    assert (outcome.status, outcome.reason) == (Outcome.FAILED, "path_blocked"), outcome
    assert "o99" in outcome.object_ids
    assert "grey post" in outcome.message
    assert "is blocked" in outcome.message
    assert joints.fastest() < 0.05
    end = plan.stages[-1].trajectory.points[-1].positions
    assert np.abs(joints.positions() - np.array(end)).max() > 0.01
    graph.node.destroy_publisher(publisher)
