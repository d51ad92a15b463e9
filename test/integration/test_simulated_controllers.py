# SPDX-License-Identifier: Apache-2.0
"""The simulator alone, driven over DDS through the arm and gripper of the executor."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.conversions import camera_frame_from_msgs, pose_from_transform_msg
from spatialpin_ros.nodes.arm import RosArm, RosGripper
from spatialpin_ros.nodes.joint_states import JointStateMonitor
from spatialpin_ros.nodes.qos import LATCHED
from spatialpin_ros.plan import Trajectory

ROBOT, CAMERA = RobotConfig.load("panda"), CameraConfig.load("simulation")


@pytest.fixture(scope="module")
def graph(graph_of):
    with graph_of({"simulator": ("real_time_factor:=2.0",)}) as running:
        running.monitor = JointStateMonitor(running.node, ROBOT, 2.0)
        running.arm = RosArm(running.node, ROBOT, running.monitor)
        running.gripper = RosGripper(running.node, ROBOT, running.monitor)
        running.trigger("/simulator/reset")
        yield running


@pytest.fixture(autouse=True)
def home(graph, wait):
    assert graph.trigger("/simulator/reset").success
    wait(lambda: not graph.monitor.stale, "no joint states")
    wait(lambda: np.abs(graph.monitor.positions() - ROBOT.home).max() < 0.01, "the arm is not home")


def swing(angle_rad, duration_s, start=ROBOT.home, names=tuple(ROBOT.joints)):
    """Turn the first joint along a smooth curve that starts and ends at rest."""
    times = np.linspace(0.0, duration_s, 40)
    share = times / duration_s
    curve, speed = 3 * share**2 - 2 * share**3, (6 * share - 6 * share**2) / duration_s
    change = np.zeros(len(start))
    change[0] = angle_rad
    positions = start + curve[:, None] * change
    velocities = speed[:, None] * change
    return Trajectory(names, times, positions, velocities, np.zeros_like(positions))


def test_a_trajectory_is_followed_with_progress(graph):
    shares = []
    result = graph.arm.follow(swing(0.5, 1.5), threading.Event(), shares.append)
    assert result.status == "reached", result
    assert shares == sorted(shares)
    assert len(shares) > 3
    assert graph.arm.joint_positions()[0] == pytest.approx(0.5, abs=0.015)


def test_cancel_brings_the_arm_to_rest_before_it_returns(graph):
    cancel = threading.Event()
    result = graph.arm.follow(swing(1.5, 3.0), cancel, lambda share: cancel.set() if share > 0.3 else None)
    assert result.status == "cancelled", result
    here = graph.arm.joint_positions()
    assert graph.monitor.fastest() < 0.05
    assert 0.2 < here[0] < 1.2


def test_foreign_joints_are_rejected(graph):
    trajectory = swing(0.5, 1.5, names=tuple(f"other_{index}" for index in range(7)))
    result = graph.arm.follow(trajectory, threading.Event(), lambda _: None)
    assert result.status == "rejected"


def test_a_start_far_from_the_arm_is_rejected(graph):
    result = graph.arm.follow(swing(0.5, 1.5, start=ROBOT.home + 0.5), threading.Event(), lambda _: None)
    assert result.status == "rejected"


def test_a_motion_faster_than_the_arm_ends_in_a_tolerance_error(graph):
    result = graph.arm.follow(swing(2.5, 0.15), threading.Event(), lambda _: None)
    assert result.status == "tolerance", result
    assert "TOLERANCE" in result.message


def test_the_plain_topic_moves_the_arm_where_there_is_no_action(graph):
    controllers = replace(ROBOT.controllers, arm_action="/nobody/follow_joint_trajectory")
    arm = RosArm(graph.node, replace(ROBOT, controllers=controllers), graph.monitor)
    assert arm.follow(swing(0.4, 1.0), threading.Event(), lambda _: None).status == "reached"
    cancel = threading.Event()
    start = graph.monitor.positions()
    result = arm.follow(
        swing(1.5, 3.0, start=start), cancel, lambda share: cancel.set() if share > 0.2 else None
    )
    assert result.status == "cancelled"
    assert graph.monitor.fastest() < 0.05


def test_no_controller_at_all_is_said(graph):
    controllers = replace(ROBOT.controllers, arm_action="/nobody/follow", arm_topic="/nobody/trajectory")
    arm = RosArm(graph.node, replace(ROBOT, controllers=controllers), graph.monitor)
    result = arm.follow(swing(0.4, 1.0), threading.Event(), lambda _: None)
    assert result.status == "controller_lost"
    assert "/nobody/follow" in result.message


def test_the_gripper_closes_on_nothing_and_opens(graph, wait):
    closed = graph.gripper.move(0.0, 20.0, threading.Event())
    assert (closed.status, closed.reached) == ("done", True)
    assert closed.width_m == pytest.approx(0.0, abs=0.002)
    opened = graph.gripper.move(0.08, 20.0, threading.Event())
    assert opened.width_m == pytest.approx(0.08, abs=0.002)
    wait(lambda: abs((graph.gripper.width() or 0.0) - 0.08) < 0.002, "the joint states do not show it open")


def test_camera_description_and_frames_are_there(graph, wait):
    got = {}

    def keep(name):
        return lambda message: got.setdefault(name, message)

    subscriptions = [
        graph.node.create_subscription(kind, topic, keep(name), qos)
        for kind, topic, name, qos in (
            (Image, CAMERA.topics["color"], "color", 5),
            (Image, CAMERA.topics["depth"], "depth", 5),
            (CameraInfo, CAMERA.topics["camera_info"], "info", 5),
            (String, "/robot_description", "urdf", LATCHED),
            (TFMessage, "/tf_static", "static", LATCHED),
            (TFMessage, "/tf", "links", 5),
        )
    ]
    wait(lambda: len(got) == 6, f"only {sorted(got)} arrived")
    frame = camera_frame_from_msgs(got["color"], got["depth"], got["info"], CAMERA.base_T_camera)
    assert (frame.depth_m > 0).mean() > 0.5
    assert "<robot" in got["urdf"].data
    assert ROBOT.tip_frame in got["urdf"].data
    mounted = pose_from_transform_msg(got["static"].transforms[0])
    np.testing.assert_allclose(mounted.matrix, CAMERA.base_T_camera.matrix, atol=1e-9)
    assert ROBOT.tip_frame in {transform.child_frame_id for transform in got["links"].transforms}
    for subscription in subscriptions:
        graph.node.destroy_subscription(subscription)
