# SPDX-License-Identifier: Apache-2.0
"""Questions made from scenes built by hand: their truths, names, balance and repeatability."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scenes import make_object, make_scene

pytest.importorskip("pybullet")

from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.evaluation.exam import COUNTS, PROGRAMS, make_exam, subjects, true_changes
from spatialpin_ros.evaluation.scoring import score
from spatialpin_ros.evaluation.views import Look, Pair
from spatialpin_ros.reasoning.questions import answer
from spatialpin_ros.scene import Scene
from spatialpin_ros.spatial_qa.question import TASKS, Question

COLORS = ("red", "green", "blue", "yellow", "orange", "purple")


def look(scene: Scene) -> Look:
    frame = CameraFrame(
        np.zeros((4, 4, 3), np.uint8),
        np.ones((4, 4), np.float32),
        Intrinsics(4, 4, 4.0, 4.0, 2.0, 2.0),
        scene.base_T_camera,
    )
    return Look(frame, scene, frozenset(item.id for item in scene.objects), True)


def pair(seed: int) -> Pair:
    """Six objects on a grid; afterwards one moved, one turned, one gone, one new."""
    rng = np.random.default_rng(seed)
    kinds = [("cube", (0.05,) * 3), ("box", (0.04, 0.055, 0.08)), ("cylinder", (0.05, 0.05, 0.09))]
    items = []
    for i, color in enumerate(rng.permutation(COLORS)):
        label, size = kinds[i % 3]
        at = (0.38 + 0.14 * (i // 3) + rng.uniform(0, 0.04), -0.25 + 0.22 * (i % 3) + rng.uniform(0, 0.06))
        turn = float(rng.uniform(-3, 3))
        items.append(
            make_object(f"t{i}", str(color), label, np.array(size) * rng.uniform(0.8, 1.2), at, yaw_rad=turn)
        )
    moved = make_object("t0", items[0].color, "cube", items[0].size, (0.66, 0.0))
    turned = make_object(
        "t1",
        items[1].color,
        "box",
        items[1].size,
        tuple(items[1].centre[:2]),
        yaw_rad=items[1].box.pose.yaw_rad + 0.5,
    )
    new = make_object("t9", "pink", "box", (0.03, 0.05, 0.09), (0.68, 0.25))
    return Pair(seed, look(make_scene(*items)), look(make_scene(moved, turned, *items[2:5], new)))


PAIRS = [pair(seed) for seed in range(40)]


@pytest.fixture(scope="module")
def exam() -> list[Question]:
    return make_exam(PAIRS, 3)


def test_the_same_seed_gives_the_same_questions(exam: list[Question]) -> None:
    assert [item.to_dict() for item in make_exam(PAIRS, 3)] == [item.to_dict() for item in exam]
    assert [item.text for item in make_exam(PAIRS, 4)] != [item.text for item in exam]
    assert Question.from_dict(exam[0].to_dict()) == exam[0]


def test_asks_as_much_as_the_benchmark_needs(exam: list[Question]) -> None:
    number = Counter((item.task, item.quantitative) for item in exam)
    for task in ("IaOR", "IrSD"):
        assert (number[task, False], number[task, True]) == COUNTS[task]
    assert {item.task for item in exam} == set(TASKS)
    assert len({item.id for item in exam}) == len(exam)


def test_yes_and_no_are_balanced_in_every_program(exam: list[Question]) -> None:
    for program in PROGRAMS:
        truths = [item.truth for item in exam if item.program == program.name and item.kind == "yes_no"]
        assert abs(2 * sum(truths) - len(truths)) <= 1


def test_every_question_is_understood_and_right_on_the_true_scene(exam: list[Question]) -> None:
    by_seed = {item.seed: item for item in PAIRS}
    for question in exam:
        shown = by_seed[question.seed]
        scene = shown.after.truth if question.task == "IrSD" else shown.before.truth
        text = answer(scene, question.text, shown.before.truth).text
        scored = score(question, text, 0.0)
        assert scored.right or "[0.9,1.11]" in scored.within, (question.text, question.truth, text)


def test_truth_of_changes_is_by_identity() -> None:
    changes = true_changes(PAIRS[0])
    assert {change.before.id for change in changes.moved} == {"t0"}
    assert {change.before.id for change in changes.turned} >= {"t1"}
    assert [item.id for item in changes.appeared] == ["t9"]
    assert [item.id for item in changes.vanished] == ["t5"]


def test_what_is_badly_seen_is_not_asked_about() -> None:
    shown = PAIRS[0]
    hidden = replace(shown.before, askable=shown.before.askable - {"t0"}, all_seen=False)
    one, _ = subjects(replace(shown, before=hidden))
    assert "t0" not in {item.id for item in one.objects}
    drafts = [draft for program in PROGRAMS if program.task == "IaOR" for draft in program.drafts(one)]
    assert not any("t0" in draft.operands for draft in drafts)
    counting = next(program for program in PROGRAMS if program.name == "count")
    assert not list(counting.drafts(one))
