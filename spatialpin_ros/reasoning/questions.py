# SPDX-License-Identifier: Apache-2.0
"""Answers spatial questions from the scene: each kind of question is one geometric program with its operands."""

from __future__ import annotations

import re
from dataclasses import replace

from spatialpin_ros.errors import NotUnderstoodError, UnknownNameError
from spatialpin_ros.reasoning import (
    angle_questions,
    change_questions,
    measure_questions,
    misnamed,
    object_questions,
    relation_questions,
    table_questions,
    words,
)
from spatialpin_ros.reasoning.asking import (
    check_length,
    in_unit,
    quoted,
    split_frame,
    split_unit,
    without_words,
)
from spatialpin_ros.reasoning.protocol import Answer
from spatialpin_ros.scene import Scene

SUPPORTED = (
    "questions such as 'how many cubes are there', 'how far is the red cube from the blue box', "
    "'is the ball left of the can', 'which object is the tallest', 'how wide is the blue box', "
    "'what is on the blue box', 'what colour is the ball', 'is there a green cube', 'where is the can', "
    "'can you stack the red cube on the blue box', 'is the can lying', 'what is the angle between the can and the box' "
    "and with an earlier scene 'what moved', 'how far did the can move', 'how much was the box turned'"
)
_KINDS = (table_questions, angle_questions, object_questions, measure_questions, relation_questions)
"""In this order: what an earlier one understands, a later one is not asked."""


def answer(scene: Scene, question: str, before: Scene | None = None) -> Answer:
    """Answer a question about the scene, or about what changed since an earlier one.

    A wrong shape in a name is forgiven where the colour tells which object is meant; the answer says so.

    Left, right, front and back are the viewer's, or of the frame that the question names ("from the robot's point of
    view", "in the frame of the blue box"); up and down are gravity's.

    Args:
        scene: the present scene.
        question: in English.
        before: an earlier scene in the same base frame, for questions about changes.

    Raises:
        UnknownNameError, AmbiguousNameError: list what there is.
        UndefinedAngleError: an angle is asked for that the objects do not have.
        NotUnderstoodError: says which questions are supported.
    """
    try:
        return _answered(scene, question, before)
    except UnknownNameError as error:
        instead = misnamed.corrected(question, error, [scene] if before is None else [scene, before])
        if instead is None:
            raise
        found = answer(scene, instead[0], before)
        return replace(found, text=f"{found.text} {instead[1]}")


def _answered(scene: Scene, question: str, before: Scene | None) -> Answer:
    check_length(question, "question")
    tokens = [token for token in words.tokenize(question) if token not in ".?!"]
    text = re.sub(r"^(please |tell me |do you know |so |, )+", "", " ".join(tokens))
    text = re.sub(r"^(what|where|which) s\b", r"\1 is", text)
    text, unit, scale_m = split_unit(text)
    found = change_questions.answer(scene, before, text)
    if found is None:
        text, then = change_questions.split_time(text)
        shown = change_questions.earlier(before, question) if then else scene
        text, frame = split_frame(shown, text)
        found = next(filter(None, (kind.answer(shown, text, frame) for kind in _KINDS)), None)
        if found is not None and then:
            found = replace(found, text=re.sub(r"\b(is|are)\b", _past, found.text, count=1))
    if found is None:
        said = f"'{quoted(question)}' is not understood" if tokens else without_words(question, "question")
        raise NotUnderstoodError(f"{said}; I answer, in English, {SUPPORTED}")
    return in_unit(found, unit, scale_m)


def _past(verb: re.Match[str]) -> str:
    return "was" if verb[0] == "is" else "were"
