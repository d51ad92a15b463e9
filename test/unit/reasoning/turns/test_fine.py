# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import numpy as np
import pytest
from scenes import COLORS, five_blocks, make_object, make_scene, stacked

from spatialpin_ros.reasoning.prompting import Prompts, describe_objects
from spatialpin_ros.reasoning.turns import fine
from spatialpin_ros.reasoning.turns.objects import FoundObject


def relation(a, word, b):
    return {"object_id": a, "relation": word, "reference_id": b}


def test_stated_relations_are_held_against_the_scene():
    scene = five_blocks()
    view = fine.check(
        scene,
        {
            "summary": " Apart. ",
            "relations": [
                relation("o1", "left of", "o2"),
                relation("o1", "right of", "o2"),
                relation("o4", "in front of", "o5"),
                relation("o3", "higher than", "o5"),
                relation("o1", "on", "o2"),
                relation("o1", "left of", "o1"),
                relation("o1", "left of", "o2"),
            ],
        },
    )
    assert view.summary == "Apart."
    assert view.held == ("o1 is left of o2", "o4 is in front of o5", "o3 is higher than o5")
    assert view.wrong == ("o1 is right of o2", "o1 is on o2", "o1 is left of o1")
    assert all("otherwise" in finding for finding in view.findings)


def test_the_text_block_holds_centre_axes_size_and_neighbours():
    scene = make_scene(
        make_object("o1", "red", "box", (0.08, 0.04, 0.06), (0.525, 0.10), yaw_rad=np.pi / 2),
        make_object("o2", "blue", "ball", (0.05, 0.05, 0.05), (0.525, -0.10)),
    )
    text = Prompts().render("fine", scene, found={}, drawn=True)
    assert "o1 red box, box: centre (10, 0, 3), W x D x H 8 x 4 x 6, on table" in re.sub(r"\.0\b", "", text)
    assert "axes x right (1, 0, 0), y back (0, 1, 0), z up (0, 0, 1)" in text
    assert "nearest (gap) left o2 13.5" in text
    assert "axes" not in text.split("- o2")[1].split("\n\n")[0]


@pytest.mark.parametrize(
    ("yaw_deg", "word"),
    [
        (0, "front"),
        (45, "front-right"),
        (90, "right"),
        (135, "back-right"),
        (180, "back"),
        (-90, "left"),
        (-45, "front-left"),
    ],
)
def test_axes_get_the_nearest_of_ten_direction_words(yaw_deg, word):
    item = make_object("o1", yaw_rad=np.radians(yaw_deg))
    axes = describe_objects(make_scene(item))[0].axes
    assert axes["x"].startswith(f"{word} (")
    assert axes["z"] == "up (0, 0, 1)"


def test_what_carries_what_is_said():
    base = make_object("o1", "red", "box", (0.08, 0.08, 0.04))
    text = Prompts().render(
        "fine", make_scene(base, stacked(make_object("o2", "blue"), base)), found={}, drawn=False
    )
    assert "on table, carries o2" in text
    assert "on o1" in text
    assert "drawing" not in text


def most_tokens(text):
    """More tokens than a byte-pair tokenizer with a GPT-style pre-tokenizer makes of English and numbers.

    The pre-tokenizer never lets a token span a word, a number and punctuation, and takes a leading space along except
    before a number. Here every digit, every punctuation mark, every line break, every space before a number and every
    4 letters begun of a word count as one token: numbers as the strictest tokenizers split them (digit by digit), and
    words of common English, which have one token each in a vocabulary of 32,000 or more, as several when long.
    """
    pieces = re.findall(r"[A-Za-z]+|\d|\n| (?=\d)|[^\sA-Za-z\d]|\s{2,}", text)
    return sum(-(-len(piece) // 4) if piece.isalpha() else 1 for piece in pieces)


def crowded(count, seed):
    """Objects of long names all over the table, turned every way, with neighbours in every direction."""
    rng = np.random.default_rng(seed)
    colors = list(COLORS)
    places = [(x, y) for x in (0.25, 0.4, 0.55, 0.7) for y in (-0.35, -0.12, 0.12, 0.35)]
    rng.shuffle(places)
    objects = []
    for i in range(count):
        label = str(rng.choice(["cube", "box", "cylinder"]))
        size = rng.uniform(0.025, 0.12, 3)
        name = f"largest {colors[i]} {label}"
        yaw = float(rng.uniform(-3, 3))
        objects.append(make_object(f"o{i + 1}", colors[i], label, size, places[i], yaw_rad=yaw, name=name))
    return make_scene(*objects)


@pytest.mark.parametrize("seed", range(10))
def test_ten_objects_take_at_most_two_thousand_tokens(seed):
    prompts, scene = Prompts(), crowded(10, seed)
    seen = FoundObject("coffee mug", "red", "glossy ceramic", "other", "top left")
    text = prompts.render("fine", scene, found={item.id: seen for item in scene.objects}, drawn=True)
    text = f"{prompts.fill('system', numbers=True)}\n{text}"
    assert most_tokens(text) <= 2000


def test_the_count_leaves_nothing_out():
    assert most_tokens("(-12.34, 5.6)\n") == 14
    assert most_tokens("o1 purple cylinder") == 1 + 1 + 2 + 2
