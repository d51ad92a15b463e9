# SPDX-License-Identifier: Apache-2.0
"""Colour words, nouns and unique names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialpin_ros.perception.appearance import COLOR_WORDS, color_word, representative_color
from spatialpin_ros.perception.naming import Description, noun, unique_names

EXAMPLES = {
    "red": [(255, 0, 0), (200, 30, 30), (139, 0, 0), (220, 20, 60), (110, 16, 16)],
    "orange": [(255, 140, 0), (255, 165, 0), (240, 120, 20), (200, 95, 10)],
    "yellow": [(255, 255, 0), (240, 210, 30), (200, 180, 20)],
    "green": [(0, 128, 0), (30, 150, 50), (0, 255, 0), (60, 110, 40), (20, 70, 30)],
    "cyan": [(0, 255, 255), (20, 180, 190), (0, 139, 139)],
    "blue": [(0, 0, 255), (30, 60, 200), (65, 105, 225), (20, 30, 110)],
    "purple": [(128, 0, 128), (120, 40, 170), (75, 0, 130)],
    "pink": [(255, 192, 203), (255, 105, 180), (245, 110, 170)],
    "brown": [(139, 69, 19), (115, 70, 27), (101, 67, 33)],
    "black": [(0, 0, 0), (20, 20, 22), (35, 32, 30)],
    "grey": [(128, 128, 128), (90, 92, 95), (170, 170, 168)],
    "white": [(255, 255, 255), (235, 235, 230), (215, 215, 218)],
}


@pytest.mark.parametrize(("word", "rgb"), [(word, rgb) for word, many in EXAMPLES.items() for rgb in many])
def test_colour_words_are_the_ones_people_use(word, rgb):
    assert color_word(rgb) == word


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_every_colour_has_a_word(rgb):
    assert color_word(rgb) in COLOR_WORDS


def test_highlights_and_shade_do_not_set_the_colour():
    colors = np.array([[200, 30, 30]] * 60 + [[60, 8, 8]] * 30 + [[255, 255, 255]] * 4, dtype=np.uint8)
    np.testing.assert_allclose(representative_color(colors), (200, 30, 30), atol=2)


@pytest.mark.parametrize(
    ("shape", "size", "word"),
    [
        ("box", (0.05, 0.052, 0.049), "cube"),
        ("box", (0.08, 0.06, 0.05), "box"),
        ("box", (0.15, 0.04, 0.05), "block"),
        ("cylinder", (0.05, 0.05, 0.05), "cylinder"),
        ("sphere", (0.05, 0.05, 0.05), "ball"),
        ("unknown", (0.05, 0.05, 0.05), "object"),
    ],
)
def test_nouns(shape, size, word):
    assert noun(shape, np.array(size)) == word


def _thing(color="red", label="cube", edge=0.05, right=0.0, away=1.0, height=None):
    return Description(color, label, np.array([edge, edge, height or edge]), right, away)


def test_names_say_no_more_than_needed():
    assert unique_names([_thing(), _thing(color="blue")]) == ["red cube", "blue cube"]
    assert unique_names([_thing(edge=0.07), _thing(edge=0.04)]) == ["large red cube", "small red cube"]
    assert unique_names([_thing(right=0.2), _thing(right=-0.2)]) == ["right red cube", "left red cube"]
    assert unique_names([_thing(away=1.2), _thing(away=0.9)]) == ["far red cube", "near red cube"]
    three = unique_names([_thing(right=0.2), _thing(right=-0.2), _thing(right=0.0)])
    assert three == ["right red cube", "left red cube", "middle red cube"]


def test_many_alike_are_numbered_from_the_left():
    names = unique_names([_thing(right=x) for x in (0.3, -0.3, 0.1, -0.1)])
    assert names == ["red cube 4", "red cube 1", "red cube 3", "red cube 2"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["red", "blue"]),
            st.sampled_from(["cube", "box"]),
            st.floats(0.02, 0.1),
            st.floats(-0.4, 0.4),
            st.floats(0.5, 1.5),
            st.floats(0.02, 0.1),
        ),
        max_size=10,
    )
)
def test_names_are_always_unique(things):
    names = unique_names([_thing(*values) for values in things])
    assert len(set(names)) == len(names) == len(things)
    for name, (color, label, *_) in zip(names, things, strict=True):
        assert f"{color} {label}" in name
