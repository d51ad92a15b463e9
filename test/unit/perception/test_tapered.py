# SPDX-License-Identifier: Apache-2.0
"""Bodies that are wider on the table than on top: one object each, with a box around the hidden part as well."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.perception import reconstruct
from spatialpin_ros.planning.obstacles import body_of

RED, BLUE, GREEN = (200, 30, 30), (30, 60, 200), (30, 150, 50)
NOISES_M = (0.0, 0.0017)


@pytest.mark.parametrize("noise_m", NOISES_M)
@pytest.mark.parametrize("yaw", [0.3, 0.8, 1.4, 2.4])
def test_a_roof_is_one_and_its_far_side_is_in_its_box(cast, bodies, options, yaw, noise_m):
    body = bodies["roof"](0.45, 0.1, (0.09, 0.07, 0.05), RED, yaw)
    (found,) = reconstruct(cast([body], noise_m=noise_m), options).objects
    tolerance = 0.007 + 2.0 * noise_m
    np.testing.assert_allclose(np.sort(found.size[:2]), (0.07, 0.09), atol=tolerance)
    np.testing.assert_allclose(found.centre, body.pose.position, atol=tolerance)
    turned = found.box.pose.yaw_rad - yaw + (np.pi / 2 if found.size[0] < found.size[1] else 0.0)
    assert abs(np.degrees((turned + np.pi / 2) % np.pi - np.pi / 2)) < 2.0 + 2000.0 * noise_m


@pytest.mark.parametrize("noise_m", NOISES_M)
@pytest.mark.parametrize(("diameter", "height"), [(0.055, 0.095), (0.078, 0.062), (0.065, 0.08)])
def test_a_bottle_is_one_and_as_wide_as_its_foot(cast, bodies, options, diameter, height, noise_m):
    body = bodies["bottle"](0.45, 0.1, diameter, height, BLUE)
    (found,) = reconstruct(cast([body], noise_m=noise_m), options).objects
    tolerance = 0.002 + 2.0 * noise_m
    np.testing.assert_allclose(found.size, (diameter, diameter, height), atol=tolerance)
    np.testing.assert_allclose(found.centre, body.pose.position, atol=tolerance)


def test_what_the_planner_avoids_reaches_behind_a_roof(cast, bodies, options):
    body = bodies["roof"](0.45, 0.0, (0.09, 0.07, 0.05), RED, 0.8)
    (found,) = reconstruct(cast([body]), options).objects
    shape = body_of(found)
    shape.computeLocalAABB()
    assert shape.aabb_local.width() > 0.085
    assert shape.aabb_local.height() > 0.065


@pytest.mark.parametrize("turn", [1, 2])
def test_a_roof_beside_something_does_not_lean_on_it(cast, bodies, options, turn):
    roof = bodies["roof"](0.45, 0.1, (0.09, 0.07, 0.05), RED, 0.8)
    angle, apart = 0.8 + turn * np.pi / 2, (0.056, 0.066)[turn - 1]
    at = np.array([0.45, 0.1]) + apart * np.array([np.cos(angle), np.sin(angle)])
    scene = reconstruct(cast([roof, bodies["box"](*at, (0.04, 0.04, 0.06), GREEN, yaw=0.8)]), options)
    assert len(scene.objects) == 2
    found = next(item for item in scene.objects if item.color == "red")
    assert found.box.pose.axes[2, 2] == pytest.approx(1.0)
    np.testing.assert_allclose(found.size[2], 0.05, atol=0.004)
