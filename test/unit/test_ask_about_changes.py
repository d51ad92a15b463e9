# SPDX-License-Identifier: Apache-2.0
"""`spatialpin ask --before`: what changed between two scene files."""

from __future__ import annotations

from pathlib import Path

from scenes import make_object, make_scene
from typer.testing import CliRunner

from spatialpin_ros.cli import app
from spatialpin_ros.scene import Scene
from spatialpin_ros.serialization import save


def saved(folder: Path, name: str, scene: Scene) -> str:
    save(scene, folder / name)
    return str(folder / name)


def test_ask_compares_with_an_earlier_scene(tmp_path: Path) -> None:
    before = saved(tmp_path, "before.json", make_scene(make_object("o1")))
    after = saved(tmp_path, "after.json", make_scene(make_object("o7", at=(0.5, 0.12))))
    told = CliRunner().invoke(app, ["ask", "how far did the red cube move?", after, "--before", before])
    assert told.exit_code == 0
    assert "12.0 cm" in told.output


def test_ask_says_that_it_needs_one(tmp_path: Path) -> None:
    after = saved(tmp_path, "after.json", make_scene(make_object("o1")))
    told = CliRunner().invoke(app, ["ask", "what moved?", after])
    assert told.exit_code == 1
    assert "earlier scene" in told.output
