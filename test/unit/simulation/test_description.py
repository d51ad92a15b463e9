# SPDX-License-Identifier: Apache-2.0
"""What the simulator fills in: the mast of a camera that stands, the housing of one that the arm carries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.simulation import World, robot_description
from spatialpin_ros.simulation.description import camera_mast

PANDA, WRIST = RobotConfig.load("panda"), CameraConfig.load("simulation_wrist")


def test_the_mast_holds_the_camera_where_it_is_configured(world: World) -> None:
    foot, urdf = camera_mast(world.view.base_T_camera, "${camera_xyz} ${camera_rpy}")
    values = [float(value) for value in urdf.split()]
    camera = foot @ world.view.base_T_camera.from_xyz_rpy(values[:3], values[3:])
    shift, turn = camera.distance_to(world.view.base_T_camera)
    assert shift < 1e-5
    assert turn < 1e-5


def test_only_a_robot_that_carries_the_camera_has_its_housing() -> None:
    standing = RobotModel(PANDA, robot_description(PANDA, CameraConfig.load("simulation")))
    carrying = RobotModel(PANDA, robot_description(PANDA, WRIST))
    assert set(carrying.link_names) - set(standing.link_names) == {"camera_housing"}
    assert ("camera_housing", "panda_hand") in carrying.allowed_pairs


def test_the_housing_is_behind_the_lens() -> None:
    model = RobotModel(PANDA, robot_description(PANDA, WRIST)).model
    frame = model.frames[model.getFrameId("camera_housing")]
    hand = model.frames[model.getFrameId("panda_hand")]
    placed = hand.placement.inverse() * frame.placement
    np.testing.assert_allclose(placed.homogeneous, WRIST.parent_T_camera.matrix, atol=1e-6)


def test_a_link_that_the_robot_lacks_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"panda_hnd.*panda_hand"):
        robot_description(PANDA, replace(WRIST, parent_frame="panda_hnd"))
