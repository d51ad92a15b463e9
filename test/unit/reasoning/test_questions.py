# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import five_blocks, make_object, make_scene, stacked
from scipy.spatial.transform import Rotation

from spatialpin_ros.errors import AmbiguousNameError, NotUnderstoodError, ReasoningError, UnknownNameError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.reasoning.questions import answer

# o1 large red cube, o2 blue box, o3 green cylinder, o4 yellow ball, o5 small red cube
NUMBERS = {
    "how many cubes are there?": (2, "count"),
    "How many objects are on the table?": (5, "count"),
    "how many purple balls do you see": (0, "count"),
    "how many things are left of the blue box": (3, "count"),
    "how far is the large red cube from the blue box?": (np.linalg.norm([0.05, 0.25, 0.005]), "m"),
    "how far apart are the large red cube and the blue box": (np.linalg.norm([0.05, 0.25, 0.005]), "m"),
    "What is the distance between the ball and the green can?": (np.linalg.norm([0.2, 0.32, 0.02]), "m"),
    "what is the horizontal distance between the ball and the green can": (np.hypot(0.2, 0.32), "m"),
    "what's the vertical distance between the ball and the green can": (0.02, "m"),
    "what is the gap between the large red cube and the small red cube": (np.hypot(0.04, 0.14), "m"),
    "how far is the ball from the robot": (np.linalg.norm([0.65, 0.10, 0.025]), "m"),
    "how far is the ball from the camera": (np.linalg.norm([0.6, 0.1, 0.675]), "m"),
    "how tall is the green cylinder?": (0.09, "m"),
    "how wide is the blue box": (0.10, "m"),
    "what is the height of the ball": (0.05, "m"),
    "what is the depth of the blue box": (0.07, "m"),
    "how big is the blue box": (0.10 * 0.07 * 0.06, "m^3"),
    "how much taller is the green cylinder than the ball": (0.04, "m"),
    "how much shorter is the green cylinder than the ball": (-0.04, "m"),
}
YES_NO = {
    "is the ball left of the green can?": True,
    "is the green can left of the ball?": False,
    "is the blue box to the right of the large red cube": True,
    "is the large red cube behind the blue box": True,
    "is the large red cube in front of the blue box": False,
    "is the ball on the table": True,
    "is the ball on the blue box": False,
    "is anything on the blue box": False,
    "is the ball near the small red cube": False,
    "is the small red cube between the green cylinder and the ball": True,
    "is the green cylinder taller than the ball": True,
    "is the ball bigger than the blue box": False,
    "is the blue box wider than the ball": True,
    "is the ball closer to the blue box than to the green can": True,
    "is there a purple cube": False,
    "are there any red cubes": True,
    "is there a yellow ball?": True,
    "is the ball yellow": True,
    "is the blue box red": False,
    "is the green can a cylinder": True,
    "can you stack the large red cube on the blue box?": True,
    "can the ball be placed on the blue box": False,
    "can you pick up the blue box": True,
}
WHICH = {
    "which object is the tallest?": {"o3"},
    "what is the tallest object": {"o3"},
    "which cube is the smallest": {"o5"},
    "which is bigger, the ball or the blue box?": {"o2"},
    "which is closer to the ball, the blue box or the small red cube": {"o2"},
    "what is the leftmost object": {"o1"},
    "which object is closest to the small red cube": {"o2"},
    "which objects are right of the blue box": {"o3"},
    "what is on the blue box": set(),
    "which object is closest to the robot": {"o5"},
    "where is the green can": {"o3"},
    "what colour is the ball": {"o4"},
    "what shape is o3": {"o3"},
}


@pytest.mark.parametrize("question", NUMBERS)
def test_numbers(question):
    value, unit = NUMBERS[question]
    reply = answer(five_blocks(), question)
    assert reply.value == pytest.approx(value, abs=1e-6)
    assert reply.unit == unit
    assert reply.program


@pytest.mark.parametrize("question", YES_NO)
def test_yes_or_no(question):
    reply = answer(five_blocks(), question)
    assert (reply.value, reply.unit) == (float(YES_NO[question]), "bool")
    assert reply.text.startswith("Yes" if YES_NO[question] else "No")


@pytest.mark.parametrize("question", WHICH)
def test_which(question):
    reply = answer(five_blocks(), question)
    assert set(reply.object_ids) == WHICH[question]
    assert reply.value is None


def leaning():
    """A box that leans at 30 degrees with an edge on the table, and a block whose edge it lies on."""
    tilted = Pose(np.array([0.5, 0.0, 0.04]), Rotation.from_euler("y", np.deg2rad(30.0)).as_quat())
    block = make_object("o2", "blue", "box", (0.05, 0.08, 0.05), (0.46, 0.0))
    red = make_object("o1", "red", "box", (0.1, 0.04, 0.02))
    return make_scene(replace(red, box=OrientedBox(tilted, red.size)), block)


