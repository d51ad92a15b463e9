# SPDX-License-Identifier: Apache-2.0
"""Scenes from given masks."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.perception.from_masks import reconstruct_masks

RED = (200, 30, 30)


@pytest.fixture
def pair(cast, bodies):
    """Two boxes of one colour side by side: geometry alone sees one object."""
    both = [
        bodies["box"](0.5, -0.03, (0.06, 0.06, 0.05), RED),
        bodies["box"](0.5, 0.03, (0.06, 0.06, 0.05), RED),
    ]
    frame = cast(both)
    masks = []
    for body in both:
        alone = cast([body], table=False).depth_m
        masks.append((alone > 0) & (np.abs(alone - frame.depth_m) < 1e-5))
    return frame, masks


def test_masks_part_what_geometry_cannot(pair, options):
    frame, masks = pair
    scene = reconstruct_masks(frame, masks, ["left box", "right box"], options)
    assert set(scene.names) == {"left box", "right box"}
    for name, y in (("left box", -0.03), ("right box", 0.03)):
        np.testing.assert_allclose(scene.named(name).centre, [0.5, y, 0.025], atol=0.004)
        np.testing.assert_allclose(np.sort(scene.named(name).size), [0.05, 0.06, 0.06], atol=0.004)


def test_equal_names_are_numbered_and_no_names_are_made_up(pair, options):
    frame, masks = pair
    assert set(reconstruct_masks(frame, masks, ["box", "box"], options).names) == {"box 1", "box 2"}
    assert all("red" in name for name in reconstruct_masks(frame, masks, None, options).names)


def test_a_mask_of_the_bare_table_is_no_object(pair, options):
    frame, masks = pair
    table = np.zeros(frame.size, dtype=bool)
    table[300:340, 100:160] = True
    scene = reconstruct_masks(frame, [*masks, table], ["a", "b", "nothing"], options)
    assert set(scene.names) == {"a", "b"}
    assert reconstruct_masks(frame, [], [], options).objects == ()


def test_masks_of_another_size_and_missing_names_are_refused(pair, options):
    frame, masks = pair
    with pytest.raises(InvalidValueError, match="mask 0"):
        reconstruct_masks(frame, [masks[0][:10]], ["a"], options)
    with pytest.raises(InvalidValueError, match="2 masks but 1 names"):
        reconstruct_masks(frame, masks, ["a"], options)
