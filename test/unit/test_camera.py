# SPDX-License-Identifier: Apache-2.0
"""Camera frames: projection, cleaning, refusals and round trips."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spatialpin_ros.camera import CameraFrame, ImageMask, Intrinsics
from spatialpin_ros.errors import CameraFrameError
from spatialpin_ros.geometry import Pose

K = Intrinsics(8, 6, 10.0, 11.0, 3.5, 2.5)


def frame(depth: np.ndarray, intrinsics: Intrinsics = K) -> CameraFrame:
    color = np.zeros((6, 8, 3), dtype=np.uint8)
    return CameraFrame(
        color, depth, intrinsics, Pose.looking_at((1.0, 0.1, 0.8), (0.4, 0.0, 0.0)), stamp_s=1.5
    )


@given(hnp.arrays(np.float32, (6, 8), elements=st.floats(np.float32(0.1), 4.0, width=32)))
def test_projection_undoes_back_projection(depth: np.ndarray) -> None:
    pixels = K.project(frame(depth).points_camera())
    v, u = np.mgrid[0:6, 0:8]
    assert np.allclose(pixels[..., 0], u, atol=1e-4)
    assert np.allclose(pixels[..., 1], v, atol=1e-4)


def test_points_behind_the_camera_have_no_pixel() -> None:
    assert np.isnan(K.project((0.0, 0.0, -1.0))).all()


def test_base_points_are_the_transformed_camera_points() -> None:
    observed = frame(np.full((6, 8), 0.7, dtype=np.float32))
    expected = observed.base_T_camera.transform(observed.points_camera())
    assert np.allclose(observed.points_base(), expected, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -0.5])
def test_unusable_depth_becomes_zero_and_the_rest_stays(bad: float) -> None:
    depth = np.full((6, 8), 0.7, dtype=np.float32)
    depth[2, 3] = bad
    cleaned = frame(depth).depth_m
    assert cleaned[2, 3] == 0.0
    assert np.count_nonzero(cleaned == np.float32(0.7)) == 47


@pytest.mark.parametrize("depth", [np.zeros((6, 8)), np.full((6, 8), np.nan)])
def test_a_frame_without_any_depth_is_refused(depth: np.ndarray) -> None:
    with pytest.raises(CameraFrameError, match="no pixel has a valid depth"):
        frame(depth.astype(np.float32))


def test_mismatched_sizes_are_refused_and_named() -> None:
    with pytest.raises(CameraFrameError, match=r"sizes disagree.*\(5, 8\)"):
        frame(np.ones((5, 8), dtype=np.float32))
    with pytest.raises(CameraFrameError, match="camera_info"):
        frame(np.ones((6, 8), dtype=np.float32), Intrinsics(16, 12, 10.0, 10.0, 8.0, 6.0))


@pytest.mark.parametrize(
    "values", [(0, 6, 1, 1, 0, 0), (8, 6, 0, 1, 0, 0), (8, 6, np.nan, 1, 0, 0), (8, 6, 10, 10, 320.0, 240.0)]
)
def test_unusable_intrinsics_are_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(CameraFrameError, match="intrinsics"):
        Intrinsics(int(values[0]), int(values[1]), *values[2:])


def test_vertical_field_of_view() -> None:
    k = Intrinsics.from_vertical_fov(640, 480, np.deg2rad(90.0))
    assert k.fy == pytest.approx(240.0)


def test_json_round_trip_is_lossless() -> None:
    rng = np.random.default_rng(3)
    observed = frame(rng.uniform(0.2, 2.0, (6, 8)).astype(np.float32))
    copy = CameraFrame.from_dict(json.loads(json.dumps(observed.to_dict())))
    assert np.array_equal(copy.depth_m, observed.depth_m)
    assert np.array_equal(copy.color, observed.color)
    assert copy.intrinsics == observed.intrinsics
    assert copy.stamp_s == observed.stamp_s


@given(hnp.arrays(np.bool_, (7, 9)))
def test_mask_round_trips(mask: np.ndarray) -> None:
    cropped = ImageMask.from_full(mask)
    copy = ImageMask.from_dict(json.loads(json.dumps(cropped.to_dict())))
    assert np.array_equal(copy.full((7, 9)), mask)
    assert copy.area == np.count_nonzero(mask)
