# SPDX-License-Identifier: Apache-2.0
"""Questions that set an object against the table or against all others: heights, leaning, the most of something."""

from __future__ import annotations

import re

from spatialpin_ros.angles import LEANING_RAD, tilt
from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.reasoning import words
from spatialpin_ros.reasoning.asking import Asked, Questions, call, cm, degrees, first_answer, ids, yes_no
from spatialpin_ros.reasoning.protocol import Answer
from spatialpin_ros.relations import CONTACT_TOLERANCE_M, MEASURES, ReferenceFrame, surface_gap
from spatialpin_ros.scene import Scene


def answer(scene: Scene, text: str, frame: ReferenceFrame | None = None) -> Answer | None:
    """Answer a question in lower-case words without a question mark; None when it is none of these.

    Raises:
        UnknownNameError, AmbiguousNameError: list what there is.
    """
    return first_answer(_QUESTIONS, lambda: _AgainstAll(scene, frame), text)


class _AgainstAll(Asked):
    """The programs, one method per kind of question."""

    def above_table(self, a: str) -> Answer:
        """Height of an object's lowest point above the table's plane."""
        item, table = self.one(a), self.scene.table.pose
        heights = (item.box.corners - table.position) @ table.axes[:, 2]
        value = max(0.0, float(heights.min()))
        text = f"The bottom of the {item.name} is {cm(value)} above the table, its top {cm(float(heights.max()))}."
        return Answer(text, value, "m", (item.id,), call("bottom_above_table", item.id))

    def leans_on(self, a: str, b: str) -> Answer:
        """Whether an object is tilted and touches another one."""
        item, other = self.one(a), self.one(b)
        angle, gap = tilt(item, self.scene), surface_gap(item, other)
        program = f"{call('tilt', item.id)} > 10 degrees and {call('surface_gap', item.id, other.id)} < 1 cm"
        numbers = f"tilted by {degrees(angle)}, {cm(gap)} apart"
        said = f"the {item.name} {{}} against the {other.name} ({numbers})"
        holds = angle > LEANING_RAD and gap < CONTACT_TOLERANCE_M
        return yes_no(
            holds, said.format("leans"), said.format("does not lean"), (item.id, other.id), program, "gravity"
        )

    def more(self, a: str, word: str, b: str) -> Answer | None:
        """Whether there are more, fewer or as many of one kind as of another."""
        first, second = self.resolver.matching(_there(a)), self.resolver.matching(_there(b))
        way = "more" if word == "more" else "fewer"
        holds = len(first) > len(second) if way == "more" else len(first) < len(second)
        numbers = f"({len(first)} against {len(second)})"
        program = f"{call('count', a)} {'>' if way == 'more' else '<'} {call('count', b)}"
        said = f"there are {{}}{way} {a} than {b} {numbers}"
        return yes_no(
            holds, said.format(""), said.format("not "), (*ids(first), *ids(second)), program, "viewer"
        )

    def exceeds_all(self, a: str, word: str) -> Answer | None:
        """Whether one object exceeds every other one in a measure."""
        if word not in words.COMPARATIVES:
            return None
        item = self.one(a)
        others = tuple(other for other in self.scene.objects if other.id != item.id)
        if not others:
            raise UnknownNameError("another object", self.scene.names)
        measure, sign = words.COMPARATIVES[word]
        best = max(others, key=lambda other: sign * MEASURES[measure](other))
        holds = sign * (MEASURES[measure](item) - MEASURES[measure](best)) > 0.0
        program = f"{call(measure, item.id)} {'>' if sign > 0 else '<'} every other"
        said = (
            f"the {item.name} is {{}}{word} than the {best.name}, the next"
            if holds
            else f"the {best.name} is {word}"
        )
        return yes_no(holds, said.format(""), said, (item.id, best.id), program, "gravity")


def _there(phrase: str) -> list[str]:
    return re.sub(r"\b(?:are|there|in the scene|on the table|here)\b", "", phrase).split()


_TABLE = "(?:" + "|".join(sorted(words.TABLE_WORDS)) + ")"
_OTHERS = (
    r"(?:everything else|all (?:of )?(?:the )?others?|(?:all|any|every) (?:the )?other (?:objects?|things?)|"
    r"the others|the rest)"
)
_QUESTIONS: Questions = (
    (rf"how (?:high|far)(?: up)? is (?:the bottom of )?(?P<a>.+?) (?:above|over|off|from) the {_TABLE}",
     _AgainstAll.above_table),
    (rf"how (?:high|far) above the {_TABLE} is (?:the bottom of )?(?P<a>.+)", _AgainstAll.above_table),
    (rf"what is the (?:distance|gap|height) (?:between|of|from) (?P<a>.+?) (?:and|to|from|above|over) the {_TABLE}",
     _AgainstAll.above_table),
    (r"(?:is (?P<a>.+?) leaning|does (?P<c>.+?) lean) (?:against|on|onto) (?P<b>.+)",
     lambda asked, a, b, c: None if b.split()[-1] in words.TABLE_WORDS else asked.leans_on(a or c, b)),
    (r"are there (?P<word>more|fewer|less) (?P<a>.+?) than (?P<b>.+)", _AgainstAll.more),
    (rf"is (?P<a>.+) (?P<word>\w+) than {_OTHERS}", _AgainstAll.exceeds_all),
)  # fmt: skip
