# SPDX-License-Identifier: Apache-2.0
"""The flow on a workcell that obeys: what is chosen, what is tried, and what the record says in the end."""

from __future__ import annotations

from typing import Any

from spatialpin_ros.demo.flow import RunOptions, run_once
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import PlanFailure


def test_a_stack_is_preferred_and_carried_out(cell: Any, paper: Any) -> None:
    run = run_once(cell, RunOptions(seed=5, objects=3), paper.account)
    assert cell.calls == ["randomize 5 3", "capture", "propose", "plan t2", "execute t2"]
    assert run.succeeded
    assert run.verdict == "stacked"
    assert [event.name for event in run.events] == ["approach", "grasp", "home"]
    assert [event.duration_s for event in run.events] == [1.0, 1.0, 1.5]
    assert [timing.name for timing in run.timings] == ["randomise", "look", "propose", "plan", "execute"]


def test_the_next_proposal_is_tried_when_one_cannot_be_planned(cell: Any, paper: Any) -> None:
    cell.failures["t2"] = PlanFailure("no_grasp", "approach", "it is too wide")
    run = run_once(cell, RunOptions(), paper.account)
    assert "execute t1" in cell.calls
    assert any("it is too wide" in line for line in run.rejected)
    assert "no_grasp: it is too wide" in paper.text


def test_a_request_is_never_replaced_by_another_task(cell: Any, paper: Any) -> None:
    cell.failures["asked"] = PlanFailure("ik", "grasp", "out of reach")
    run = run_once(cell, RunOptions(request="stack the red cube"), paper.account)
    assert not any(call.startswith("execute") for call in cell.calls)
    assert run.plan_failure is cell.failures["asked"]
    assert run.verdict == "not planned: ik"
    assert not run.succeeded


def test_an_unknown_name_ends_the_run_with_its_sentence(cell: Any, paper: Any) -> None:
    run = run_once(cell, RunOptions(request="green ball"), paper.account)
    assert run.error == "no object called 'green ball'; there is: red cube, blue cube"
    assert run.verdict == "stopped early"
    assert run.scene is cell.scene


def test_no_proposals_end_the_run_with_what_was_dropped(cell: Any, paper: Any) -> None:
    cell.proposals = ()
    run = run_once(cell, RunOptions(), paper.account)
    assert "no room on o1" in run.error


def test_a_failed_outcome_is_a_failed_run(cell: Any, paper: Any) -> None:
    cell.outcome = Outcome("t2", "failed", "picked", "dropped", "It fell.")
    run = run_once(cell, RunOptions(), paper.account)
    assert not run.succeeded
    assert run.verdict == "failed: dropped"
    assert run.explanation == "It fell."


def test_without_a_seed_the_table_is_left_alone(cell: Any, paper: Any) -> None:
    run_once(cell, RunOptions(), paper.account)
    assert not any(call.startswith("randomize") for call in cell.calls)
