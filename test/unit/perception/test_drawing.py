# SPDX-License-Identifier: Apache-2.0
"""Pictures of scenes: right size, drawn where the objects are, names apart from each other."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from PIL import ImageFont

from spatialpin_ros.perception import reconstruct
from spatialpin_ros.perception.annotate import annotate, place_labels

COLORS = [(200, 30, 30), (30, 60, 200), (30, 150, 50), (235, 205, 30), (120, 40, 170), (20, 180, 190)]


def _crowd(cast, bodies, options):
    places = [(0.40 + 0.11 * (i // 3), -0.11 + 0.11 * (i % 3)) for i in range(6)]
    frame = cast(
        [bodies["box"](x, y, (0.05, 0.05, 0.05), c) for (x, y), c in zip(places, COLORS, strict=True)]
    )
    return frame, reconstruct(frame, options)


def test_annotation_changes_the_image_at_the_objects_only(cast, bodies, options):
    frame, scene = _crowd(cast, bodies, options)
    picture = annotate(frame.color, scene)
    assert picture.shape == frame.color.shape
    assert picture.dtype == np.uint8
    changed = (picture != frame.color).any(axis=2)
    for item in scene.objects:
        assert changed[item.mask.full(frame.size)].mean() > 0.5
    assert changed[-60:, :60].sum() == 0


def test_names_do_not_cover_each_other(cast, bodies, options):
    frame, scene = _crowd(cast, bodies, options)
    labels = place_labels(frame.size, scene, ImageFont.load_default(size=13.0), 1.0)
    assert sorted(label.text for label in labels) == sorted(scene.names)
    for one, other in combinations(labels, 2):
        a, b = one.rectangle, other.rectangle
        assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])
    for label in labels:
        assert label.rectangle[0] >= 0
        assert label.rectangle[2] <= frame.intrinsics.width


def test_empty_scene_can_be_drawn(cast, options):
    frame = cast([])
    scene = reconstruct(frame, options)
    np.testing.assert_array_equal(annotate(frame.color, scene), frame.color)
