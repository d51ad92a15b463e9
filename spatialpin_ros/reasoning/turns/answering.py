# SPDX-License-Identifier: Apache-2.0
"""What a model answered, held against itself and against the geometry of the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from spatialpin_ros.errors import ReasoningError
from spatialpin_ros.reasoning import questions
from spatialpin_ros.reasoning.protocol import Answer
from spatialpin_ros.scene import Scene
from spatialpin_ros.spatial_qa.parsing import AGREEMENT, read_quantity, read_yes_no

ALIKE = 0.1
_DIMENSIONS = {"m": "length", "deg": "angle"}


def read_answer(model: str, scene: Scene, reply: Mapping[str, Any]) -> tuple[Answer, Sequence[str]]:
    """The answer, and what contradicts itself in it: a number that is not the value, a yes that is 0."""
    value = None if reply["value"] is None else float(reply["value"])
    ids = tuple(each for each in reply["object_ids"] if each)
    made = Answer(reply["answer"], value, reply["unit"], ids, f"model({model})", "viewer")
    if value is not None and (wrong := _impossible(value, made.unit)):
        return replace(made, value=None), (wrong,)
    said = _said(made, scene.names)
    if value is None or said is None or _close(said, value, AGREEMENT):
        return made, ()
    if made.unit == "bool":
        return made, (f'"answer" says {"yes" if said else "no"} but "value" is {value:g}',)
    wanted = f'"answer" says {said:.4g} {made.unit} but "value" is {value:.4g} {made.unit}'
    return made, (f"{wanted}; make them agree, the value in SI units",)


def _impossible(value: float, unit: str) -> str:
    """Why a number cannot be of a unit; empty when it can."""
    if unit == "bool" and value not in (0.0, 1.0):
        return f'"value" is {value:g}, but with unit "bool" it is 1 for yes or 0 for no'
    if unit == "count" and (value < 0.0 or not value.is_integer()):
        return f'"value" is {value:g}, but a count is a whole number from 0'
    if unit == "m^3" and value < 0.0:
        return f'"value" is {value:g}, but a volume is not negative'
    return ""


def _said(answer: Answer, names: Sequence[str]) -> float | None:
    """The number in the sentence in the value's unit, 1 or 0 for yes or no; None where there is none to compare."""
    if answer.unit == "bool":
        yes = read_yes_no(answer.text)
        return None if yes is None else float(yes)
    dimension = _DIMENSIONS.get(answer.unit)
    if dimension is None:
        return None
    reading = read_quantity(answer.text, dimension, names)  # type: ignore[arg-type]
    # Of a range the value may be any number.
    return reading.value if reading.status == "ok" and reading.low == reading.high else None


def check_answer(answer: Answer, scene: Scene, question: str, before: Scene | None) -> tuple[str, str]:
    """Compute the answer from the scene, where a geometric program understands the question.

    Returns:
        The program with its value, empty where there is none to compare; and a sentence when the two disagree.
    """
    try:
        computed = questions.answer(scene, question, before)
    except ReasoningError:
        return "", ""
    if computed.value is None or computed.unit != answer.unit:
        return "", ""
    program = f"{computed.program} = {computed.value:.4g} {computed.unit}"
    if answer.value is not None and _close(answer.value, computed.value, ALIKE):
        return program, ""
    said = "no number" if answer.value is None else f"{answer.value:.4g} {answer.unit}"
    return program, f"the model says {said}, the scene {program}"


def _close(a: float, b: float, share: float) -> bool:
    return abs(a - b) <= max(share * max(abs(a), abs(b)), 1e-3)
