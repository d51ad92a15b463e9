# SPDX-License-Identifier: Apache-2.0
"""The view of the support, from the support plane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.errors import PerceptionError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.rgb.perspective import canonicalise, scene_extents


@pytest.mark.parametrize(
    ("eye", "up", "view"),
    [
        ((1.25, 0.0, 0.7), (0.0, 0.0, 1.0), "horizontal"),
        ((0.5, 0.0, 1.2), (1.0, 0.0, 0.0), "top-down"),
        ((0.7, 0.3, 1.1), (0.0, 0.0, 1.0), "top-down"),
    ],
)
def test_view_and_frame_follow_from_the_plane(cast, eye, up, view):
    frame = cast([], eye=eye, target=(0.48, 0.0, 0.0), up=up)
    forgotten = replace(frame, base_T_camera=Pose())
    found = canonicalise(forgotten)
    assert found.view == view
    assert found.height_m == pytest.approx(eye[2], abs=0.002)
    ahead = frame.base_T_camera.axes[:, 2]
    assert found.pitch_rad == pytest.approx(np.arcsin(-ahead[2]), abs=0.01)
    # The canonical z axis is the base's.
    np.testing.assert_allclose(
        frame.base_T_camera.axes @ found.camera_T_level.axes[:, 2], [0, 0, 1], atol=0.01
    )


def test_a_plane_above_the_camera_is_seen_from_below(cast):
    frame = cast([], eye=(1.6, 0.0, -0.6), target=(0.5, 0.0, 0.0))
    found = canonicalise(replace(frame, base_T_camera=Pose()))
    assert found.view == "bottom-up"
    assert found.height_m == pytest.approx(-0.56, abs=0.01)


def test_extents_are_the_tables(cast):
    frame = cast([], eye=(2.2, 0.0, 1.2), target=(0.5, 0.0, 0.0))
    across, away, up = scene_extents(frame, canonicalise(frame))
    assert across == pytest.approx(1.2, abs=0.1)
    assert away == pytest.approx(1.0, abs=0.1)
    assert up < 0.06


def test_without_a_plane_there_is_an_error(cast):
    rng = np.random.default_rng(0)
    clutter = replace(cast([]), depth_m=rng.uniform(0.5, 3.0, (480, 640)).astype(np.float32))
    with pytest.raises(PerceptionError, match="no support plane"):
        canonicalise(clutter)
