# SPDX-License-Identifier: Apache-2.0
"""What is level, and what only looks so in the noise of a few pixels of a slope."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.grid import DepthGrid, TableGrid
from spatialpin_ros.perception.plateaus import find_plateaus

NOISE_M = 0.002


def seen(slope: float, side: int) -> list[bool]:
    """Whether a patch of a slope, a share of an upright face's, is taken for a top beside a level one: 16 draws."""
    camera = Pose.looking_at((0.55, 0.0, 0.55), (0.0, 0.0, 0.0))
    rng = np.random.default_rng(5)
    sure = []
    for _ in range(16):
        depth = np.full((60, 80), 0.75, dtype=np.float32)
        rays = np.array([[1 / 500, 0, -40 / 500], [0, 1 / 500, -30 / 500], [0, 0, 1.0]])
        whole = DepthGrid(depth, np.zeros((60, 80, 3), dtype=np.uint8), rays, 500.0)
        flat = TableGrid.from_depth(whole, whole, camera)
        climb_m = 0.75 / 500 / np.cos(np.deg2rad(45.0))
        rows = np.arange(60, dtype=np.float32)[:, None]
        heights = 0.05 - slope * climb_m * (rows - 30.0) + rng.normal(0.0, NOISE_M, (60, 80))
        grid = TableGrid(
            whole,
            whole,
            camera,
            flat.x,
            flat.y,
            heights.astype(np.float32),
            np.ones((60, 80), dtype=np.bool_),
        )
        level = np.zeros((60, 80), dtype=np.bool_)
        level[30 - side : 30 + side, 10 : 10 + 2 * side] = True
        # A larger level patch is sure: the other is kept only where it is, too.
        level[20:45, 45:75] = True
        labels = level.astype(np.int32)
        grid.z[20:45, 45:75] = 0.02 + rng.normal(0.0, NOISE_M, (25, 30))
        _, plateaus = find_plateaus(grid, grid.z, labels, level, NOISE_M)
        sure.append(len(plateaus) == 2)
    return sure


@pytest.mark.parametrize("side", [3, 4])
def test_a_patch_of_a_slope_splits_nothing(side: int) -> None:
    assert sum(seen(0.45, side)) <= 1


@pytest.mark.parametrize("side", [5, 8])
def test_a_noisy_top_is_level(side: int) -> None:
    assert sum(seen(0.0, side)) >= 15
