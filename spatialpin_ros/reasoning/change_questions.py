# SPDX-License-Identifier: Apache-2.0
"""Questions about what changed between an earlier scene and the present one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from spatialpin_ros.angles import turn_between
from spatialpin_ros.changes import MOVED_M, Change, Changes, compare
from spatialpin_ros.errors import NotUnderstoodError, ReasoningError, UnknownNameError
from spatialpin_ros.reasoning import words
from spatialpin_ros.reasoning.asking import (
    Asked,
    Questions,
    call,
    cm,
    degrees,
    first_answer,
    ids,
    names,
    yes_no,
)
from spatialpin_ros.reasoning.protocol import Answer
from spatialpin_ros.reasoning.referring import Resolver
from spatialpin_ros.relations import centre_distance, surface_gap
from spatialpin_ros.scene import Scene, SceneObject

_EARLIER = r"(?:in the (?:first|earlier|previous|old) (?:image|picture|scene|view)|before|earlier)"
_LATER = (
    r"(?:between the (?:two )?(?:images|pictures|scenes)|since (?:then|before|the first image)"
    r"|now|in the second image)"
)


def concerns_change(question: str) -> bool:
    """Whether a question may be about a change or an earlier time, by its words."""
    return _TELLTALE.search(question.lower()) is not None


def split_time(text: str) -> tuple[str, bool]:
    """Take "in the first image" off a question, and say whether it, or the past tense, asks for an earlier time."""
    for pattern in (rf"{_EARLIER} ,? ?(?P<text>.+)", rf"(?P<text>.+) {_EARLIER}"):
        if match := re.fullmatch(pattern, text):
            return re.sub(r"\bw(?:as|ere)\b", lambda m: "is" if m[0] == "was" else "are", match["text"]), True
    if match := re.fullmatch(
        r"(where|how (?:far|tall|wide|big|high|many \w+)|what|which \w+) (was|were) (.+)", text
    ):
        return f"{match[1]} {'is' if match[2] == 'was' else 'are'} {match[3]}", True
    return text, False


_TELLTALE = re.compile(
    r"\b(?:mov(?:e|ed|ing)|turn(?:ed)?|rotat\w+|chang\w+|differ\w+|appear\w*|disappear\w*|vanish\w*|remov\w+|add(?:ed)?|new|"
    r"gone|missing|still|before|earlier|previous\w*|first|displaced|shifted|taken away|c(?:o|a)me)\b"
)


def earlier(before: Scene | None, question: str) -> Scene:
    """The earlier scene.

    Raises:
        NotUnderstoodError: when there is none.
    """
    if before is None:
        raise NotUnderstoodError(
            f"'{question}' is about a change, and there is no earlier scene to compare with; give one as `before`"
        )
    return before


def answer(scene: Scene, before: Scene | None, text: str) -> Answer | None:
    """Answer a question in lower-case words without a question mark; None when it is not about a change.

    Raises:
        UnknownNameError, AmbiguousNameError: list what there is.
        UndefinedAngleError: a turn that cannot be seen.
        NotUnderstoodError: when there is no earlier scene.
    """
    text = re.sub(rf"^{_LATER} ,? ?| {_LATER}$", "", text)
    return first_answer(_QUESTIONS, lambda: _Changed(scene, earlier(before, text)), text)


class OnlyInOneSceneError(UnknownNameError):
    """Asked how something changed that is in the earlier or the present scene alone."""

    def __init__(self, name: str, available: Sequence[str], found: str, gone: bool) -> None:
        super().__init__(name, available)
        why = "is not seen any more" if gone else "is new: it was not there before"
        self.args = (
            f"the {found} {why}, so there is no change of it to tell; now there is: {', '.join(available)}",
        )


class _Changed(Asked):
    """The programs over two scenes; objects are looked for by name in the earlier scene, then in the present one."""

    def __init__(self, scene: Scene, before: Scene) -> None:
        super().__init__(scene)
        self.before = before
        self.resolver_before = Resolver(before)
        self.changes: Changes = compare(before, scene)

    def find(self, phrase: str) -> Change | SceneObject:
        """What became of an object: a change, or the object where it is in one scene only."""
        tokens, error = phrase.split(), None
        for resolver in (self.resolver_before, self.resolver):
            try:
                item = resolver.one(tokens)
            except ReasoningError as failed:
                error = error or failed
                continue
            here = resolver is self.resolver
            for change in self.changes.kept:
                if (change.after if here else change.before).id == item.id:
                    return change
            return item
        raise error or NotUnderstoodError(f"'{phrase}' names no object")

    def kept(self, phrase: str) -> Change:
        found = self.find(phrase)
        if isinstance(found, SceneObject):
            gone = any(item is found for item in self.changes.vanished)
            raise OnlyInOneSceneError(phrase, self.scene.names, found.name, gone)
        return found

    def distance(self, a: str) -> Answer:
        change = self.kept(a)
        text = f"The {change.after.name} moved by {cm(change.distance_m)}."
        program = call("moved_distance", change.before.id, change.after.id)
        return Answer(text, change.distance_m, "m", (change.after.id,), program)

    def turn(self, a: str) -> Answer:
        change = self.kept(a)
        value = turn_between(change.before, change.after)
        text = f"The {change.after.name} was turned by {degrees(value)}."
        program = call("turn_between", change.before.id, change.after.id)
        return Answer(text, float(np.degrees(value)), "deg", (change.after.id,), program)

    def closer(self, a: str, b: str, closer: str = "closer") -> Answer:
        first, second, value, program = self._approach(a, b)
        sign = 1.0 if closer in ("closer", "nearer") else -1.0
        said = f"the {first.after.name} came {closer} to the {second.after.name}".replace(
            "farther to", "farther from"
        )
        denied = said.replace(" came ", " did not come ")
        holds = sign * value > 0.0
        numbers = f" (by {cm(abs(value))})"
        return yes_no(holds, said + numbers, denied, (first.after.id, second.after.id), program, "gravity")

    def closer_by(self, a: str, b: str) -> Answer:
        first, second, value, program = self._approach(a, b)
        way = "closer to" if value >= 0.0 else "farther from"
        text = f"The {first.after.name} came {cm(abs(value))} {way} the {second.after.name}."
        return Answer(text, value, "m", (first.after.id, second.after.id), program)

    def _approach(self, a: str, b: str) -> tuple[Change, Change, float, str]:
        """How much nearer two objects' centres came to each other [m]."""
        first, second = self.kept(a), self.kept(b)
        value = centre_distance(first.before, second.before) - centre_distance(first.after, second.after)
        operands = call("centre_distance", first.before.id, second.before.id)
        return (
            first,
            second,
            value,
            f"{operands} before - {call('centre_distance', first.after.id, second.after.id)}",
        )

    def moved(self, a: str, direction: str | None = None) -> Answer:
        found = self.kept(a)
        shift = found.after.centre - found.before.centre
        holds, said, frame = found.moved, "moved", "gravity"
        if direction is not None:
            axis, sign, said, frame = _WAYS[direction.split()[0]]
            holds, said = sign * float(self.frame.components(shift)[axis]) > MOVED_M, f"moved {said}"
        by = f" (by {cm(found.distance_m)} in all)" if found.moved else ""
        program = call(
            f"moved_{direction.split()[0]}" if direction else "moved", found.before.id, found.after.id
        )
        item = found.after
        denied = said.replace("moved", "did not move", 1)
        return yes_no(
            holds, f"the {item.name} {said}{by}", f"the {item.name} {denied}{by}", (item.id,), program, frame
        )

    def turned(self, a: str) -> Answer:
        change = self.kept(a)
        angle = turn_between(change.before, change.after)
        program = f"{call('turn_between', change.before.id, change.after.id)} > 8 degrees"
        said = f"the {change.after.name} was {{}}turned ({degrees(angle)})"
        return yes_no(
            change.turned, said.format(""), said.format("not "), (change.after.id,), program, "gravity"
        )

    def gone(self, a: str) -> Answer:
        item, gone = self._presence(a, self.changes.vanished)
        texts = f"the {item.name} is gone", f"the {item.name} is still there"
        return yes_no(gone, *texts, (item.id,), call("vanished", item.id), "")

    def still(self, a: str) -> Answer:
        item, gone = self._presence(a, self.changes.vanished)
        texts = f"the {item.name} is still there", f"the {item.name} is gone"
        return yes_no(not gone, *texts, (item.id,), call("kept", item.id), "")

    def new(self, a: str) -> Answer:
        item, new = self._presence(a, self.changes.appeared)
        texts = f"the {item.name} is new", f"the {item.name} was there before"
        return yes_no(new, *texts, (item.id,), call("appeared", item.id), "")

    def _presence(self, a: str, group: Sequence[SceneObject]) -> tuple[SceneObject, bool]:
        found = self.find(a)
        item = found.after if isinstance(found, Change) else found
        return item, any(item is other for other in group)

    def which(self, what: str) -> Answer:
        found, program = self._group(what)
        text = f"{names(found)[0].upper()}{names(found)[1:]}." if found else f"Nothing {_NOTHING[program]}."
        return Answer(text, float(len(found)), "count", ids(found), program)

    def count(self, what: str) -> Answer:
        found, program = self._group(what)
        listed = f": {names(found)}" if found else ""
        return Answer(f"{len(found)}{listed}.", float(len(found)), "count", ids(found), f"count({program})")

    def any(self, what: str) -> Answer:
        found, program = self._group(what)
        return yes_no(
            bool(found), f"{names(found) if found else ''}", "nothing", ids(found), f"any({program})", ""
        )

    def _group(self, what: str) -> tuple[Sequence[SceneObject], str]:
        group = next(name for pattern, name in _GROUPS if re.fullmatch(pattern, what))
        if group in ("moved", "turned"):
            changes = self.changes.moved if group == "moved" else self.changes.turned
            return [change.after for change in changes], f"{group}()"
        return (self.changes.appeared if group == "appeared" else self.changes.vanished), f"{group}()"

    def everything(self) -> Answer:
        parts = [f"the {c.after.name} moved by {cm(c.distance_m)}" for c in self.changes.moved]
        parts += [
            f"the {c.after.name} was turned by {degrees(c.turn_rad or 0.0)}" for c in self.changes.turned
        ]
        parts += [f"the {item.name} appeared" for item in self.changes.appeared]
        parts += [f"the {item.name} is gone" for item in self.changes.vanished]
        text = "; ".join(parts) or "nothing changed"
        changed = (
            *(c.after.id for c in (*self.changes.moved, *self.changes.turned)),
            *ids(self.changes.appeared),
        )
        changed = tuple(dict.fromkeys(changed))
        return Answer(f"{text[0].upper()}{text[1:]}.", float(len(parts)), "count", changed, "changes()")

    def gap_change(self, pair: str) -> Answer:
        tokens = pair.split("and")
        first, second = self.kept(tokens[0].strip()), self.kept(tokens[-1].strip())
        value = surface_gap(first.after, second.after) - surface_gap(first.before, second.before)
        way = "grew" if value >= 0.0 else "shrank"
        text = (
            f"The gap between the {first.after.name} and the {second.after.name} {way} by {cm(abs(value))}."
        )
        program = f"{call('surface_gap', first.after.id, second.after.id)} - before"
        return Answer(text, value, "m", (first.after.id, second.after.id), program)


