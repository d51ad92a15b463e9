# SPDX-License-Identifier: Apache-2.0
"""Poses, boxes and meshes against independent computation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose, TriangleMesh

number = st.floats(-5.0, 5.0, allow_nan=False)
vector = st.tuples(number, number, number)
quaternion = st.tuples(number, number, number, number).filter(lambda q: np.linalg.norm(q) > 0.1)
poses = st.builds(Pose, vector.map(np.array), quaternion.map(np.array))


@given(poses, poses, vector)
def test_composition_is_matrix_product(a: Pose, b: Pose, point: tuple[float, ...]) -> None:
    assert np.allclose((a @ b).matrix, a.matrix @ b.matrix, atol=1e-9)
    assert np.allclose((a @ b).transform(point), a.transform(b.transform(point)), atol=1e-8)


@given(poses, vector)
def test_inverse_undoes(pose: Pose, point: tuple[float, ...]) -> None:
    assert np.allclose(pose.inverse().transform(pose.transform(point)), point, atol=1e-8)


@given(poses)
def test_json_and_matrix_round_trips(pose: Pose) -> None:
    for copy in (Pose.from_dict(json.loads(json.dumps(pose.to_dict()))), Pose.from_matrix(pose.matrix)):
        distance, angle = pose.distance_to(copy)
        assert distance < 1e-9
        assert angle < 1e-6


@given(st.floats(-3.1, 3.1))
def test_yaw_round_trip(yaw: float) -> None:
    assert Pose.from_yaw((0, 0, 0), yaw).yaw_rad == pytest.approx(yaw, abs=1e-9)


def test_looking_at_puts_the_target_on_the_optical_axis_with_down_downwards() -> None:
    pose = Pose.looking_at((1.0, 0.2, 0.7), (0.4, 0.0, 0.0))
    target = pose.inverse().transform((0.4, 0.0, 0.0))
    assert np.allclose(target[:2], 0.0, atol=1e-12)
    assert target[2] > 0
    assert pose.axes[2, 1] < 0, "the optical y axis points down"
    assert abs(pose.axes[2, 0]) < 1e-12, "the horizon is level"


@pytest.mark.parametrize(
    ("position", "quaternion", "word"),
    [
        ((0, 0), (0, 0, 0, 1), "shape"),
        ((0, 0, np.nan), (0, 0, 0, 1), "NaN"),
        ((0, 0, 0), (0, 0, 0, 0), "zero length"),
    ],
)
def test_bad_poses_are_refused(position: tuple[float, ...], quaternion: tuple[float, ...], word: str) -> None:
    with pytest.raises(InvalidValueError, match=word):
        Pose(np.array(position), np.array(quaternion))


def test_looking_straight_along_up_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="along"):
        Pose.looking_at((0, 0, 1), (0, 0, 0))


@given(poses, st.tuples(*[st.floats(0.01, 2.0)] * 3))
def test_box_aabb_encloses_its_corners_tightly(pose: Pose, size: tuple[float, ...]) -> None:
    box = OrientedBox(pose, np.array(size))
    low, high = box.aabb
    assert np.allclose(box.corners.min(axis=0), low, atol=1e-9)
    assert np.allclose(box.corners.max(axis=0), high, atol=1e-9)
    assert box.contains(box.corners, margin_m=1e-9).all()
    assert not box.contains(box.pose.transform(np.array(size) * 0.51))


def test_footprint_is_counter_clockwise_with_the_right_area() -> None:
    corners = OrientedBox(Pose.from_yaw((0.4, 0.1, 0.05), 0.6), np.array([0.2, 0.1, 0.1])).footprint
    x, y = corners.T
    area = 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
    assert area == pytest.approx(0.02)


def test_values_are_read_only_and_not_shared_with_the_caller() -> None:
    source = np.zeros(3)
    pose = Pose(source)
    source[0] = 1.0
    assert pose.position[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        pose.position[0] = 1.0


def test_flat_boxes_and_dangling_triangles_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="positive"):
        OrientedBox(Pose(), np.array([0.1, 0.0, 0.1]))
    with pytest.raises(InvalidValueError, match="indices"):
        TriangleMesh(np.zeros((3, 3)), np.array([[0, 1, 3]], dtype=np.int32))


@given(poses, poses)
def test_axes_and_composition_agree_with_scipy(a: Pose, b: Pose) -> None:
    assert np.allclose(a.axes, a.rotation.as_matrix(), atol=1e-12)
    assert np.allclose((a @ b).axes, (a.rotation * b.rotation).as_matrix(), atol=1e-9)
