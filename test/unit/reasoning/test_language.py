# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import five_blocks, make_object, make_scene, stacked

from spatialpin_ros.errors import (
    AmbiguousNameError,
    InfeasibleTaskError,
    NotUnderstoodError,
    SpatialPinError,
    UnknownNameError,
)
from spatialpin_ros.geometry import Pose
from spatialpin_ros.reasoning import Abilities, polygons, words
from spatialpin_ros.reasoning.feasibility import check_task
from spatialpin_ros.reasoning.language import understand
from spatialpin_ros.relations import viewer_frame

# o1 large red cube, o2 blue box, o3 green cylinder, o4 yellow ball, o5 small red cube
STACKINGS = {
    "stack the large red cube on the blue box": "o1>o2",
    "Stack the large red cube on the blue box.": "o1>o2",
    "put the small red cube on the largest block": "o5>o2",
    "put the smallest cube on the biggest cube": "o5>o1",
    "place the green can atop the blue brick": "o3>o2",
    "put the tube onto the blue box": "o3>o2",
    "could you please put the leftmost cube onto the blue block?": "o1>o2",
    "I want you to move the small red cube on top of the green cylinder": "o5>o3",
    "i want the green can on top of the blue box": "o3>o2",
    "I'd like the small red cube on the blue box": "o5>o2",
    "the small red cube on the large red cube": "o5>o1",
    "set the cube left of the blue box on the blue box": "o1>o2",
    "put o5 on o2": "o5>o2",
    "put O3 on O2 please": "o3>o2",
    "stack the tallest object on the blue box": "o3>o2",
    "put the object closest to the robot on the blue box": "o5>o2",
    "put the cube nearest to the camera on the blue box": "o1>o2",
    "put the cube farthest from the ball on the blue box": "o5>o2",
    "put the second largest block on the largest block": "o1>o2",
    "put the green one on the blue one": "o3>o2",
    "put the rightmost object on the widest object": "o3>o2",
    "put the cube on the left on the blue box": "o1>o2",
    "pick up the green cylinder and put it on the blue box": "o3>o2",
    "take the small red cube and place it on the can": "o5>o3",
    "grab the large red cube, then put it on the blue block": "o1>o2",
    "place the large red cube above the blue box": "o1>o2",
    "lift the large red cube onto the blue box": "o1>o2",
    "put the large red cube on top of the blue box then the green can on the large red cube": "o1>o2 o3>o1",
    "stack the large red cube on the blue box and the small red cube on the large red cube": "o1>o2 o5>o1",
    "first put the large red cube on the blue box, then put the small red cube on it": "o1>o2 o5>o1",
    "put the large red cube on the blue box; put the green cylinder on the large red cube": "o1>o2 o3>o1",
    "build a tower of the blue box, the large red cube and the small red cube": "o1>o2 o5>o1",
    "make a stack out of the small red cube and the blue box": "o5>o2",
    "stack all the cubes": "o5>o1",
    "stack the cubes on the blue box": "o1>o2 o5>o1",
    "pile up the two red cubes": "o5>o1",
    "stack the blue box and the large red cube on each other": "o1>o2",
    "hey robot, go ahead and put the green cylinder on the blue box": "o3>o2",
    "balance the small red cube upon the large red cube": "o5>o1",
}

# The side of the start (or of a reference) on which the area lies, in right / front components: sign, or 0 for any.
PLACINGS = {
    "clear the green one to the left of the table": ("o3", "table", -1, 0),
    "put the ball on the right side": ("o4", "table", 1, 0),
    "put the ball on the left": ("o4", "table", -1, 0),
    "move the blue box to the front of the table": ("o2", "table", 0, 1),
    "put the green cylinder at the back of the table": ("o3", "table", 0, -1),
    "move the green cylinder to the right": ("o3", "o3", 1, 0),
    "move the green cylinder 10 cm to the left": ("o3", "o3", -1, 0),
    "shift the green cylinder left by 8 cm": ("o3", "o3", -1, 0),
    "slide the small red cube back": ("o5", "o5", 0, -1),
    "push the small red cube 6cm forward": ("o5", "o5", 0, 1),
    "put the ball left of the blue box": ("o4", "o2", -1, 0),
    "put the small red cube to the left of the blue box": ("o5", "o2", -1, 0),
    "place the small red cube right of the ball": ("o5", "o4", 1, 0),
    "put the green cylinder in front of the blue box": ("o3", "o2", 0, 1),
    "put the green cylinder behind the large red cube": ("o3", "o1", 0, -1),
    "take the large red cube and place it behind the ball": ("o1", "o4", 0, -1),
    "put the ball next to the blue block": ("o4", "o2", 0, 0),
    "put the ball beside the can": ("o4", "o3", 0, 0),
    "put the ball near the large red cube": ("o4", "o1", 0, 0),
    "put the tallest object in the middle of the table": ("o3", "", 0, 0),
    "put the ball between the green cylinder and the large red cube": ("o4", "", 0, 0),
    "move the ball away from the blue box": ("o4", "", 0, 0),
    "remove the ball": ("o4", "", 0, 0),
    "get rid of the yellow sphere": ("o4", "", 0, 0),
    "move the blue box out of the way": ("o2", "", 0, 0),
    "put the ball closer to the robot": ("o4", "o4", 0, -1),
    "move the small red cube towards the camera": ("o5", "o5", 0, 1),
    "put the small red cube 5 cm left of the blue box": ("o5", "o2", -1, 0),
    "move the blue box somewhere else": ("o2", "", 0, 0),
}