_WAYS = {
    "left": (0, -1.0, "to the left", "viewer"), "right": (0, 1.0, "to the right", "viewer"),
    "towards": (1, 1.0, "towards the viewer", "viewer"), "toward": (1, 1.0, "towards the viewer", "viewer"),
    "closer": (1, 1.0, "towards the viewer", "viewer"), "forward": (1, 1.0, "towards the viewer", "viewer"),
    "away": (1, -1.0, "away from the viewer", "viewer"), "back": (1, -1.0, "away from the viewer", "viewer"),
    "up": (2, 1.0, "up", "gravity"), "upwards": (2, 1.0, "up", "gravity"),
    "down": (2, -1.0, "down", "gravity"), "downwards": (2, -1.0, "down", "gravity"),
}  # fmt: skip
_GROUPS = (
    (r"(?:been |was |were )?(?:moved|displaced|shifted)|move", "moved"),
    (r"(?:been |was |were )?(?:turned|rotated)|turn|rotate", "turned"),
    (r"(?:been |was |were )?(?:appeared|added|new|come)|appear", "appeared"),
    (
        r"(?:been |was |were )?(?:vanished|disappeared|removed|gone|missing|taken away)|vanish|disappear",
        "vanished",
    ),
)
_NOTHING = {"moved()": "moved", "turned()": "was turned", "appeared()": "appeared", "vanished()": "vanished"}
_GROUP = "|".join(pattern for pattern, _ in _GROUPS)
_THE_VIEWER = "(?:" + "|".join(sorted(words.VIEWER_WORDS)) + ")"
_WAY = (
    r"(?:to the |to my )?(?P<direction>left|right|up(?:wards)?|down(?:wards)?|forward|back|"
    rf"towards? (?:the )?{_THE_VIEWER}|closer to (?:the )?{_THE_VIEWER}|away from (?:the )?{_THE_VIEWER})"
)
_QUESTIONS: Questions = (
    (r"what (?:has )?changed|what is different|describe the changes?", _Changed.everything),
    (rf"how many (?:objects|things|of them) (?:have |has |are |did )?(?P<what>{_GROUP})", _Changed.count),
    (rf"(?:what|which objects?|which things?) (?:have |has |are |is |did )?(?P<what>{_GROUP})", _Changed.which),
    (rf"(?:has|have|did|is|was|were) (?:anything|something|any objects?) (?P<what>{_GROUP})", _Changed.any),
    (r"how (?:far|much) (?:did|has|was|have) (?P<a>.+?) (?:been )?(?:moved|move|shifted|displaced|travelled|travel)",
     _Changed.distance),
    (r"(?:by )?how (?:many degrees|much|far) (?:did|has|was|is|have) (?P<a>.+?) (?:been )?"
     r"(?:turned|turn|rotated|rotate)", _Changed.turn),
    (r"(?:by )?how (?:much|far) (?:closer|nearer) (?:did|has) (?P<a>.+?) "
     r"(?:come|came|get|got|gotten|move|moved) to (?P<b>.+)", _Changed.closer_by),
    (r"(?:by )?how much did the (?:gap|space) between (?P<pair>.+) (?:change|grow|shrink)", _Changed.gap_change),
    (rf"(?:did|has|was) (?P<a>.+?) (?:been )?(?:moved|move) {_WAY}", _Changed.moved),
    (r"(?:did|has) (?P<a>.+?) (?:come|came|get|got|gotten|move|moved) (?P<closer>closer|nearer|farther|further) "
     r"(?:to|from) (?P<b>.+)", _Changed.closer),
    (r"(?:did|has|was) (?P<a>.+?) (?:been )?(?:moved|move|shifted|displaced)", _Changed.moved),
    (r"(?:did|has|was) (?P<a>.+?) (?:been )?(?:turned|turn|rotated|rotate)", _Changed.turned),
    (r"(?:did|has|was|is) (?P<a>.+?) (?:been )?"
     r"(?:vanished|vanish|disappeared|disappear|removed|gone|missing|taken away)", _Changed.gone),
    (r"is (?P<a>.+?) still (?:there|here|on the table|visible)", _Changed.still),
    (r"(?:did|has|was|is) (?P<a>.+?) (?:been )?(?:appeared|appear|added|new|newly added)", _Changed.new),
)  # fmt: skip
