# SPDX-License-Identifier: Apache-2.0
"""What the programs that answer questions share: operands from phrases, the frame asked for, and wording."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from spatialpin_ros.errors import NotUnderstoodError, ReasoningError
from spatialpin_ros.reasoning import words
from spatialpin_ros.reasoning.protocol import Answer
from spatialpin_ros.reasoning.referring import Resolver
from spatialpin_ros.relations import ReferenceFrame, object_frame, viewer_frame
from spatialpin_ros.scene import Scene, SceneObject

_FRAMES = (
    r"(?P<text>.+?)(?: ,)? (?:as )?(?:seen |viewed )?from (?:the )?"
    r"(?:point of view|viewpoint|perspective|view) of (?P<of>.+)",
    r"(?P<text>.+?)(?: ,)? (?:as )?(?:seen |viewed )?from (?P<of>.+) s (?:point of view|viewpoint|perspective|view)",
    r"(?P<text>.+?)(?: ,)? (?:as seen|seen|as viewed|viewed) from (?P<of>.+)",
    r"(?P<text>.+?)(?: ,)? in (?:the )?frame of (?P<of>.+)",
)
# The robot's own frame: it looks along the base frame's x axis.
ROBOT_FRAME = ReferenceFrame("object:robot", np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))


class Asked:
    """The operands of one question.

    Args:
        scene: what is asked about.
        frame: of left, right, front and back; None: the viewer's. Names such as "the left cube" stay the viewer's.
    """

    def __init__(self, scene: Scene, frame: ReferenceFrame | None = None) -> None:
        self.scene = scene
        self.frame = frame or viewer_frame(scene.base_T_camera)
        self.resolver = Resolver(scene)
        self.related_resolver = Resolver(scene)
        self.related_resolver.frame = self.frame

    def one(self, phrase: str) -> SceneObject:
        return self.resolver.one(phrase.split())

    def pair(self, text: str, separators: tuple[str, ...]) -> tuple[SceneObject, SceneObject]:
        """Resolve "A <separator> B", trying every place of the separator."""
        tokens = text.split()
        error: ReasoningError | None = None
        for i in range(1, len(tokens) - 1):
            if tokens[i] in separators:
                try:
                    return self.resolver.one(tokens[:i]), self.resolver.one(tokens[i + 1 :])
                except ReasoningError as failed:
                    error = error or failed
        raise error or NotUnderstoodError(f"'{text}' does not name two objects")


Questions = tuple[tuple[str, Callable[..., Answer | None]], ...]
"""Patterns and what answers them: a method of an `Asked` that takes the pattern's groups as arguments."""


def first_answer(questions: Questions, make: Callable[[], Asked], text: str) -> Answer | None:
    """The first answer among those whose pattern is the whole text; None when there is none."""
    for pattern, method in questions:
        if match := re.fullmatch(pattern, text):
            answer = method(make(), **match.groupdict())
            if answer is not None:
                return answer
    return None


def split_frame(scene: Scene, text: str) -> tuple[str, ReferenceFrame | None]:
    """Take "from the robot's point of view" or "in the frame of the blue box" off a question.

    Returns:
        The rest of the question and the frame, None where it names none or the viewer's.

    Raises:
        UnknownNameError, AmbiguousNameError: as `Resolver.one`.
    """
    for pattern in _FRAMES:
        if match := re.fullmatch(pattern, text):
            of = [word for word in match["of"].split() if word not in words.DETERMINERS]
            if len(of) == 1 and of[0] in words.VIEWER_WORDS | {"my", "here"}:
                return match["text"], None
            if len(of) == 1 and of[0] in words.ROBOT_WORDS:
                return match["text"], ROBOT_FRAME
            return match["text"], object_frame(Resolver(scene).one(of))
    return text, None


MOST_CHARS = 1000
_UNITS = {
    r"met(?:er|re)s?|m": ("m", 1.0), r"centimet(?:er|re)s?|cm": ("cm", 0.01), r"millimet(?:er|re)s?|mm": ("mm", 0.001),
    r"inch(?:es)?": ("inches", 0.0254), r"feet|foot": ("feet", 0.3048),
}  # fmt: skip


def check_length(text: str, what: str) -> None:
    """Refuse what is too long to be a question or a request about one table.

    Raises:
        NotUnderstoodError: it has more than `MOST_CHARS` characters.
    """
    if len(text) > MOST_CHARS:
        raise NotUnderstoodError(
            f"the {what} has {len(text)} characters, at most {MOST_CHARS} are read; it begins '{quoted(text)}'"
        )


def without_words(text: str, what: str) -> str:
    """How to tell that there is nothing to be understood in a text."""
    return f"'{quoted(text)}' has no words" if text.strip() else f"the {what} is empty"


def quoted(text: str, most: int = 80) -> str:
    """The beginning of a text, on one line and without what a terminal would not print."""
    line = "".join(
        sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in " ".join(text.split())
    )
    return line if len(line) <= most else f"{line[:most]}..."


def split_unit(text: str) -> tuple[str, str, float]:
    """Take "in inches" off a question; returns the rest, the unit's word (empty: none was named) and its length [m]."""
    for pattern, (word, scale) in _UNITS.items():
        if match := re.fullmatch(rf"(?P<text>.+) in (?:{pattern})|in (?:{pattern}) ,? ?(?P<rest>.+)", text):
            return match["text"] or match["rest"], word, scale
    return text, "", 1.0


def in_unit(answer: Answer, word: str, scale_m: float) -> Answer:
    """The answer with the lengths in its text in another unit than cm; its value stays in metres."""
    if not word or answer.unit != "m":
        return answer
    text = re.sub(r"(-?\d+\.\d) cm\b", lambda m: f"{float(m[1]) / (100.0 * scale_m):.4g} {word}", answer.text)
    return replace(answer, text=text)


def yes_no(
    holds: bool, sentence: str, denied: str, object_ids: tuple[str, ...], program: str, frame: str
) -> Answer:
    """An answer of yes with one sentence, or of no with the other."""
    text = f"Yes, {sentence}." if holds else f"No, {denied}."
    return Answer(text, float(holds), "bool", object_ids, program, frame)


def cm(length_m: float) -> str:
    return f"{length_m * 100:.1f} cm"


def degrees(angle_rad: float) -> str:
    return f"{np.degrees(angle_rad):.1f} degrees"


def ids(objects: Sequence[SceneObject]) -> tuple[str, ...]:
    return tuple(item.id for item in objects)


def names(objects: Sequence[SceneObject]) -> str:
    found = [f"the {item.name}" for item in objects]
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"


def call(program: str, *operands: str) -> str:
    return f"{program}({', '.join(operands)})"
