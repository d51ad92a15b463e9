# SPDX-License-Identifier: Apache-2.0
"""Scene, reasoner and planner fed by a camera and joint states of the test's own making, with faults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from sensor_msgs.msg import CameraInfo, Image, JointState
from spatialpin_interfaces.msg import TaskStep
from spatialpin_interfaces.srv import DescribeTask, PlanTask, ProposeTasks

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import CameraConfig, RobotConfig, Workspace
from spatialpin_ros.conversions import camera_frame_to_msgs, depth_to_msg, scene_from_msg, time_to_msg
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.nodes.qos import RELIABLE
from spatialpin_ros.simulation import ObjectSpec, World

ROBOT, SIMULATION = RobotConfig.load("panda"), CameraConfig.load("simulation")
# A camera that also sees what the arm cannot reach.
CAMERA = replace(
    SIMULATION,
    pose={"looking_from": [1.7, 0.0, 0.8], "looking_at": [0.75, 0.0, 0.0]},
    workspace=Workspace(np.array([0.22, -0.45, -0.02]), np.array([1.10, 0.45, 0.40])),
)
OVER_THE_TABLE = [0.0, 0.6, 0.0, -1.9, 0.0, 2.5, 0.785]
CAMERA_YAML = {
    "name": "far",
    "base_frame": CAMERA.base_frame,
    "optical_frame": CAMERA.optical_frame,
    "topics": CAMERA.topics,
    "pose": CAMERA.pose,
    "workspace": {"min": CAMERA.workspace.min.tolist(), "max": CAMERA.workspace.max.tolist()},
}


def block(name, x, y):
    box = OrientedBox(Pose.from_yaw((x, y, 0.025), 0.3), np.array([0.05, 0.05, 0.05]))
    return ObjectSpec(name, "cube", "red", box, 0.1)


def rendered(*objects, joints=None) -> CameraFrame:
    with World(ROBOT, CAMERA) as world:
        for item in objects:
            world.add_object(item)
        if joints is not None:
            world.robot.command_arm(np.array(joints))
            world.step(1200)
        return world.render()


class FakeDrivers:
    """Publishes a frame and the arm's home position again and again, as drivers do."""

    def __init__(self, graph):
        self._node = graph.node
        self.publishers = [
            self._node.create_publisher(kind, CAMERA.topics[key], RELIABLE)
            for kind, key in ((Image, "color"), (Image, "depth"), (CameraInfo, "camera_info"))
        ]
        self._joints = self._node.create_publisher(JointState, ROBOT.controllers.joint_states, 10)
        self.messages = ()
        self.arm = ROBOT.home
        self._timer = self._node.create_timer(0.1, self._publish)

    def _publish(self):
        now = self._node.get_clock().now().to_msg()
        names = [*ROBOT.joints, *ROBOT.gripper.joints]
        state = JointState(name=names, position=[*self.arm, 0.04, 0.04])
        state.header.stamp = now
        self._joints.publish(state)
        for publisher, message in zip(self.publishers, self.messages, strict=False):
            message.header.stamp = now
            publisher.publish(message)

    def show(self, frame: CameraFrame, joints=ROBOT.home):
        self.arm = joints
        self.messages = camera_frame_to_msgs(frame, "16UC1")


@pytest.fixture(scope="module")
def frames():
    return {
        "empty": rendered(),
        "near": rendered(block("a", 0.5, 0.1)),
        "far": rendered(block("a", 0.98, 0.05)),
        "under the arm": rendered(block("a", 0.5, 0.3), joints=OVER_THE_TABLE),
        "moved": rendered(block("a", 0.6, -0.2), block("b", 0.5, 0.25)),
    }


@pytest.fixture(scope="module")
def graph(graph_of, tmp_path_factory):
    camera = tmp_path_factory.mktemp("camera") / "far.yaml"
    camera.write_text(yaml.safe_dump(CAMERA_YAML))
    nodes = {
        "scene": (f"camera:={camera}", "capture_timeout_s:=4.0"),
        "reasoner": (),
        "planner": ("urdf_source:=config",),
    }
    with graph_of(nodes, sim_time=False) as running:
        running.drivers = FakeDrivers(running)
        yield running


def test_an_empty_table_is_a_scene_without_objects_and_without_tasks(graph, frames):
    graph.drivers.show(frames["empty"])
    reply = graph.capture()
    assert reply.success, reply.message
    assert len(reply.scene.objects) == 0
    assert reply.scene.supports[0].name == "table"
    proposals = graph.call(ProposeTasks, "/reasoner/propose_tasks")
    assert proposals.success
    assert len(proposals.tasks) == 0


