# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.simulation import REALSENSE_D435, DepthNoise, add_depth_noise

CAMERA = Intrinsics.from_vertical_fov(320, 240, np.deg2rad(42.0))
QUIET = DepthNoise(
    disparity_sigma_px=0.0,
    disparity_step_px=1e-6,
    flying_share=0.0,
    edge_loss=0.0,
    random_loss=0.0,
    shift_px=0.0,
)


def wall(depth_m: float) -> np.ndarray:
    return np.full((240, 320), depth_m, dtype=np.float32)


def step_edge() -> np.ndarray:
    depth = wall(1.0)
    depth[:, 160:] = 0.8
    return depth


def noisy(depth: np.ndarray, model: DepthNoise = REALSENSE_D435, seed: int = 0) -> np.ndarray:
    return add_depth_noise(depth, CAMERA, np.random.default_rng(seed), model)


@pytest.mark.parametrize("depth_m", [0.5, 1.0, 2.0])
def test_the_error_grows_with_the_square_of_the_depth(depth_m: float) -> None:
    model = replace(REALSENSE_D435, disparity_step_px=1e-6, random_loss=0.0)
    error = noisy(wall(depth_m), model) - depth_m
    assert error.std() == pytest.approx(depth_m**2 * 0.05 / (0.050 * 430.0), rel=0.05)
    assert abs(error.mean()) < 0.1 * error.std()


def test_depths_lie_on_disparity_steps() -> None:
    values = noisy(wall(1.5))
    steps = 0.050 * 430.0 / values[values > 0] * 32.0
    np.testing.assert_allclose(steps, np.rint(steps), atol=2e-3)


def test_without_noise_the_depth_is_kept() -> None:
    np.testing.assert_allclose(noisy(step_edge(), QUIET), step_edge(), atol=1e-4)


def test_missing_depth_stays_missing() -> None:
    depth = wall(1.0)
    depth[40:60, 50:90] = 0.0
    assert not noisy(depth)[40:60, 50:90].any()


def test_edges_lose_pixels_and_the_rest_hardly_any() -> None:
    lost = noisy(step_edge()) == 0.0
    assert 0.4 < lost[:, 159:161].mean() < 0.6
    assert lost[:, :150].mean() < 0.005


def test_flying_pixels_lie_between_the_two_surfaces() -> None:
    values = noisy(step_edge(), replace(QUIET, flying_share=1.0, shift_px=1.0))
    between = (values > 0.81) & (values < 0.99)
    assert between[:, 159:161].mean() > 0.05
    assert not between[:, :150].any()


def test_surfaces_seen_at_a_grazing_angle_are_lost() -> None:
    v = (np.arange(240)[:, None] - CAMERA.cy) / CAMERA.fy

    def slope(angle_deg: float) -> np.ndarray:
        """A plane through (0, 0, 1), tilted about the image's x axis."""
        depth = 1.0 / (1.0 - v * np.tan(np.deg2rad(angle_deg)))
        return np.broadcast_to(np.where((depth > 0.2) & (depth < 5.0), depth, 0.0), (240, 320)).astype(
            np.float32
        )

    middle = np.s_[118:122]
    assert (noisy(slope(60.0), QUIET)[middle] > 0.0).mean() > 0.99
    assert (noisy(slope(88.0), QUIET)[middle] > 0.0).mean() < 0.05


def test_the_seed_decides_the_noise() -> None:
    np.testing.assert_array_equal(noisy(step_edge(), seed=1), noisy(step_edge(), seed=1))
    assert (noisy(step_edge(), seed=1) != noisy(step_edge(), seed=2)).any()


def test_impossible_parameters_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="baseline"):
        DepthNoise(baseline_m=0.0)
    with pytest.raises(InvalidValueError, match="shares"):
        DepthNoise(edge_loss=1.5)
