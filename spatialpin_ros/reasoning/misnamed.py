# SPDX-License-Identifier: Apache-2.0
"""Questions that call an object by the wrong shape: its colour tells which one is meant, and the answer says so."""

from __future__ import annotations

import re
from collections.abc import Sequence

from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.reasoning import words
from spatialpin_ros.scene import Scene

_SHAPES = words.CUBE | words.BLOCK | words.CYLINDER | words.SPHERE


def corrected(question: str, error: UnknownNameError, scenes: Sequence[Scene]) -> tuple[str, str] | None:
    """The question with the name of the only object of that colour in the place of an unknown one, and a note.

    A can seen from above may be taken for a ball, and people take boxes for cubes; colours are surer than shapes.

    Args:
        question: as it was asked.
        error: what could not be answered.
        scenes: where the name may have been looked for.

    Returns:
        None where the unknown name is not a colour and a shape, or the colour does not tell one object.
    """
    said = [word for word in words.tokenize(error.name) if word not in words.DETERMINERS]
    if len(said) != 2 or said[0] not in words.COLORS or words.singular(said[1]) not in _SHAPES:
        return None
    color = words.COLORS[said[0]]
    scene = next((each for each in scenes if tuple(each.names) == error.available), None)
    found = [] if scene is None else [item for item in scene.objects if item.color == color]
    if len(found) != 1:
        return None
    phrase, name = " ".join(said), found[0].name
    text, count = re.subn(rf"\b{said[0]}\s+{said[1]}\b", name, question, flags=re.IGNORECASE)
    if not count or phrase == name:
        return None
    return text, f"The {name} is the only {color} object, so it is taken for the {phrase}."
