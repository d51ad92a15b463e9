# SPDX-License-Identifier: Apache-2.0
"""Cubes of one size on each other, seen face-on: all but the front of the carrier is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception import PerceptionOptions, reconstruct
from spatialpin_ros.perception.models import Solid
from spatialpin_ros.perception.support import overlap_share

pytest.importorskip("pybullet")

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.geometry import OrientedBox
from spatialpin_ros.simulation import ObjectSpec, World

CAMERA = CameraConfig.load("simulation")
OPTIONS = PerceptionOptions(workspace=CAMERA.workspace)


@pytest.fixture(scope="module")
def world():
    with World(RobotConfig.load("panda"), CAMERA, seed=4) as made:
        yield made


def cube(name: str, color: str, side: float, centre: np.ndarray, yaw_rad: float) -> ObjectSpec:
    pose = Pose(centre, Rotation.from_euler("z", yaw_rad).as_quat())
    return ObjectSpec(name, "cube", color, OrientedBox(pose, np.full(3, side)), 0.1)


@pytest.mark.parametrize("seed", range(12))
def test_the_upper_stands_on_the_lower(world, seed):
    rng = np.random.default_rng(seed)
    lower, upper = np.array([1.0, rng.uniform(0.85, 1.02)]) * rng.uniform(0.035, 0.06)
    xy = rng.uniform((0.38, -0.25), (0.62, 0.25))
    yaw = float(np.arctan2(*(xy - CAMERA.base_T_camera.position[:2])[::-1])) + rng.normal(0.0, 0.1)
    below = cube("below", "red", lower, np.array([*xy, lower / 2]), yaw)
    above = cube(
        "above",
        "blue",
        upper,
        np.array([*(xy + rng.normal(0.0, 0.0015, 2)), lower + upper / 2]),
        yaw + rng.normal(0.0, 0.03),
    )
    world.reset(objects=(below, above))
    scene = reconstruct(world.render(), OPTIONS)
    assert len(scene.objects) == 2
    carrier, rider = sorted(scene.objects, key=lambda item: item.box.top_z)
    assert rider.supported_by == carrier.id
    assert rider.box.bottom_z == pytest.approx(lower, abs=0.005)
    np.testing.assert_allclose(carrier.size, lower, atol=0.008)
    np.testing.assert_allclose(carrier.centre, below.box.pose.position, atol=0.006)


def prism(x: float, y: float, yaw_rad: float, width: float, depth: float) -> Solid:
    return Solid("box", np.array([x, y, 0.02]), np.array([width, depth, 0.04]), yaw_rad, False, 0.0, 1.0)


@given(
    st.floats(-0.3, 0.3),
    st.floats(-0.3, 0.3),
    st.floats(-3.2, 3.2),
    st.floats(0.02, 0.1),
    st.floats(0.02, 0.1),
    st.floats(0.3, 1.0),
)
def test_a_footprint_within_another_lies_over_it_wholly(x, y, yaw, width, depth, share):
    outer, inner = prism(x, y, yaw, width, depth), prism(x, y, yaw, share * width, share * depth)
    assert overlap_share(inner, outer) > 0.99
    assert overlap_share(outer, inner) == pytest.approx(share**2, abs=0.15)
    beside = prism(x + np.cos(yaw) * width, y + np.sin(yaw) * width, yaw, width, depth)
    assert overlap_share(beside, outer) < 0.06
