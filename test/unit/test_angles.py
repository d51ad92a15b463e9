# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import make_object, make_scene
from scipy.spatial.transform import Rotation

from spatialpin_ros import angles
from spatialpin_ros.angles import lean, rests_flat, tilt
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.relations import viewer_frame
from spatialpin_ros.scene import SceneObject


def lying_can(yaw_deg: float, up_deg: float = 0.0, at: tuple[float, float] = (0.5, 0.0)) -> SceneObject:
    can = make_object("c", "green", "cylinder", (0.04, 0.04, 0.10), at)
    turn = Pose.from_xyz_rpy((*at, 0.05), np.deg2rad((0.0, 90.0 - up_deg, yaw_deg)))
    fields = {name: getattr(can, name) for name in ("id", "name", "label", "color", "color_rgb", "shape")}
    return SceneObject(**fields, box=OrientedBox(turn, can.size))


def degrees(value: float) -> float:
    return float(np.degrees(value))


def test_elevation_of_a_long_axis() -> None:
    scene = make_scene(make_object())
    assert degrees(angles.elevation(lying_can(20.0), scene)) == pytest.approx(0.0, abs=1e-6)
    assert degrees(angles.elevation(lying_can(20.0, 35.0), scene)) == pytest.approx(35.0)
    standing = make_object(label="cylinder", size=(0.04, 0.04, 0.1))
    assert degrees(angles.elevation(standing, scene)) == pytest.approx(90.0)
    assert angles.stands(standing)
    assert not angles.lies(standing)
    assert angles.lies(lying_can(20.0))
    assert not angles.stands(lying_can(20.0))


def test_tilt_is_zero_on_any_face_of_a_box() -> None:
    box = make_object(size=(0.03, 0.05, 0.1))
    assert angles.tilt(box, make_scene(box)) == pytest.approx(0.0, abs=1e-7)
    assert degrees(angles.tilt(lying_can(0.0, 25.0), make_scene(box))) == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("first", "second", "expected"), [(10, 40, 30), (10, 190, 0), (0, 100, 80), (-80, 80, 20)]
)
def test_axes_are_lines_without_direction(first: float, second: float, expected: float) -> None:
    assert degrees(angles.axis_angle(lying_can(first), lying_can(second))) == pytest.approx(
        expected, abs=1e-5
    )


@pytest.mark.parametrize(("yaw", "expected"), [(0, 0), (30, 30), (60, 30), (90, 0), (100, 10), (-50, 40)])
def test_sides_repeat_every_quarter_turn(yaw: float, expected: float) -> None:
    a, b = make_object("a"), make_object("b", yaw_rad=np.deg2rad(yaw))
    assert degrees(angles.side_turn(a, b)) == pytest.approx(expected, abs=1e-6)
    assert degrees(angles.side_turn(b, a)) == pytest.approx(expected, abs=1e-6)


def test_heading_is_against_the_viewers_left_and_right() -> None:
    frame = viewer_frame(make_scene().base_T_camera)  # right is the base frame's +y
    assert degrees(angles.axis_heading(lying_can(90.0), frame)) == pytest.approx(0.0, abs=1e-5)
    assert degrees(angles.axis_heading(lying_can(0.0), frame)) == pytest.approx(90.0)


@pytest.mark.parametrize(
    ("size", "turn", "seen"),
    [
        ((0.05, 0.05, 0.05), 80.0, 10.0),
        ((0.05, 0.05, 0.05), 30.0, 30.0),
        ((0.04, 0.05, 0.09), 80.0, 80.0),
        ((0.04, 0.05, 0.09), 170.0, 10.0),
        ((0.04, 0.04, 0.09), 100.0, 10.0),
    ],
)
def test_turns_are_modulo_the_symmetry_of_the_shape(
    size: tuple[float, ...], turn: float, seen: float
) -> None:
    before, after = make_object(size=size), make_object(size=size, yaw_rad=np.deg2rad(turn))
    assert degrees(angles.turn_between(before, after)) == pytest.approx(seen, abs=1e-5)


def test_a_turn_is_seen_although_the_axes_of_the_measured_box_are_exchanged() -> None:
    before = make_object(size=(0.04, 0.08, 0.05))
    after = make_object(size=(0.081, 0.039, 0.05), yaw_rad=np.deg2rad(90.0 + 12.0))
    assert degrees(angles.turn_between(before, after)) == pytest.approx(12.0, abs=1e-5)


def test_a_tipped_over_bar_turned_by_a_right_angle() -> None:
    before = make_object(size=(0.03, 0.05, 0.10))
    pose = Pose.from_xyz_rpy((0.5, 0.0, 0.025), (np.pi / 2, 0.0, 0.0))
    fields = {name: getattr(before, name) for name in ("id", "name", "label", "color", "color_rgb", "shape")}
    after = SceneObject(**fields, box=OrientedBox(pose, before.size))
    assert degrees(angles.turn_between(before, after)) == pytest.approx(90.0)


def test_names_the_angle_that_does_not_exist() -> None:
    cube, ball = make_object(), make_object("b", "yellow", "ball")
    can = make_object("c", "green", "cylinder", (0.04, 0.04, 0.1))
    for ask in (
        lambda: angles.long_axis(cube),
        lambda: angles.long_axis(ball),
        lambda: angles.side_heading(can),
        lambda: angles.turn_between(can, can),
        lambda: angles.axis_heading(can, viewer_frame(make_scene().base_T_camera)),
    ):
        with pytest.raises(angles.UndefinedAngleError):
            ask()


def tilted(shape: str, rotation: Rotation) -> SceneObject:
    item = make_object("o1", "red", shape, (0.03, 0.03, 0.1))
    return replace(item, box=OrientedBox(Pose(np.array([0.5, 0.0, 0.1]), rotation.as_quat()), item.size))


@pytest.mark.parametrize(("degrees", "box_leans"), [(0, 0), (30, 30), (60, 30), (90, 0)])
def test_leaning_is_measured_from_the_nearest_side(degrees: float, box_leans: float) -> None:
    item = tilted("box", Rotation.from_euler("y", degrees, degrees=True))
    assert np.degrees(lean(item.shape, item.box)) == pytest.approx(box_leans, abs=1e-4)
    assert rests_flat(item) is (box_leans == 0)
    assert np.degrees(tilt(item, make_scene(item))) == pytest.approx(box_leans, abs=1e-4)


def test_a_cylinder_that_rolled_does_not_lean() -> None:
    rolled = tilted(
        "cylinder", Rotation.from_euler("zy", [40, 90], degrees=True) * Rotation.from_euler("z", 33)
    )
    assert rests_flat(rolled)
    assert not rests_flat(tilted("cylinder", Rotation.from_euler("y", 40, degrees=True)))
