# SPDX-License-Identifier: Apache-2.0
"""Reads what is moved where out of a clause's words, trying every place at which the destination may begin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spatialpin_ros.errors import NotUnderstoodError, ReasoningError, UnknownNameError
from spatialpin_ros.reasoning import words
from spatialpin_ros.reasoning.referring import Objects, Resolver, split_pair
from spatialpin_ros.reasoning.requests import SUPPORTED
from spatialpin_ros.scene import SceneObject


@dataclass(frozen=True, slots=True)
class Destination:
    """Where something goes.

    Args:
        relation: "on", "inside", "near", "left", "right", "front", "back" or "middle" (beside a reference, or that
            part of the table), "shift" (from where it is), "toward", "off", "between", "aside".
        references: ids of the objects it is relative to; none: the table.
        side: for a shift: left, right, front or back; for toward: robot or viewer.
        distance_m: how far, when said.
    """

    relation: str
    references: tuple[str, ...] = ()
    side: str = ""
    distance_m: float | None = None


def ground(tokens: Sequence[str], resolver: Resolver) -> tuple[Objects, Destination]:
    """Find the objects to move and their destination.

    Where several readings fit the scene the longest description of the moved object wins.

    Raises:
        UnknownNameError, AmbiguousNameError: of the reading that got farthest.
        NotUnderstoodError: no preposition that says where.
    """
    errors: list[tuple[int, ReasoningError]] = []
    readings: list[tuple[Objects, Destination]] = []
    for subject, preposition, distance, rest in _splits(tokens):
        progress = 0
        try:
            moved = _subject(subject, resolver)
            progress = 1
            readings.append((moved, _destination(preposition, distance, rest, resolver)))
        except ReasoningError as error:
            errors.append((progress, error))
    if readings:
        return readings[-1]
    if not errors:
        raise NotUnderstoodError(f"'{' '.join(tokens)}' does not say where; I can {SUPPORTED}")
    raise max(errors, key=lambda entry: entry[0])[1]


def _subject(tokens: Sequence[str], resolver: Resolver) -> Objects:
    return resolver.all(tokens) if resolver.is_plural(tokens) else (resolver.one(tokens),)


def _splits(
    tokens: Sequence[str],
) -> Iterator[tuple[Sequence[str], words.Preposition, float | None, Sequence[str]]]:
    """Yield moved words, preposition, stated distance and the words after it, for each preposition."""
    i = 1
    while i < len(tokens):
        preposition = words.preposition_at(tokens, i)
        if preposition is None:
            i += 1
            continue
        subject, distance = tokens[:i], None
        for j in range(max(1, i - 4), i):
            length = words.distance_at(tokens, j)
            if length and j + length[1] == i:
                subject, distance = tokens[:j], length[0]
                break
        rest = tokens[i + preposition.words :]
        after = words.distance_at(rest, 0)
        if after and preposition.relation in words.OPERAND_FREE:
            distance, rest = after[0], rest[after[1] :]
        yield subject, preposition, distance, rest
        i += preposition.words


def _is_table(tokens: Sequence[str], resolver: Resolver) -> bool:
    content = [token for token in tokens if token not in words.DETERMINERS]
    surfaces = {surface.name.lower() for surface in resolver.scene.supports}
    return bool(content) and all(token in words.TABLE_WORDS | surfaces for token in content)


def _destination(
    preposition: words.Preposition, distance: float | None, rest: Sequence[str], resolver: Resolver
) -> Destination:
    relation, side = preposition.relation, preposition.side
    if relation in words.OPERAND_FREE:
        if [token for token in rest if token not in (",", "a", "bit", "little", "please", "again")]:
            raise UnknownNameError(" ".join(rest), resolver.scene.names)
        if relation == "side":
            return Destination(side)
        return Destination(relation, side=side, distance_m=distance)
    if relation == "below":
        raise NotUnderstoodError(f"I cannot put things under others; I can {SUPPORTED}")
    if relation == "toward":
        return _toward(rest, distance, resolver)
    if relation == "between":
        a, b = (resolver.one(part) for part in split_pair(rest))
        return Destination("between", (a.id, b.id))
    table = _is_table(rest, resolver)
    if relation == "side_of":
        relation = side
    relation = {"in_front_of": "front", "behind": "back", "above": "on"}.get(relation, relation)
    if table:
        return Destination("on" if relation == "inside" else relation, distance_m=distance)
    reference: SceneObject = resolver.one(rest)
    return Destination(relation, (reference.id,), distance_m=distance)


def _toward(rest: Sequence[str], distance: float | None, resolver: Resolver) -> Destination:
    if rest and rest[-1] in words.ROBOT_WORDS:
        return Destination("toward", side="robot", distance_m=distance)
    if rest and rest[-1] in words.VIEWER_WORDS:
        return Destination("toward", side="viewer", distance_m=distance)
    return Destination("toward", (resolver.one(rest).id,), distance_m=distance)
