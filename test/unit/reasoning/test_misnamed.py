# SPDX-License-Identifier: Apache-2.0
"""A wrong shape in a name is forgiven where the colour tells which object is meant, and only there."""

from __future__ import annotations

import pytest
from scenes import make_object, make_scene

from spatialpin_ros.errors import AmbiguousNameError, UnknownNameError
from spatialpin_ros.reasoning.questions import answer

BLUE = make_object("o1", "blue", "box", (0.05, 0.07, 0.04), (0.5, 0.1))
RED = make_object("o2", "red", "cube", at=(0.5, -0.1))
LEFT, RIGHT = (
    make_object(f"o{k}", "green", "cube", at=(0.6, y), name=f"{side} green cube")
    for k, side, y in ((3, "left", 0.1), (4, "right", -0.1))
)
SCENE = make_scene(BLUE, RED, LEFT, RIGHT)


def test_the_only_blue_object_is_meant_and_that_is_said():
    right, wrong = (
        answer(SCENE, f"How far is the blue {noun} from the red cube?") for noun in ("box", "can")
    )
    assert (wrong.value, wrong.unit, wrong.object_ids) == (right.value, right.unit, right.object_ids)
    assert (
        wrong.text == f"{right.text} The blue box is the only blue object, so it is taken for the blue can."
    )


def test_both_names_may_be_wrong():
    found = answer(SCENE, "is the Blue cylinder left of the red ball?")
    assert found.value == answer(SCENE, "is the blue box left of the red cube?").value
    assert found.text.count("is taken for") == 2


@pytest.mark.parametrize(
    ("question", "error"),
    [
        ("how tall is the blue mug?", UnknownNameError),
        ("how tall is the yellow box?", UnknownNameError),
        ("how tall is the small blue cylinder?", UnknownNameError),
        ("how tall is the green cylinder?", UnknownNameError),
        ("how tall is the green cube?", AmbiguousNameError),
    ],
)
def test_nothing_else_is_forgiven(question, error):
    with pytest.raises(error):
        answer(SCENE, question)


def test_what_is_asked_for_by_shape_is_not_there():
    assert answer(SCENE, "is there a blue cylinder?").value == 0.0
    assert answer(SCENE, "how many blue cylinders are there?").value == 0.0
