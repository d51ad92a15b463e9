# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from scenes import five_blocks, make_object, make_scene

from spatialpin_ros.angles import UndefinedAngleError
from spatialpin_ros.errors import NotUnderstoodError, UnknownNameError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.reasoning.questions import answer
from spatialpin_ros.scene import Scene, SceneObject


def lying(item: SceneObject, yaw_deg: float) -> SceneObject:
    pose = Pose.from_xyz_rpy((*item.centre[:2], item.size[0] / 2), np.deg2rad((0.0, 90.0, yaw_deg)))
    fields = {name: getattr(item, name) for name in ("id", "name", "label", "color", "color_rgb", "shape")}
    return SceneObject(**fields, box=OrientedBox(pose, item.size))


def bars() -> Scene:
    """A lying can at 20 degrees, a bar at 50, a standing can, a cube at 10; the viewer's right is the base's +y."""
    can = make_object("o1", "green", "cylinder", (0.04, 0.04, 0.10), (0.5, -0.2))
    return make_scene(
        lying(can, 20.0),
        make_object("o2", "blue", "box", (0.12, 0.04, 0.03), (0.5, 0.1), yaw_rad=np.deg2rad(50.0)),
        make_object("o3", "red", "cylinder", (0.04, 0.04, 0.10), (0.65, 0.0)),
        make_object("o4", "yellow", "cube", at=(0.4, 0.0), yaw_rad=np.deg2rad(10.0)),
    )


ANGLES_DEG = {
    "What is the angle between the long axes of the green cylinder and the blue box?": 30,
    "what is the angle between the green can and the red can": 90,
    "What is the angle between the long axis of the blue box and the table?": 0,
    "how many degrees is the red cylinder inclined to the table?": 90,
    "how much is the blue box tilted?": 0,
    "By how many degrees would the yellow cube have to turn to be aligned with the blue box?": 40,
    "how many degrees are the sides of the blue box turned from the sides of the green cylinder?": 30,
    "How many degrees is the long axis of the green cylinder turned from the left-right direction?": 70,
}
YES_NO = {
    "is the green cylinder lying on its side?": True,
    "is the red cylinder lying down?": False,
    "is the red can standing upright?": True,
    "are the green cylinder and the blue box parallel?": False,
    "is the green cylinder perpendicular to the red cylinder?": True,
    "are the sides of the green cylinder aligned with the sides of the yellow cube": True,
    "does the long axis of the green can run more from left to right than from front to back?": False,
    "is the blue box tilted?": False,
    "is the red cylinder steeper than the green cylinder?": True,
}


@pytest.mark.parametrize("question", ANGLES_DEG)
def test_measures_angles(question: str) -> None:
    found = answer(bars(), question)
    assert found.unit == "deg"
    assert found.value == pytest.approx(ANGLES_DEG[question], abs=1e-5)
    assert found.program
    assert found.object_ids


@pytest.mark.parametrize("question", YES_NO)
def test_says_yes_or_no_about_angles(question: str) -> None:
    found = answer(bars(), question)
    assert found.value == float(YES_NO[question])
    assert found.text.startswith("Yes" if YES_NO[question] else "No")


def test_an_angle_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(UndefinedAngleError, match="no long axis"):
        answer(bars(), "what is the angle between the yellow cube and the blue box")


def then_and_now() -> tuple[Scene, Scene]:
    """The large red cube goes 10 cm to the viewer's left, the box turns by 30 degrees, the ball goes, a can comes."""
    before = five_blocks()
    after = make_scene(
        make_object("o1", "red", "cube", (0.05, 0.05, 0.05), (0.50, -0.30), name="large red cube"),
        make_object("o2", "blue", "box", (0.10, 0.07, 0.06), (0.55, 0.05), yaw_rad=np.deg2rad(30.0)),
        make_object("o3", "green", "cylinder", (0.05, 0.05, 0.09), (0.45, 0.22)),
        make_object("o4", "red", "cube", (0.03, 0.03, 0.03), (0.42, -0.02), name="small red cube"),
        make_object("o5", "purple", "cylinder", (0.05, 0.05, 0.05), (0.7, 0.2)),
    )
    return before, after


