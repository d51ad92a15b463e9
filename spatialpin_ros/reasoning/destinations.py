# SPDX-License-Identifier: Apache-2.0
"""Reads what is moved where out of a clause's words, trying every place at which the destination may begin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spatialpin_ros.errors import InfeasibleTaskError, NotUnderstoodError, ReasoningError, UnknownNameError
from spatialpin_ros.reasoning import words
from spatialpin_ros.reasoning.referring import Objects, Resolver
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


class _LeftoverError(UnknownNameError):
    """Words after a destination that is complete without them."""


def ground(tokens: Sequence[str], resolver: Resolver) -> tuple[Objects, Destination]:
    """Find the objects to move and their destination.

    Where several readings fit the scene the longest description of the moved object wins.

    Raises:
        UnknownNameError, AmbiguousNameError: of the reading that got farthest.
        NotUnderstoodError: no preposition that says where.
        InfeasibleTaskError: something is to go to where it is itself.
    """
    errors: list[tuple[float, ReasoningError]] = []
    readings: dict[int, tuple[Objects, Destination]] = {}
    for start, subject, preposition, distance, rest in _splits(tokens):
        if start in readings:
            continue
        progress = 0.0
        try:
            moved = _subject(subject, resolver)
            progress = 1.0
            others = Resolver(resolver.scene, resolver.it, moved)
            readings[start] = moved, _destination(preposition, distance, rest, others)
        except _LeftoverError as error:
            errors.append((0.5 * progress, error))
        except ReasoningError as error:
            errors.append((progress, error))
    if readings:
        return readings[max(readings)]
    if not errors:
        raise NotUnderstoodError(f"'{' '.join(tokens)}' does not say where; I can {SUPPORTED}")
    raise max(errors, key=lambda entry: entry[0])[1]


def _subject(tokens: Sequence[str], resolver: Resolver) -> Objects:
    if "and" in tokens or "," in tokens:
        return resolver.listed(tokens)
    return resolver.all(tokens) if resolver.is_plural(tokens) else (resolver.one(tokens),)


def _splits(
    tokens: Sequence[str],
) -> Iterator[tuple[int, Sequence[str], words.Preposition, float | None, Sequence[str]]]:
    """Yield where it starts, moved words, preposition, stated distance and words after it, for each preposition."""
    i = 1
    while i < len(tokens):
        prepositions = words.prepositions_at(tokens, i)
        subject, before = _without_distance(tokens[:i])
        for preposition in prepositions:
            rest, distance = tokens[i + preposition.words :], before
            after = words.distance_at(rest, 0)
            if after and preposition.relation in words.OPERAND_FREE | {"toward"}:
                distance, rest = after[0], rest[after[1] :]
            yield i, subject, preposition, distance, rest
        i += max((each.words for each in prepositions), default=1)


def _without_distance(tokens: Sequence[str]) -> tuple[Sequence[str], float | None]:
    """Take a length such as "10 cm" off the end."""
    for start in range(max(1, len(tokens) - 4), len(tokens)):
        length = words.distance_at(tokens, start)
        if length and start + length[1] == len(tokens):
            return tokens[:start], length[0]
    return tokens, None


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
            raise _LeftoverError(" ".join(rest), resolver.scene.names)
        if relation == "side":
            return Destination(side)
        return Destination(relation, side=side, distance_m=distance)
    if relation == "below":
        raise NotUnderstoodError(f"I cannot put things under others; I can {SUPPORTED}")
    if found := words.SELF & set(rest):
        named = " and the ".join(item.name for item in resolver.scene.objects if item.id in resolver.moved)
        raise InfeasibleTaskError(f"the {named} cannot be put relative to {min(found)}", "same_object")
    if relation == "toward":
        return _toward(rest, distance, resolver)
    if relation == "between":
        a, b = resolver.pair(rest)
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
