# SPDX-License-Identifier: Apache-2.0
"""The command line on files: JSON in and out, errors as one line, help that fits a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scenes import five_blocks, make_object, make_scene
from typer.testing import CliRunner

from spatialpin_ros.cli import EXAMPLES, app
from spatialpin_ros.commands.capture import read_pose
from spatialpin_ros.commands.common import joint_values, read_task
from spatialpin_ros.commands.doctor import Part, examine
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.scene import Scene
from spatialpin_ros.serialization import load, save
from spatialpin_ros.task import Task, TaskStep

runner = CliRunner()


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return save(five_blocks(), tmp_path / "scene.json")


def one_line_error(arguments: list[str]) -> str:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return lines[0]


def test_propose_writes_tasks_that_plan_reads(scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "tasks.json"
    result = runner.invoke(app, ["propose", str(scene), "-o", str(out), "--max", "4"])
    assert result.exit_code == 0, result.output
    tasks = [Task.from_dict(item) for item in json.loads(out.read_text())["tasks"]]
    assert 1 <= len(tasks) <= 4
    assert tasks[0].description in " ".join(result.stdout.split())
    assert read_task(out, len(tasks)).id == tasks[-1].id


def test_json_on_standard_output_is_nothing_but_json(scene: Path) -> None:
    result = runner.invoke(app, ["propose", str(scene), "-o", "-"])
    assert set(json.loads(result.stdout)) == {"tasks", "rejected"}


def test_a_scene_may_come_from_standard_input(scene: Path) -> None:
    result = runner.invoke(app, ["ask", "how many objects are there?", "-"], input=scene.read_text())
    assert result.exit_code == 0, result.output
    assert "5" in result.stdout or "five" in result.stdout.lower()


def test_an_answer_comes_with_value_unit_and_evidence(scene: Path) -> None:
    asked = ["ask", "how tall is the green cylinder?", str(scene)]
    shown = " ".join(runner.invoke(app, asked).stdout.split())
    assert "value 0.09 m · objects o3 · computed as height(o3) · frame gravity" in shown
    told = json.loads(runner.invoke(app, [*asked, "-o", "-"]).stdout)
    assert (told["unit"], told["object_ids"], told["program"]) == ("m", ["o3"], "height(o3)")


def test_an_unknown_name_lists_what_there_is(scene: Path) -> None:
    error = one_line_error(["plan", str(scene), "-r", "stack the purple cube on the blue box"])
    assert "purple cube" in error
    assert "blue box" in error


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "cannot read"), ("{", "cannot read"), ('{"a": 1}', "is not a Scene"), ("[]", "is not a Scene")],
)
def test_a_file_that_is_no_scene_is_one_line(tmp_path: Path, content: str | None, expected: str) -> None:
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_text(content)
    assert expected in one_line_error(["propose", str(path)])


def test_an_unknown_back_end_lists_those_there_are(scene: Path) -> None:
    assert "symbolic" in one_line_error(["propose", str(scene), "--backend", "oracle"])


def test_a_file_or_live_but_not_both_nor_neither(scene: Path) -> None:
    for arguments in (["propose"], ["propose", str(scene), "--live"]):
        result = runner.invoke(app, arguments)
        assert result.exit_code == 2
        assert "either" in result.stderr


@pytest.mark.slow
def test_plan_writes_a_plan_for_a_request(scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    result = runner.invoke(
        app, ["plan", str(scene), "-r", "put the green cylinder on the blue box", "-o", str(out)]
    )
    assert result.exit_code == 0, result.output
    plan = load(Plan, out)
    assert plan.task.object_ids == ("o3",)
    assert plan.stages[0].name in result.stdout


@pytest.mark.slow
def test_plan_says_why_there_is_none(tmp_path: Path) -> None:
    far = save(
        make_scene(make_object("o1", at=(1.6, 0.0)), make_object("o2", "blue", at=(0.5, 0.0))),
        tmp_path / "s.json",
    )
    task = save(Task("t", "take it", (TaskStep("pick", "o1"),)), tmp_path / "task.json")
    out = tmp_path / "plan.json"
    result = runner.invoke(app, ["plan", str(far), "-t", str(task), "-o", str(out)])
    assert result.exit_code == 1
    failure = load(PlanFailure, tmp_path / "plan_failure.json")
    assert f"no plan ({failure.reason})" in result.stderr


def test_capture_rebuilds_a_scene_from_files(tmp_path: Path) -> None:
    world = pytest.importorskip("spatialpin_ros.simulation")
    cv2 = pytest.importorskip("cv2")
    from spatialpin_ros.config import CameraConfig, RobotConfig

    with world.World(RobotConfig.load(), CameraConfig.load()) as simulated:
        simulated.reset(2, 3)
        frame = simulated.render()
    color, depth, intrinsics = (tmp_path / name for name in ("c.png", "d.npy", "k.json"))
    cv2.imwrite(str(color), frame.color[:, :, ::-1])
    np.save(depth, frame.depth_m)
    intrinsics.write_text(json.dumps(frame.intrinsics.to_dict()))
    out, image = tmp_path / "scene.json", tmp_path / "seen.png"
    files = ["--color", str(color), "--depth", str(depth), "--intrinsics", str(intrinsics)]
    result = runner.invoke(app, ["capture", *files, "-o", str(out), "--image", str(image)])
    assert result.exit_code == 0, result.output
    seen = load(Scene, out)
    assert len(seen.objects) == 3
    assert all(name in result.stdout for name in seen.names)
    assert cv2.imread(str(image)).shape == frame.color.shape


def test_capture_without_files_says_what_it_needs() -> None:
    result = runner.invoke(app, ["capture"])
    assert result.exit_code == 2
    assert "--depth" in result.stderr
    result = runner.invoke(app, ["capture", "--color", "nowhere.png"])
    assert result.exit_code == 1
    assert "nowhere.png" in result.stderr


def test_a_missing_image_is_one_line(tmp_path: Path) -> None:
    path = str(tmp_path / "no.png")
    assert "no.png" in one_line_error(["capture", "--color", path, "--depth", path, "--intrinsics", path])


def test_poses_are_read_in_three_forms_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "pose.yaml"
    path.write_text("looking_from: [1.0, 0.0, 1.0]\nlooking_at: [0.0, 0.0, 0.0]\n")
    np.testing.assert_allclose(read_pose(path).axes[:, 2], [-(0.5**0.5), 0.0, -(0.5**0.5)], atol=1e-9)
    path.write_text("xyz: [1, 2, 3]\nrpy: [0, 0, 0]\n")
    np.testing.assert_allclose(read_pose(path).position, [1, 2, 3])
    path.write_text("{position: [1, 2, 3], quaternion_xyzw: [0, 0, 0, 1]}")
    np.testing.assert_allclose(read_pose(path).position, [1, 2, 3])
    path.write_text("matrix: 1\n")
    with pytest.raises(InvalidValueError, match="looking_from"):
        read_pose(path)


def test_joint_values_are_counted() -> None:
    assert joint_values("", [0.1, 0.2]) == [0.1, 0.2]
    assert joint_values("1, -2", [0.0, 0.0]) == [1.0, -2.0]
    with pytest.raises(InvalidValueError, match="expected 2"):
        joint_values("1", [0.0, 0.0])
    with pytest.raises(InvalidValueError, match="numbers"):
        joint_values("a,b", [0.0, 0.0])


@pytest.mark.parametrize("command", [function.__name__ for function in EXAMPLES])
def test_help_of_every_command_has_examples_and_fits(command: str) -> None:
    result = runner.invoke(app, [command, "--help"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert result.exit_code == 0
    assert f"spatialpin {command}" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_doctor_tells_ok_missing_and_broken_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shaky.py").write_text("raise OSError('libfoo.so not found')")
    (tmp_path / "shaky-1.5.dist-info").mkdir()
    (tmp_path / "shaky-1.5.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: shaky\nVersion: 1.5\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    fine = examine(Part("numpy", "numpy", "needed", "all", "x"))
    absent = examine(Part("no_such_thing", "no_such_thing", "needed", "all", "x"))
    shaky = examine(Part("shaky", "shaky", "needed", "all", "x"))
    assert [item.state for item in (fine, absent, shaky)] == ["ok", "missing", "broken"]
    assert "libfoo.so" in shaky.detail
    assert shaky.version == "1.5"


def test_doctor_as_json_names_the_machine() -> None:
    result = runner.invoke(app, ["doctor", "--quick", "--json"])
    document = json.loads(result.stdout)
    assert document["machine"]["python"]
    assert {item["state"] for item in document["findings"]} <= {"ok", "missing", "broken"}
