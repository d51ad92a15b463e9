# SPDX-License-Identifier: Apache-2.0
"""What cannot be planned comes back over ROS as stage, reason, candidates and what is in the way."""

from __future__ import annotations

from copy import deepcopy

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from geometry_msgs.msg import Point32
from spatialpin_interfaces.msg import Scene, SceneObject, TaskStep
from spatialpin_interfaces.srv import PlanTask

from spatialpin_ros.nodes.qos import LATCHED

pytestmark = pytest.mark.slow
NAN = float("nan")


def block(like: SceneObject, key: str, name: str, at, size) -> SceneObject:
    made = deepcopy(like)
    made.id, made.name, made.shape, made.confidence = key, name, "box", 1.0
    made.pose.position.x, made.pose.position.y, made.pose.position.z = *at, size[2] / 2.0
    made.pose.orientation.x = made.pose.orientation.y = made.pose.orientation.z = 0.0
    made.pose.orientation.w = 1.0
    made.size.x, made.size.y, made.size.z = size
    made.mesh.vertices, made.mesh.triangles = [], []
    return made


def step(action: str, key: str, target: str = "", area=()) -> TaskStep:
    made = TaskStep(action=action, object_id=key, target_id=target)
    made.closing_width_m = made.lift_height_m = made.drop_height_m = NAN
    made.area.points = [Point32(x=x, y=y, z=0.0) for x, y in area]
    return made


def square(x: float, y: float, half: float = 0.03):
    return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]


@pytest.fixture(scope="module")
def asked(graph):
    """Plan steps among objects that a test makes up: the scene is published, arm and planner are real nodes."""
    publisher = graph.node.create_publisher(Scene, "/scene/scene", LATCHED)
    graph.randomize(3)
    seen = graph.capture().scene

    def ask(objects, *steps: TaskStep):
        scene = deepcopy(seen)
        seen.header.stamp.nanosec ^= 1 << 20
        scene.header.stamp = deepcopy(seen.header.stamp)
        scene.objects = [block(seen.objects[0], *values) for values in objects]
        scene.unexplained.data, scene.unexplained.width, scene.unexplained.row_step = b"", 0, 0
        request = PlanTask.Request()
        request.task.id, request.task.steps = "t", list(steps)
        publisher.publish(scene)
        while True:
            reply = graph.call(PlanTask, "/planner/plan_task", request)
            known = reply.failure.reason != "unknown_object"
            if known:
                return reply

    yield ask
    graph.node.destroy_publisher(publisher)


SMALL = (0.04, 0.04, 0.04)


def test_what_walls_an_object_in_is_named(asked):
    walls = [
        ("w1", "tall red wall", (0.5, 0.06), (0.16, 0.04, 0.3)),
        ("w2", "tall blue wall", (0.5, -0.06), (0.16, 0.04, 0.3)),
        ("w3", "far wall", (0.56, 0.0), (0.04, 0.08, 0.3)),
        ("w4", "near wall", (0.44, 0.0), (0.04, 0.08, 0.3)),
    ]
    reply = asked([("c1", "small cube", (0.5, 0.0), SMALL), *walls], step("pick", "c1"))
    failure = reply.failure
    assert (reply.success, failure.reason, failure.stage) == (False, "no_grasp", "grasp"), failure.message
    assert "in the way: " in failure.message
    assert "tall red wall" in failure.message
    assert len(failure.candidates) > 20
    assert all(item.stage and item.reason and item.detail for item in failure.candidates)
    assert any("tall blue wall" in item.detail for item in failure.candidates)
    assert len(reply.plan.stages) == 0


def test_an_unreachable_place_blames_the_place_and_not_the_grasp(asked):
    where = step("place_in_area", "c2", "table", square(0.88, 0.44, 0.01))
    reply = asked([("c2", "small cube", (0.45, 0.1), SMALL)], step("pick", "c2"), where)
    failure = reply.failure
    assert (reply.success, failure.reason, failure.stage) == (False, "ik", "place"), failure.message
    assert "choose a place nearer" in failure.message
    assert {item.reason for item in failure.candidates} <= {"ik", "goal_in_collision"}


def test_an_occupied_place_names_what_stands_there(asked):
    objects = [
        ("c3", "small cube", (0.45, 0.2), SMALL),
        ("b3", "long block", (0.5, -0.1), (0.2, 0.2, 0.05)),
    ]
    where = step("place_in_area", "c3", "table", square(0.5, -0.1))
    reply = asked(objects, step("pick", "c3"), where)
    failure = reply.failure
    assert (reply.success, failure.reason, failure.stage) == (False, "no_free_place", "place"), (
        failure.message
    )
    assert "long block" in failure.message


def test_a_possible_task_among_the_same_makes_a_plan(asked):
    objects = [("c4", "small cube", (0.45, 0.2), SMALL), ("b4", "block", (0.5, -0.1), (0.07, 0.07, 0.05))]
    reply = asked(objects, step("pick", "c4"), step("place_on", "c4", "b4"))
    assert reply.success, reply.message
