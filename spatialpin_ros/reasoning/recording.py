# SPDX-License-Identifier: Apache-2.0
"""Saves every call of a language model into a folder: prompts, images, replies, tokens, time and errors, never keys."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.reasoning.images import decode_png
from spatialpin_ros.reasoning.model_errors import ModelError, ReplyFormatError
from spatialpin_ros.reasoning.protocol import LanguageModel, Message, Reply, Schema
from spatialpin_ros.serialization import write_atomically

FORMAT = 1
RUN, CALLS, IMAGES = "run.json", "calls.jsonl", "images"
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")
_SHORTEST_SECRET = 8


class RecordingError(BackendError):
    """A run cannot be recorded, or a recorded run cannot be read; names the file."""


def canonical(document: Any) -> bytes:
    """JSON with sorted keys and no spaces, so that equal documents have equal bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def image_hash(png: bytes) -> str:
    """Hash of an image's size and pixels, so that another encoder's file of the same picture is the same picture."""
    pixels = decode_png(png)
    if pixels is None:
        return hashlib.sha256(png).hexdigest()
    shape = np.array(pixels.shape, dtype=np.int64).tobytes()
    return hashlib.sha256(shape + pixels.tobytes()).hexdigest()


def call_key(model: str, messages: Sequence[Message], images: Sequence[bytes], schema: Schema) -> str:
    """Hash by which a call is found again: model, messages, schema and pixels."""
    document = {
        "model": model,
        "messages": [[message.role, message.text] for message in messages],
        "schema": schema,
        "images": [image_hash(png) for png in images],
    }
    return hashlib.sha256(canonical(document)).hexdigest()


def line_digest(document: Mapping[str, Any]) -> str:
    """Hash of one recorded call without its digest."""
    return hashlib.sha256(canonical({k: v for k, v in document.items() if k != "digest"})).hexdigest()


class RecordingModel:
    """A language model whose calls are written to a folder.

    The folder holds run.json (model and settings), calls.jsonl (one line per call, each with a digest) and
    images/<hash of the pixels>.png. A line is on the disk before the reply is handed on.

    Args:
        model: answers.
        folder: made when missing; a run of the same model in it is continued.
        settings: what the back end was made with, kept for the replay.

    Raises:
        RecordingError: when the folder cannot be written or holds a run of another model.
    """

    def __init__(self, model: LanguageModel, folder: Path | str, settings: Mapping[str, Any]) -> None:
        self.name = model.name
        self._model, self._folder = model, Path(folder)
        self._begin(dict(settings))
        self._number = self._continue()

    def close(self) -> None:
        self._model.close()

    def complete(self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema) -> Reply:
        """Ask the model and record the call.

        Raises:
            ModelError: of the model, recorded as well.
            RecordingError: the call could not be written; nothing half written is left.
        """
        started, clock = time.time(), time.monotonic()
        try:
            reply = self._model.complete(messages, images, schema)
        except ModelError as error:
            raw = error.raw if isinstance(error, ReplyFormatError) else None
            outcome: dict[str, Any] = {
                "reply": None,
                "error": {"kind": error.kind, "message": str(error), "raw": raw},
            }
            self._record(messages, images, schema, outcome, started, time.monotonic() - clock)
            raise
        usage = {"prompt": reply.usage.prompt_tokens, "completion": reply.usage.completion_tokens}
        outcome = {"reply": {"object": reply.object, "raw": reply.raw, "usage": usage}, "error": None}
        self._record(messages, images, schema, outcome, started, reply.latency_s or time.monotonic() - clock)
        return reply

    def _record(
        self,
        messages: Sequence[Message],
        images: Sequence[bytes],
        schema: Schema,
        outcome: Mapping[str, Any],
        started_s: float,
        latency_s: float,
    ) -> None:
        names = [self._save_image(png) for png in images]
        document: dict[str, Any] = {
            "format": FORMAT,
            "number": self._number + 1,
            "turn": schema.get("title", "reply"),
            "key": call_key(self.name, messages, images, schema),
            "time_s": started_s,
            "latency_s": latency_s,
            "messages": [[message.role, message.text] for message in messages],
            "images": names,
            "schema": schema,
            **outcome,
        }
        document = json.loads(_without_secrets(json.dumps(document, ensure_ascii=False)))
        document["digest"] = line_digest(document)
        self._append(json.dumps(document, ensure_ascii=False).encode() + b"\n")
        self._number += 1

    def _begin(self, settings: dict[str, Any]) -> None:
        path = self._folder / RUN
        run = {"format": FORMAT, "model": self.name, "settings": settings}
        if path.is_file():
            known = read_run(self._folder)
            if known["model"] != self.name:
                raise RecordingError(
                    f"{self._folder} holds a run of '{known['model']}'; record '{self.name}' into another folder"
                )
        _write(path, _without_secrets(json.dumps(run, indent=1)).encode() + b"\n")

    def _continue(self) -> int:
        """Number of calls that are there; half a line, which a crash may leave, is cut off."""
        path = self._folder / CALLS
        try:
            data = path.read_bytes() if path.is_file() else b""
            whole = data[: data.rfind(b"\n") + 1]
            if len(whole) < len(data):
                os.truncate(path, len(whole))
        except OSError as error:
            raise RecordingError(f"cannot continue {path}: {error.strerror or error}") from error
        return whole.count(b"\n")

    def _save_image(self, png: bytes) -> str:
        name = f"{image_hash(png)}.png"
        path = self._folder / IMAGES / name
        if not path.is_file():
            _write(path, png)
        return name

    def _append(self, line: bytes) -> None:
        """Add one line; when the disk is full the file is cut back to what it was."""
        path = self._folder / CALLS
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                size = os.fstat(descriptor).st_size
                try:
                    if os.write(descriptor, line) < len(line):
                        raise OSError(0, "the disk is full")
                    os.fsync(descriptor)
                except OSError:
                    with contextlib.suppress(OSError):
                        os.ftruncate(descriptor, size)
                    raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise RecordingError(f"cannot record into {path}: {error.strerror or error}") from error


def read_run(folder: Path | str) -> dict[str, Any]:
    """Model and settings of a recorded run.

    Raises:
        RecordingError: when run.json is missing, damaged or of another format.
    """
    path = Path(folder) / RUN
    try:
        run = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RecordingError(f"{folder} is not a recorded run: cannot read {RUN}: {error}") from error
    if not isinstance(run, dict) or run.get("format") != FORMAT or not isinstance(run.get("model"), str):
        raise RecordingError(f"{path} is not a run of format {FORMAT}")
    return run


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except InvalidValueError as error:
        raise RecordingError(f"cannot record: {error}") from error


def _without_secrets(text: str) -> str:
    """Blot out whatever the environment keeps under a name like ..._KEY or ..._TOKEN."""
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name.upper()) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(json.dumps(value, ensure_ascii=False)[1:-1], "***")
    return text
