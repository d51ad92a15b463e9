# SPDX-License-Identifier: Apache-2.0
"""One object behind a thin one is one; two equal ones with the table between them are two."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.perception import reconstruct

GREEN, PINK = (30, 150, 50), (230, 110, 170)


def test_a_box_behind_a_post_is_one(cast, bodies, options):
    box = bodies["box"](0.42, 0.0, (0.05, 0.09, 0.05), GREEN)
    post = bodies["box"](0.56, 0.0, (0.02, 0.02, 0.22), PINK)
    scene = reconstruct(cast([box, post]), options)
    assert sorted(item.color for item in scene.objects) == ["green", "pink"]
    green = next(item for item in scene.objects if item.color == "green")
    np.testing.assert_allclose(np.sort(green.size), [0.05, 0.05, 0.09], atol=0.004)
    np.testing.assert_allclose(green.centre, [0.42, 0.0, 0.025], atol=0.004)


@pytest.mark.parametrize("apart_m", [0.05, 0.08])
def test_two_cubes_beside_a_post_are_two(cast, bodies, options, apart_m):
    cubes = [
        bodies["box"](0.42, side * 0.5 * (apart_m + 0.05), (0.05, 0.05, 0.05), GREEN) for side in (-1, 1)
    ]
    post = bodies["box"](0.56, 0.0, (0.02, 0.02, 0.22), PINK)
    scene = reconstruct(cast([*cubes, post]), options)
    assert sum(item.color == "green" for item in scene.objects) == 2


def test_cubes_that_are_not_in_line_are_two(cast, bodies, options):
    cubes = [bodies["box"](0.40 + 0.03 * side, 0.03 * side, (0.05, 0.05, 0.05), GREEN) for side in (-1, 1)]
    post = bodies["box"](0.56, 0.0, (0.02, 0.02, 0.22), PINK)
    scene = reconstruct(cast([*cubes, post]), options)
    assert sum(item.color == "green" for item in scene.objects) == 2
