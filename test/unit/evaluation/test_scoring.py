# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from spatialpin_ros.evaluation.scoring import best_constant, best_word, score, share, summarise, wilson
from spatialpin_ros.spatial_qa.question import Question


def question(kind: str = "number", truth: float = 0.2, seed: int = 0, **changes: Any) -> Question:
    fields: dict[str, Any] = {
        "id": "q", "seed": seed, "task": "IaOR", "kind": kind, "program": "p", "operands": (), "frame": "gravity",
        "text": "?", "names": ("red cube",), "truth": truth, "dimension": "length" if kind == "number" else "count",
        "options": ("red cube", "blue box") if kind == "choice" else (),
    }  # fmt: skip
    return Question(**{**fields, **changes})


@pytest.mark.parametrize(
    ("answer", "within"),
    [
        ("20 cm", {"[0.5,2]", "[0.75,1.33]", "[0.9,1.11]"}),
        ("0.24 m", {"[0.5,2]", "[0.75,1.33]"}),
        ("35 cm", {"[0.5,2]"}),
        ("8 cm", set()),
        ("20", set()),
        ("far", set()),
    ],
)
def test_bands_of_a_number(answer: str, within: set[str]) -> None:
    assert score(question(), answer, 0.0).within == within


def test_small_errors_count_as_right_where_the_truth_is_near_zero() -> None:
    assert "[0.9,1.11]" in score(question(truth=0.0, dimension="angle"), "1.5 degrees", 0.0).within
    assert not score(question(truth=0.0, dimension="angle"), "2.5 degrees", 0.0).within
    assert "[0.9,1.11]" in score(question(truth=0.01), "1.25 cm", 0.0).within


def test_words_and_options() -> None:
    assert score(question("yes_no", 1.0), "Yes, it is.", 0.0).right
    assert not score(question("yes_no", 1.0), "It is hard to say.", 0.0).right
    assert score(question("choice", 1.0), "The blue box is taller than the red cube.", 0.0).right


def test_a_failed_answer_is_wrong_whatever_its_text() -> None:
    scored = score(question("yes_no", 0.0), "UnknownNameError: no such object", 0.0, failed=True)
    assert (scored.right, scored.value, scored.status) == (False, None, "failed")


def test_intervals_are_wider_where_misses_come_from_few_scenes() -> None:
    spread = [score(question("yes_no", 1.0, seed=i), "no" if i % 5 == 0 else "yes", 0.0) for i in range(100)]
    clustered = [
        score(question("yes_no", 1.0, seed=i // 10), "no" if i < 20 else "yes", 0.0) for i in range(100)
    ]
    one, other = share(spread, lambda s: s.right, 0.5), share(clustered, lambda s: s.right, 0.5)
    assert one.value == other.value == 0.8
    assert other.high - other.low > one.high - one.low


def test_wilson_matches_a_published_value() -> None:
    assert wilson(18, 50) == pytest.approx((0.2414, 0.4986), abs=1e-3)


def test_best_constant_guesses() -> None:
    group = [question(truth=truth) for truth in (0.10, 0.105, 0.2, 0.4)]
    assert best_constant(group, "[0.9,1.11]") == 0.5
    assert best_constant(group, "[0.5,2]") == 1.0
    assert best_word([question("yes_no", truth) for truth in (1.0, 1.0, 0.0)]) == pytest.approx(2 / 3)


def test_summary_counts_false_positives_among_the_noes() -> None:
    answers = [("yes", 0.0), ("no", 0.0), ("yes", 1.0), ("no", 1.0)]
    scored = [score(question("yes_no", truth, seed=i), text, 0.0) for i, (text, truth) in enumerate(answers)]
    scored += [score(question(seed=9), "22 cm", 0.0), score(question(seed=9), "?", 0.0)]
    found = summarise(scored)
    assert (found.qualitative.value, found.false_positives.value, found.numbers.value) == (0.5, 0.5, 0.5)
    assert found.bands["[0.9,1.11]"].hits == 1
