# SPDX-License-Identifier: Apache-2.0
"""`spatialpin plan` on files: a scene from standard input, and what becomes of an earlier plan."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes import five_blocks
from typer.testing import CliRunner

from spatialpin_ros.cli import app
from spatialpin_ros.plan import PlanFailure
from spatialpin_ros.serialization import load, save

runner = CliRunner()
FAILURE = PlanFailure("no_path", "transfer", "there is no way around the box")


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, object]]:
    """Scenes and tasks that were to be planned; there is never a plan."""
    from spatialpin_ros.planning import Planner

    asked: list[tuple[object, object]] = []

    def plan(_: Planner, scene: object, task: object, start: object) -> PlanFailure:
        asked.append((scene, task))
        return FAILURE

    monkeypatch.setattr(Planner, "plan", plan)
    return asked


def test_the_scene_may_come_from_standard_input(
    planned: list[tuple[object, object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scene = save(five_blocks(), tmp_path / "scene.json").read_text()
    request = ["-r", "stack the small red cube on the blue box"]
    result = runner.invoke(app, ["plan", "-", *request], input=scene)
    assert "no plan (no_path)" in result.stderr, result.output
    assert len(planned) == 1


def test_a_failure_leaves_an_earlier_plan_alone_and_says_so(
    planned: list[tuple[object, object]], tmp_path: Path
) -> None:
    scene, out = save(five_blocks(), tmp_path / "scene.json"), tmp_path / "plan.json"
    command = ["plan", str(scene), "-r", "put the green cylinder on the blue box", "-o", str(out)]
    first = runner.invoke(app, command)
    assert first.exit_code == 1
    assert load(PlanFailure, tmp_path / "plan_failure.json").reason == "no_path"
    assert not out.exists()
    assert "earlier plan" not in first.stderr
    out.write_text("a good one")
    again = runner.invoke(app, command)
    assert out.read_text() == "a good one"
    assert (
        f"written to {tmp_path / 'plan_failure.json'}; {out}, an earlier plan, is as it was" in again.stderr
    )


def test_a_failure_goes_to_standard_output_where_the_plan_would(
    planned: list[tuple[object, object]], tmp_path: Path
) -> None:
    scene = save(five_blocks(), tmp_path / "scene.json")
    result = runner.invoke(
        app, ["plan", str(scene), "-r", "put the green cylinder on the blue box", "-o", "-"]
    )
    assert result.exit_code == 1
    assert '"no_path"' in result.stdout


def test_two_scenes_cannot_come_from_one_standard_input(tmp_path: Path) -> None:
    result = runner.invoke(app, ["ask", "what moved?", "-", "--before", "-"], input="{}")
    assert result.exit_code == 2
    assert "only one of the scene" in result.stderr


def test_a_number_without_a_file_of_tasks_is_refused(tmp_path: Path) -> None:
    scene = save(five_blocks(), tmp_path / "scene.json")
    result = runner.invoke(app, ["plan", str(scene), "-r", "stack them", "--number", "2"])
    assert result.exit_code == 2
    assert "--task" in result.stderr