@pytest.fixture
def abilities():
    return Abilities()


def placed(task):
    return " ".join(f"{step.object_id}>{step.target_id}" for step in task.steps if step.action == "place_on")


@pytest.mark.parametrize("request_text", STACKINGS)
def test_stackings_in_many_words(request_text, abilities):
    scene = five_blocks()
    task = understand(scene, abilities, request_text)
    assert placed(task) == STACKINGS[request_text]
    assert task.request == request_text
    assert check_task(scene, task, abilities).ok


@pytest.mark.parametrize("request_text", PLACINGS)
def test_placings_in_many_words(request_text, abilities):
    scene = five_blocks()
    moved, reference, right, front = PLACINGS[request_text]
    task = understand(scene, abilities, request_text)
    step = task.steps[-1]
    assert (step.action, step.object_id, step.target_id) == ("place_in_area", moved, "table")
    assert polygons.area(step.area) > 1e-5, "the area must be counter-clockwise and not empty"
    distances = np.linalg.norm(step.area, axis=1)
    assert distances.max() <= abilities.reach_max_m + 1e-6
    assert polygons.contains(scene.table.outline_base[:, :2], step.area).all()
    if reference:
        origin = (
            scene.table.outline_base.mean(axis=0) if reference == "table" else scene.object(reference).centre
        )
        corners = np.column_stack([step.area, np.full(len(step.area), origin[2])]) - origin
        components = viewer_frame(scene.base_T_camera).components(corners)
        assert right == 0 or (right * components[:, 0] > 0.0).mean() > 0.7
        assert front == 0 or (front * components[:, 1] > 0.0).mean() > 0.7
    assert check_task(scene, task, abilities).ok


def test_a_stated_distance_is_kept(abilities):
    scene = five_blocks()
    area = understand(scene, abilities, "move the green cylinder 10 cm to the left").steps[-1].area
    moved = np.array([*area.mean(axis=0), 0.0]) - scene.object("o3").centre * [1, 1, 0]
    np.testing.assert_allclose(
        viewer_frame(scene.base_T_camera).components(moved)[:2], [-0.10, 0.0], atol=0.013
    )


def test_left_is_the_viewers_so_it_flips_with_the_camera(abilities):
    scene = five_blocks()
    behind_robot = replace(scene, base_T_camera=Pose.looking_at((-0.4, 0.0, 0.8), (0.5, 0.0, 0.0)))
    text = "put the ball on the left side of the table"
    there = [understand(each, abilities, text).steps[-1].area[:, 1].mean() for each in (scene, behind_robot)]
    assert there[0] < 0.0 < there[1]
    assert "viewer" in understand(scene, abilities, text).rationale


def test_pick_only_ends_holding_the_object(abilities):
    task = understand(five_blocks(), abilities, "pick up the green cylinder")
    assert [(step.action, step.object_id) for step in task.steps] == [("pick", "o3")]


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("put the purple box on the ball", "blue box"),
        ("stack the pyramid on the blue box", "large red cube"),
        ("put the ball on the mug", "green cylinder"),
        ("put the ball left of the white can", "yellow ball"),
    ],
)
def test_unknown_names_list_what_there_is(text, listed, abilities):
    with pytest.raises(UnknownNameError, match=listed):
        understand(five_blocks(), abilities, text)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("put the cilinder on the blue box", "cylinder"),
        ("put the green cylinder on the bleu box", "blue box"),
        ("put the smal red cube on the blue box", "small red cube"),
        ("put the yelow ball next to the blue box", "yellow ball"),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(text, suggestion, abilities):
    with pytest.raises(UnknownNameError) as caught:
        understand(five_blocks(), abilities, text)
    assert caught.value.suggestion == suggestion
    assert f"did you mean '{suggestion}'" in str(caught.value)


