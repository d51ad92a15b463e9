# SPDX-License-Identifier: Apache-2.0
"""The commands with a language model behind an HTTP server: settings, photo, recording, replay, comparison."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import five_blocks, make_scene
from scripted_model import ANSWER, CAMERA, COARSE, FINE, seen
from scripted_server import ScriptedServer
from typer.testing import CliRunner

from spatialpin_ros.cli import app
from spatialpin_ros.errors import CameraFrameError, InvalidValueError
from spatialpin_ros.reasoning import read_settings
from spatialpin_ros.reasoning.images import scene_photo
from spatialpin_ros.scene import SceneObject
from spatialpin_ros.serialization import save

runner = CliRunner()
KEY = "sk-test-not-a-real-key"
FOUND = {"objects": [seen("block", "red", "box", "middle left")]}


def with_points(item: SceneObject) -> SceneObject:
    fields = {
        name: getattr(item, name) for name in ("id", "name", "label", "color", "color_rgb", "shape", "box")
    }
    return SceneObject(**fields, points=item.box.corners.astype(np.float32))


@pytest.fixture
def scene_file(tmp_path):
    objects = [with_points(item) for item in five_blocks().objects]
    return save(make_scene(*objects, intrinsics=CAMERA), tmp_path / "scene.json")


@pytest.fixture
def photo_file(tmp_path):
    path = tmp_path / "color.png"
    cv2.imwrite(str(path), np.full((CAMERA.height, CAMERA.width, 3), 90, np.uint8))
    return path


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


def ask(scene_file: Path, *options: str):
    return runner.invoke(app, ["ask", "how tall is the green cylinder?", str(scene_file), *options])


def test_a_run_over_http_is_recorded_replayed_and_compared(server, scene_file, photo_file, tmp_path):
    model = ["--backend", "openai", "--set", "model=tiny", "--set", f"base_url={server.url}"]
    run, again = tmp_path / "run", tmp_path / "again"
    for reply in (FOUND, COARSE, FINE, ANSWER):
        server.says(reply)
    first = ask(scene_file, *model, "--photo", str(photo_file), "--record", str(run))
    assert first.exit_code == 0, first.output
    assert "9 cm tall" in first.stdout
    assert len(server.requests) == 4
    names = [request["response_format"]["json_schema"]["name"] for request in server.requests]
    assert names == ["objects", "coarse", "fine", "answer"]
    written = b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file())
    assert KEY.encode() not in written

    replayed = ask(
        scene_file,
        "--backend",
        "replay",
        "--set",
        f"folder={run}",
        "--photo",
        str(photo_file),
        "--record",
        str(again),
    )
    assert replayed.stdout == first.stdout
    assert len(server.requests) == 4
    same = runner.invoke(app, ["replay", "compare", str(run), str(again)])
    assert same.exit_code == 0, same.output
    assert "4 calls with the same prompt and outcome" in same.stdout

    other = tmp_path / "other"
    server.says({**ANSWER, "value": 0.2})
    ask(scene_file, *model, "--set", "priors=direct", "--record", str(other))
    differs = runner.invoke(app, ["replay", "compare", str(run), str(other)])
    assert differs.exit_code == 2
    assert "only in the first run: objects, coarse, fine" in differs.stdout


def test_a_replay_without_the_photo_is_one_line(server, scene_file, tmp_path):
    for reply in (FINE, ANSWER):
        server.says(reply)
    options = ["--backend", "openai", "--set", "model=tiny", "--set", f"base_url={server.url}"]
    assert ask(scene_file, *options, "--record", str(tmp_path / "run")).exit_code == 0
    result = runner.invoke(
        app,
        [
            "ask",
            "how wide is the blue box?",
            str(scene_file),
            "--backend",
            "replay",
            "--set",
            f"folder={tmp_path / 'run'}",
        ],
    )
    assert result.exit_code == 1
    assert "was not recorded like this" in result.stderr
    assert "Traceback" not in result.output


def test_settings_are_read_from_words_and_files(tmp_path):
    path = tmp_path / "local.yaml"
    path.write_text("model: tiny\ntimeout_s: 5\n")
    assert read_settings(
        [str(path), "timeout_s=7.5", "model=a=b", "suggest_parameters=false", "priors=none"]
    ) == {
        "model": "a=b",
        "timeout_s": 7.5,
        "suggest_parameters": False,
        "priors": "none",
    }
    assert read_settings("model='two words' retries=2") == {"model": "two words", "retries": 2}
    assert read_settings("") == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("model", "neither name=value"),
        ("=x", "neither name=value"),
        ("no/such.yaml", "cannot read"),
        ("model='x", "quotation"),
        (f"api_key={KEY}", "only from the environment"),
    ],
)
def test_bad_settings_are_named(words, said):
    with pytest.raises(InvalidValueError, match=said) as caught:
        read_settings(words)
    assert KEY not in str(caught.value)


def test_a_settings_file_must_be_a_mapping(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text(json.dumps(["model"]))
    with pytest.raises(InvalidValueError, match="mapping"):
        read_settings(str(path))


def test_a_photo_lies_beside_the_scene_that_was_made_from_it():
    objects = [with_points(item) for item in five_blocks().objects]
    scene = make_scene(*objects, intrinsics=CAMERA)
    color = np.full((CAMERA.height, CAMERA.width, 3), 50, np.uint8)
    frame = scene_photo(color, scene)
    near, far = frame.depth_m[frame.depth_m > 0].min(), frame.depth_m.max()
    assert 0.5 < near < far < 1.6
    with pytest.raises(CameraFrameError, match="sizes disagree"):
        scene_photo(color[:-1], scene)
    with pytest.raises(CameraFrameError, match="does not know its camera"):
        scene_photo(color, five_blocks())