def test_the_arm_over_the_table_is_no_part_of_the_scene(graph, frames):
    graph.drivers.show(frames["under the arm"], OVER_THE_TABLE)
    reply = graph.capture()
    assert reply.success, reply.message
    assert [item.name for item in reply.scene.objects] == ["red cube"]
    assert len(scene_from_msg(reply.scene).unexplained) < 100


def test_ids_stay_with_their_objects_between_captures(graph, frames):
    graph.drivers.show(frames["near"])
    first = {item.name: item.id for item in graph.capture().scene.objects}
    graph.drivers.show(frames["empty"])
    assert not graph.capture().scene.objects
    graph.drivers.show(frames["near"])
    assert {item.name: item.id for item in graph.capture().scene.objects} == first
    graph.drivers.show(frames["moved"])
    moved = graph.capture().scene.objects
    assert len(moved) == 2
    assert first["red cube"] in {item.id for item in moved}


def test_nan_depth_is_an_answer_and_no_crash(graph, frames):
    graph.drivers.show(frames["near"])
    color, _, info = graph.drivers.messages
    blind = np.full(frames["near"].depth_m.shape, np.nan, dtype=np.float32)
    graph.drivers.messages = (color, depth_to_msg(blind, color.header.frame_id), info)
    reply = graph.capture()
    assert not reply.success
    assert "depth" in reply.message
    graph.drivers.show(frames["near"])
    assert graph.capture().success


def test_depth_with_holes_still_gives_the_object(graph, frames):
    graph.drivers.show(frames["near"])
    color, _, info = graph.drivers.messages
    holed = frames["near"].depth_m.copy()
    holed[np.random.default_rng(0).random(holed.shape) < 0.2] = np.nan
    graph.drivers.messages = (color, depth_to_msg(holed, color.header.frame_id), info)
    reply = graph.capture()
    assert reply.success, reply.message
    assert [item.color for item in reply.scene.objects] == ["red"]


def test_camera_info_of_another_resolution_is_named(graph, frames):
    graph.drivers.show(frames["near"])
    info = graph.drivers.messages[2]
    info.width, info.height = 1280, 720
    reply = graph.capture()
    assert not reply.success
    assert "camera_info" in reply.message
    assert "aligned" in reply.message


def test_a_silent_camera_is_named_and_the_node_lives_on(graph, frames):
    graph.drivers.show(frames["near"])
    graph.drivers.messages = graph.drivers.messages[:1]
    reply = graph.capture(timeout_s=1.5)
    assert not reply.success
    assert CAMERA.topics["depth"] in reply.message
    graph.drivers.show(frames["near"])
    assert graph.capture().success


def test_stamps_too_far_apart_are_named(graph, frames):
    graph.drivers.show(frames["near"])

    class Late:
        """A depth publisher half a second behind."""

        def __init__(self, inner):
            self._inner = inner

        def publish(self, message):
            now = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
            message.header.stamp = time_to_msg(now - 0.55)
            self._inner.publish(message)

    inner = graph.drivers.publishers[1]
    graph.drivers.publishers[1] = Late(inner)
    try:
        reply = graph.capture(timeout_s=1.5)
    finally:
        graph.drivers.publishers[1] = inner
    assert not reply.success
    assert "slop_s" in reply.message


def test_an_object_out_of_reach_is_seen_but_not_promised(graph, frames):
    graph.drivers.show(frames["far"])
    reply = graph.capture()
    assert reply.success, reply.message
    assert len(reply.scene.objects) == 1
    found = reply.scene.objects[0]
    described = graph.call(
        DescribeTask, "/reasoner/describe_task", DescribeTask.Request(request=f"pick up the {found.name}")
    )
    assert not described.success
    assert described.reason == "infeasible"
    request = PlanTask.Request()
    request.task.id, request.task.description = "t", "pick it anyway"
    nan = float("nan")
    step = TaskStep(
        action="pick", object_id=found.id, closing_width_m=nan, lift_height_m=nan, drop_height_m=nan
    )
    request.task.steps = [step]
    planned = graph.call(PlanTask, "/planner/plan_task", request)
    assert not planned.success
    assert planned.failure.reason in ("ik", "no_grasp"), planned.failure
    assert len(planned.failure.candidates) > 0
    assert len(planned.plan.stages) == 0


def test_a_task_about_an_object_that_is_not_there_is_a_typed_failure(graph, frames):
    graph.drivers.show(frames["near"])
    assert graph.capture().success
    request = PlanTask.Request()
    request.task.id = "t"
    request.task.steps = [TaskStep(action="pick", object_id="o99")]
    planned = graph.call(PlanTask, "/planner/plan_task", request)
    assert not planned.success
    assert planned.failure.reason == "unknown_object"
