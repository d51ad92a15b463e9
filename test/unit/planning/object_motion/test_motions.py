# SPDX-License-Identifier: Apache-2.0
"""Object motions as values, and their goals against an independent computation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import five_blocks, make_object, make_scene
from scipy.linalg import expm

from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning.object_motion import (
    ObjectMotion,
    RotateSelf,
    RotateWref,
    TranslateDirecAxis,
    TranslateTarObj,
    goal_pose,
    motion_from_dict,
)
from spatialpin_ros.planning.object_motion.goals import nominal_way

degrees = st.floats(-720.0, 720.0)
metres = st.floats(-0.5, 0.5)
rpy = st.tuples(*[st.floats(-3.0, 3.0)] * 3)
xyz = st.tuples(st.floats(-0.3, 0.3), st.floats(0.1, 0.3), st.floats(0.05, 0.4))

MOTIONS = [
    RotateSelf("y", -30.0),
    RotateWref("o2", "yaw", 45.0),
    RotateWref("o2", "roll", "towards"),
    TranslateTarObj("o3", (0.1, -0.2, 0.3)),
    TranslateDirecAxis(-0.25, "o1", "o2"),
]


def turned(axis: np.ndarray, angle_rad: float, axes: np.ndarray) -> np.ndarray:
    """Rotation matrix after a right-handed turn, by the matrix exponential."""
    x, y, z = axis
    return expm(angle_rad * np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])) @ axes


@pytest.mark.parametrize("motion", MOTIONS, ids=lambda motion: motion.kind)
def test_json_round_trip(motion: ObjectMotion) -> None:
    assert motion_from_dict(json.loads(json.dumps(motion.to_dict()))) == motion


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "fly"},
        {"kind": "rotate_self", "axis": "w", "angle_deg": 3.0},
        {"kind": "rotate_self", "axis": "x", "angle_deg": float("nan")},
        {"kind": "rotate_self", "axis": "x"},
        {"kind": "rotate_self", "axis": "x", "angle_deg": "90"},
        {"kind": "rotate_self", "axis": "x", "angle_deg": 1e9},
        {"kind": "rotate_wref", "reference_id": "o1", "axis": "pitch", "angle": "sideways"},
        {"kind": "rotate_wref", "reference_id": "", "axis": "pitch", "angle": 3.0},
        {"kind": "translate_tar_obj", "target_id": "o1", "offset_m": [1.0, 2.0]},
        {"kind": "translate_direc_axis", "distance_m": 0.1, "first_id": "o1", "second_id": "o1"},
    ],
)
def test_bad_documents_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(InvalidValueError):
        motion_from_dict(document)


@settings(max_examples=60, deadline=None)
@given(angles=rpy, angle=degrees, axis=st.sampled_from("xyz"))
def test_rotate_self_turns_about_the_own_axis(angles: tuple[float, ...], angle: float, axis: str) -> None:
    start = Pose.from_xyz_rpy((0.4, 0.1, 0.2), angles)
    goal = goal_pose(RotateSelf(axis, angle), five_blocks(), "o1", start)  # type: ignore[arg-type]
    expected = turned(start.axes[:, "xyz".index(axis)], np.radians(angle), start.axes)
    assert np.allclose(goal.axes, expected, atol=1e-9)
    assert np.array_equal(goal.position, start.position)


@settings(max_examples=60, deadline=None)
@given(angles=rpy, at=xyz, angle=degrees, axis=st.sampled_from(["pitch", "yaw", "roll"]))
def test_rotate_wref_turns_about_the_reference_axes(
    angles: tuple[float, ...], at: tuple[float, ...], angle: float, axis: str
) -> None:
    scene = make_scene(make_object("o1"), make_object("o2", "blue", at=(0.4, -0.2), yaw_rad=0.7))
    start = Pose.from_xyz_rpy((0.4 + at[0], at[1], at[2]), angles)
    goal = goal_pose(RotateWref("o2", axis, angle), scene, "o1", start)  # type: ignore[arg-type]
    direction = scene.object("o2").centre - start.position
    direction = direction / np.linalg.norm(direction)
    pitch = np.cross([0.0, 0.0, 1.0], direction)
    pitch /= np.linalg.norm(pitch)
    about = {"pitch": pitch, "yaw": np.cross(pitch, direction), "roll": direction}[axis]
    assert np.allclose(goal.axes, turned(about, np.radians(angle), start.axes), atol=1e-8)
    assert np.array_equal(goal.position, start.position)


@settings(max_examples=60, deadline=None)
@given(yaw=st.floats(-3.0, 3.0), offset=st.tuples(metres, metres, metres), distance=metres)
def test_translations_keep_the_orientation(
    yaw: float, offset: tuple[float, float, float], distance: float
) -> None:
    scene = make_scene(
        make_object("o1"),
        make_object("o2", "blue", at=(0.4, -0.2), yaw_rad=yaw),
        make_object("o3", "green", at=(0.6, 0.3)),
    )
    start = Pose.from_xyz_rpy((0.5, 0.1, 0.2), (0.3, 0.2, yaw))
    near = goal_pose(TranslateTarObj("o2", offset), scene, "o1", start)
    cos, sin = np.cos(yaw), np.sin(yaw)
    expected = np.array(
        [0.4 + cos * offset[0] - sin * offset[1], -0.2 + sin * offset[0] + cos * offset[1], 0.025 + offset[2]]
    )
    assert np.allclose(near.position, expected, atol=1e-12)
    along = goal_pose(TranslateDirecAxis(distance, "o2", "o3"), scene, "o1", start)
    unit = np.array([0.2, 0.5, 0.0]) / np.hypot(0.2, 0.5)
    assert np.allclose(along.position - start.position, distance * unit, atol=1e-12)
    assert np.allclose(near.quaternion, start.quaternion, atol=1e-15)
    assert np.allclose(along.quaternion, start.quaternion, atol=1e-15)


def test_the_moved_object_as_a_reference_counts_where_it_is_now() -> None:
    scene = five_blocks()
    away = Pose([0.3, 0.3, 0.2])
    goal = goal_pose(TranslateDirecAxis(0.1, "o1", "o2"), scene, "o1", away)
    direction = scene.object("o2").centre - away.position
    assert np.allclose(goal.position - away.position, 0.1 * direction / np.linalg.norm(direction))


def test_positive_pitch_tips_the_top_towards_the_reference() -> None:
    scene = five_blocks()
    goal = goal_pose(RotateWref("o2", "pitch", 30.0), scene, "o3", scene.object("o3").box.pose)
    direction = scene.object("o2").centre - scene.object("o3").centre
    assert goal.axes[:, 2] @ direction > 0.0


def test_towards_aligns_and_back_reverses_it() -> None:
    scene = make_scene(make_object("o1", yaw_rad=0.4), make_object("o2", "blue", at=(0.4, -0.2)))
    start = scene.object("o1").box.pose
    direction = scene.object("o2").centre - start.position
    direction /= np.linalg.norm(direction)
    faced = goal_pose(RotateWref("o2", "yaw", "towards"), scene, "o1", start)
    assert np.allclose(faced.axes[:, 0], direction, atol=1e-9)
    poured = goal_pose(RotateWref("o2", "pitch", "towards"), scene, "o1", faced)
    assert np.allclose(poured.axes[:, 2], direction, atol=1e-9)
    upright = goal_pose(RotateWref("o2", "pitch", "back"), scene, "o1", poured)
    home = goal_pose(RotateWref("o2", "yaw", "back"), scene, "o1", upright)
    assert np.allclose(upright.axes, faced.axes, atol=1e-9)
    assert np.allclose(home.axes, start.axes, atol=1e-9)


def test_a_full_turn_is_swept_and_not_skipped() -> None:
    scene = five_blocks()
    way = nominal_way(RotateSelf("z", 360.0), scene, "o1", scene.object("o1").box.pose)
    yaws = np.unwrap([Pose(row[:3], row[3:]).yaw_rad for row in way])
    assert yaws[-1] - yaws[0] == pytest.approx(2 * np.pi)


def test_undefined_directions_are_refused() -> None:
    scene = five_blocks()
    above = Pose(scene.object("o2").centre + np.array([0.0, 0.0, 0.1]))
    with pytest.raises(InvalidValueError, match="z axis"):
        goal_pose(RotateWref("o2", "pitch", 10.0), scene, "o1", above)
    with pytest.raises(InvalidValueError, match="coincide"):
        goal_pose(RotateWref("o2", "roll", 10.0), scene, "o1", scene.object("o2").box.pose)
    with pytest.raises(InvalidValueError, match="own reference"):
        goal_pose(TranslateTarObj("o1", (0, 0, 0)), scene, "o1", above)
    with pytest.raises(UnknownNameError):
        goal_pose(TranslateTarObj("o9", (0, 0, 0)), scene, "o1", above)
