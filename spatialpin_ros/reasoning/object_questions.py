# SPDX-License-Identifier: Apache-2.0
"""Questions about what there is: how many, whether, where, of what colour and shape, and what can be done with it."""

from __future__ import annotations

import re

from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.asking import Asked, Questions, call, cm, first_answer, ids
from spatialpin_ros.reasoning.asking import names as say
from spatialpin_ros.reasoning.feasibility import can_grasp, can_place_on
from spatialpin_ros.reasoning.protocol import Answer
from spatialpin_ros.relations import ReferenceFrame, surface_gap
from spatialpin_ros.scene import Scene

_SHAPES = {"box": "a box", "cylinder": "a cylinder", "sphere": "a sphere", "unknown": "of no simple shape"}


def answer(scene: Scene, text: str, frame: ReferenceFrame | None = None) -> Answer | None:
    """Answer a question in lower-case words without a question mark; None when it is none of these.

    Raises:
        UnknownNameError, AmbiguousNameError: list what there is.
    """
    return first_answer(_QUESTIONS, lambda: _Objects(scene, frame), text)


class _Objects(Asked):
    """The programs, one method per kind of question; groups of the pattern are its arguments."""

    def count(self, a: str) -> Answer:
        tokens = re.sub(
            r"\b(are|is|do|can|you|see|there|visible|in the scene|in view|on it)\b", "", a
        ).split()
        if not tokens or tokens == ["on", "the", "table"]:
            tokens = ["objects"]
        found = self.resolver.matching(tokens)
        verb = "is" if len(found) == 1 else "are"
        listed = f": {say(found)}" if found else ""
        text = f"There {verb} {len(found)}{listed}."
        return Answer(text, float(len(found)), "count", ids(found), call("count", " ".join(tokens)), "viewer")

    def exists(self, a: str) -> Answer:
        tokens = re.sub(r" (?:in the scene|here|visible)$", "", a).split()
        found = self.resolver.matching(tokens)
        text = (
            f"Yes: {say(found)}."
            if found
            else f"No, there is none; there is: {', '.join(self.scene.names) or 'nothing'}."
        )
        return Answer(
            text, float(bool(found)), "bool", ids(found), call("exists", " ".join(tokens)), "viewer"
        )

    def color(self, a: str) -> Answer:
        item = self.one(a)
        return Answer(f"The {item.name} is {item.color}.", None, "", (item.id,), call("color", item.id))

    def shape(self, a: str) -> Answer:
        item = self.one(a)
        return Answer(
            f"The {item.name} is {_SHAPES[item.shape]}.", None, "", (item.id,), call("shape", item.id)
        )

    def where(self, a: str) -> Answer:
        item = self.one(a)
        x, y, z = item.centre
        on = next(
            (f"the {other.name}" for other in self.scene.objects if other.id == item.supported_by),
            "the table",
        )
        others = [other for other in self.scene.objects if other.id != item.id]
        beside = ""
        if others:
            nearest = min(others, key=lambda other: surface_gap(item, other))
            beside = f", {cm(surface_gap(item, nearest))} from the {nearest.name}"
        text = f"The {item.name} is on {on} at x {cm(x)}, y {cm(y)}, z {cm(z)} of the base frame{beside}."
        return Answer(text, None, "", (item.id,), call("centre", item.id))

    def everything(self) -> Answer:
        found = self.scene.objects
        text = f"I see {say(found)}." if found else "I see nothing on the table."
        return Answer(text, float(len(found)), "count", ids(found), "objects()")

    def stackable(self, a: str, b: str) -> Answer:
        item, carrier = self.one(a), self.one(b)
        verdict = can_place_on(self.scene, item, carrier, Abilities())
        text = (
            f"Yes, the {item.name} can be put on the {carrier.name}."
            if verdict
            else f"No: {verdict.message}."
        )
        program = call("can_place_on", item.id, carrier.id)
        return Answer(text, float(verdict.ok), "bool", (item.id, carrier.id), program)

    def graspable(self, a: str) -> Answer:
        item = self.one(a)
        verdict = can_grasp(self.scene, item, Abilities())
        text = f"Yes, the {item.name} can be picked up." if verdict else f"No: {verdict.message}."
        return Answer(text, float(verdict.ok), "bool", (item.id,), call("can_grasp", item.id))


_BE = r"(?:is|are)"
_QUESTIONS: Questions = (
    (r"how many (?P<a>.+)", _Objects.count),
    (rf"(?:what|which) colou?r {_BE} (?P<a>.+)|what {_BE} the colou?r of (?P<b>.+)",
     lambda asked, a, b: asked.color(a or b)),
    (rf"(?:what|which) (?:shape|kind of object) {_BE} (?P<a>.+)|what {_BE} the shape of (?P<b>.+)",
     lambda asked, a, b: asked.shape(a or b)),
    (rf"where {_BE} (?P<a>.+)", _Objects.where),
    (
        r"(?:what (?:do|can) you see|what objects (?:are there|do you see|can you see)|what is (?:there|on the table)|"
        r"describe the scene|list (?:all )?(?:the )?objects|what is in the scene)",
        _Objects.everything,
    ),
    (rf"{_BE} there (?P<a>.+)|do you see (?P<b>.+)", lambda asked, a, b: asked.exists(a or b)),
    (
        r"(?:can|could) (?:you|the robot|i|we) (?:stack|put|place|set) (?P<a>.+?) (?:on top of|onto|on|upon) (?P<b>.+)",
        _Objects.stackable,
    ),
    (
        r"(?:can|could|does|would) (?P<a>.+?) (?:be (?:stacked|put|placed|set)|fit|stand|go) "
        r"(?:on top of|onto|on) (?P<b>.+)",
        _Objects.stackable,
    ),
    (
        r"(?:can|could) (?:you|the robot|i|we) (?:pick up|grasp|grab|lift|take|pick) (?P<a>.+)",
        _Objects.graspable,
    ),
)  # fmt: skip
