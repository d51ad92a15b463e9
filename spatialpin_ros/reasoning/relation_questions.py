# SPDX-License-Identifier: Apache-2.0
"""Questions about relations: whether one thing is left of, on or near another, and which ones are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spatialpin_ros.errors import AmbiguousNameError, ReasoningError, UnknownNameError
from spatialpin_ros.reasoning import words
from spatialpin_ros.reasoning.asking import Asked, Questions, call, first_answer, ids
from spatialpin_ros.reasoning.asking import names as say
from spatialpin_ros.reasoning.protocol import Answer
from spatialpin_ros.relations import ReferenceFrame
from spatialpin_ros.scene import Scene

_HORIZONTAL = ("left_of", "right_of", "in_front_of", "behind", "side_of")


def answer(scene: Scene, text: str, frame: ReferenceFrame | None = None) -> Answer | None:
    """Answer a question in lower-case words without a question mark; None when it is none of these.

    Raises:
        UnknownNameError, AmbiguousNameError: list what there is.
    """
    return first_answer(_QUESTIONS, lambda: _Relations(scene, frame), text)


class _Relations(Asked):
    """The programs, one method per kind of question; groups of the pattern are its arguments."""

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
_QUESTIONS: Questions = (
    (rf"{_BE} (?P<text>.+)", _Relations.related),
    (r"what (?:does (?P<a>.+) (?:carry|support|hold)|is (?P<b>.+) (?:carrying|supporting|holding))",
     lambda asked, a, b: asked.which(f"on {a or b}")),
    (rf"(?:which|what) (?P<a>\w+(?: \w+)??) {_BE} (?P<rest>.+)", _Relations.which),
    (rf"(?:which|what|who) {_BE} (?P<rest>.+)", _Relations.which),
)  # fmt: skip
