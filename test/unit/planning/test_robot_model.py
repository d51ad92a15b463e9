# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.urdf import prepare_urdf

TWO_LINKS = """
<robot name="two">
  <link name="base"><collision><geometry><box size="0.1 0.1 0.1"/></geometry></collision></link>
  <link name="upper"><collision><origin xyz="0 0 0.2"/>
    <geometry><box size="0.05 0.05 0.4"/></geometry></collision></link>
  <link name="hand"><collision><geometry><sphere radius="0.03"/></geometry></collision></link>
  <link name="left"/><link name="tip"/>
  <joint name="a" type="continuous"><parent link="base"/><child link="upper"/><origin xyz="0 0 0.05"/>
    <axis xyz="0 1 0"/><limit effort="1" velocity="1"/></joint>
  <joint name="b" type="prismatic"><parent link="upper"/><child link="hand"/><origin xyz="0 0 0.45"/>
    <axis xyz="1 1 0"/><limit lower="-0.2" upper="0.3" effort="1" velocity="1"/></joint>
  <joint name="g" type="prismatic"><parent link="hand"/><child link="left"/>
    <axis xyz="0 1 0"/><limit lower="0" upper="0.04" effort="1" velocity="1"/></joint>
  <joint name="t" type="fixed"><parent link="hand"/><child link="tip"/><origin xyz="0 0 0.1" rpy="0.3 0 0"/></joint>
</robot>
"""


def two_links(**changes: object) -> RobotConfig:
    panda = RobotConfig.load("panda")
    limits = replace(panda.limits, velocity=np.ones(2), acceleration=np.ones(2), jerk=np.ones(2))
    gripper = replace(panda.gripper, joints=["g"], links=["hand", "left"])
    values = {"base_frame": "base", "tip_frame": "tip", "joints": ["a", "b"], "home": np.zeros(2), **changes}
    return replace(
        panda, name="two", urdf="", limits=limits, gripper=gripper, allowed_collisions=[], **values
    )


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_forward_kinematics_and_jacobian_agree_with_pinocchio(robot: RobotModel, seed: int) -> None:
    q = np.random.default_rng(seed).uniform(robot.lower, robot.upper)
    data, full = robot.model.createData(), robot.full(q, 0.05)
    frame = robot.model.getFrameId(robot.config.tip_frame)
    pin.framesForwardKinematics(robot.model, data, full)
    assert np.allclose(robot.tcp(q).matrix, data.oMf[frame].homogeneous, atol=1e-9)
    expected = pin.computeFrameJacobian(robot.model, data, full, frame, pin.LOCAL_WORLD_ALIGNED)[:, :7]
    _, position, axes, origins = robot.chain.forward(q[None])
    assert np.allclose(robot.chain.jacobian(position, axes, origins)[0], expected, atol=1e-9)


def test_any_urdf_with_revolute_and_prismatic_joints_off_the_axes() -> None:
    arm = RobotModel(two_links(), TWO_LINKS)
    q = np.array([0.7, 0.2])
    data = arm.model.createData()
    pin.framesForwardKinematics(arm.model, data, arm.full(q, 0.0))
    expected = data.oMf[arm.model.getFrameId("tip")].homogeneous
    assert np.allclose(arm.tcp(q).matrix, expected, atol=1e-9)
    assert arm.lower[0] == pytest.approx(-2 * np.pi)
    assert arm.lower[1] == pytest.approx(-0.2)


def test_soft_limits_are_kept(robot: RobotModel) -> None:
    assert robot.upper[3] == pytest.approx(-0.0698)
    assert robot.limit_violation(robot.config.home) == ""
    beyond = np.array(robot.config.home)
    beyond[3] = 0.0
    assert "panda_joint4" in robot.limit_violation(beyond)


def test_allowed_pairs_are_adjacent_configured_or_in_the_hand(robot: RobotModel) -> None:
    assert ("panda_link0", "panda_link1") in robot.allowed_pairs
    assert ("panda_hand", "panda_link5") in robot.allowed_pairs
    assert ("panda_hand", "panda_link1") not in robot.allowed_pairs
    assert 'link1="panda_link0" link2="panda_link1" reason="Adjacent"' in robot.srdf


def test_bodies_that_always_touch_are_allowed() -> None:
    lump = '<collision><geometry><sphere radius="2.0"/></geometry></collision>'
    urdf = TWO_LINKS.replace('<link name="left"/>', f'<link name="left"/><link name="lump">{lump}</link>')
    joint = '<joint name="l" type="fixed"><parent link="tip"/><child link="lump"/></joint></robot>'
    arm = RobotModel(two_links(), urdf.replace("</robot>", joint))
    assert arm.allowed_reasons[("base", "lump")] == "Always"


def test_gripper_depths_come_from_the_geometry(robot: RobotModel) -> None:
    assert robot.tip_beyond_tcp_m == pytest.approx(0.0072, abs=5e-4)
    assert 0.03 < robot.palm_behind_tcp_m < 0.045


@pytest.mark.parametrize(
    ("urdf", "message"),
    [
        ("<robot name='x'><link name='a'>", "well-formed"),
        ("<model/>", "<robot>"),
        (
            TWO_LINKS.replace('<parent link="upper"/>', '<parent link="nowhere"/>'),
            "'nowhere', which is missing",
        ),
        (TWO_LINKS.replace('<sphere radius="0.03"/>', '<mesh filename="package://nowhere/x.stl"/>'), "x.stl"),
        (TWO_LINKS.replace('<link name="tip"/>', '<link name="tip"/><link name="loose"/>'), "one root link"),
    ],
)
def test_a_broken_urdf_is_refused_with_its_reason(urdf: str, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        RobotModel(two_links(), urdf)


def test_unknown_joint_or_link_lists_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match=r"'elbow'.*there is: a, b, g"):
        RobotModel(two_links(joints=["a", "elbow"]), TWO_LINKS)
    with pytest.raises(UnknownNameError, match="'flange'"):
        RobotModel(two_links(tip_frame="flange"), TWO_LINKS)


def test_a_base_frame_that_is_not_the_root_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="root link"):
        RobotModel(two_links(base_frame="hand"), TWO_LINKS)


def test_preparing_twice_changes_nothing() -> None:
    once = prepare_urdf(TWO_LINKS)
    assert prepare_urdf(once) == once