def test_an_ambiguous_name_lists_the_matches(abilities):
    with pytest.raises(AmbiguousNameError) as caught:
        understand(five_blocks(), abilities, "put the red cube on the blue box")
    assert set(caught.value.matches) == {"large red cube", "small red cube"}


def test_equal_objects_are_not_told_apart_by_size(abilities):
    twins = make_scene(
        make_object("o1", "red", at=(0.45, -0.15), name="red cube 1"),
        make_object("o2", "red", at=(0.45, 0.15), name="red cube 2"),
        make_object("o3", "blue", "box", (0.1, 0.07, 0.05), (0.6, 0.0)),
    )
    with pytest.raises(AmbiguousNameError):
        understand(twins, abilities, "put the smaller red cube on the blue box")
    assert placed(understand(twins, abilities, "put the leftmost red cube on the blue box")) == "o1>o3"


@pytest.mark.parametrize(
    "text",
    ["", "hello", "rotate the blue box", "put the blue box", "make me a sandwich", "swap the ball and the can", "dance",
     "put the ball under the blue box", "clear the table", "stack the blue box", "build a house", "put it there"],
)  # fmt: skip
def test_what_is_not_understood_says_what_is(text, abilities):
    with pytest.raises(NotUnderstoodError, match="for example"):
        understand(five_blocks(), abilities, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("put the ball on the blue box", "round_base"),
        ("put the large red cube on the ball", "round_top"),
        ("put the blue box on the small red cube", "top_too_small"),
        ("put the small red cube in the blue box", "not_a_container"),
        ("put the ball left of the ball", "same_object"),
        ("move the ball 60 cm to the left", "no_free_place"),
    ],
)
def test_infeasible_requests_say_why(text, reason, abilities):
    with pytest.raises(InfeasibleTaskError) as caught:
        understand(five_blocks(), abilities, text)
    assert caught.value.reason == reason
    assert len(str(caught.value)) > 20


def test_too_wide_and_out_of_reach_are_named(abilities):
    scene = make_scene(
        make_object("o1", "blue", "box", (0.12, 0.1, 0.05), (0.5, 0.0)),
        make_object("o2", "red", at=(0.84, 0.2)),
        make_object("o3", "green", at=(0.4, -0.2)),
    )
    with pytest.raises(InfeasibleTaskError, match="too wide") as caught:
        understand(scene, abilities, "put the blue box on the green cube")
    assert caught.value.reason == "too_wide"
    with pytest.raises(InfeasibleTaskError, match="too far") as caught:
        understand(scene, abilities, "put the red cube on the blue box")
    assert caught.value.reason == "out_of_reach"


def carrying_scene():
    box = make_object("o1", "blue", "box", (0.07, 0.07, 0.05), (0.5, 0.1))
    cube = stacked(make_object("o2", "red"), box)
    return make_scene(box, cube, make_object("o3", "green", "box", (0.09, 0.09, 0.04), (0.5, -0.15)))


def test_what_an_object_carries_is_cleared_first(abilities):
    scene = carrying_scene()
    task = understand(scene, abilities, "put the blue box on the green box")
    assert [(step.action, step.object_id, step.target_id) for step in task.steps] == [
        ("pick", "o2", ""),
        ("place_in_area", "o2", "table"),
        ("pick", "o1", ""),
        ("place_on", "o1", "o3"),
    ]
    assert "cleared first" in task.rationale
    assert check_task(scene, task, abilities).ok


def test_clearing_a_loaded_object_takes_its_load_away(abilities):
    task = understand(carrying_scene(), abilities, "clear the blue box")
    assert task.object_ids == ("o2",)


def test_what_is_already_there_is_said(abilities):
    with pytest.raises(InfeasibleTaskError, match="already on") as caught:
        understand(carrying_scene(), abilities, "put the red cube on the blue box")
    assert caught.value.reason == "already_there"


def test_an_object_can_be_named_by_what_it_stands_on(abilities):
    scene = make_scene(*carrying_scene().objects, make_object("o4", "red", at=(0.4, 0.25), name="red cube 2"))
    task = understand(scene, abilities, "put the red cube on the blue box on the green box")
    assert placed(task) == "o2>o3"


