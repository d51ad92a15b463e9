# SPDX-License-Identifier: Apache-2.0
"""Cylinders that lie on the table are told from boxes by a narrow, noisy arc."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.perception.appearance import color_word
from spatialpin_ros.perception.solids import fit_resting_cylinder

TURNS_RAD = np.deg2rad(np.arange(-6.0, 6.1, 2.0))


def arc(
    radius: float, length: float, yaw_deg: float, seen_deg: tuple[float, float], noise_m: float
) -> FloatArray:
    """Points on the seen part of a lying cylinder's side; angles are measured from straight up."""
    rng = np.random.default_rng(3)
    angle = np.deg2rad(rng.uniform(*seen_deg, 300))
    along, yaw = rng.uniform(-0.5, 0.5, 300) * length, np.deg2rad(yaw_deg)
    across, up = radius * np.sin(angle), radius + radius * np.cos(angle)
    x = 0.5 + along * np.cos(yaw) - across * np.sin(yaw)
    y = 0.1 + along * np.sin(yaw) + across * np.cos(yaw)
    return np.column_stack([x, y, up]) + rng.normal(0.0, noise_m, (300, 3))


@pytest.mark.parametrize("seen_deg", [(-90.0, 90.0), (-30.0, 60.0), (-85.0, 20.0)])
@pytest.mark.parametrize("yaw_deg", [0.0, 40.0, 120.0])
def test_the_table_fixes_the_radius_of_a_narrow_arc(seen_deg: tuple[float, float], yaw_deg: float) -> None:
    points = arc(0.025, 0.10, yaw_deg, seen_deg, 0.001)
    found = fit_resting_cylinder(points, np.deg2rad(yaw_deg + 2.0) + TURNS_RAD)
    assert found.radius == pytest.approx(0.025, abs=5e-4)
    assert found.centre[2] == pytest.approx(found.radius)
    assert np.linalg.norm(found.centre[:2] - (0.5, 0.1)) < 0.003
    assert abs(np.degrees(found.yaw_rad) - yaw_deg) <= 2.0
    assert found.residual_m < 0.0015


def test_a_flat_top_is_no_cylinder() -> None:
    rng = np.random.default_rng(0)
    top = np.column_stack([rng.uniform(-0.05, 0.05, 300), rng.uniform(-0.03, 0.03, 300), np.full(300, 0.05)])
    assert fit_resting_cylinder(top, TURNS_RAD).residual_m > 0.002


@pytest.mark.parametrize("shade", [1.0, 0.8, 0.62])
@pytest.mark.parametrize(
    ("rgb", "word"),
    [
        ((247, 117, 10), "orange"),
        ((245, 107, 168), "pink"),
        ((204, 20, 20), "red"),
        ((245, 209, 15), "yellow"),
    ],
)
def test_shade_does_not_change_the_word_of_a_vivid_colour(
    rgb: tuple[int, ...], word: str, shade: float
) -> None:
    assert color_word(np.array(rgb) * shade) == word


def test_dull_orange_is_brown() -> None:
    assert color_word((120, 70, 30)) == color_word((139, 69, 19)) == "brown"


def test_points_without_extent_fit_no_cylinder() -> None:
    points = np.tile([[0.1, 0.2, 0.02]], (30, 1))
    with np.errstate(invalid="raise", divide="raise"):
        assert fit_resting_cylinder(points, np.linspace(0.0, 3.0, 8)).residual_m == np.inf
