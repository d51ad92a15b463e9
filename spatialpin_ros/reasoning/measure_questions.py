# SPDX-License-Identifier: Apache-2.0
"""Questions about distances and sizes, and which of two is nearer or larger."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from spatialpin_ros.reasoning import words
from spatialpin_ros.reasoning.asking import Asked, Questions, call, cm, first_answer
from spatialpin_ros.reasoning.protocol import Answer
from spatialpin_ros.relations import (
    MEASURES,
    Direction,
    ReferenceFrame,
    centre_distance,
    directional_offset,
    height,
    height_difference,
    horizontal_distance,
    surface_gap,
    volume,
    width,
)
from spatialpin_ros.scene import Scene, SceneObject

_DISTANCES: dict[str, tuple[Callable[[SceneObject, SceneObject], float], str]] = {
    "": (centre_distance, "from centre to centre"),
    "horizontal ": (horizontal_distance, "horizontally from centre to centre"),
    "vertical ": (lambda a, b: abs(height_difference(a, b)), "vertically from centre to centre"),
    "gap": (surface_gap, "between their surfaces"),
}
_MEASURE_WORDS = {
    **{word: measure for word, (measure, _) in words.SIZES.items()},
    "height": "height", "width": "width", "length": "width", "breadth": "width", "diameter": "width", "depth": "depth",
    "thickness": "depth", "size": "size", "volume": "size", "dimensions": "size", "extents": "size",
}  # fmt: skip
_DIRECTIONS: dict[str, Direction] = {
    "left": "left_of", "right": "right_of", "front": "in_front_of", "behind": "behind",
    "above": "above", "below": "below",
}  # fmt: skip


def answer(scene: Scene, text: str, frame: ReferenceFrame | None = None) -> Answer | None:
    """Answer a question in lower-case words without a question mark; None when it is none of these.

    Raises:
        UnknownNameError, AmbiguousNameError: list what there is.
    """
    return first_answer(_QUESTIONS, lambda: _Measures(scene, frame), text)


class _Measures(Asked):
    """The programs, one method per kind of question; groups of the pattern are its arguments."""

    def distance(self, pair: str, kind: str = "") -> Answer:
        last = pair.split()[-1]
        if last in words.ROBOT_WORDS | words.VIEWER_WORDS:
            return self._distance_to_fixed(pair, last)
        a, b = self.pair(pair, ("and", "from", "to"))
        measure, how = _DISTANCES[kind or ""]
        value = measure(a, b)
        names = {
            "": "centre_distance",
            "horizontal ": "horizontal_distance",
            "vertical ": "height_difference",
        }
        program = call(names.get(kind or "", "surface_gap"), a.id, b.id)
        text = f"The {a.name} and the {b.name} are {cm(value)} apart, {how}."
        return Answer(text, value, "m", (a.id, b.id), program)

    def gap(self, pair: str) -> Answer:
        return self.distance(pair, "gap")

    def offset(self, direction: str, a: str, b: str) -> Answer:
        """How far a's centre lies from b's in one direction; negative on the other side."""
        first, second = self.one(a), self.one(b)
        name = _DIRECTIONS[direction.removesuffix(" of").split()[-1]]
        value = directional_offset(name, first, second, self.frame)
        said = name.replace("_", " ")
        text = f"The {first.name} is {cm(value)} {said} the {second.name}, from centre to centre."
        if value < 0.0:
            text = f"The {first.name} is not {said} the {second.name}: the offset is {cm(value)}."
        frame = "gravity" if name in ("above", "below") else self.frame.name
        return Answer(
            text, value, "m", (first.id, second.id), call(f"offset_{name}", first.id, second.id), frame
        )

    def _distance_to_fixed(self, pair: str, fixed: str) -> Answer:
        item = self.one(re.sub(rf" (?:from|to|and) (?:the )?{fixed}$", "", pair))
        robot = fixed in words.ROBOT_WORDS
        origin = np.zeros(3) if robot else self.scene.base_T_camera.position
        value = float(np.linalg.norm(item.centre - origin))
        what = "robot's base" if robot else "camera"
        program = call("distance_to_base" if robot else "distance_to_camera", item.id)
        return Answer(f"The {item.name} is {cm(value)} from the {what}.", value, "m", (item.id,), program)

    def measure(self, word: str, a: str) -> Answer:
        item, measure = self.one(a), _MEASURE_WORDS[word]
        if measure == "size":
            long, short = width(item), MEASURES["depth"](item)
            sides = f"{long * 100:.1f} x {short * 100:.1f} x {height(item) * 100:.1f} cm"
            text = f"The {item.name} measures {sides} (width x depth x height)."
            return Answer(text, volume(item), "m^3", (item.id,), call("volume", item.id))
        value = MEASURES[measure](item)
        said = {"height": "tall", "width": "wide", "depth": "deep"}[measure]
        return Answer(
            f"The {item.name} is {cm(value)} {said}.", value, "m", (item.id,), call(measure, item.id)
        )

    def compare(self, a: str, word: str, b: str) -> Answer | None:
        if word not in words.COMPARATIVES:
            return None
        first, second = self.one(a), self.one(b)
        measure, sign = words.COMPARATIVES[word]
        values = [MEASURES[measure](item) for item in (first, second)]
        holds = sign * (values[0] - values[1]) > 0.0
        yes, denied = ("Yes", "") if holds else ("No", "not ")
        text = f"{yes}, the {first.name} is {denied}{word} than the {second.name}."
        program = f"{call(measure, first.id)} {'>' if sign > 0 else '<'} {call(measure, second.id)}"
        return Answer(text, float(holds), "bool", (first.id, second.id), program)

    def difference(self, word: str, a: str, b: str) -> Answer | None:
        if word not in words.COMPARATIVES or words.COMPARATIVES[word][0] == "size":
            return None
        first, second = self.one(a), self.one(b)
        measure, sign = words.COMPARATIVES[word]
        value = sign * (MEASURES[measure](first) - MEASURES[measure](second))
        text = f"The {first.name} is {cm(value)} {word} than the {second.name}."
        if value < 0.0:
            text = f"The {first.name} is not {word}: the difference to the {second.name} is {cm(value)}."
        program = f"{call(measure, first.id)} - {call(measure, second.id)}"
        return Answer(text, value, "m", (first.id, second.id), program if sign > 0 else f"-({program})")

    def choice(self, word: str, a: str, b: str) -> Answer | None:
        tokens = word.split()
        ranks = words.COMPARATIVES.get(tokens[0])
        first, second = self.one(a), self.one(b)
        if ranks is not None:
            measure, sign = ranks
            better = max((first, second), key=lambda item: sign * MEASURES[measure](item))
            program = call("argmax" if sign > 0 else "argmin", measure, first.id, second.id)
        elif tokens[0] in ("closer", "nearer") and len(tokens) > 2:
            reference = self.resolver.one(tokens[2:])
            better = min((first, second), key=lambda item: centre_distance(item, reference))
            program = call("argmin", f"centre_distance to {reference.id}", first.id, second.id)
        else:
            return None
        phrase = re.sub(r"^(?:the|a|an) ", "", a if better is first else b)
        return Answer(f"The {phrase} is {word}.", None, "", (better.id,), program)

    def closer(self, a: str, b: str, c: str) -> Answer:
        item, first, second = self.one(a), self.one(b), self.one(c)
        holds = centre_distance(item, first) < centre_distance(item, second)
        text = f"{'Yes' if holds else 'No'}, the {item.name} is {'' if holds else 'not '}closer to the {first.name}."
        program = (
            f"{call('centre_distance', item.id, first.id)} < {call('centre_distance', item.id, second.id)}"
        )
        return Answer(text, float(holds), "bool", (item.id, first.id, second.id), program)


_BE = r"(?:is|are)"
_WAY = "(?:to the )?left of|(?:to the )?right of|in front of|behind|above|below"
_HOW_WORDS = "|".join(sorted(words.SIZES))
_OF_WORDS = "height|width|length|breadth|diameter|depth|thickness|size|volume|dimensions|extents"
_QUESTIONS: Questions = (
    (rf"how (?:far|much) (?P<direction>{_WAY}) (?P<b>.+?) {_BE} (?P<a>.+)", _Measures.offset),
    (rf"how (?:far|much) {_BE} (?P<a>.+?) (?P<direction>{_WAY}) (?P<b>.+)", _Measures.offset),
    (rf"how (?:far|close) (?:apart |away )?{_BE} (?P<pair>.+)", _Measures.distance),
    (
        r"(?:what is |how (?:big|large|long) is )?(?:the )?(?P<kind>horizontal |vertical )?distance "
        r"(?:between|from|of) (?P<pair>.+)",
        _Measures.distance,
    ),
    (
        r"(?:what is |how (?:big|wide|large) is )(?:the )?(?:gap|clearance|space|room) between (?P<pair>.+)",
        _Measures.gap,
    ),
    (rf"how much (?P<word>\w+) {_BE} (?P<a>.+) than (?P<b>.+)", _Measures.difference),
    (rf"how (?P<word>{_HOW_WORDS}) {_BE} (?P<a>.+)", _Measures.measure),
    (rf"what {_BE} the (?P<word>{_OF_WORDS}) of (?P<a>.+)", _Measures.measure),
    (rf"what (?P<word>size) {_BE} (?P<a>.+)", _Measures.measure),
    (
        r"which (?:object |one )?is (?P<word>closer to .+?|nearer to .+?|\w+) ?, (?P<a>.+) or (?P<b>.+)",
        _Measures.choice,
    ),
    (r"is (?P<a>.+) (?:closer|nearer) to (?P<b>.+) than (?:to )?(?P<c>.+)", _Measures.closer),
    (rf"{_BE} (?P<a>.+) (?P<word>\w+) than (?P<b>.+)", _Measures.compare),
)  # fmt: skip
