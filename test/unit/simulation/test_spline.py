# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.simulation.spline import JointSpline

TIMES = np.array([0.0, 0.7, 1.1, 2.0])


def polynomial(degree: int, order: int, times: np.ndarray) -> np.ndarray:
    """Values of the derivative of two polynomials of the given degree, (N, 2)."""
    rng = np.random.default_rng(3)
    curves = [np.polynomial.Polynomial(rng.normal(size=degree + 1)) for _ in range(2)]
    return np.column_stack([(curve.deriv(order) if order else curve)(times) for curve in curves])


@pytest.mark.parametrize(("known", "degree"), [(1, 1), (2, 3), (3, 5)])
def test_a_spline_reproduces_polynomials_of_its_degree(known: int, degree: int) -> None:
    spline = JointSpline(TIMES, *(polynomial(degree, order, TIMES) for order in range(known)))
    for time_s in np.linspace(0.0, 1.99, 17):
        point = spline.sample(time_s)
        at = np.array([time_s])
        np.testing.assert_allclose(point.positions, polynomial(degree, 0, at)[0], atol=1e-9)
        np.testing.assert_allclose(point.velocities, polynomial(degree, 1, at)[0], atol=1e-9)
        np.testing.assert_allclose(point.accelerations, polynomial(degree, 2, at)[0], atol=1e-8)


def test_after_the_end_it_rests_at_the_last_point() -> None:
    spline = JointSpline(TIMES, polynomial(3, 0, TIMES), polynomial(3, 1, TIMES))
    point = spline.sample(5.0)
    np.testing.assert_array_equal(point.positions, polynomial(3, 0, TIMES)[-1])
    np.testing.assert_array_equal(point.velocities, 0.0)


def test_before_the_start_it_is_the_first_point() -> None:
    spline = JointSpline(TIMES, polynomial(3, 0, TIMES), polynomial(3, 1, TIMES))
    np.testing.assert_allclose(spline.sample(-1.0).positions, polynomial(3, 0, TIMES)[0])