CHANGES = {
    "how far did the large red cube move?": (0.10, "m"),
    "By how many degrees was the blue box turned?": (30, "deg"),
    "has the large red cube been moved?": (1, "bool"),
    "did the large red cube move to the left?": (1, "bool"),
    "did the large red cube move to the right?": (0, "bool"),
    "did the large red cube move towards the viewer": (0, "bool"),
    "did the green cylinder move?": (0, "bool"),
    "was the blue box turned?": (1, "bool"),
    "is the yellow ball gone?": (1, "bool"),
    "is the green can still there?": (1, "bool"),
    "is the purple cylinder new?": (1, "bool"),
    "has the green cylinder been added?": (0, "bool"),
    "how many objects have vanished?": (1, "count"),
    "how many objects have been moved?": (1, "count"),
    "has anything appeared?": (1, "bool"),
    "did the large red cube come closer to the blue box?": (0, "bool"),
    "how much closer did the large red cube come to the green cylinder?": (-0.0994, "m"),
    "what changed?": (4, "count"),
    "in the first image, how many cubes are there?": (2, "count"),
    "how far was the ball from the blue box before?": (np.linalg.norm([0.10, 0.15, 0.005]), "m"),
}


@pytest.mark.parametrize("question", CHANGES)
def test_tells_what_changed(question: str) -> None:
    before, after = then_and_now()
    found = answer(after, question, before)
    value, unit = CHANGES[question]
    assert found.unit == unit
    assert found.value == pytest.approx(value, abs=1e-3)


def test_questions_about_changes_need_an_earlier_scene() -> None:
    with pytest.raises(NotUnderstoodError, match="earlier scene"):
        answer(five_blocks(), "what moved?")


def test_what_is_in_one_scene_only_did_not_move_but_is_named() -> None:
    before, after = then_and_now()
    with pytest.raises(UnknownNameError, match="not seen any more"):
        answer(after, "how far did the yellow ball move?", before)
    with pytest.raises(UnknownNameError, match="new"):
        answer(after, "how far did the purple cylinder move?", before)


def test_directions_of_the_robot_and_of_an_object() -> None:
    scene = five_blocks()
    assert answer(scene, "is the ball left of the green can?").value == 1.0
    flipped = answer(scene, "is the ball left of the green can from the robot's point of view?")
    assert (flipped.value, flipped.frame) == (0.0, "object:robot")
    own = answer(scene, "is the ball left of the green can in the frame of the blue box?")
    assert (own.value, own.frame) == (0.0, "object:o2")
    assert answer(scene, "is the ball left of the green can from the viewer's perspective?").value == 1.0


def test_offsets_have_a_direction() -> None:
    scene = five_blocks()
    found = answer(scene, "how far to the left of the green can is the ball?")
    assert (found.value, found.unit, found.frame) == (pytest.approx(0.32), "m", "viewer")
    assert answer(scene, "how far in front of the green can is the ball?").value == pytest.approx(0.20)
    assert answer(scene, "how far is the ball behind the green can?").value == pytest.approx(-0.20)


def test_a_place_in_a_name_is_no_direction() -> None:
    scene = make_scene(
        make_object("o1", "red", "cube", at=(0.5, -0.2), name="left red cube"),
        make_object("o2", "red", "cube", at=(0.5, 0.2), name="right red cube"),
        make_object("o3", "blue", "box", (0.1, 0.07, 0.06), at=(0.5, 0.0)),
    )
    assert answer(scene, "how far is the blue box from the right red cube?").value == pytest.approx(
        0.2, abs=0.01
    )
    assert answer(scene, "is the left red cube on the right red cube?").value == 0.0
