# SPDX-License-Identifier: Apache-2.0
"""A spatial question with its truth: the program and operands that define it, and what counts as right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from spatialpin_ros.changes import Changes
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.scene import Scene, SceneObject

Task = Literal["IaOR", "IaAD", "IrSD"]
Kind = Literal["yes_no", "choice", "number"]
Dimension = Literal["length", "angle", "count"]
TASKS: tuple[Task, ...] = get_args(Task)
TASK_NAMES = {
    "IaOR": "relations within an image",
    "IaAD": "angles within an image",
    "IrSD": "changes between two images",
}
BANDS: dict[str, tuple[float, float]] = {
    "[0.5,2]": (0.5, 2.0),
    "[0.75,1.33]": (0.75, 1.0 / 0.75),
    "[0.9,1.11]": (0.9, 1.0 / 0.9),
}
"""Shares of the truth that count as right (SpatialVLM, SpatialPIN)."""
SMALLEST: dict[Dimension, float] = {"length": 0.003, "angle": 2.0, "count": 0.0}
"""Errors that always count as right [m, degrees, -]: the bands are meaningless where the truth is near 0."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one look, or about two.

    Args:
        id: unique, stable for a seed.
        seed: of the scene; questions of one scene are one cluster in confidence intervals.
        task: IaOR, IaAD or IrSD.
        kind: how it is answered.
        program: name of the program that defines the truth.
        operands: ids of the objects in the true scene.
        frame: "viewer" or "gravity".
        text: in English.
        names: the phrases that name objects in the text; a parser must not read numbers in them.
        truth: 1.0 or 0.0 for yes or no, the index of the right option, or the number in m, degrees or pieces.
        dimension: of a number.
        options: of a choice.
    """

    id: str
    seed: int
    task: Task
    kind: Kind
    program: str
    operands: tuple[str, ...]
    frame: str
    text: str
    names: tuple[str, ...]
    truth: float
    dimension: Dimension = "count"
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind == "choice" and len(self.options) < 2:
            raise InvalidValueError(f"question '{self.id}': a choice needs two options or more")

    @property
    def quantitative(self) -> bool:
        return self.kind == "number"

    def within(self, value: float, band: str) -> bool:
        """Whether a number is close enough to the truth for a band of `BANDS`."""
        low, high = BANDS[band]
        if abs(value - self.truth) <= SMALLEST[self.dimension]:
            return True
        return self.truth != 0.0 and low <= value / self.truth <= high

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Question:
        listed = {name: tuple(document[name]) for name in ("operands", "names", "options")}
        return cls(**{**document, **listed})


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What questions are made from.

    Args:
        scene: the true scene; names are referring expressions.
        objects: those that may be asked about.
        complete: whether they are all there is.
        before: the true scene before something happened, and `changes` what did; None when there is one look only.
    """

    scene: Scene
    objects: Sequence[SceneObject]
    complete: bool
    before: Scene | None = None
    changes: Changes | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A question that a program can ask of a subject: its operands, words for the template, and the truth."""

    operands: tuple[str, ...]
    words: tuple[str, ...]
    truth: float
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """A kind of question with one geometric definition.

    Args:
        definition: what is computed, in one sentence.
        templates: phrasings; {0}, {1} ... are the draft's words.
        drafts: every question of this kind that can be asked; only those whose truth is clear.
    """

    name: str
    task: Task
    kind: Kind
    frame: str
    definition: str
    templates: tuple[str, ...]
    drafts: Callable[[Subject], Iterator[Draft]]
    dimension: Dimension = "count"
