# SPDX-License-Identifier: Apache-2.0
"""Splits a request into clauses: which action, and the words that say what and where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from spatialpin_ros.errors import NotUnderstoodError
from spatialpin_ros.reasoning import words
from spatialpin_ros.reasoning.asking import check_length, quoted, without_words

Action = Literal["put", "tower", "clear", "pick"]

SUPPORTED = (
    "put, stack, move or clear an object, for example: 'stack the red cube on the blue box', "
    "'put the small cylinder on the largest block', 'move the ball 10 cm to the left', "
    "'put the can next to the red cube', "
    "'clear the green one to the left of the table', 'build a tower of the red, green and blue cubes'"
)


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VERBS: dict[str, Action] = {
    **dict.fromkeys(
        _listed("put place set lay move bring transfer position drop rest shift push slide relocate"), "put"
    ),
    **dict.fromkeys(_listed("carry deposit balance get take"), "put"),
    **dict.fromkeys(_listed("stack pile build make create construct form assemble"), "tower"),
    **dict.fromkeys(_listed("clear remove unstack unload tidy free"), "clear"),
    **dict.fromkeys(_listed("pick grab grasp lift hold fetch raise"), "pick"),
}
_MAKING = frozenset({"build", "make", "create", "construct", "form", "assemble"})
_TWO_WORD_VERBS: dict[tuple[str, ...], Action] = {
    ("take", "away"): "clear",
    ("put", "away"): "clear",
    ("clear", "away"): "clear",
    ("tidy", "away"): "clear",
    ("get", "rid", "of"): "clear",
    ("pick", "up"): "pick",
    ("lift", "up"): "pick",
    ("put", "down"): "put",
    ("stack", "up"): "tower",
    ("pile", "up"): "tower",
}
_FILLERS = _listed(
    "please kindly you i we want need like d to hey hi ok okay now first finally lastly also so just go ahead let s us "
    "try should must do have would will could robot and then afterwards next second"
)
_UNSUPPORTED = _listed(
    "rotate turn flip spin throw toss open close pour cut swap exchange sort arrange align knock hit kick wave dance "
    "sing fold break eat wash paint clean wipe roll tip press"
)
_BY_SIZE = re.compile(
    r",? (?:(?:in order )?from (?:the )?(?:largest|biggest) to (?:the )?smallest|by size|in order of size|"
    r"with the (?:largest|biggest)(?: one)? (?:at|on) (?:the )?bottom)\b"
)
_TOWER_ENDINGS = (
    ["on", "each", "other"],
    ["on", "top", "of", "each", "other"],
    ["on", "one", "another"],
    ["into", "a", "tower"],
    ["in", "a", "tower"],
    ["together"],
    ["up"],
)
_BREAKS = (
    ["and", "then"],
    ["and", "after", "that"],
    ["after", "that"],
    ["afterwards"],
    ["then"],
    [";"],
    ["."],
)


@dataclass(frozen=True, slots=True)
class Clause:
    """One action of a request; an empty verb means that the words alone say it ("the cube on the box")."""

    action: Action
    verb: str
    tokens: tuple[str, ...]


def read_request(request: str) -> tuple[Clause, ...]:
    """Split a request into clauses.

    Raises:
        NotUnderstoodError: when it is empty or asks for something else than putting, stacking, clearing or picking.
    """
    check_length(request, "request")
    if re.search(r"(?<![\w.])[-\u2212]\s?\d", request):
        raise NotUnderstoodError("a negative distance is not understood; name the opposite direction instead")
    text = _BY_SIZE.sub(" ", request.lower())
    tokens = [token for token in words.tokenize(text) if token not in "!?"]
    clauses = [_clause(part) for part in _parts(tokens) if _strip(part)]
    if not clauses:
        raise NotUnderstoodError(f"{without_words(request, 'request')}; I can {SUPPORTED}")
    return tuple(clauses)


def _parts(tokens: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    i = 0
    while i < len(tokens):
        size = next((len(mark) for mark in _BREAKS if tokens[i : i + len(mark)] == mark), 0)
        if size:
            yield from _at_conjunctions(part)
            part, i = [], i + size
        else:
            part.append(tokens[i])
            i += 1
    yield from _at_conjunctions(part)


def _at_conjunctions(tokens: list[str]) -> Iterator[list[str]]:
    """Split at "and" or a comma where a new clause starts: a verb follows, or both sides say where."""
    start = 0
    for i, token in enumerate(tokens):
        if token not in ("and", ",") or i <= start:
            continue
        left, right = _strip(tokens[start:i]), _strip(tokens[i + 1 :])
        if not right or "between" in left[-4:]:
            continue
        elliptical = (
            _says_where(left) and _says_where(right) and left[0] not in _MAKING and "between" not in left
        )
        if _verb(right)[1] or elliptical:
            yield tokens[start:i]
            start = i + 1
    yield tokens[start:]


def _strip(tokens: Sequence[str]) -> list[str]:
    """Drop politeness and adverbs before the verb."""
    rest = list(tokens)
    while rest:
        modal = rest[0] in ("can", "could") and rest[1:2] in (["you"], ["we"])
        ordinal = rest[0] in ("first", "second", "next") and (rest[1:2] == ["to"] or not _verb(rest[1:])[1])
        if rest[0] in (",", "and") or modal or (rest[0] in _FILLERS and not ordinal):
            rest = rest[1:]
        else:
            break
    return rest


def _verb(tokens: Sequence[str]) -> tuple[Action, int]:
    """The action that the first words name, and how many words name it (0: none)."""
    for phrase, action in _TWO_WORD_VERBS.items():
        if tuple(tokens[: len(phrase)]) == phrase:
            return action, len(phrase)
    if tokens and tokens[0] in _VERBS:
        return _VERBS[tokens[0]], 1
    return "put", 0


def _says_where(tokens: Sequence[str]) -> bool:
    return any(words.preposition_at(tokens, i) for i in range(1, len(tokens)))


def _clause(part: Sequence[str]) -> Clause:
    tokens = _strip(part)
    if tokens[0] in _UNSUPPORTED:
        raise NotUnderstoodError(f"I cannot '{tokens[0]}' things; I can {SUPPORTED}")
    action, size = _verb(tokens)
    verb, rest = " ".join(tokens[:size]), [token for token in tokens[size:] if token != "please"]
    if action == "pick" and rest[-1:] == ["up"]:
        rest = rest[:-1]
    if action == "tower":
        action, rest = _tower(verb, rest)
    if verb in ("take", "get", "bring") and not _says_where(rest):
        action = "pick"
    if action == "put" and not _says_where(rest):
        where = f"where to {verb} it" if verb else "what to do"
        raise NotUnderstoodError(
            f"'{quoted(' '.join(part))}' does not say {where}; I can, in English, {SUPPORTED}"
        )
    if not rest:
        raise NotUnderstoodError(f"'{quoted(' '.join(part))}' does not say what to {verb}; I can {SUPPORTED}")
    return Clause(action, verb, tuple(token for token in rest if token != ";"))


def _tower(verb: str, tokens: list[str]) -> tuple[Action, list[str]]:
    """Tell a tower of several things from stacking one on another, and drop "a tower of"."""
    noun = next((i for i, token in enumerate(tokens[:4]) if token in ("tower", "stack", "pile")), None)
    if noun is not None:
        after = tokens[noun + 1 :]
        single = after[:1] and after[0] in ("of", "from", "with", "using")
        skip = 2 if after[:2] == ["out", "of"] else 1 if single else 0
        return "tower", after[skip:]
    if verb in _MAKING:
        raise NotUnderstoodError(f"'{verb} {' '.join(tokens)}' is not a tower or stack; I can {SUPPORTED}")
    for ending in _TOWER_ENDINGS:
        if tokens[-len(ending) :] == ending:
            return "tower", tokens[: -len(ending)]
    return ("put", tokens) if _says_where(tokens) else ("tower", tokens)