def test_leaning_objects():
    assert answer(leaning(), "is the red box leaning against the blue box?").value == 1.0
    assert answer(leaning(), "does the blue box lean against the red box").value == 0.0
    assert answer(leaning(), "how many degrees is the red box inclined to the table").value == pytest.approx(
        30.0
    )
    assert answer(leaning(), "how much is the red box tilted").value == pytest.approx(30.0)
    assert answer(leaning(), "is the red box tilted").value == 1.0
    assert answer(leaning(), "at what angle is the red box to the table").value == pytest.approx(30.0)


def test_against_the_table_and_all_others():
    box = make_object("o1", "blue", "box", (0.1, 0.1, 0.05))
    scene = make_scene(box, stacked(make_object("o2", "red"), box))
    assert answer(scene, "how high is the red cube above the table").value == pytest.approx(0.05)
    assert answer(scene, "how far is the blue box from the table").value == pytest.approx(0.0)
    assert answer(scene, "what is the blue box carrying").object_ids == ("o2",)
    assert answer(five_blocks(), "is the green cylinder taller than everything else").value == 1.0
    assert answer(five_blocks(), "is the ball taller than all other objects").value == 0.0
    more = answer(five_blocks(), "are there more cubes than balls")
    assert (more.value, "2 against 1" in more.text) == (1.0, True)
    assert answer(five_blocks(), "are there fewer cubes than balls").value == 0.0


@pytest.mark.parametrize(("unit", "text"), [("inches", "3.543 inches"), ("mm", "90 mm"), ("m", "0.09 m")])
def test_other_units_are_said_and_the_value_stays_in_metres(unit, text):
    reply = answer(five_blocks(), f"how tall is the green cylinder in {unit}?")
    assert text in reply.text
    assert (reply.value, reply.unit) == (pytest.approx(0.09), "m")


def test_an_explicit_box_is_a_box_where_there_is_one():
    """A cube is a box too, but only where nothing is called one."""
    cube = make_object("o1", "red", "cube", (0.08, 0.08, 0.08))
    box = make_object("o2", "blue", "box", (0.03, 0.06, 0.05), (0.5, 0.2))
    scene = make_scene(cube, box)
    assert answer(scene, "which is the largest box").object_ids == ("o2",)
    assert answer(scene, "how many boxes are there").value == 1.0
    assert answer(scene, "how tall is the red box").object_ids == ("o1",)
    assert answer(make_scene(cube), "which is the largest box").object_ids == ("o1",)


def test_level_relations_are_the_viewers_the_others_gravitys():
    assert answer(five_blocks(), "is the ball left of the can").frame == "viewer"
    assert answer(five_blocks(), "is the ball above the can").frame == "gravity"
    assert answer(five_blocks(), "is the ball on the table").frame == "gravity"


@pytest.mark.parametrize(
    "question",
    ["is the ball left of " * 1000, "and " * 5000, "how far is " * 300, "\u4f4d" * 2000, "the the " * 400],
)
def test_endless_questions_are_declined_at_once(question):
    with pytest.raises(NotUnderstoodError, match="at most 1000") as refused:
        answer(five_blocks(), question)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "question",
    [
        "is the ball left of " * 49,
        "how far is " * 90,
        "(" * 990,
        "is " * 330,
        "the ball and " * 75,
        "\U0001f4e6" * 900,
    ],
)
def test_long_nonsense_is_declined(question):
    with pytest.raises(ReasoningError):
        answer(five_blocks(), question)


def test_the_frame_is_named():
    scene = five_blocks()
    assert answer(scene, "is the ball left of the can").frame == "viewer"
    assert answer(scene, "how tall is the can").frame == "gravity"
    assert "yellow" in answer(scene, "what color is the ball").text
    assert "is a cylinder" in answer(scene, "what is the shape of o3").text


def test_carrying_is_seen():
    box = make_object("o1", "blue", "box", (0.1, 0.1, 0.05))
    scene = make_scene(box, stacked(make_object("o2", "red"), box))
    assert answer(scene, "what is on the blue box").object_ids == ("o2",)
    assert answer(scene, "is the red cube on the blue box").value == 1.0
    assert answer(scene, "what does the blue box carry").object_ids == ("o2",)
    reply = answer(scene, "can you pick up the blue box")
    assert reply.value == 0.0
    assert "carries the red cube" in reply.text


def test_an_empty_table_is_answered():
    assert answer(make_scene(), "how many objects are there").value == 0.0
    assert "nothing" in answer(make_scene(), "what do you see").text
    assert answer(make_scene(), "is there a red cube").text == "No, there is none; there is: nothing."
    with pytest.raises(UnknownNameError, match="there is: nothing"):
        answer(make_scene(), "where is the red cube")


@pytest.mark.parametrize("question", ["", "what is the meaning of life", "who are you", "tell me a joke"])
def test_other_questions_are_declined_with_examples(question):
    with pytest.raises(NotUnderstoodError, match="how many cubes"):
        answer(five_blocks(), question)


def test_names_are_checked():
    with pytest.raises(UnknownNameError, match="blue box"):
        answer(five_blocks(), "how tall is the purple box")
    with pytest.raises(AmbiguousNameError, match="small red cube"):
        answer(five_blocks(), "how tall is the red cube")
