# SPDX-License-Identifier: Apache-2.0
"""The interfaces that setup builds travel over DDS, the stand-ins with the layout of the originals."""

import threading

import pytest

rclpy = pytest.importorskip("rclpy")

from control_msgs.action import FollowJointTrajectory, GripperCommand, ParallelGripperCommand  # noqa: E402
from control_msgs.msg import JointTolerance  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from spatialpin_interfaces.msg import Scene, SceneObject  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def test_a_scene_published_before_the_subscription_arrives(ros_node: Node) -> None:
    arrived: list[Scene] = []
    event = threading.Event()

    def receive(scene: Scene) -> None:
        arrived.append(scene)
        event.set()

    publisher = ros_node.create_publisher(Scene, "scene", LATCHED)
    publisher.publish(Scene(objects=[SceneObject(id="o1", name="red cube")]))
    ros_node.create_subscription(Scene, "scene", receive, LATCHED)

    assert event.wait(20.0)
    assert [item.name for item in arrived[0].objects] == ["red cube"]


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (JointTolerance, ["name", "position", "velocity", "acceleration"]),
        (TFMessage, ["transforms"]),
        (GripperCommand.Result, ["position", "effort", "stalled", "reached_goal"]),
        (ParallelGripperCommand.Goal, ["command"]),
        (FollowJointTrajectory.Result, ["error_code", "error_string"]),
        (
            FollowJointTrajectory.Goal,
            [
                "trajectory",
                "multi_dof_trajectory",
                "path_tolerance",
                "component_path_tolerance",
                "goal_tolerance",
                "component_goal_tolerance",
                "goal_time_tolerance",
            ],
        ),
    ],
)
def test_borrowed_types_have_the_fields_of_the_originals_in_order(message: type, fields: list[str]) -> None:
    assert list(message.get_fields_and_field_types()) == fields


def test_each_test_has_a_domain_that_is_not_the_default(ros_domain_id: int, ros_node: Node) -> None:
    assert ros_domain_id != 0
    assert ros_node.context.get_domain_id() == ros_domain_id
