# SPDX-License-Identifier: Apache-2.0
"""Plays a recorded run back: the same prompts get the same replies, without a model or a network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spatialpin_ros.reasoning.backends.assembly import SHARED, assemble
from spatialpin_ros.reasoning.backends.prompted import PromptedBackend
from spatialpin_ros.reasoning.model_errors import ModelError, ReplyFormatError
from spatialpin_ros.reasoning.protocol import Message, Reply, Schema, Usage
from spatialpin_ros.reasoning.recording import call_key, image_hash
from spatialpin_ros.reasoning.runs import RecordedCall, RecordedRun, likeness, load_run, request_changes


class ReplayMissError(ModelError):
    """A prompt that the run does not hold; `nearest` is the number of the recorded call most like it, or None."""

    def __init__(self, message: str, nearest: int | None) -> None:
        self.nearest = nearest
        super().__init__(message, "not_recorded")


class ReplayModel:
    """Answers from a recorded run; a prompt recorded several times gets its replies in order, then the last again."""

    def __init__(self, run: RecordedRun) -> None:
        self.name = run.model
        self._run = run
        self._by_key: dict[str, list[RecordedCall]] = defaultdict(list)
        for call in run.calls:
            self._by_key[call.key].append(call)

    def close(self) -> None:
        return None

    def complete(self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema) -> Reply:
        """Return what was recorded for these messages, images and schema.

        Raises:
            ReplayMissError: nothing was; names the nearest recorded call and what differs.
            ModelError: the recorded one.
        """
        key = call_key(self.name, messages, images, schema)
        waiting = self._by_key.get(key)
        if not waiting:
            raise self._miss(key, messages, images, schema)
        call = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if call.reply is None:
            error = call.error or {}
            if error.get("raw") is not None:
                raise ReplyFormatError(error["message"], error["raw"], error["kind"])
            raise ModelError(error["message"], error["kind"])
        usage = Usage(call.reply["usage"]["prompt"], call.reply["usage"]["completion"])
        return Reply(call.reply["object"], call.reply["raw"], usage, call.latency_s)

    def _miss(
        self, key: str, messages: Sequence[Message], images: Sequence[bytes], schema: Schema
    ) -> ReplayMissError:
        turn = schema.get("title", "reply")
        folder = self._run.folder
        calls = [call for call in self._run.calls if call.turn == turn] or list(self._run.calls)
        if not calls:
            return ReplayMissError(f"{folder} holds no calls; turn '{turn}' cannot be replayed", None)
        nearest = max(calls, key=lambda call: likeness(call.messages, messages))
        names = tuple(f"{image_hash(png)}.png" for png in images)
        asked = RecordedCall(0, turn, key, tuple(messages), names, schema, None, None, 0.0)
        changes = "; ".join(request_changes(nearest, asked))
        return ReplayMissError(
            f"turn '{turn}' was not recorded like this in {folder}; nearest is call {nearest.number}, turn "
            f"'{nearest.turn}': {changes}. Replay with the scene, image and settings of the recording, or record anew",
            nearest.number,
        )


def create(folder: Path | str, **settings: Any) -> PromptedBackend:
    """Make the back end from a run's folder; its recorded settings hold unless others are given.

    Raises:
        RecordingError: when the run cannot be read or was changed.
    """
    run = load_run(folder)
    recorded = {key: run.settings[key] for key in SHARED if key in run.settings}
    return assemble("replay", lambda: ReplayModel(run), {**recorded, **settings})
