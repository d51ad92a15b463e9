# SPDX-License-Identifier: Apache-2.0
"""Questions about angles: inclination against the table, directions of axes, and turns between objects."""

from __future__ import annotations

import re

import numpy as np

from spatialpin_ros.angles import (
    LEANING_RAD,
    PARALLEL_RAD,
    axis_angle,
    axis_heading,
    elevation,
    lies,
    side_turn,
    stands,
    tilt,
)
from spatialpin_ros.reasoning import words
from spatialpin_ros.reasoning.asking import Asked, Questions, call, degrees, first_answer, yes_no
from spatialpin_ros.reasoning.protocol import Answer
from spatialpin_ros.relations import ReferenceFrame
from spatialpin_ros.scene import Scene


def answer(scene: Scene, text: str, frame: ReferenceFrame | None = None) -> Answer | None:
    """Answer a question in lower-case words without a question mark; None when it is not about angles.

    Raises:
        UnknownNameError, AmbiguousNameError: list what there is.
        UndefinedAngleError: the objects do not have the angle asked for.
    """
    return first_answer(_QUESTIONS, lambda: _Angles(scene, frame), text)


class _Angles(Asked):
    """The programs, one method per kind of question."""

    def between(self, pair: str) -> Answer:
        tokens = pair.split()
        if tokens[-1] in words.TABLE_WORDS and "and" in tokens:
            return self.inclination(" ".join(tokens[: len(tokens) - 1 - tokens[::-1].index("and")]))
        a, b = self.pair(pair, ("and", "to"))
        value = axis_angle(a, b)
        text = f"The long axes of the {a.name} and the {b.name} are at {degrees(value)}."
        return Answer(
            text, float(np.degrees(value)), "deg", (a.id, b.id), call("axis_angle", a.id, b.id), "gravity"
        )

    def inclination(self, a: str) -> Answer:
        item = self.one(a)
        value = elevation(item, self.scene)
        text = f"The long axis of the {item.name} is inclined by {degrees(value)} to the table."
        return Answer(
            text, float(np.degrees(value)), "deg", (item.id,), call("elevation", item.id), "gravity"
        )

    def tilted_by(self, a: str) -> Answer:
        item = self.one(a)
        value = tilt(item, self.scene)
        text = f"The {item.name} is tilted by {degrees(value)} against the table."
        return Answer(text, float(np.degrees(value)), "deg", (item.id,), call("tilt", item.id), "gravity")

    def turned_from(self, a: str, b: str) -> Answer:
        first, second = self.one(a), self.one(b)
        value = side_turn(first, second)
        text = (
            f"The sides of the {first.name} are turned by {degrees(value)} from those of the {second.name}."
        )
        program = call("side_turn", first.id, second.id)
        return Answer(text, float(np.degrees(value)), "deg", (first.id, second.id), program, "gravity")

    def heading(self, a: str) -> Answer:
        item = self.one(a)
        value = axis_heading(item, self.frame)
        text = (
            f"The long axis of the {item.name} is turned by {degrees(value)} from the left-right direction."
        )
        program = call("axis_heading", item.id)
        return Answer(text, float(np.degrees(value)), "deg", (item.id,), program, self.frame.name)

    def posture(self, a: str, word: str) -> Answer:
        item = self.one(a)
        lying = word.startswith(("lying", "level", "flat", "horizontal"))
        said = "lying on its side" if lying else "standing upright"
        holds = lies(item) if lying else stands(item)
        program = call("lies" if lying else "stands", item.id)
        sentence = f"the {item.name} is {said}"
        return yes_no(holds, sentence, sentence.replace(" is ", " is not "), (item.id,), program, "gravity")

    def parallel(self, pair: str, word: str) -> Answer:
        a, b = self.pair(pair, ("and", "to", "with"))
        angle = axis_angle(a, b)
        holds = angle < PARALLEL_RAD if word == "parallel" else angle > np.pi / 2 - PARALLEL_RAD
        said = f"the long axes of the {a.name} and the {b.name} are"
        program = f"{call('axis_angle', a.id, b.id)} {'< 10' if word == 'parallel' else '> 80'} degrees"
        text, denied = f"{said} {word} (at {degrees(angle)})", f"{said} not {word} (at {degrees(angle)})"
        return yes_no(holds, text, denied, (a.id, b.id), program, "gravity")

    def aligned(self, pair: str) -> Answer:
        a, b = self.pair(pair, ("and", "to", "with"))
        angle = side_turn(a, b)
        said = f"the sides of the {a.name} and the {b.name} are"
        text, denied = f"{said} aligned (at {degrees(angle)})", f"{said} not aligned (at {degrees(angle)})"
        program = f"{call('side_turn', a.id, b.id)} < 10 degrees"
        return yes_no(angle < PARALLEL_RAD, text, denied, (a.id, b.id), program, "gravity")

    def runs(self, a: str, first: str) -> Answer:
        item = self.one(a)
        angle = axis_heading(item, self.frame)
        sideways = first in ("left", "side", "right")
        holds = angle < np.pi / 4 if sideways else angle > np.pi / 4
        ways = ("from left to right", "from front to back")
        said = f"more {ways[0 if sideways else 1]} than {ways[1 if sideways else 0]}"
        program = f"{call('axis_heading', item.id)} {'<' if sideways else '>'} 45 degrees"
        subject = f"the long axis of the {item.name}"
        sentence, denied = f"{subject} runs {said}", f"{subject} does not run {said}"
        return yes_no(holds, sentence, denied, (item.id,), program, self.frame.name)

    def is_tilted(self, a: str) -> Answer:
        item = self.one(a)
        angle = tilt(item, self.scene)
        said = f"the {item.name} is {{}}tilted against the table ({degrees(angle)})"
        program = f"{call('tilt', item.id)} > 10 degrees"
        return yes_no(
            angle > LEANING_RAD, said.format(""), said.format("not "), (item.id,), program, "gravity"
        )

    def steeper(self, a: str, b: str) -> Answer:
        first, second = self.one(a), self.one(b)
        holds = elevation(first, self.scene) > elevation(second, self.scene)
        program = f"{call('elevation', first.id)} > {call('elevation', second.id)}"
        said = f"the {first.name} is {{}}more steeply inclined than the {second.name}"
        return yes_no(holds, said.format(""), said.format("not "), (first.id, second.id), program, "gravity")


