# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialpin_ros.planning.grasps import GraspOptions, grasp_candidates, widths_across
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.walk import width_between_pads


@given(
    x=st.floats(0.02, 0.1), y=st.floats(0.02, 0.1), z=st.floats(0.02, 0.2), yaw=st.floats(-3.1, 3.1),
    shape=st.sampled_from(["box", "cylinder"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_every_grasp_fits_the_hand_and_the_object(
    robot: RobotModel, make_object: Callable, x: float, y: float, z: float, yaw: float, shape: str
) -> None:
    size = (x, x if shape == "cylinder" else y, z)
    item, options = make_object("o1", (0.5, 0.0), size, yaw, shape), GraspOptions()
    for grasp in grasp_candidates(robot, item, options):
        assert grasp.opening_m <= robot.config.gripper.max_width_m + 1e-12
        assert grasp.opening_m - grasp.width_m >= 2 * options.least_margin_m - 1e-9
        tip = grasp.base_T_tcp.transform([0.0, 0.0, robot.tip_beyond_tcp_m])
        assert tip[2] >= item.box.bottom_z + options.tip_clearance_m - 1e-9
        assert item.box.bottom_z < grasp.base_T_tcp.position[2] < item.box.top_z
        closing = grasp.base_T_tcp.axes[:, 1]
        across = np.abs(item.box.pose.axes.T @ closing) @ item.size if shape == "box" else x
        assert grasp.width_m == pytest.approx(across, abs=1e-6)
        assert np.allclose((item.box.pose @ grasp.object_T_tcp).matrix, grasp.base_T_tcp.matrix, atol=1e-9)
        if grasp.tier == 0:
            palm = grasp.base_T_tcp.transform([0.0, 0.0, -robot.palm_behind_tcp_m])
            assert palm[2] >= item.box.top_z


def test_a_box_is_grasped_across_each_side_that_fits(robot: RobotModel, make_object: Callable) -> None:
    found = list(grasp_candidates(robot, make_object("o1", (0.5, 0.0), (0.05, 0.12, 0.05))))
    assert {round(grasp.width_m, 3) for grasp in found} == {0.05}
    assert sum(grasp.tier == 0 for grasp in found) == 2
    both = list(grasp_candidates(robot, make_object("o1", (0.5, 0.0), (0.05, 0.03, 0.05))))
    assert sum(grasp.tier == 0 for grasp in both) == 4
    assert both[0].width_m == pytest.approx(0.03)


def test_a_cylinder_is_grasped_every_fifteen_degrees(robot: RobotModel, make_object: Callable) -> None:
    found = grasp_candidates(robot, make_object("o1", (0.5, 0.0), (0.05, 0.05, 0.08), 0.0, "cylinder"))
    above = [grasp for grasp in found if grasp.tier == 0]
    assert len(above) == 24
    headings = np.sort([np.arctan2(*grasp.base_T_tcp.axes[[1, 0], 1]) for grasp in above])
    assert np.allclose(np.diff(headings), np.deg2rad(15), atol=1e-6)


def test_too_wide_gives_no_grasp(robot: RobotModel, make_object: Callable) -> None:
    item = make_object("o1", (0.5, 0.0), (0.09, 0.10, 0.05))
    assert not list(grasp_candidates(robot, item))
    assert widths_across(item) == pytest.approx((0.09, 0.10))


def test_tiers_are_in_order(robot: RobotModel, make_object: Callable) -> None:
    tiers = [
        grasp.tier for grasp in grasp_candidates(robot, make_object("o1", (0.5, 0.0), (0.04, 0.04, 0.12)))
    ]
    assert tiers == sorted(tiers)
    assert set(tiers) == {0, 1, 2}


@pytest.mark.parametrize("shape", ["box", "cylinder", "sphere"])
def test_the_width_between_the_pads_follows_from_where_the_hand_is(
    robot: RobotModel, make_object: Callable, shape: str
) -> None:
    size = (0.04, 0.04 if shape != "box" else 0.06, 0.04 if shape == "sphere" else 0.05)
    item = make_object("o1", (0.5, 0.0), size, 0.3, shape)
    for grasp in grasp_candidates(robot, item):
        assert width_between_pads(item, grasp.object_T_tcp) == pytest.approx(grasp.width_m, abs=1e-6)
