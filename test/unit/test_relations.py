# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import five_blocks, make_object, make_scene, stacked
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation

from spatialpin_ros import relations
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.obb import obb_distance, obb_overlap

position = st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(0.0, 0.4))
extents = st.tuples(*[st.floats(0.01, 0.2)] * 3)
angles = st.tuples(*[st.floats(-3.1, 3.1)] * 3)
OPPOSITES = [("left_of", "right_of"), ("in_front_of", "behind"), ("above", "below")]


def tilted(object_id, at, size, rpy):
    item = make_object(object_id, name=object_id)
    return replace(item, box=OrientedBox(Pose.from_xyz_rpy(at, rpy), size))


objects = st.builds(tilted, st.just("a"), position, extents, angles)
others = st.builds(tilted, st.just("b"), position, extents, angles)


@given(objects, others, st.sampled_from(OPPOSITES))
def test_opposite_directions_mirror_each_other(a, b, pair):
    frame = relations.viewer_frame(make_scene().base_T_camera)
    forward, backward = pair
    assert relations.holds(forward, a, b, frame) == relations.holds(backward, b, a, frame)
    assert not (relations.holds(forward, a, b, frame) and relations.holds(forward, b, a, frame))


@given(objects, others)
def test_distances_are_symmetric_and_ordered(a, b):
    assert relations.centre_distance(a, b) == pytest.approx(relations.centre_distance(b, a))
    assert relations.surface_gap(a, b) == pytest.approx(relations.surface_gap(b, a), abs=1e-9)
    assert 0.0 <= relations.surface_gap(a, b) <= relations.centre_distance(a, b) + 1e-9
    assert relations.near(a, b) == relations.near(b, a)


@given(objects, others, st.floats(-3.1, 3.1), position)
def test_gravity_relations_do_not_change_when_the_scene_is_turned_about_up_and_moved(a, b, yaw, shift):
    moved_T_base = Pose.from_yaw(shift, yaw)
    moved = [replace(item, box=OrientedBox(moved_T_base @ item.box.pose, item.size)) for item in (a, b)]
    before = (relations.centre_distance(a, b), relations.surface_gap(a, b), relations.height_difference(a, b))
    after = (
        relations.centre_distance(*moved),
        relations.surface_gap(*moved),
        relations.height_difference(*moved),
    )
    np.testing.assert_allclose(after, before, atol=1e-9)
    if abs(before[2]) > 0.006 or abs(before[2]) < 0.004:
        assert relations.above(*moved) == relations.above(a, b)


@settings(max_examples=40)
@given(objects, others)
def test_box_distance_agrees_with_bounded_least_squares(a, b):
    matrix = np.hstack([a.box.pose.axes, -b.box.pose.axes])
    half = np.concatenate([a.size, b.size]) / 2.0
    solved = lsq_linear(matrix, b.centre - a.centre, (-half, half), tol=1e-14, max_iter=500)
    assert obb_distance(a.box, b.box) == pytest.approx(np.sqrt(2.0 * solved.cost), abs=1e-5)


@given(objects)
def test_a_box_overlaps_itself_and_not_its_copy_far_away(a):
    far = OrientedBox(Pose(a.centre + np.array([5.0, 0.0, 0.0]), a.box.pose.quaternion), a.size)
    assert obb_overlap(a.box, a.box)
    assert not obb_overlap(a.box, far)


def test_the_viewers_right_is_plus_y_for_a_camera_beyond_the_table():
    scene = five_blocks()
    frame = relations.viewer_frame(scene.base_T_camera)
    red, blue, green = scene.objects[:3]
    assert relations.left_of(red, blue, frame)
    assert relations.right_of(green, blue, frame)
    assert relations.behind(red, blue, frame)
    assert relations.in_front_of(blue, red, frame)
    assert relations.dominant_direction(red, blue, frame) == "left_of"


def test_the_viewer_frame_works_looking_straight_down_and_refuses_a_camera_on_its_side():
    down = Pose.from_xyz_rpy((0.5, 0.0, 1.0), (np.pi, 0.0, 0.0))
    np.testing.assert_allclose(relations.viewer_frame(down).axes[:2], [[1, 0, 0], [0, -1, 0]], atol=1e-9)
    rolled = Pose(down.position, (down.rotation * Rotation.from_euler("z", np.pi / 2)).as_quat())
    assert np.abs(relations.viewer_frame(rolled).axes[0, 1]) == pytest.approx(1.0)
    upright = Pose.looking_at((1.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    on_its_side = Pose(upright.position, (upright.rotation * Rotation.from_euler("z", np.pi / 2)).as_quat())
    with pytest.raises(InvalidValueError, match="rolled"):
        relations.viewer_frame(on_its_side)


def test_gravity_has_no_left_and_an_object_has_its_own():
    a, b = make_object("a", at=(0.5, 0.0)), make_object("b", "blue", at=(0.5, 0.2), yaw_rad=np.pi)
    with pytest.raises(InvalidValueError, match="gravity"):
        relations.left_of(a, b, relations.gravity_frame())
    assert relations.right_of(b, a, relations.viewer_frame(make_scene().base_T_camera))
    assert relations.left_of(b, a, relations.object_frame(a))
    assert relations.left_of(a, b, relations.object_frame(b))
    assert relations.object_frame(b).name == "object:b"


def test_offsets_are_antisymmetric_and_match_single_offsets():
    scene = five_blocks()
    frame = relations.viewer_frame(scene.base_T_camera)
    matrix = relations.offsets(scene.objects, frame)
    np.testing.assert_allclose(matrix, -matrix.transpose(1, 0, 2))
    np.testing.assert_allclose(matrix[0, 3], relations.offset(scene.objects[0], scene.objects[3], frame))


def test_a_sphere_is_measured_as_a_sphere():
    ball = make_object("b", "red", "ball", (0.06, 0.06, 0.06), (0.5, 0.0))
    other = make_object("c", "blue", "ball", (0.04, 0.04, 0.04), (0.6, 0.1), bottom_z=0.01)
    expected = np.hypot(0.1, 0.1) - 0.05
    assert relations.surface_gap(ball, other) == pytest.approx(expected, abs=1e-6)


def test_resting_and_being_carried():
    low = make_object("a", "blue", "box", (0.1, 0.08, 0.05))
    high = stacked(make_object("b"), low)
    top = stacked(make_object("c", "green", size=(0.03, 0.03, 0.03)), high)
    scene = make_scene(low, high, top)
    assert relations.rests_on(high, low)
    assert not relations.rests_on(low, high)
    assert not relations.rests_on(top, low)
    assert relations.on(top, high)
    assert not relations.on(top, low)
    assert [item.id for item in relations.all_carried_by(scene, "a")] == ["b", "c"]


def test_measures_follow_the_vertical_side_of_a_box_that_lies():
    lying = tilted("a", (0.5, 0.0, 0.02), (0.04, 0.03, 0.2), (np.pi / 2, 0.0, 0.3))
    assert relations.height(lying) == pytest.approx(0.03)
    assert relations.width(lying) == pytest.approx(0.2)
    assert relations.depth(lying) == pytest.approx(0.04)
    can = make_object("b", "red", "can", (0.1, 0.1, 0.1))
    assert relations.volume(can) == pytest.approx(np.pi / 4 * 1e-3)
