# SPDX-License-Identifier: Apache-2.0
"""Where commands write: found out before the work, and kept elsewhere when it fails after it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scenes import five_blocks
from typer.testing import CliRunner

from spatialpin_ros.cli import app
from spatialpin_ros.commands import demo
from spatialpin_ros.commands.outputs import check_file, check_folder, keep, write_json
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.report import RunRecord
from spatialpin_ros.serialization import save, write_atomically

runner = CliRunner()


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept elsewhere goes where tests' files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("elsewhere")))


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A folder that nobody can make, not even root."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "folder"


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return save(five_blocks(), tmp_path / "scene.json")


def test_looking_leaves_nothing_behind(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "folder")
    check_file(tmp_path / "new" / "scene.json")
    check_file(Path("-"))
    check_file(None)
    assert not any(tmp_path.iterdir())


def test_what_cannot_be_written_is_named(nowhere: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="cannot write into .*file/folder: Not a directory; choose"):
        check_folder(nowhere)
    with pytest.raises(InvalidValueError, match="cannot write into /proc"):
        check_folder(Path("/proc/report"))
    with pytest.raises(InvalidValueError, match="it is a folder"):
        check_file(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "vqa"],
        ["demo", "--no-ros"],
        ["demo", "--ros"],
        ["capture", "--live"],
        ["propose", "--live"],
        ["ask", "how many?", "--live"],
        ["plan", "--live", "-r", "stack them"],
    ],
    ids=" ".join,
)
def test_no_work_is_done_for_an_output_that_cannot_be_written(
    command: list[str], nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("went to work")

    for place in ("commands.capture.connect", "commands.reason.connect", "commands.plan.connect",
                  "evaluation.vqa.run", "commands.demo._workcell"):  # fmt: skip
        monkeypatch.setattr(f"spatialpin_ros.{place}", work)
    result = runner.invoke(app, [*command, "-o", str(nowhere / "out")])
    assert result.exit_code == 1
    assert "error: cannot write into" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_what_cannot_be_written_after_the_work_is_kept_elsewhere(nowhere: Path) -> None:
    with pytest.raises(InvalidValueError, match="so that it is not lost it was written to") as caught:
        write_json(nowhere / "plan.json", {"a": 1})
    kept = Path(str(caught.value).split()[-1])
    assert kept.name == "plan.json"
    assert json.loads(kept.read_text()) == {"a": 1}


def test_a_folder_is_kept_whole_elsewhere(nowhere: Path) -> None:
    def write(folder: Path) -> Path:
        write_atomically(folder / "a.txt", b"a")
        write_atomically(folder / "b" / "c.txt", b"c")
        return folder

    with pytest.raises(InvalidValueError, match="written to") as caught:
        keep(nowhere, write)
    kept = Path(str(caught.value).split()[-1])
    assert {path.name for path in kept.rglob("*.txt")} == {"a.txt", "c.txt"}


def test_answers_of_a_benchmark_survive_a_disk_that_is_full_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "report"
    written = write_atomically

    def full(path: Path, data: bytes) -> None:
        if out in path.parents and path.name == "looks.jpg":
            raise InvalidValueError(f"cannot write {path}: No space left on device")
        written(path, data)

    monkeypatch.setattr("spatialpin_ros.evaluation.vqa_report.write_atomically", full)
    command = ["evaluate", "vqa", "--scenes", "1", "--share", "0.005", "--jobs", "1", "-o", str(out)]
    result = runner.invoke(app, command)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    kept = Path(result.stderr.split()[-1])
    assert json.loads((kept / "result.json").read_text())["questions"]
    assert {path.name for path in kept.iterdir()} == {"result.json", "table.md", "looks.jpg", "index.html"}
    assert "% of answers" in result.stdout


def test_a_run_whose_folder_cannot_be_written_is_kept_and_no_success(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = RunRecord(
        "Nothing", "2026-01-01T00:00:00", outcome=Outcome("task", "succeeded", "stacked", "", "It stands.")
    )

    @contextmanager
    def cell(*_: object) -> Iterator[object]:
        yield None, {}, lambda: True

    monkeypatch.setattr(demo, "check_folder", lambda _: None)
    monkeypatch.setattr(demo, "_workcell", cell)
    monkeypatch.setattr(demo, "run_once", lambda *_: done)
    result = runner.invoke(app, ["demo", "--no-ros", "--repeat", "2", "-o", str(nowhere)])
    assert result.exit_code == 1
    said = "".join(result.stdout.split())
    assert said.count("itwaswrittento") == 2
    assert "2of2" in said
