# SPDX-License-Identifier: Apache-2.0
"""Rays, contours and silhouettes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.perception.rgb.placement import (
    Silhouette,
    box_of_silhouette,
    contour_scale,
    fit_to_silhouette,
    grow_hidden_sides,
    point_on_ray,
    silhouette,
    surface_points,
)

CAMERA = Intrinsics(640, 480, 600.0, 610.0, 318.0, 243.0)
RED = (200, 30, 30)


@given(st.floats(0, 639), st.floats(0, 479), st.floats(0.1, 5))
def test_depth_is_the_component_along_the_optical_axis(u, v, depth):
    point = point_on_ray(CAMERA, np.array([u, v]), depth)
    assert point[2] == pytest.approx(depth)
    np.testing.assert_allclose(CAMERA.project(point), [u, v], atol=1e-6)


def test_the_range_along_the_ray_is_longer_than_the_depth():
    corner = point_on_ray(CAMERA, np.array([0.0, 0.0]), 1.0)
    assert np.linalg.norm(corner) > 1.15


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.4])
def test_contours_scale_with_size(cast, factor):
    frame = cast([])
    box = OrientedBox(Pose.from_yaw((0.5, 0.0, 0.05), 0.4), np.array([0.10, 0.08, 0.10]))
    larger = OrientedBox(box.pose, factor * box.size)
    scale = contour_scale(silhouette(frame, larger.corners), silhouette(frame, box.corners))
    assert scale == pytest.approx(factor, rel=0.03)
    assert contour_scale(np.zeros((480, 640), dtype=bool), silhouette(frame, box.corners)) == 1.0


@pytest.mark.parametrize(("make", "shape"), [("box", "box"), ("cylinder", "cylinder"), ("ball", "sphere")])
def test_silhouettes_are_what_the_camera_sees(cast, bodies, make, shape):
    body = {
        "box": lambda: bodies["box"](0.5, 0.1, (0.08, 0.05, 0.06), RED, yaw=0.5),
        "cylinder": lambda: bodies["cylinder"](0.5, 0.1, 0.06, 0.08, RED),
        "ball": lambda: bodies["ball"](0.5, 0.1, 0.07, RED),
    }[make]()
    frame = cast([body], table=False)
    seen = frame.depth_m > 0
    drawn = silhouette(frame, surface_points(OrientedBox(body.pose, np.array(body.size)), shape))
    assert (seen ^ drawn).sum() < 0.02 * seen.sum()


def test_a_box_of_wrong_size_takes_the_size_of_its_contour(cast, bodies):
    body = bodies["box"](0.5, 0.1, (0.07, 0.05, 0.06), RED, yaw=0.5)
    frame = cast([body])
    whole = cast([body], table=False).depth_m > 0
    masks = Silhouette(whole, whole, np.zeros_like(whole))
    wrong = OrientedBox(
        Pose(body.pose.position + np.array([0.0, 0.0, -0.003]), body.pose.quaternion),
        0.9 * np.array(body.size),
    )
    box, scale = fit_to_silhouette(frame, wrong, "box", masks, 0.0)
    assert scale == pytest.approx(1 / 0.9, rel=0.02)
    np.testing.assert_allclose(box.size, body.size, rtol=0.025)
    np.testing.assert_allclose(box.centre, body.pose.position, atol=0.003)
    assert box.bottom_z == pytest.approx(0.0, abs=1e-9)


def test_a_box_that_agrees_with_its_contour_is_left_alone(cast, bodies):
    body = bodies["box"](0.5, 0.1, (0.07, 0.05, 0.06), RED, yaw=0.5)
    frame, whole = cast([body]), cast([body], table=False).depth_m > 0
    right = OrientedBox(body.pose, np.array(body.size))
    box, scale = fit_to_silhouette(frame, right, "box", Silhouette(whole, whole, np.zeros_like(whole)), 0.0)
    assert box is right
    assert scale == pytest.approx(1.0, abs=0.02)


def test_what_is_lost_behind_others_does_not_shrink_an_object(cast, bodies):
    body = bodies["box"](0.5, 0.1, (0.07, 0.05, 0.06), RED)
    frame, whole = cast([body]), cast([body], table=False).depth_m > 0
    others = np.zeros_like(whole)
    others[:, : int(np.nonzero(whole)[1].mean())] = True
    seen = whole & ~others
    right = OrientedBox(body.pose, np.array(body.size))
    box, _ = fit_to_silhouette(frame, right, "box", Silhouette(seen, seen, others), 0.0)
    assert box is right


def test_hidden_sides_grow_to_the_whole_silhouette(cast, bodies):
    body = bodies["box"](0.5, 0.1, (0.06, 0.08, 0.05), RED)
    frame, whole = cast([body]), cast([body], table=False).depth_m > 0
    visible = whole.copy()
    visible[:, : int(np.nonzero(whole)[1].mean())] = False
    thin = OrientedBox(
        Pose(body.pose.position + np.array([0.0, 0.02, 0.0]), body.pose.quaternion),
        np.array([0.06, 0.04, 0.05]),
    )
    grown = grow_hidden_sides(frame, thin, Silhouette(visible, whole, np.zeros_like(whole)))
    np.testing.assert_allclose(grown.size, body.size, atol=0.006)
    np.testing.assert_allclose(grown.centre, body.pose.position, atol=0.004)
    unhidden = Silhouette(whole, whole, np.zeros_like(whole))
    assert grow_hidden_sides(frame, thin, unhidden) is thin


def test_a_silhouette_alone_gives_a_box_of_its_size(cast, bodies):
    body = bodies["cylinder"](0.5, 0.1, 0.06, 0.08, RED)
    frame, whole = cast([body]), cast([body], table=False).depth_m > 0
    box = box_of_silhouette(frame, whole, whole, 0.0)
    np.testing.assert_allclose(box.centre[:2], body.pose.position[:2], atol=0.015)
    np.testing.assert_allclose(box.size[:2], 0.06, atol=0.01)
    assert box.bottom_z == pytest.approx(0.0, abs=1e-9)
    assert box_of_silhouette(frame, np.zeros_like(whole), whole, 0.0) is None
