# SPDX-License-Identifier: Apache-2.0
"""The benchmark end to end on two rendered pairs, and its report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pybullet")

from spatialpin_ros.angles import elevation, rests_flat
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.evaluation import vqa_report
from spatialpin_ros.evaluation.exam import PROGRAMS, subjects
from spatialpin_ros.evaluation.layouts import change_layout, draw_layout
from spatialpin_ros.evaluation.views import Studio, ViewOptions
from spatialpin_ros.evaluation.vqa import BenchmarkOptions, Outcome, ask, run
from spatialpin_ros.obb import obb_overlap
from spatialpin_ros.reasoning import Message, Reply, create_backend
from spatialpin_ros.reasoning.backends.prompted import PromptedBackend
from spatialpin_ros.reasoning.protocol import Schema

SMALL = {"IaOR": (10, 8), "IaAD": (4, 4), "IrSD": (4, 4)}


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    options = BenchmarkOptions(scenes=2, seed=0, jobs=1, counts=SMALL)  # type: ignore[arg-type]
    return run(create_backend("symbolic"), options)


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    made = Studio(ViewOptions(width=160, height=120, min_pixels=16))
    yield made
    made.close()


def test_layouts_do_not_overlap_and_repeat() -> None:
    for seed in range(20):
        specs = draw_layout(seed)
        assert [spec.id for spec in specs] == [spec.id for spec in draw_layout(seed)]
        for layout in (specs, change_layout(specs, seed)):
            boxes = [spec.box for spec in layout]
            assert len({spec.id for spec in layout}) == len(layout)
            assert not any(obb_overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_what_leans_rests_and_is_asked_about(studio: Studio) -> None:
    """Physics keeps it where it was drawn, on its foot and the edge of a block, and its inclination is a question."""
    angles = {"elevation": set(), "leans": set()}  # type: ignore[var-annotated]
    for seed in range(12):
        pair = studio.pair(seed)
        assert pair is not None
        leaning = [item for item in pair.before.truth.objects if not rests_flat(item)]
        for item in leaning:
            assert item.supported_by == "table"
            assert item.box.bottom_z == pytest.approx(0.0, abs=0.002)
            assert 15.0 < np.degrees(elevation(item, pair.before.truth)) < 68.0
        subject, _ = subjects(pair)
        for program in PROGRAMS:
            if program.name in angles:
                angles[program.name] |= {draft.truth for draft in program.drafts(subject)}
            if program.name in ("height", "width", "taller"):
                asked = {key for draft in program.drafts(subject) for key in draft.operands}
                assert not asked & {item.id for item in leaning}
    assert angles["leans"] == {0.0, 1.0}
    assert len(angles["elevation"]) > 1


def test_a_seed_renders_the_same_pair(studio: Studio) -> None:
    one, other = studio.pair(5), studio.pair(5)
    assert one is not None
    assert other is not None
    for a, b in ((one.before, other.before), (one.after, other.after)):
        assert np.array_equal(a.frame.color, b.frame.color)
        assert a.askable == b.askable
        assert all(
            np.allclose(x.centre, y.centre) for x, y in zip(a.truth.objects, b.truth.objects, strict=True)
        )


def test_truth_does_not_reach_the_answers(outcome: Outcome) -> None:
    for item in outcome.pairs:
        assert item.before is not None
        assert not {o.id for o in item.before.objects} & {o.id for o in item.pair.before.truth.objects}
        assert any(
            not np.allclose(seen.centre, true.centre, atol=1e-6)
            for seen, true in zip(item.before.objects, item.pair.before.truth.objects, strict=False)
        )


def test_most_answers_are_right(outcome: Outcome) -> None:
    assert len(outcome.scored) == sum(a + b for a, b in SMALL.values())
    assert np.mean([vqa_report.hit(item) for item in outcome.scored]) > 0.85


def test_writes_json_and_a_page(outcome: Outcome, tmp_path: Path) -> None:
    facts = {"backend": "symbolic", "priors": "-", "seed": 0, "scenes": 2}
    facts |= dict.fromkeys(("date", "command", "machine_line"), "")
    page = vqa_report.write(tmp_path, outcome, facts).read_text()
    assert "Spatial question answering by symbolic" in page
    result = json.loads((tmp_path / "result.json").read_text())
    assert len(result["questions"]) == len(outcome.scored)
    assert set(result["tasks"]) == {"IaOR", "IaAD", "IrSD"}
    assert result["tasks"]["IaOR"]["within"]["[0.9,1.11]"]["count"] == 8
    assert all(entry["definition"] for entry in result["programs"].values())
    assert set(result["views"]) <= {"horizontal", "top-down"}
    rows = (tmp_path / "table.md").read_text().splitlines()
    assert rows[0] == "| % of answers | IaOR | IaAD | IrSD |"
    assert all(row.count("|") == rows[0].count("|") for row in rows[1:9])
    assert "guess" in rows[2]
    assert (tmp_path / "looks.jpg").stat().st_size > 10_000


class Parrot:
    """A language model that always says the same and remembers what it was asked."""

    name = "parrot"

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def complete(self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema) -> Reply:
        self.asked.append((messages[-1].text, len(images)))
        reply = {"reasoning": "", "answer": "Yes, 20 cm.", "value": 0.2, "unit": "m", "object_ids": []}
        return Reply(reply, json.dumps(reply))

    def close(self) -> None:
        return None


@pytest.mark.parametrize("priors", ["none", "direct"])
def test_a_language_model_is_shown_the_images_and_read_by_its_words(outcome: Outcome, priors: str) -> None:
    parrot = Parrot()
    backend = PromptedBackend("parrot", parrot, priors=priors)
    questions = [item.question for item in outcome.scored]
    seen = {item.pair.seed: item for item in outcome.pairs}
    scored = [ask(backend, question, seen[question.seed]) for question in questions]
    assert all(item.status != "failed" for item in scored), [
        item.text for item in scored if item.status == "failed"
    ]
    assert all(item.value == 1.0 for item in scored if item.question.kind == "yes_no")
    lengths = [
        item for item in scored if item.question.kind == "number" and item.question.dimension == "length"
    ]
    assert all(item.value == pytest.approx(0.2) for item in lengths)
    changes = [
        asked for asked, question in zip(parrot.asked, questions, strict=True) if question.task == "IrSD"
    ]
    others = [
        asked for asked, question in zip(parrot.asked, questions, strict=True) if question.task != "IrSD"
    ]
    assert all(images == 2 for _, images in changes)
    assert all(images == 1 for _, images in others)
    assert all(("Earlier scene" in text) == (priors == "direct") for text, _ in changes)


def test_options_are_checked() -> None:
    with pytest.raises(InvalidValueError, match="scenes"):
        BenchmarkOptions(scenes=0)