def test_too_high_a_load_is_refused(abilities):
    low = make_object("o1", "blue", "box", (0.07, 0.07, 0.04), (0.5, 0.0))
    objects = [low]
    for i, color in enumerate(("red", "green", "yellow")):
        objects.append(stacked(make_object(f"o{i + 2}", color, size=(0.05, 0.05, 0.03)), objects[-1]))
    target = make_object("o9", "white", "box", (0.1, 0.1, 0.03), (0.5, 0.25))
    with pytest.raises(InfeasibleTaskError) as caught:
        understand(make_scene(*objects, target), abilities, "put the blue box on the white box")
    assert caught.value.reason == "carries_something"


def test_an_empty_table_has_nothing_to_name(abilities):
    with pytest.raises(UnknownNameError, match="nothing"):
        understand(make_scene(), abilities, "put the red cube on the blue box")


def test_the_same_request_gives_the_same_task(abilities):
    scene = five_blocks()
    first, second = (understand(scene, abilities, "put the ball next to the can") for _ in range(2))
    assert first.to_dict() == second.to_dict()
    later = replace(scene, stamp_s=1.0)
    assert understand(later, abilities, "put the ball next to the can").id != first.id


def placed_names_scene():
    return make_scene(
        make_object("o1", "red", at=(0.5, -0.2), name="left red cube"),
        make_object("o2", "red", at=(0.5, 0.2), name="right red cube"),
        make_object("o3", "grey", "box", (0.1, 0.07, 0.05), (0.6, 0.0)),
        make_object("o4", "green", "block", (0.03, 0.06, 0.05), (0.4, -0.05), name="green block 1"),
        make_object("o5", "green", "block", (0.03, 0.06, 0.05), (0.4, 0.1), name="green block 2"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("put the left red cube on the gray box", "o1>o3"),
        ("put the grey box on the left red cube", "o3>o1"),
        ("put the left cube on the right cube", "o1>o2"),
        ("put green block 1 on green block 2", "o4>o5"),
        ("put the right green block on the box", "o5>o3"),
        ("put the red cube on the left on the box", "o1>o3"),
        ("put the second green block from the left on the box", "o5>o3"),
        ("put the left red cube on the other red cube", "o1>o2"),
    ],
)
def test_objects_named_by_their_place(text, expected, abilities):
    assert placed(understand(placed_names_scene(), abilities, text)) == expected


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("move the small red cube a bit to the left", ("o5",)),
        ("place the cylinder between the two red cubes", ("o3",)),
        ("put the large red cube and the small red cube on the left side of the table", ("o1", "o5")),
        ("put all red objects on the right side of the table", ("o1", "o5")),
        ("move the ball 2 inches to the right of the blue box", ("o4",)),
    ],
)
def test_lists_pairs_and_small_words(text, moved, abilities):
    task = understand(five_blocks(), abilities, text)
    assert task.object_ids == moved
    assert task.steps[-1].action == "place_in_area"


def test_everything_off_an_object_unloads_it(abilities):
    assert understand(carrying_scene(), abilities, "clear everything off the blue box").object_ids == ("o2",)


def test_random_words_never_escape_the_error_tree(abilities):
    rng = np.random.default_rng(7)
    verbs = {
        "put",
        "stack",
        "move",
        "clear",
        "the",
        "of",
        "on",
        "left",
        "to",
        "in",
        "next",
        ",",
        "and",
        "10",
        "cm",
    }
    vocabulary = sorted(words.VOCABULARY | verbs)
    scene = five_blocks()
    for _ in range(400):
        text = " ".join(["put", *rng.choice(vocabulary, int(rng.integers(1, 9)))])
        try:
            task = understand(scene, abilities, text)
        except SpatialPinError:
            continue
        assert check_task(scene, task, abilities).ok, text


@pytest.mark.parametrize("text", ["move the ball -5 cm to the left", "move the ball \u22125 cm to the left"])
def test_a_negative_distance_is_not_taken_for_its_opposite(text, abilities):
    with pytest.raises(NotUnderstoodError, match="opposite direction"):
        understand(five_blocks(), abilities, text)


def test_a_move_beyond_the_table_is_infeasible(abilities):
    with pytest.raises(InfeasibleTaskError, match="at most 1 m"):
        understand(five_blocks(), abilities, "move the ball 500 m to the left")


@pytest.mark.parametrize("text", ["put the ball on " * 1000, "put the ball on the blue box and " * 500])
def test_an_endless_request_is_declined_at_once(text, abilities):
    with pytest.raises(NotUnderstoodError, match="at most 1000") as refused:
        understand(five_blocks(), abilities, text)
    assert len(str(refused.value)) < 300
