# SPDX-License-Identifier: Apache-2.0
"""The account when piped: no control codes, 80 columns, one line per step and stage."""

from __future__ import annotations

from typing import Any

import pytest

from spatialpin_ros.demo.flow import RunOptions, run_once
from spatialpin_ros.demo.workcell import Progress


def test_piped_text_is_plain_and_fits(cell: Any, paper: Any) -> None:
    run = run_once(cell, RunOptions(seed=1), paper.account)
    paper.account.verdict(run.succeeded, run.verdict, "a long explanation " * 12)
    assert "\x1b" not in paper.text
    assert "\r" not in paper.text
    assert max(len(line) for line in paper.text.splitlines()) <= 80
    assert paper.text.count("approach") == 1


def test_a_stage_lasts_until_the_next_begins(paper: Any) -> None:
    with paper.account.execution() as lines:
        lines.update(Progress("approach", 0.0, "go", 5.0))
        lines.update(Progress("approach", 0.4, "go", 6.0))
        lines.update(Progress("grasp", 0.5, "close", 7.5))
        lines.update(Progress("verify", 0.9, "look", 8.0))
        lines.update(Progress("verify", 1.0, "it stands", 8.5))
    lines_of = [line.split()[:4] for line in paper.text.splitlines()]
    assert [words[1:3] for words in lines_of] == [["approach", "2.5"], ["grasp", "0.5"], ["verify", "0.5"]]
    assert "it stands" not in paper.text, "the verdict says so right after"


def test_a_step_that_fails_is_marked_and_the_error_passes_on(paper: Any) -> None:
    with pytest.raises(ZeroDivisionError), paper.account.step("plan"):
        raise ZeroDivisionError
    assert paper.text.split()[:2] == ["✗", "plan"]


def test_square_brackets_in_texts_are_not_taken_for_markup(paper: Any) -> None:
    with paper.account.step("look") as step:
        step.note = "sizes [mm] and [bold]names[/bold]"
    assert "sizes [mm] and [bold]names[/bold]" in paper.text
