# SPDX-License-Identifier: Apache-2.0
"""Answers spatial questions from the scene: each kind of question is one geometric program with its operands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from spatialpin_ros.errors import AmbiguousNameError, NotUnderstoodError, ReasoningError, UnknownNameError
from spatialpin_ros.reasoning import angle_questions, change_questions, misnamed, table_questions, words
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.asking import (
    Asked,
    call,
    check_length,
    cm,
    ids,
    in_unit,
    quoted,
    split_frame,
    split_unit,
)
from spatialpin_ros.reasoning.asking import names as say
from spatialpin_ros.reasoning.feasibility import can_grasp, can_place_on
from spatialpin_ros.reasoning.protocol import Answer
from spatialpin_ros.relations import (
    MEASURES,
    Direction,
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

SUPPORTED = (
    "questions such as 'how many cubes are there', 'how far is the red cube from the blue box', "
    "'is the ball left of the can', 'which object is the tallest', 'how wide is the blue box', "
    "'what is on the blue box', 'what colour is the ball', 'is there a green cube', 'where is the can', "
    "'can you stack the red cube on the blue box', 'is the can lying', 'what is the angle between the can and the box' "
    "and with an earlier scene 'what moved', 'how far did the can move', 'how much was the box turned'"
)
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
_HORIZONTAL = ("left_of", "right_of", "in_front_of", "behind", "side_of")
_SHAPES = {"box": "a box", "cylinder": "a cylinder", "sphere": "a sphere", "unknown": "of no simple shape"}


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
        found = (
            table_questions.answer(shown, text, frame)
            or angle_questions.answer(shown, text, frame)
            or _answer(_Asked(shown, frame), text)
        )
        if found is not None and then:
            found = replace(found, text=re.sub(r"\b(is|are)\b", _past, found.text, count=1))
    if found is None:
        said = f"'{quoted(question)}' is not understood" if tokens else "the question is empty"
        raise NotUnderstoodError(f"{said}; I answer, in English, {SUPPORTED}")
    return in_unit(found, unit, scale_m)


def _past(verb: re.Match[str]) -> str:
    return "was" if verb[0] == "is" else "were"


def _answer(asked: _Asked, text: str) -> Answer | None:
    for pattern, method in _QUESTIONS:
        if match := re.fullmatch(pattern, text):
            result: Answer | None = method(asked, **match.groupdict())
            if result is not None:
                return result
    return None


class _Asked(Asked):
    """The programs of positions and sizes, one method per kind of question; groups of the pattern are its arguments."""

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

    def related(self, text: str) -> Answer | None:
        """Yes or no: "A <preposition> B", a colour or a kind."""
        tokens = text.split()
        error: ReasoningError | None = None
        for i, preposition, rest in self._prepositions(tokens):
            try:
                return self._related(tokens[:i], preposition, rest)
            except (UnknownNameError, AmbiguousNameError) as failed:
                error = error or failed
        if error is not None:
            raise error
        return self._is_a(tokens)

    def _prepositions(self, tokens: Sequence[str]) -> Iterator[tuple[int, words.Preposition, Sequence[str]]]:
        i = 1
        while i < len(tokens):
            found = words.prepositions_at(tokens, i)
            for preposition in found:
                rest = tokens[i + preposition.words :]
                # "on the left" ends a question; in "on the left cube" only "on" is the preposition.
                if not (rest and preposition.relation in words.OPERAND_FREE):
                    yield i, preposition, rest
            i += found[0].words if found else 1

    def _related(self, subject: Sequence[str], preposition: words.Preposition, rest: Sequence[str]) -> Answer:
        phrase = " ".join([*(["object"] if subject[-1] in ("anything", "something") else subject)])
        relation = preposition.side or preposition.relation
        candidates = self.scene.objects if phrase == "object" else (self.one(phrase),)
        found = self.related_resolver.related(candidates, preposition, rest)
        said = " ".join([relation.replace("_", " "), *rest]) if not preposition.side else ""
        said = (
            said
            or f"{'on the ' if not rest else ''}{preposition.side}{' of ' if rest else ''}{' '.join(rest)}"
        )
        others = self._operands(preposition, rest)
        names = say(found) if found else ("nothing" if phrase == "object" else f"the {candidates[0].name}")
        verb = "are" if len(found) > 1 else "is"
        denied = "" if found or phrase == "object" else " not"
        text = f"{'Yes' if found else 'No'}, {names} {verb}{denied} {said}."
        program = call(relation, "any" if phrase == "object" else candidates[0].id, *others)
        rests_on = (*ids(found or (candidates if phrase != "object" else ())), *others)
        frame = self.frame.name if preposition.side or relation in _HORIZONTAL else "gravity"
        return Answer(text, float(bool(found)), "bool", rests_on, program, frame)

    def _operands(self, preposition: words.Preposition, rest: Sequence[str]) -> tuple[str, ...]:
        if preposition.relation in words.OPERAND_FREE or not rest:
            return ()
        try:
            if preposition.relation == "between":
                return ids(self.resolver.pair(rest))
            return ids(self.resolver.all(rest))
        except UnknownNameError:
            return tuple(token for token in rest if token not in words.DETERMINERS | {"and"})

    def _is_a(self, tokens: list[str]) -> Answer | None:
        last = words.singular(tokens[-1])
        if len(tokens) < 2 or last not in words.COLORS.keys() | words.NOUNS:
            return None
        subject = tokens[:-1]
        while subject and subject[-1] in words.DETERMINERS:
            subject = subject[:-1]
        item = self.resolver.one(subject)
        holds = item in self.resolver.matching([last] if last in words.NOUNS else [last, "object"])
        kind = f"a {last}" if last in words.NOUNS else last
        text = f"{'Yes' if holds else 'No'}, the {item.name} is {'' if holds else 'not '}{kind}."
        return Answer(text, float(holds), "bool", (item.id,), call("is_a", item.id, last))

    def which(self, rest: str, a: str | None = None) -> Answer | None:
        """Objects described by a noun and a place, superlative or distance: "which object is the tallest"."""
        noun = [word for word in (a or "").split() if word not in ("of", "these", "them")] or ["object"]
        tail = rest.split()
        while tail and tail[0] in words.DETERMINERS:
            tail = tail[1:]
        says_where = (
            words.preposition_at(tail, 0) is not None or words.preposition_at(rest.split(), 0) is not None
        )
        if not tail or not (says_where or a or self.resolver.knows(tail[0])):
            return None
        if says_where:
            phrase = [*noun, *(tail if words.preposition_at(tail, 0) is not None else rest.split())]
        elif tail[0] in words.CLOSEST | words.FARTHEST:
            phrase = [tail[0], *noun, *tail[1:]] if a or len(tail) == 1 or tail[1] in ("to", "from") else tail
        else:
            phrase = tail if any(words.singular(word) in words.NOUNS for word in tail) else [*tail, *noun]
        found = self.resolver.matching(phrase)
        text = f"T{say(found)[1:]}." if found else "Nothing."
        return Answer(text, None, "", ids(found), call("select", " ".join(phrase)), "viewer")


_BE = r"(?:is|are)"
_WAY = "(?:to the )?left of|(?:to the )?right of|in front of|behind|above|below"
_HOW_WORDS = "|".join(sorted(words.SIZES))
_OF_WORDS = "height|width|length|breadth|diameter|depth|thickness|size|volume|dimensions|extents"
_QUESTIONS: tuple[tuple[str, Callable[..., Answer | None]], ...] = (
    (r"how many (?P<a>.+)", _Asked.count),
    (rf"how (?:far|much) (?P<direction>{_WAY}) (?P<b>.+?) {_BE} (?P<a>.+)", _Asked.offset),
    (rf"how (?:far|much) {_BE} (?P<a>.+?) (?P<direction>{_WAY}) (?P<b>.+)", _Asked.offset),
    (rf"how (?:far|close) (?:apart |away )?{_BE} (?P<pair>.+)", _Asked.distance),
    (
        r"(?:what is |how (?:big|large|long) is )?(?:the )?(?P<kind>horizontal |vertical )?distance "
        r"(?:between|from|of) (?P<pair>.+)",
        _Asked.distance,
    ),
    (r"(?:what is |how (?:big|wide|large) is )(?:the )?(?:gap|clearance|space|room) between (?P<pair>.+)", _Asked.gap),
    (rf"how much (?P<word>\w+) {_BE} (?P<a>.+) than (?P<b>.+)", _Asked.difference),
    (rf"how (?P<word>{_HOW_WORDS}) {_BE} (?P<a>.+)", _Asked.measure),
    (rf"what {_BE} the (?P<word>{_OF_WORDS}) of (?P<a>.+)", _Asked.measure),
    (rf"what (?P<word>size) {_BE} (?P<a>.+)", _Asked.measure),
    (rf"(?:what|which) colou?r {_BE} (?P<a>.+)|what {_BE} the colou?r of (?P<b>.+)",
     lambda asked, a, b: asked.color(a or b)),
    (rf"(?:what|which) (?:shape|kind of object) {_BE} (?P<a>.+)|what {_BE} the shape of (?P<b>.+)",
     lambda asked, a, b: asked.shape(a or b)),
    (rf"where {_BE} (?P<a>.+)", _Asked.where),
    (
        r"(?:what (?:do|can) you see|what objects (?:are there|do you see|can you see)|what is (?:there|on the table)|"
        r"describe the scene|list (?:all )?(?:the )?objects|what is in the scene)",
        _Asked.everything,
    ),
    (rf"{_BE} there (?P<a>.+)|do you see (?P<b>.+)", lambda asked, a, b: asked.exists(a or b)),
    (
        r"(?:can|could) (?:you|the robot|i|we) (?:stack|put|place|set) (?P<a>.+?) (?:on top of|onto|on|upon) (?P<b>.+)",
        _Asked.stackable,
    ),
    (
        r"(?:can|could|does|would) (?P<a>.+?) (?:be (?:stacked|put|placed|set)|fit|stand|go) "
        r"(?:on top of|onto|on) (?P<b>.+)",
        _Asked.stackable,
    ),
    (
        r"(?:can|could) (?:you|the robot|i|we) (?:pick up|grasp|grab|lift|take|pick) (?P<a>.+)",
        _Asked.graspable,
    ),
    (r"which (?:object |one )?is (?P<word>closer to .+?|nearer to .+?|\w+) ?, (?P<a>.+) or (?P<b>.+)", _Asked.choice),
    (r"is (?P<a>.+) (?:closer|nearer) to (?P<b>.+) than (?:to )?(?P<c>.+)", _Asked.closer),
    (rf"{_BE} (?P<a>.+) (?P<word>\w+) than (?P<b>.+)", _Asked.compare),
    (rf"{_BE} (?P<text>.+)", _Asked.related),
    (r"what (?:does (?P<a>.+) (?:carry|support|hold)|is (?P<b>.+) (?:carrying|supporting|holding))",
     lambda asked, a, b: asked.which(f"on {a or b}")),
    (rf"(?:which|what) (?P<a>\w+(?: \w+)??) {_BE} (?P<rest>.+)", _Asked.which),
    (rf"(?:which|what|who) {_BE} (?P<rest>.+)", _Asked.which),
)  # fmt: skip