_WHAT = r"(?:what is |how (?:big|large) is |at )?(?:what angle|(?:the )?(?:smaller |acute |smallest )?angle)"
_AXES = r"(?:the )?(?:(?:long|longest|main|principal) )?(?:axis|axes|direction|directions)"
_MANY = r"(?:by )?how (?:many degrees|much|far|strongly)"
_QUESTIONS: Questions = (
    (rf"{_WHAT} between (?:{_AXES} of )?(?P<a>.+?) and (?:{_AXES} of )?(?P<b>.+)",
     lambda asked, a, b: asked.between(f"{a} and {b}")),
    (rf"at what angle (?:is|are|does|lies) (?:{_AXES} of )?(?P<a>.+?) (?:lie |stand )?(?:to|against|with|from) "
     rf"(?:{_AXES} of )?(?P<b>.+)", lambda asked, a, b: asked.between(f"{a} and {b}")),
    (rf"(?:{_MANY} is |how steep(?:ly)? is |what is the )?(?:inclination|elevation|slope) of (?:{_AXES} of )?(?P<a>.+?)"
     r"(?: (?:to|against|from|above|over) the (?:table|horizontal|ground))?", _Angles.inclination),
    (rf"(?:{_MANY}|how steep(?:ly)?) is (?:{_AXES} of )?(?P<a>.+?) (?:inclined|raised)"
     r"(?: (?:to|against|from|above|over) the (?:table|horizontal|ground))?", _Angles.inclination),
    (rf"{_MANY} is (?P<a>.+?) (?:tilted|leaning)(?: (?:to|against|from) the (?:table|vertical|horizontal))?",
     _Angles.tilted_by),
    (rf"{_MANY} (?:would|does|must|should|do|is|are) (?:the sides of )?(?P<a>.+?) (?:have to |need to |to )?"
     r"(?:be )?(?:turn|turned|rotate|rotated)(?: about the vertical)? "
     r"(?:to (?:be|become) aligned with|to align with|from|relative to|against) "
     r"(?:the )?(?:left right|left to right)(?: direction)?",
     lambda asked, a: asked.heading(re.sub(rf"^{_AXES} of ", "", a))),
    (rf"{_MANY} (?:would|does|must|should|do|is|are) (?:the sides of )?(?P<a>.+?) (?:have to |need to |to )?"
     r"(?:be )?(?:turn|turned|rotate|rotated)(?: about the vertical)? "
     r"(?:to (?:be|become) aligned with|to align with|from|relative to|against) (?:the sides of |those of )?(?P<b>.+)",
     _Angles.turned_from),
    (r"is (?P<a>.+?) (?P<word>lying|standing|level|upright|horizontal|vertical|flat)"
     r"(?: (?:on|upon) (?:its|the) side| down| upright| up| flat)?", _Angles.posture),
    (rf"(?:are|is) (?:{_AXES} of )?(?P<pair>.+) (?P<word>parallel|perpendicular)(?: to each other)?", _Angles.parallel),
    (rf"is (?:{_AXES} of )?(?P<a>.+) (?P<word>parallel|perpendicular) (?:to|with) (?:{_AXES} of )?(?P<b>.+)",
     lambda asked, a, word, b: asked.parallel(f"{a} and {b}", word)),
    (r"(?:are|is) (?:the sides of )?(?P<pair>.+) aligned(?: with each other)?", _Angles.aligned),
    (r"(?:are|is) (?:the sides of )?(?P<a>.+) aligned with (?:the sides of |those of )?(?P<b>.+)",
     lambda asked, a, b: asked.aligned(f"{a} and {b}")),
    (rf"does (?:{_AXES} of )?(?P<a>.+?) (?:run|point|extend) more (?:from )?(?P<first>left|side|right|front|back) "
     r"to (?:right|side|left|back|front) than .+", _Angles.runs),
    (r"is (?P<a>.+?) (?:tilted|leaning|inclined)(?: (?:to|against) the table)?", _Angles.is_tilted),
    (rf"is (?:{_AXES} of )?(?P<a>.+) (?:steeper|more steeply inclined|more inclined) than (?:{_AXES} of )?(?P<b>.+)",
     _Angles.steeper),
)  # fmt: skip
