# SPDX-License-Identifier: Apache-2.0
"""The demo as a person runs it: a process with real nodes, a folder full of results, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import Plan
from spatialpin_ros.scene import Scene
from spatialpin_ros.serialization import load

LIMIT_S = 240.0


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "spatialpin_ros.cli", "demo", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """Output up to the line that holds a word."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return "".join(lines)
    raise AssertionError(f"'{word}' never came:\n{''.join(lines)}")


def are_gone(pids: list[int]) -> bool:
    pause = threading.Event()
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        pause.wait(0.1)
    return False


@pytest.mark.slow
def test_the_demo_stacks_and_leaves_everything_to_look_at(tmp_path: Path) -> None:
    process = start("--seed", "3", "--out", str(tmp_path / "run"))
    text, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, text
    assert "\x1b" not in text
    assert "stacked" in text
    folder = tmp_path / "run"
    assert load(Outcome, folder / "outcome.json").level == "stacked"
    assert load(Scene, folder / "scene_after.json").stamp_s > load(Scene, folder / "scene.json").stamp_s
    plan = load(Plan, folder / "plan.json")
    told = json.loads((folder / "summary.json").read_text())
    assert [name for name, _ in told["stages_s"]] == [stage.name for stage in plan.stages] + ["verify"]
    for name in ("index.html", "camera.png", "execution.gif", "joint_positions.svg", "logs/planner.log"):
        assert (folder / name).stat().st_size > 0, name


@pytest.mark.slow
def test_an_interrupt_stops_the_arm_and_ends_every_process(tmp_path: Path) -> None:
    process = start("--seed", "4", "--out", str(tmp_path))
    read_until(process, "move above")
    nodes = children(process.pid)
    assert len(nodes) == 5
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=30.0)
    assert process.returncode == 130, text
    assert are_gone(nodes)
    assert "cancelled" in (tmp_path / "logs/executor.log").read_text()


@pytest.mark.slow
def test_a_node_that_dies_is_named_with_its_log(tmp_path: Path) -> None:
    process = start("--seed", "4", "--repeat", "3", "--out", str(tmp_path))
    read_until(process, "move above")
    nodes = children(process.pid)
    simulator = next(pid for pid in nodes if "nodes.simulator" in Path(f"/proc/{pid}/cmdline").read_text())
    os.kill(simulator, signal.SIGKILL)
    text, _ = process.communicate(timeout=60.0)
    assert process.returncode == 1
    words = " ".join(text.split())
    assert "The simulator node died (killed by SIGKILL)" in words
    assert "0 of 3" in words
    assert "2 were not started" in words
    assert are_gone(nodes)


@pytest.mark.slow
def test_no_process_outlives_a_demo_that_is_killed(tmp_path: Path) -> None:
    process = start("--seed", "4", "--out", str(tmp_path))
    read_until(process, "move above")
    nodes = children(process.pid)
    process.kill()
    process.wait(10.0)
    assert are_gone(nodes)
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.slow
def test_without_ros_the_same_flow_runs_in_one_process(tmp_path: Path) -> None:
    process = start("--no-ros", "--seed", "1", "--objects", "3", "--out", str(tmp_path))
    text, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, text
    assert load(Outcome, tmp_path / "outcome.json").level == "stacked"


def test_a_request_for_what_is_not_there_lists_what_there_is(tmp_path: Path) -> None:
    process = start("--no-ros", "--seed", "1", "--objects", "2", "-r", "stack the brown ball on the grey pyramid",
                    "--out", str(tmp_path))  # fmt: skip
    text, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1
    told = json.loads((tmp_path / "summary.json").read_text())
    assert told["verdict"] == "stopped early"
    assert all(name in told["message"] for name in load(Scene, tmp_path / "scene.json").names)
    assert "Traceback" not in text
