# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.perception.robust_fit import minimise


def test_a_line_through_noise_and_outliers() -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(0.0, 1.0, 200)
    y = 2.0 * x - 0.5 + 0.001 * rng.normal(size=200)
    y[::20] += 3.0
    found = minimise(lambda p: p[:, :1] * x + p[:, 1:] - y, np.zeros(2), 0.002)
    np.testing.assert_allclose(found, (2.0, -0.5), atol=0.002)


def test_a_curved_valley() -> None:
    def rosenbrock(p: np.ndarray) -> np.ndarray:
        return np.stack([10.0 * (p[:, 1] - p[:, 0] ** 2), 1.0 - p[:, 0]], axis=1)

    np.testing.assert_allclose(minimise(rosenbrock, np.array([0.3, 0.2]), 100.0), (1.0, 1.0), atol=0.05)


@pytest.mark.parametrize("start", [(0.0, 0.0), (5.0, -3.0)])
def test_the_start_may_be_the_best(start: tuple[float, float]) -> None:
    best = np.array(start)
    np.testing.assert_allclose(minimise(lambda p: p - best, best, 1.0), best, atol=1e-9)


def test_a_parameter_without_effect_stays() -> None:
    found = minimise(lambda p: np.stack([p[:, 0] - 3.0, p[:, 0] - 3.0], axis=1), np.array([0.0, 7.0]), 1.0)
    np.testing.assert_allclose(found, (3.0, 7.0), atol=1e-3)
