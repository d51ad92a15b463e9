# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialpin_ros.reasoning import polygons

UNIT = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
clouds = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=4, max_size=12)


def test_measures_of_a_square():
    assert polygons.area(UNIT) == pytest.approx(1.0)
    np.testing.assert_allclose(polygons.centroid(UNIT), [0.5, 0.5])
    assert polygons.depth_inside(UNIT, [0.5, 0.25]) == pytest.approx(0.25)
    np.testing.assert_allclose(
        polygons.distance_outside(UNIT, np.array([[2.0, 2.0], [0.5, 0.5]])), [np.sqrt(2), 0.0]
    )
    assert polygons.area(polygons.shrink(UNIT, 0.25)) == pytest.approx(0.25)
    assert len(polygons.shrink(UNIT, 0.6)) == 0


def test_overlap_of_two_squares():
    assert polygons.area(polygons.intersect(UNIT, UNIT + 0.5)) == pytest.approx(0.25)
    assert len(polygons.intersect(UNIT, UNIT + 2.0)) == 0


@given(clouds, clouds)
def test_an_intersection_is_no_larger_than_its_parts_and_commutes(first, second):
    a, b = polygons.convex_hull(first), polygons.convex_hull(second)
    if polygons.area(a) < 1e-3 or polygons.area(b) < 1e-3:
        return
    both = polygons.area(polygons.intersect(a, b))
    assert -1e-9 <= both <= min(polygons.area(a), polygons.area(b)) + 1e-9
    assert both == pytest.approx(polygons.area(polygons.intersect(b, a)), abs=1e-6)


@given(clouds)
def test_a_hull_holds_its_points(points):
    hull = polygons.convex_hull(points)
    if polygons.area(hull) > 1e-3:
        assert (polygons.depth_inside(hull, points) > -1e-6).all()


def test_points_on_a_line_have_no_hull():
    assert len(polygons.convex_hull([[0, 0], [1, 1], [2, 2]])) == 0
