# SPDX-License-Identifier: Apache-2.0
"""Where the camera was when a picture was taken: TF, the YAML, or the YAML and the joints of the arm."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.conversions import header, transform_to_msg
from spatialpin_ros.errors import CameraFrameError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.nodes.camera_pose import CameraPose
from spatialpin_ros.nodes.robot_body import RobotBodySource
from spatialpin_ros.planning.robot_model import RobotModel

PANDA, MAST, WRIST = (
    RobotConfig.load("panda"),
    CameraConfig.load("simulation"),
    CameraConfig.load("simulation_wrist"),
)


class UnknownFrameError(Exception):
    """Stands for tf2_ros.LookupException."""


class TooLateError(Exception):
    """Stands for tf2_ros.ExtrapolationException."""


class Buffer:
    """Knows a camera that has moved along x by its stamp [m = s], up to a newest stamp."""

    newest_s = 5.0
    arrives_s: float | None = None
    knows = True

    def lookup_transform(self, target, source, time, timeout):
        if not Buffer.knows:
            raise UnknownFrameError(f"{source} does not exist")
        stamp_s = time.nanoseconds / 1e9 or Buffer.newest_s
        newest_s = Buffer.arrives_s if timeout.nanoseconds and Buffer.arrives_s else Buffer.newest_s
        if stamp_s > newest_s:
            raise TooLateError("into the future")
        return transform_to_msg(target, source, Pose(np.array([stamp_s, 0.0, 0.0])), stamp_s)


@pytest.fixture
def tf(monkeypatch):
    module = SimpleNamespace(
        Buffer=Buffer,
        TransformListener=lambda *_: None,
        LookupException=UnknownFrameError,
        ConnectivityException=UnknownFrameError,
        ExtrapolationException=TooLateError,
    )
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    for name, value in (("newest_s", 5.0), ("arrives_s", None), ("knows", True)):
        monkeypatch.setattr(Buffer, name, value)
    return Buffer


@pytest.fixture
def no_tf(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)


def picture(stamp_s: float) -> Header:
    return header("camera_color_optical_frame", stamp_s)


def test_tf_is_asked_for_the_moment_of_the_picture_and_waited_for(ros_node, tf):
    pose = CameraPose(ros_node, WRIST, "auto")
    assert pose.lookup(picture(3.0)).position[0] == 3.0
    tf.arrives_s = 6.0
    assert pose.lookup(picture(5.5)).position[0] == 5.5


def test_a_camera_that_stands_may_have_another_clock_and_one_on_the_arm_may_not(ros_node, tf):
    assert CameraPose(ros_node, MAST, "tf").lookup(picture(1e6)).position[0] == 5.0
    with pytest.raises(CameraFrameError, match=r"into the future.*from panda_hand"):
        CameraPose(ros_node, WRIST, "tf").lookup(picture(1e6))


def test_a_camera_that_stands_falls_back_on_its_yaml(ros_node, tf):
    tf.knows = False
    assert CameraPose(ros_node, MAST, "auto").lookup(picture(1.0)).distance_to(MAST.base_T_camera) == (
        0.0,
        0.0,
    )


def robot_with_states(node, *states):
    source = RobotBodySource(node, PANDA, "/robot_description")
    for stamp_s, positions in states:
        message = JointState(
            header=header("", stamp_s), name=PANDA.joints, position=[float(x) for x in positions]
        )
        source._receive(message)
    return source


def test_without_tf_the_joints_of_that_moment_and_the_calibration_tell(ros_node, no_tf):
    turned = PANDA.home + np.array([0.4, 0, 0, 0, 0, 0, 0])
    robot = robot_with_states(ros_node, (1.0, PANDA.home), (1.1, turned))
    found = CameraPose(ros_node, WRIST, "auto", robot).lookup(picture(1.05))
    tip_T_camera = RobotModel(PANDA).tcp(PANDA.home).inverse() @ CameraPose(
        ros_node, WRIST, "config", robot
    ).lookup(picture(1.0))
    halfway = RobotModel(PANDA).tcp(PANDA.home + np.array([0.2, 0, 0, 0, 0, 0, 0])) @ tip_T_camera
    assert found.distance_to(halfway) == pytest.approx((0.0, 0.0), abs=1e-6)
    below = found.axes[:, 2]
    assert below[2] < -0.9


def test_what_is_missing_is_said(ros_node, no_tf):
    with pytest.raises(CameraFrameError, match="publish it on TF"):
        CameraPose(ros_node, WRIST, "auto").lookup(picture(1.0))
    silent = CameraPose(ros_node, WRIST, "auto", robot_with_states(ros_node))
    with pytest.raises(CameraFrameError, match="no joint states on /joint_states"):
        silent.lookup(picture(1.0))
    other_clock = CameraPose(ros_node, WRIST, "auto", robot_with_states(ros_node, (1.0, PANDA.home)))
    with pytest.raises(CameraFrameError, match="by one clock"):
        other_clock.lookup(picture(1e6))
