# SPDX-License-Identifier: Apache-2.0
"""The openai back end against a real server, `transformers serve`, with tiny models: known replies, or random ones."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for library in ("fastapi", "uvicorn", "openai", "accelerate"):
    pytest.importorskip(library, reason=f"{library} is not installed: scripts/setup --test could not get it")

import tiny_vlms  # noqa: E402
from scenes import EYE_M, LOOKED_AT_M, five_blocks  # noqa: E402

from spatialpin_ros.camera import CameraFrame, Intrinsics  # noqa: E402
from spatialpin_ros.geometry import Pose  # noqa: E402
from spatialpin_ros.reasoning import Abilities, create_backend  # noqa: E402
from spatialpin_ros.reasoning.model_errors import ModelError, ReplyFormatError  # noqa: E402

START_TIMEOUT_S = 120.0
ANSWER = {
    "reasoning": "r",
    "answer": "The can is 9 cm tall.",
    "value": 0.09,
    "unit": "m",
    "object_ids": ["o3"],
}
PROPOSAL = {
    "tasks": [
        {
            "object_id": "o1",
            "place": "on",
            "target_id": "o2",
            "description": "Stack it.",
            "reason": "It fits.",
        },
        {"object_id": "o4", "place": "on", "target_id": "o2", "description": "Crown it.", "reason": "Fun."},
    ]
}
REQUEST = {
    "status": "understood",
    "message": "",
    "candidates": [],
    "moves": [{"object_id": "o1", "place": "on", "reference_id": "o2"}],
}


class Server:
    """`transformers serve` as a process of its own on a free port; it loads the models that requests name."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "OMP_NUM_THREADS": "1"}
        environment.pop("OPENAI_API_KEY", None)
        run = "from transformers.cli.transformers import main; main()"
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                run,
                "serve",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--device",
                "cpu",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        self.url = f"http://127.0.0.1:{port}/v1"
        self.lines: list[str] = []
        self._listens = threading.Event()
        self._reader = threading.Thread(target=self._read, name="server log", daemon=True)
        self._reader.start()
        if not self._listens.wait(START_TIMEOUT_S) or self.process.poll() is not None:
            self.close()
            raise RuntimeError("transformers serve did not start:\n" + "".join(self.lines[-20:]))

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if "Uvicorn running on" in line:
                self._listens.set()
        self._listens.set()

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20.0)
        self._reader.join(5.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("home"))
    yield running
    running.close()
    assert running.process.returncode is not None


@pytest.fixture
def backend(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Make a back end on a model that replies with a document to everything, or at random without one."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    made: list[Any] = []

    def make(document: Any = None, **settings: Any) -> Any:
        says = "" if document is None else json.dumps(document)
        folder = tiny_vlms.save("llava", tmp_path / f"model_{len(made)}", says=says)
        usual = {
            "base_url": server.url,
            "priors": "none",
            "suggest_parameters": False,
            "max_tokens": 60,
            "retries": 1,
        }
        made.append(create_backend("openai", **{"model": folder, **usual, **settings}))
        return made[-1]

    yield make
    for each in made:
        each.close()


def frame() -> CameraFrame:
    camera = Intrinsics.from_vertical_fov(64, 48, 0.8)
    colour, depth = np.full((48, 64, 3), 90, np.uint8), np.ones((48, 64), np.float32)
    return CameraFrame(colour, depth, camera, Pose.looking_at(EYE_M, LOOKED_AT_M))


def test_a_question_about_an_image_is_answered(backend):
    asked = backend(ANSWER)
    answer = asked.answer(five_blocks(), "how tall is the can?", frame())
    assert (answer.value, answer.unit, answer.object_ids) == (0.09, "m", ("o3",))
    with_image = asked.trace[-1].tokens
    asked.answer(five_blocks(), "how tall is the can?")
    assert with_image[0] > asked.trace[-1].tokens[0] > 100
    assert with_image[1] == asked.trace[-1].tokens[1] > 3


def test_proposals_and_requests_are_checked_against_the_scene(backend):
    scene = five_blocks()
    proposals = backend(PROPOSAL).propose(scene, Abilities(), max_tasks=3)
    assert [task.steps[0].object_id for task in proposals.tasks] == ["o1"]
    assert [entry.reason for entry in proposals.rejected] == ["round_base"]
    task = backend(REQUEST).describe(scene, Abilities(), "stack the red one on the blue one")
    assert [step.action for step in task.steps] == ["pick", "place_on"]
    assert task.backend == "openai"


def test_words_that_are_no_json_are_repaired_then_named(backend):
    asked = backend(max_repairs=1)
    with pytest.raises((ReplyFormatError, ModelError)) as caught:
        asked.answer(five_blocks(), "how tall is the can?")
    assert caught.value.kind in ("invalid", "malformed", "cut_off")
    assert asked.trace[-1].exchanges


def test_a_reply_that_is_cut_off_is_named(backend):
    with pytest.raises(ModelError, match="cut off after 2 tokens") as caught:
        backend(ANSWER, max_tokens=2).answer(five_blocks(), "how tall is the can?")
    assert caught.value.kind == "cut_off"


def test_a_reply_that_takes_too_long_is_named(backend):
    with pytest.raises(ModelError) as caught:
        backend(ANSWER, timeout_s=1e-3, retries=0).answer(five_blocks(), "how tall is the can?")
    assert caught.value.kind in ("timeout", "unreachable")


def test_a_model_that_the_server_has_not_is_named(backend):
    with pytest.raises(ModelError) as caught:
        backend(model="nobody/no-such-model", backoff_s=0.0).answer(five_blocks(), "how tall?")
    assert caught.value.kind in ("server", "unreachable")  # it answers 500 or drops the connection


def test_what_the_server_does_not_know_is_left_out_after_its_refusal(backend):
    asked = backend(ANSWER, structured_output="vllm")
    assert asked.answer(five_blocks(), "how tall is the can?").value == 0.09
