# SPDX-License-Identifier: Apache-2.0
"""Reads recorded runs, and says what differs between two of them."""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialpin_ros.reasoning.protocol import Message
from spatialpin_ros.reasoning.recording import (
    CALLS,
    FORMAT,
    IMAGES,
    RecordingError,
    image_hash,
    line_digest,
    read_run,
)


@dataclass(frozen=True, slots=True, eq=False)
class RecordedCall:
    """One call: what was sent, and the reply or the error as recorded; time [s]."""

    number: int
    turn: str
    key: str
    messages: tuple[Message, ...]
    images: tuple[str, ...]
    schema: Mapping[str, Any]
    reply: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    latency_s: float

    @property
    def tokens(self) -> tuple[int, int]:
        """Prompt and completion tokens, 0 where the server did not count."""
        usage = self.reply["usage"] if self.reply else {}
        return usage.get("prompt") or 0, usage.get("completion") or 0

    @property
    def outcome(self) -> Any:
        """What came back: the reply's object, or the error."""
        return self.reply["object"] if self.reply else dict(self.error or {})


@dataclass(frozen=True, slots=True, eq=False)
class RecordedRun:
    """A run: the model, the settings of the back end and the calls in order."""

    folder: Path
    model: str
    settings: Mapping[str, Any]
    calls: tuple[RecordedCall, ...]


def load_run(folder: Path | str) -> RecordedRun:
    """Read a run and make sure that it is as it was recorded; half a last line, left by a crash, is ignored.

    Raises:
        RecordingError: a file is missing, damaged or was changed; says which and where.
    """
    place = Path(folder)
    run = read_run(place)
    path = place / CALLS
    try:
        data = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    lines = data[: data.rfind(b"\n") + 1].splitlines()
    calls = tuple(_read_call(path, number, line) for number, line in enumerate(lines, 1))
    for name in {name for call in calls for name in call.images}:
        _check_image(place / IMAGES / name)
    return RecordedRun(place, run["model"], run.get("settings", {}), calls)


@dataclass(frozen=True, slots=True)
class Difference:
    """A pair of calls that differ: their turn, their numbers in either run, and in what."""

    turn: str
    number_a: int
    number_b: int
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs side by side.

    Args:
        same: calls with the same prompt and the same outcome.
        differences: calls of the same prompt with another outcome, and calls of the same turn with another prompt.
        only_a, only_b: turns of the calls that the other run has no counterpart of.
        latency_s, prompt_tokens, completion_tokens: totals of either run.
    """

    same: int
    differences: tuple[Difference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    latency_s: tuple[float, float]
    prompt_tokens: tuple[int, int]
    completion_tokens: tuple[int, int]

    @property
    def equal(self) -> bool:
        return not (self.differences or self.only_a or self.only_b)


def compare_runs(a: Path | str, b: Path | str) -> RunComparison:
    """Pair the calls of two runs by prompt, then what is left by turn and order; raises as `load_run`."""
    first, second = load_run(a), load_run(b)
    pairs, rest_a, rest_b = _paired(first.calls, second.calls, lambda call: call.key)
    changed, rest_a, rest_b = _paired(rest_a, rest_b, lambda call: call.turn)
    differences = [
        Difference(x.turn, x.number, y.number, tuple(_outcome_changes(x.outcome, y.outcome)))
        for x, y in pairs
        if x.outcome != y.outcome
    ]
    differences += [Difference(x.turn, x.number, y.number, request_changes(x, y)) for x, y in changed]
    tokens = [[sum(call.tokens[i] for call in run.calls) for run in (first, second)] for i in (0, 1)]
    return RunComparison(
        same=len(pairs) - sum(x.outcome != y.outcome for x, y in pairs),
        differences=tuple(sorted(differences, key=lambda each: each.number_a)),
        only_a=tuple(call.turn for call in rest_a),
        only_b=tuple(call.turn for call in rest_b),
        latency_s=(sum(call.latency_s for call in first.calls), sum(call.latency_s for call in second.calls)),
        prompt_tokens=(tokens[0][0], tokens[0][1]),
        completion_tokens=(tokens[1][0], tokens[1][1]),
    )


def request_changes(a: RecordedCall, b: RecordedCall) -> tuple[str, ...]:
    """Where two requests differ: the first differing line of the messages, the images, the schema."""
    what = []
    lines_a, lines_b = prompt_text(a.messages).splitlines(), prompt_text(b.messages).splitlines()
    if lines_a != lines_b:
        padded = zip([*lines_a, ""], [*lines_b, ""], strict=False)
        x, y = next((pair for pair in padded if pair[0] != pair[1]), ("", ""))
        what.append(f"prompt: {x[:120]!r} became {y[:120]!r}")
    if a.images != b.images:
        what.append(f"images: {len(a.images)} became {len(b.images)}, or their pixels changed")
    if a.schema != b.schema:
        what.append("the schema of the reply changed")
    return tuple(what) or ("the model's name changed",)


def prompt_text(messages: Sequence[Message]) -> str:
    return "\n".join(f"[{message.role}] {message.text}" for message in messages)


def likeness(a: Sequence[Message], b: Sequence[Message]) -> float:
    """Share of lines that two conversations have in common, 0..1."""
    return difflib.SequenceMatcher(
        None, prompt_text(a).splitlines(), prompt_text(b).splitlines(), autojunk=False
    ).ratio()


def _paired(
    a: Sequence[RecordedCall], b: Sequence[RecordedCall], name: Any
) -> tuple[list[tuple[RecordedCall, RecordedCall]], list[RecordedCall], list[RecordedCall]]:
    waiting: dict[str, list[RecordedCall]] = defaultdict(list)
    for call in b:
        waiting[name(call)].append(call)
    pairs, alone = [], []
    for call in a:
        if waiting[name(call)]:
            pairs.append((call, waiting[name(call)].pop(0)))
        else:
            alone.append(call)
    left = {call.number for calls in waiting.values() for call in calls}
    return pairs, alone, [call for call in b if call.number in left]


def _outcome_changes(a: Any, b: Any, at: str = "reply") -> list[str]:
    """Paths at which two JSON values differ, with both values."""
    if isinstance(a, dict) and isinstance(b, dict):
        keys = dict.fromkeys([*a, *b])
        return [text for key in keys for text in _outcome_changes(a.get(key), b.get(key), f"{at}.{key}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = enumerate(zip(a, b, strict=True))
        return [text for i, (x, y) in pairs for text in _outcome_changes(x, y, f"{at}[{i}]")]
    return [] if a == b else [f"{at}: {json.dumps(a)[:120]} became {json.dumps(b)[:120]}"]


def _read_call(path: Path, number: int, line: bytes) -> RecordedCall:
    where = f"{path}, line {number}"
    try:
        document = json.loads(line)
        if document["format"] != FORMAT:
            raise RecordingError(f"{where}: format {document['format']}, expected {FORMAT}")
        if document["digest"] != line_digest(document):
            raise RecordingError(f"{where} was changed after it was recorded: its digest does not fit")
        return RecordedCall(
            number=document["number"],
            turn=document["turn"],
            key=document["key"],
            messages=tuple(Message(role, text) for role, text in document["messages"]),
            images=tuple(document["images"]),
            schema=document["schema"],
            reply=document["reply"],
            error=document["error"],
            latency_s=document["latency_s"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{where} is damaged: {error!r}") from error


def _check_image(path: Path) -> None:
    try:
        png = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"image {path} cannot be read: {error.strerror or error}") from error
    if image_hash(png) != path.stem:
        raise RecordingError(
            f"image {path} was changed after it was recorded: its pixels do not fit its name"
        )
