# SPDX-License-Identifier: Apache-2.0
"""Regions that are parts of one object, level patches that are none, and balls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.perception import reconstruct
from spatialpin_ros.perception.assemble import Candidate
from spatialpin_ros.perception.evidence import Evidence
from spatialpin_ros.perception.models import Solid
from spatialpin_ros.perception.parts import join_parts
from spatialpin_ros.perception.solids import fit_resting_sphere
from spatialpin_ros.perception.statistics import median, quantile

RED, BLUE = (200, 20, 20), (20, 40, 200)


def candidate(
    label: int, points: np.ndarray, size: tuple[float, float, float], index: np.ndarray
) -> Candidate:
    centre = np.array([*points[:, :2].mean(axis=0), 0.5 * size[2]])
    solid = Solid("box", centre, np.array(size), 0.0, False, 0.0005, 0.8)
    none = np.zeros((0, 2))
    evidence = Evidence(size[2], 0.0, points.astype(np.float32), index, none, none, none, none, 0.0)
    mask = np.zeros(100, dtype=bool)
    mask[index] = True
    return Candidate(label, evidence, solid, mask.reshape(10, 10))


def cloud(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack([rng.uniform(*bounds, count) for bounds in (x, y, z)])


def picture(first: tuple[int, int, int], second: tuple[int, int, int]) -> np.ndarray:
    image = np.empty((10, 10, 3), dtype=np.uint8)
    image[:6], image[6:] = first, second
    return image


LARGE = candidate(1, cloud((0.0, 0.08), (0.0, 0.06), (0.0, 0.05), 60), (0.08, 0.06, 0.05), np.arange(60))
SLIVER = candidate(
    2, cloud((0.0, 0.08), (0.057, 0.06), (0.0, 0.045), 30), (0.08, 0.003, 0.045), np.arange(60, 90)
)
BESIDE = candidate(
    3, cloud((0.0, 0.08), (0.07, 0.12), (0.0, 0.03), 30), (0.08, 0.05, 0.03), np.arange(60, 90)
)


def test_what_lies_inside_another_of_its_colour_is_a_part_of_it() -> None:
    (whole,) = join_parts([LARGE, SLIVER], picture(RED, RED), 0.0005)
    assert whole.solid is LARGE.solid
    assert whole.mask.sum() == 90


@pytest.mark.parametrize(("other", "color"), [(SLIVER, BLUE), (BESIDE, RED)])
def test_other_colours_and_neighbours_stay_apart(other: Candidate, color: tuple[int, int, int]) -> None:
    assert join_parts([LARGE, other], picture(RED, color), 0.0005) == [LARGE, other]


def test_something_seen_below_a_larger_top_is_not_inside_it() -> None:
    low = candidate(
        2, cloud((0.02, 0.06), (0.01, 0.05), (0.0, 0.02), 30), (0.04, 0.04, 0.02), np.arange(60, 90)
    )
    raised = replace(LARGE, evidence=replace(LARGE.evidence, bottom_m=0.035))
    assert len(join_parts([raised, low], picture(RED, RED), 0.0)) == 2


@pytest.mark.parametrize("noise_m", [0.0, 0.002])
def test_a_sphere_on_the_table_from_its_seen_half(noise_m: float) -> None:
    rng = np.random.default_rng(1)
    normal = rng.normal(size=(2000, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    seen = normal[normal @ np.array([0.7, 0.0, 0.7]) > 0.1][:300]
    points = np.array([0.4, 0.1, 0.03]) + (0.03 + noise_m * rng.normal(size=(len(seen), 1))) * seen
    found = fit_resting_sphere(points)
    np.testing.assert_allclose(found.centre, (0.4, 0.1, 0.03), atol=0.0001 + 0.3 * noise_m)
    assert found.radius == pytest.approx(found.centre[2])


@pytest.mark.parametrize("noise_m", [0.0, 0.002])
def test_a_ball_is_one_ball_in_noise(cast, bodies, options, noise_m: float) -> None:
    ball = bodies["ball"](0.5, 0.05, 0.06, RED)
    (found,) = reconstruct(cast([ball], noise_m=noise_m), options).objects
    assert found.shape == "sphere"
    np.testing.assert_allclose(found.centre, ball.pose.position, atol=0.003)


def test_order_statistics() -> None:
    values = np.random.default_rng(2).permutation(101).astype(float)
    assert median(values) == np.median(values)
    assert quantile(values, 0.97) == np.quantile(values, 0.97)
    assert quantile(values[:1], 0.5) == values[0]


def test_a_sheet_below_the_seen_part_belongs_to_it() -> None:
    raised = replace(LARGE, evidence=replace(LARGE.evidence, bottom_m=0.035))
    assert len(join_parts([raised, SLIVER], picture(RED, RED), 0.0)) == 1


def test_an_l_seen_from_straight_above_does_not_float(cast, bodies, options):
    parts = [
        bodies["box"](0.45, -0.025, (0.09, 0.03, 0.07), RED),
        bodies["box"](0.42, 0.02, (0.03, 0.06, 0.07), RED),
    ]
    frame = cast(parts, eye=(0.45, 0.0, 0.8), target=(0.45, 0.0, 0.0), up=(1.0, 0.0, 0.0), noise_m=0.0025)
    assert len(reconstruct(frame, options).objects) == 1


def test_the_floor_of_a_cup_belongs_to_it() -> None:
    cup = replace(LARGE, evidence=replace(LARGE.evidence, bottom_m=0.013))
    floor = candidate(
        2, cloud((0.02, 0.06), (0.01, 0.05), (0.007, 0.008), 30), (0.04, 0.04, 0.008), np.arange(60, 90)
    )
    assert len(join_parts([cup, floor], picture(RED, RED), 0.0)) == 1


def test_a_strip_of_a_slope_belongs_to_it() -> None:
    slope = replace(LARGE, solid=replace(LARGE.solid, shape="unknown"))
    assert len(join_parts([slope, SLIVER], picture(RED, RED), 0.0)) == 1
