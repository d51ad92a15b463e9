# SPDX-License-Identifier: Apache-2.0
"""Asks a model, tells it what was wrong with a reply a bounded number of times, and keeps what was said."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from spatialpin_ros.reasoning.model_errors import ModelError, ReplyFormatError
from spatialpin_ros.reasoning.prompting import Prompts
from spatialpin_ros.reasoning.protocol import LanguageModel, Message, Reply, Schema
from spatialpin_ros.reasoning.replies import parse_reply
from spatialpin_ros.reasoning.schemas import without_choices

Result = TypeVar("Result")
Reading = Callable[[Mapping[str, Any]], tuple[Result, Sequence[str]]]
_LOST = frozenset({"invalid", "malformed", "cut_off", "refused"})


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call of the model: what was sent, and the reply or what went wrong; time [s]."""

    messages: tuple[Message, ...]
    images: tuple[bytes, ...]
    reply: Reply | None
    error: str = ""
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn as it went.

    Args:
        name: "objects", "coarse", "fine", "parameters" or the kind of the last turn.
        exchanges: its calls, repairs included.
        findings: where the model's word and the scene disagree, one sentence each.
        skipped: why it was not asked or its reply not used; empty when it was.
        reused: its result was kept from an earlier question about the same scene, so it cost nothing now.
    """

    name: str
    exchanges: tuple[Exchange, ...] = ()
    findings: tuple[str, ...] = ()
    skipped: str = ""
    reused: bool = False

    @property
    def latency_s(self) -> float:
        """Time that the model took [s]."""
        return 0.0 if self.reused else sum(each.latency_s for each in self.exchanges)

    @property
    def tokens(self) -> tuple[int, int]:
        """Prompt and completion tokens as far as the server counted them."""
        usages = [each.reply.usage for each in self.exchanges if each.reply is not None and not self.reused]
        return (
            sum(usage.prompt_tokens or 0 for usage in usages),
            sum(usage.completion_tokens or 0 for usage in usages),
        )


class Conversation:
    """Turns with one model; `records` holds them in order."""

    def __init__(self, model: LanguageModel, prompts: Prompts, max_repairs: int = 2) -> None:
        self.model, self.prompts, self.max_repairs = model, prompts, max_repairs
        self.records: list[TurnRecord] = []

    def ask(
        self,
        turn: str,
        system: str,
        prompt: str,
        images: Sequence[bytes],
        schema: Schema,
        read: Reading[Result],
        max_corrections: int | None = None,
        correction: str = "repair",
        by_parts: bool = False,
    ) -> Result:
        """Ask and read the reply; `read` returns its result and what the model should correct.

        Args:
            turn: name of the turn, kept in its record and as the schema's title.
            system, prompt, images, schema: what is sent.
            read: judges a reply that fits the schema.
            max_corrections: how often the model may correct what `read` found; `max_repairs` when None.
            correction: template that tells the model what `read` found.
            by_parts: `read` also takes replies in which a word is none of the schema's choices.

        Raises:
            ReplyFormatError: no reply fitted the schema in `max_repairs` + 1 calls.
            ModelError: no usable reply came.
        """
        messages = [Message("system", system), Message("user", prompt)]
        titled = {"title": turn, **schema}
        left = {"format": self.max_repairs}
        left["content"] = self.max_repairs if max_corrections is None else max_corrections
        self.records.append(TurnRecord(turn))
        while True:
            try:
                document, raw = self._usable(messages, images, titled, by_parts)
            except ReplyFormatError as error:
                kind, raw, problems = "format", error.raw, [str(error)]
                if not left[kind]:
                    raise
            else:
                result, found = read(document)
                kind, problems = "content", list(found)
                if not problems or not left[kind]:
                    return result
            left[kind] -= 1
            template = "repair" if kind == "format" else correction
            repair = self.prompts.fill(template, problems=problems)
            messages += [Message("assistant", raw), Message("user", repair)]

    def try_ask(
        self,
        turn: str,
        system: str,
        prompt: str,
        images: Sequence[bytes],
        schema: Schema,
        read: Reading[Result],
    ) -> Result | None:
        """Ask for what can be done without: None, with the reason in the record, when no reply could be used.

        Raises:
            ModelError: when the model cannot be reached at all.
        """
        try:
            return self.ask(turn, system, prompt, images, schema, read)
        except ModelError as error:
            if error.kind not in _LOST:
                raise
            self.records[-1] = replace(self.records[-1], skipped=f"no usable reply: {error}")
            return None

    def skip(self, turn: str, why: str) -> None:
        self.records.append(TurnRecord(turn, skipped=why))

    def reuse(self, records: Sequence[TurnRecord]) -> None:
        """Take over turns of an earlier conversation."""
        self.records += [replace(record, reused=True) for record in records]

    def note(self, *findings: str) -> None:
        """Add findings to the newest record."""
        self.records[-1] = replace(self.records[-1], findings=(*self.records[-1].findings, *findings))

    def _usable(
        self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema, by_parts: bool
    ) -> tuple[Mapping[str, Any], str]:
        """The reply's object and text; with `by_parts` also one that only breaks the choices."""
        try:
            reply = self._call(messages, images, schema)
        except ReplyFormatError as error:
            if not by_parts:
                raise
            try:
                return parse_reply(error.raw, without_choices(schema)), error.raw
            except ReplyFormatError:
                raise error from None
        return reply.object, reply.raw

    def _call(self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema) -> Reply:
        started = time.monotonic()
        reply, said = None, ""
        try:
            reply = self.model.complete(tuple(messages), tuple(images), schema)
        except ModelError as error:
            said = str(error)
            raise
        finally:
            taken = time.monotonic() - started
            exchange = Exchange(tuple(messages), tuple(images), reply, said, taken)
            newest = self.records[-1]
            self.records[-1] = replace(newest, exchanges=(*newest.exchanges, exchange))
        return reply
