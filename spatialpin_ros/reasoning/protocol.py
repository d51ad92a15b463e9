# SPDX-License-Identifier: Apache-2.0
"""What a reasoning back end and a language model must offer, and the values they return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task

Role = Literal["system", "user", "assistant"]
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A task that was considered and dropped: what it was, a short reason code, and a sentence."""

    description: str
    reason: str
    message: str
    object_id: str = ""
    target_id: str = ""

    def __str__(self) -> str:
        return f"{self.description}: {self.message}"


@dataclass(frozen=True, slots=True)
class Proposals:
    """Tasks that the scene allows, best first, and what was considered and dropped."""

    tasks: tuple[Task, ...]
    rejected: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and what it rests on.

    Args:
        text: one sentence.
        value: the number asked for in `unit`, 1.0 or 0.0 for yes or no, None where no number answers.
        unit: "m", "m^3", "deg", "count", "bool" or "".
        object_ids: the objects it rests on; for "which" questions, the answer.
        program: the geometric program with its operands, such as "centre_distance(o1, o2)".
        frame: "viewer", "gravity" or "object:<id>".
    """

    text: str
    value: float | None = None
    unit: str = ""
    object_ids: tuple[str, ...] = ()
    program: str = ""
    frame: str = "gravity"


class Backend(Protocol):
    """Proposes tasks, turns requests into tasks and answers questions about one scene.

    `image` is the camera frame that the scene came from, for back ends that look at it.
    """

    name: str

    def propose(
        self,
        scene: Scene,
        abilities: Abilities,
        max_tasks: int = 5,
        seed: int = 0,
        image: CameraFrame | None = None,
    ) -> Proposals:
        """Propose at most `max_tasks` feasible tasks, best first; none for an empty table."""
        ...

    def describe(
        self, scene: Scene, abilities: Abilities, request: str, image: CameraFrame | None = None
    ) -> Task:
        """Turn a request into a checked task.

        Raises:
            UnknownNameError, AmbiguousNameError: list what there is.
            NotUnderstoodError: says what is supported.
            InfeasibleTaskError: says why it cannot be done.
            BackendError: when the back end failed to answer.
        """
        ...

    def answer(
        self,
        scene: Scene,
        question: str,
        image: CameraFrame | None = None,
        before: Scene | None = None,
        image_before: CameraFrame | None = None,
    ) -> Answer:
        """Answer a spatial question, with the earlier scene and its image also about what changed.

        Raises as `describe` does.
        """
        ...

    def close(self) -> None:
        """Free connections and memory; the back end is not used afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    text: str

    def __post_init__(self) -> None:
        if self.role not in ("system", "user", "assistant"):
            raise InvalidValueError(f"message: role '{self.role}' is none of system, user, assistant")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one exchange as the server counts them; None where it does not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's reply: the object that fits the schema, the raw text it came from, tokens and time [s]."""

    object: Mapping[str, Any]
    raw: str
    usage: Usage = field(default_factory=Usage)
    latency_s: float = 0.0


class LanguageModel(Protocol):
    """The low level: messages, images and a JSON schema in, one object that fits the schema out."""

    name: str

    def complete(self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema) -> Reply:
        """Return an object that fits `schema`.

        Args:
            messages: the conversation so far; the last one is the user's.
            images: PNG files, shown with the first message of the user.
            schema: JSON schema of the reply.

        Raises:
            ReplyFormatError: a reply came but it does not fit the schema.
            BackendError: no usable reply came.
        """
        ...

    def close(self) -> None: ...
