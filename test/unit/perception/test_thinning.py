# SPDX-License-Identifier: Apache-2.0
"""Large images made smaller: the same points in space, fewer of them."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.perception.thinning import stride_for, thinned_color, thinned_frame


@pytest.mark.parametrize(
    ("size", "most", "stride"),
    [((480, 640), 2_100_000, 1), ((1080, 1920), 2_100_000, 1), ((2160, 3840), 2_100_000, 2), ((5, 7), 1, 6)],
)
def test_the_stride_is_the_smallest_that_is_enough(size, most, stride):
    assert stride_for(size, most) == stride


@pytest.mark.parametrize("stride", [2, 3, 4])
def test_the_points_of_a_thinned_frame_are_points_of_the_frame(cast, bodies, stride):
    frame = cast([bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), (200, 30, 30))], size=(322, 241))
    small = thinned_frame(frame, 322 * 241 // (stride * stride) + 1)
    assert small.color.shape[:2] == small.size == (241 // stride, 322 // stride)
    kept = (stride - 1) // 2
    expected = frame.points_camera()[kept::stride, kept::stride][: small.size[0], : small.size[1]]
    np.testing.assert_allclose(small.points_camera(), expected, atol=1e-6)


def test_a_small_frame_stays_as_it_is(cast):
    frame = cast([], size=(64, 48))
    assert thinned_frame(frame, 10_000) is frame


def test_colours_are_means_of_blocks():
    image = np.zeros((4, 6, 3), dtype=np.uint8)
    image[:2, :2] = [[[0, 0, 0], [100, 0, 0]], [[0, 0, 0], [100, 0, 0]]]
    np.testing.assert_array_equal(thinned_color(image, 2)[0, 0], [50, 0, 0])
