# SPDX-License-Identifier: Apache-2.0
"""With --live nothing that is said on the command line is left unheard without a word."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from spatialpin_ros.cli import app
from spatialpin_ros.commands.live import DECIDES

runner = CliRunner()
HEARD = {"live", "out", "image", "name", "most", "reasons", "question", "scene", "request", "task", "number"}
"""What has an effect with --live; a scene is refused by itself."""
GIVEN = {
    "backend": ["--backend", "nonsuch"],
    "settings": ["--set", "model=x"],
    "record": ["--record", "folder"],
    "photo": ["--photo", "c.png"],
    "seed": ["--seed", "0"],
    "before": ["--before", "s.json"],
    "robot": ["--robot", "nonsuch"],
    "start": ["--start", "9,9,9"],
    "camera": ["--camera", "simulation"],
    "perception": ["--perception", "learned"],
    "model": ["--model", "cube=c.stl"],
    "color": ["--color", "c.png"],
    "depth": ["--depth", "d.png"],
    "intrinsics": ["--intrinsics", "k.json"],
    "pose": ["--pose", "p.json"],
}
NEEDED = {"ask": ["how many?"], "plan": ["-r", "stack them"], "propose": [], "capture": []}
COMMANDS = typer.main.get_command(app).commands
CASES = [
    (name, parameter.name) for name in NEEDED for parameter in COMMANDS[name].params if parameter.name not in HEARD
]  # fmt: skip


@pytest.mark.parametrize(("command", "parameter"), CASES)
def test_an_option_without_effect_is_refused_and_says_what_decides(command: str, parameter: str) -> None:
    result = runner.invoke(app, [command, *NEEDED[command], "--live", *GIVEN[parameter]])
    assert result.exit_code == 2, result.output
    said = " ".join(result.stderr.replace("│", " ").split())
    assert f"{GIVEN[parameter][0]} has no effect with --live" in said
    assert DECIDES[parameter].split()[0] in said


def test_all_of_them_are_named_at_once() -> None:
    result = runner.invoke(app, ["propose", "--live", "--robot", "nonsuch", "--backend", "nonsuch"])
    said = " ".join(result.stderr.replace("│", " ").split())
    assert "--robot has no effect" in said
    assert "--backend has no effect" in said


def test_a_domain_without_ros_is_refused() -> None:
    result = runner.invoke(app, ["demo", "--no-ros", "--domain", "5"])
    assert result.exit_code == 2
    assert "--domain" in result.stderr
