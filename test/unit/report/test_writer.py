# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: complete, readable again, escaped, and honest about what is missing."""

from __future__ import annotations

import dataclasses
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import CandidateFailure, Plan, PlanFailure
from spatialpin_ros.report import RunRecord, write_report
from spatialpin_ros.report.images import animation
from spatialpin_ros.scene import Scene
from spatialpin_ros.serialization import load

VOID = {"meta", "img", "br", "link", "hr"}


class Page(HTMLParser):
    """Collects references and text, and fails on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def page_of(folder: Path) -> Page:
    return Page((folder / "index.html").read_text())


def test_every_reference_is_relative_and_exists(run: RunRecord, tmp_path: Path) -> None:
    write_report(tmp_path, run)
    references = page_of(tmp_path).references
    assert {"camera.png", "execution.gif", "top_view.svg", "plan.json"} <= set(references)
    for reference in references:
        assert "://" not in reference
        assert (tmp_path / reference).is_file(), reference


def test_nouns_read_back(run: RunRecord, tmp_path: Path) -> None:
    write_report(tmp_path, run)
    assert load(Scene, tmp_path / "scene.json").names == ("red cube", "blue block")
    plan = load(Plan, tmp_path / "plan.json")
    assert run.plan is not None
    np.testing.assert_array_equal(plan.waypoints, run.plan.waypoints)
    assert load(Outcome, tmp_path / "outcome.json").level == "stacked"
    told = json.loads((tmp_path / "summary.json").read_text())
    assert told["succeeded"] is True
    assert told["timings_s"] == {"capture": 0.05, "planning": 0.31}


def test_text_from_outside_is_escaped(run: RunRecord, tmp_path: Path) -> None:
    write_report(tmp_path, dataclasses.replace(run, request="<script>alert('x')</script> & more"))
    assert "<script" not in (tmp_path / "index.html").read_text()
    assert "<script>alert('x')</script> & more" in page_of(tmp_path).text


def test_a_plan_failure_is_reported_with_its_candidates(run: RunRecord, tmp_path: Path) -> None:
    candidate = CandidateFailure("grasp 3", "approach", "ik", "elbow out of limits")
    failure = PlanFailure("no_grasp", "approach", "No grasp of the red cube is reachable.", (candidate,))
    failed = dataclasses.replace(
        run, plan=None, outcome=None, plan_failure=failure, video=(), joints=None, events=(), image_after=None
    )
    write_report(tmp_path, failed)
    page = page_of(tmp_path)
    for expected in (
        "not planned: no_grasp",
        "No grasp of the red cube is reachable.",
        "elbow out of limits",
    ):
        assert expected in page.text
    assert "execution.gif" not in page.references
    assert not (tmp_path / "plan.json").exists()
    assert load(PlanFailure, tmp_path / "plan_failure.json").candidates == (candidate,)


def test_a_run_that_never_saw_anything_still_gets_a_page(tmp_path: Path) -> None:
    write_report(tmp_path, RunRecord("Demo", "2026-01-02", error="The simulator died: see its log."))
    page = page_of(tmp_path)
    assert "stopped early" in page.text
    assert "The simulator died: see its log." in page.text


def test_one_picture_per_stage(run: RunRecord, tmp_path: Path) -> None:
    write_report(tmp_path, run)
    assert sorted(path.name for path in (tmp_path / "stages").iterdir()) == [
        "01_approach.png", "02_grasp.png", "03_transfer.png",
    ]  # fmt: skip


def test_logs_are_copied_and_missing_ones_are_not_linked(run: RunRecord, tmp_path: Path) -> None:
    (tmp_path / "scene.txt").write_text("hello")
    logs = {"scene": tmp_path / "scene.txt", "planner": tmp_path / "absent.txt"}
    write_report(tmp_path / "out", dataclasses.replace(run, logs=logs))
    assert (tmp_path / "out/logs/scene.log").read_text() == "hello"
    assert "logs/planner.log" not in page_of(tmp_path / "out").references


def test_an_unwritable_folder_is_named(run: RunRecord, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidValueError, match="file"):
        write_report(tmp_path / "file" / "inside", run)


def test_the_animation_keeps_the_limit_and_its_length(run: RunRecord) -> None:
    full = animation(run.video, run.events)
    limit = len(full) // 3
    small = animation(run.video, run.events, limit)
    assert len(small) <= limit < len(full)
    with Image.open(io.BytesIO(full)) as gif:
        assert gif.n_frames == len(run.video)
