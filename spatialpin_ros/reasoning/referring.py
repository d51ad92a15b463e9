# SPDX-License-Identifier: Apache-2.0
"""Referring expressions: which object of the scene a phrase such as "the smallest block left of the can" means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from spatialpin_ros.errors import AmbiguousNameError, UnknownNameError
from spatialpin_ros.reasoning import words
from spatialpin_ros.relations import (
    MEASURES,
    ReferenceFrame,
    above,
    below,
    centre_distance,
    dominant_direction,
    holds,
    near,
    surface_gap,
    viewer_frame,
)
from spatialpin_ros.scene import Scene, SceneObject

_DIRECTIONS = {"left": "left_of", "right": "right_of", "front": "in_front_of", "back": "behind"}
_AXES = {"right": 0, "front": 1, "up": 2}
_SIDES = {"left": ("right", -1), "right": ("right", 1), "front": ("front", 1), "back": ("front", -1)}
LENGTH_TIE = 0.03
VOLUME_TIE = 0.08
POSITION_TIE_M = 0.005
BESIDE_M = 0.15
_MOST_SAID = 60

Objects = tuple[SceneObject, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Takes the object at `place` (1 is the first) when sorted by a measure, axis or distance."""

    kind: str
    sign: int
    place: int = 1
    reference: tuple[str, ...] = ()


@dataclass(slots=True)
class _Phrase:
    """The words of a phrase sorted by their role."""

    colors: list[str] = field(default_factory=list)
    nouns: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    sizes: list[str] = field(default_factory=list)
    rankings: list[Ranking] = field(default_factory=list)
    ordinal: int = 0
    plural: bool = False
    relation: words.Preposition | None = None
    operand: list[str] = field(default_factory=list)


class Resolver:
    """Finds the objects of one scene that phrases mean; left, right, front and back are the viewer's.

    Args:
        scene: where to look.
        it: the object that "it" means, if something was mentioned.
        moved: objects that a reference cannot mean where another one fits too ("put the cube on the other cube").
    """

    def __init__(self, scene: Scene, it: SceneObject | None = None, moved: Objects = ()) -> None:
        self.scene = scene
        self.it = it
        self.moved = frozenset(item.id for item in moved)
        self.frame: ReferenceFrame = viewer_frame(scene.base_T_camera)
        self._names = {
            word for item in scene.objects for word in words.tokenize(f"{item.name} {item.label} {item.id}")
        }

    def one(self, tokens: Sequence[str]) -> SceneObject:
        """The one object that the phrase means.

        Raises:
            UnknownNameError: nothing matches; lists every object, and a likely spelling.
            AmbiguousNameError: several match; lists them.
        """
        found = self.all(tokens)
        if len(found) > 1:
            found = self.matching(tokens, mainly=True)
            found = tuple(item for item in found if item.id not in self.moved) or found
        if len(found) > 1:
            found = (
                tuple(item for item in found if item.label.lower() in map(words.singular, tokens)) or found
            )
        if len(found) > 1:
            raise AmbiguousNameError(_said(tokens), [item.name for item in found])
        return found[0]

    def all(self, tokens: Sequence[str]) -> Objects:
        """Every object that the phrase may mean, one or more.

        Raises:
            UnknownNameError: nothing matches.
        """
        found = self.matching(tokens)
        if not found:
            raise UnknownNameError(_said(tokens), self.scene.names)
        return found

    def knows(self, word: str) -> bool:
        """Whether a word is in the vocabulary or in a name of the scene."""
        return word in self._names or words.singular(word) in words.VOCABULARY

    def matching(self, tokens: Sequence[str], mainly: bool = False) -> Objects:
        """Every object that the phrase may mean, or none.

        Args:
            tokens: the phrase.
            mainly: "left of" and the like only hold where they are the main direction.

        Raises:
            UnknownNameError: a word of the phrase is not known, or the phrase is empty.
        """
        content = [word for i, word in enumerate(_content(tokens)) if word != "the" or not i]
        content = _content(content)
        text = " ".join(content)
        if content in (["it"], ["them"]) and self.it is not None:
            return (self.it,)
        exact = [
            item
            for item in self.scene.objects
            if text in (" ".join(words.tokenize(item.name)), item.id.lower())
        ]
        if exact:
            return tuple(exact)
        if not content:
            raise UnknownNameError(" ".join(tokens), self.scene.names)
        phrase = self._read(content, text)
        for match in (_same_label, _same_kind):
            found = self._apply(phrase, match, mainly)
            if found:
                return found
        return ()

    def pair(self, tokens: Sequence[str]) -> tuple[SceneObject, SceneObject]:
        """The two objects of "A and B" or of a plural that means two ("the two red cubes").

        Raises:
            UnknownNameError, AmbiguousNameError: as `one`.
        """
        if "and" not in tokens and len(found := self.matching(tokens)) == 2:
            return found[0], found[1]
        a, b = split_pair(tokens)
        return self.one(a), self.one(b)

    def listed(self, tokens: Sequence[str]) -> Objects:
        """Objects of "the red, green and blue cubes" or "all blocks"; a missing noun is the last one's, each once.

        Raises:
            UnknownNameError, AmbiguousNameError: as `one`.
        """
        parts = _split_list(tokens)
        if len(parts) < 2:
            return self.all(tokens)
        noun = words.singular(parts[-1][-1])
        found: list[SceneObject] = []
        for part in parts:
            named = noun == parts[-1][-1] or any(words.singular(word) in words.NOUNS for word in part)
            named = named or any(word in (item.id.lower() for item in self.scene.objects) for word in part)
            found.append(self.one([words.singular(word) for word in part] if named else [*part, noun]))
        return tuple({item.id: item for item in found}.values())

    def is_plural(self, tokens: Sequence[str]) -> bool:
        """Whether the phrase names several objects on purpose ("the cubes", "all blocks")."""
        head = tokens[: self._head_length(tokens)]
        return any(word in ("all", "every", "each", "both", "everything") for word in head) or any(
            words.singular(word) != word and word not in self._names for word in head
        )

    def _head_length(self, tokens: Sequence[str]) -> int:
        return next((i for i in range(1, len(tokens)) if self._relation_at(tokens, i)), len(tokens))

    def _relation_at(self, tokens: Sequence[str], index: int) -> words.Preposition | None:
        if tokens[index] in ("from", "one", "of"):
            return None
        return words.preposition_at(tokens, index)

    def _read(self, tokens: list[str], text: str) -> _Phrase:
        phrase = _Phrase()
        i = 0
        while i < len(tokens):
            placed = words.PLACES.get(tokens[i])
            if placed is not None and self._noun_follows(tokens, i):
                phrase.rankings.append(Ranking(*placed, phrase.ordinal or 1))
                phrase.ordinal, i = 0, i + 1
                continue
            relation = self._relation_at(tokens, i)
            if relation is not None:
                phrase.relation, phrase.operand = relation, tokens[i + relation.words :]
                break
            i += self._take(phrase, tokens, i, text)
        return phrase

    def _noun_follows(self, tokens: Sequence[str], i: int) -> bool:
        """Whether the words after a place describe an object, as in "left red cube" and not in "left of"."""
        for word in tokens[i + 1 :]:
            if words.singular(word) in words.NOUNS:
                return True
            if word not in words.COLORS.keys() | words.SIZES.keys() and word not in self._names:
                return False
        return False

    def _take(self, phrase: _Phrase, tokens: list[str], i: int, text: str) -> int:
        """Sort one word into the phrase and return how many words it took."""
        word = tokens[i]
        noun = words.singular(word)
        if word in words.CLOSEST | words.FARTHEST:
            return self._take_distance(phrase, tokens, i)
        if word == "from" and tokens[i + 1 : i + 2] in (["left"], ["right"], ["front"], ["back"]):
            axis, sign = _SIDES[tokens[i + 1]]
            phrase.rankings.append(Ranking(axis, sign, phrase.ordinal or 1))
            phrase.ordinal = 0
            return 2
        if word in words.EXTREMES:
            axis, sign = words.EXTREMES[word]
            phrase.rankings.append(Ranking(axis, sign, phrase.ordinal or 1))
            phrase.ordinal = 0
        elif word in words.SUPERLATIVES or word in words.COMPARATIVES:
            measure, sign = (words.SUPERLATIVES | words.COMPARATIVES)[word]
            phrase.rankings.append(Ranking(measure, sign, phrase.ordinal or 1))
            phrase.ordinal = 0
        elif word in words.COLORS:
            phrase.colors.append(words.COLORS[word])
        elif word in words.ORDINALS:
            phrase.ordinal = words.ORDINALS[word]
        elif noun in words.NOUNS:
            phrase.nouns.append(noun)
            phrase.plural = phrase.plural or noun != word
        elif word in words.SIZES:
            phrase.sizes.append(word)
        elif word in self._names:
            phrase.names.append(word)
        elif word not in words.DETERMINERS | words.NUMBERS.keys() | words.FILLERS:
            better = words.suggest(word, self._names)
            raise UnknownNameError(
                text, self.scene.names, suggestion=text.replace(word, better) if better else ""
            )
        return 1

    def _take_distance(self, phrase: _Phrase, tokens: list[str], i: int) -> int:
        sign = 1 if tokens[i] in words.FARTHEST else -1
        after = next((j for j in range(i + 1, len(tokens)) if tokens[j] in ("to", "from")), None)
        place, phrase.ordinal = phrase.ordinal or 1, 0
        if after is None:
            phrase.rankings.append(Ranking("distance", sign, place, ("camera",)))
            return 1
        phrase.rankings.append(Ranking("distance", sign, place, tuple(tokens[after + 1 :])))
        del tokens[after:]
        return 1

    def _apply(self, phrase: _Phrase, match: Callable[[SceneObject, str], bool], mainly: bool) -> Objects:
        found = [item for item in self.scene.objects if all(match(item, noun) for noun in phrase.nouns)]
        found = [item for item in found if all(_color(item) == color for color in phrase.colors)]
        found = [
            item
            for item in found
            if set(phrase.names) <= set(words.tokenize(f"{item.name} {item.label} {item.id}"))
        ]
        kept = tuple(found)
        if phrase.relation is not None and kept:
            kept = self.related(kept, phrase.relation, phrase.operand, mainly)
        for size in phrase.sizes:
            kept = _of_size(kept, size, single=not phrase.plural)
        for ranking in phrase.rankings:
            kept = self._ranked(kept, ranking)
        return kept

    def related(
        self, found: Objects, relation: words.Preposition, operand: Sequence[str], mainly: bool = False
    ) -> Objects:
        if relation.relation in words.OPERAND_FREE:
            return self._on_side(found, relation.side)
        reference_words = _content(operand)
        if reference_words and reference_words[-1] in words.TABLE_WORDS and len(reference_words) == 1:
            if relation.relation == "side_of":
                return self._on_side(found, relation.side)
            surfaces = {surface.name for surface in self.scene.supports}
            return tuple(item for item in found if item.supported_by in surfaces)
        if relation.relation == "between":
            a, b = self.pair(operand)
            return tuple(item for item in found if item.id not in (a.id, b.id) and _between(item, a, b))
        reference = self.one(operand)
        others = tuple(item for item in found if item.id != reference.id)
        test = self.test(relation, reference)
        kept = tuple(item for item in others if test(item))
        if relation.relation == "near" and not kept:
            beside = tuple(item for item in others if surface_gap(item, reference) <= BESIDE_M)
            return _extreme(beside, [-surface_gap(item, reference) for item in beside], 1, POSITION_TIE_M)
        name = _DIRECTIONS.get(relation.side, relation.relation)
        if not mainly:
            return kept
        return tuple(item for item in kept if dominant_direction(item, reference, self.frame) == name) or kept

    def test(self, relation: words.Preposition, reference: SceneObject) -> Callable[[SceneObject], bool]:
        """The test of one object against the reference that a preposition stands for."""
        name = _DIRECTIONS.get(relation.side, relation.relation)
        if name in ("left_of", "right_of", "in_front_of", "behind"):
            return lambda item: holds(name, item, reference, self.frame)  # type: ignore[arg-type]
        if name in ("on", "inside", "off"):
            return lambda item: item.supported_by == reference.id
        if name == "above":
            return lambda item: above(item, reference)
        if name == "below":
            return lambda item: reference.supported_by == item.id or below(item, reference)
        return lambda item: near(item, reference)

    def _on_side(self, found: Objects, side: str) -> Objects:
        if not side:
            return ()
        if side == "middle":
            middle = np.mean([item.centre for item in self.scene.objects], axis=0)
            return _extreme(
                found, [-float(np.linalg.norm(item.centre - middle)) for item in found], 1, POSITION_TIE_M
            )
        axis, sign = _SIDES[side]
        return self._ranked(found, Ranking(axis, sign))

    def _ranked(self, found: Objects, ranking: Ranking) -> Objects:
        if not found:
            return found
        if ranking.kind in MEASURES:
            values = [MEASURES[ranking.kind](item) for item in found]
            tie = (VOLUME_TIE if ranking.kind == "size" else LENGTH_TIE) * max(values)
        elif ranking.kind == "distance":
            found, values = self._distances(found, ranking.reference)
            tie = POSITION_TIE_M
        else:
            components = self.frame.components([item.centre for item in found])[:, _AXES[ranking.kind]]
            values, tie = components.tolist(), POSITION_TIE_M
        return _extreme(found, [ranking.sign * value for value in values], ranking.place, tie)

    def _distances(self, found: Objects, reference: tuple[str, ...]) -> tuple[Objects, list[float]]:
        content = _content(reference)
        if content and content[-1] in words.ROBOT_WORDS:
            return found, [float(np.linalg.norm(item.centre[:2])) for item in found]
        if content and content[-1] in words.VIEWER_WORDS:
            eye = self.scene.base_T_camera.position
            return found, [float(np.linalg.norm(item.centre - eye)) for item in found]
        other = self.one(reference)
        rest = tuple(item for item in found if item.id != other.id)
        return rest, [centre_distance(item, other) for item in rest]


def split_pair(tokens: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split "A and B" at its last "and".

    Raises:
        UnknownNameError: when there is no "and" with words on both sides.
    """
    places = [i for i, word in enumerate(tokens) if word == "and" and 0 < i < len(tokens) - 1]
    if not places:
        raise UnknownNameError(" ".join(tokens), ("two objects joined by 'and'",), "pair of objects")
    return list(tokens[: places[-1]]), list(tokens[places[-1] + 1 :])


def _split_list(tokens: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token in (",", "and"):
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _content(tokens: Iterable[str]) -> list[str]:
    found = [word for word in tokens if word not in ",;.?!"]
    while found and found[0] in words.DETERMINERS:
        found = found[1:]
    return found


def _said(tokens: Iterable[str]) -> str:
    """A phrase as messages repeat it: without determiners, and not endless."""
    text = " ".join(_content(tokens))
    return text if len(text) <= _MOST_SAID else f"{text[:_MOST_SAID]}..."


def _color(item: SceneObject) -> str:
    return words.COLORS.get(item.color.lower(), item.color.lower())


def _same_label(item: SceneObject, noun: str) -> bool:
    label = item.label.lower()
    for group in (words.CUBE, words.BLOCK, words.CYLINDER, words.SPHERE):
        if noun in group:
            return label in group
    return noun in words.ANYTHING or noun == label


def _same_kind(item: SceneObject, noun: str) -> bool:
    if noun in words.CUBE:
        return item.shape == "box" and float(item.size.max() / item.size.min()) < 1.35
    shapes = {"box": words.BLOCK, "cylinder": words.CYLINDER, "sphere": words.SPHERE}
    return noun in shapes.get(item.shape, frozenset()) or noun in words.ANYTHING


def _of_size(found: Objects, size: str, single: bool) -> Objects:
    """Keep what a plain adjective means: the ones named so, else the clearly extreme one."""
    named = tuple(item for item in found if size in words.tokenize(item.name))
    if named or len(found) < 2:
        return named or found
    measure, sign = words.SIZES[size]
    values = [sign * MEASURES[measure](item) for item in found]
    if single:
        return _extreme(found, values, 1, (0.2 if measure == "size" else 0.1) * max(map(abs, values)))
    middle = float(np.median(values))
    return tuple(item for item, value in zip(found, values, strict=True) if value > middle)


def _extreme(found: Objects, values: Sequence[float], place: int, tie: float) -> Objects:
    """The object with the place-th largest value, with all that tie with it."""
    if len(found) < place:
        return ()
    chosen = sorted(values, reverse=True)[place - 1]
    return tuple(item for item, value in zip(found, values, strict=True) if abs(value - chosen) <= tie)


def _between(item: SceneObject, a: SceneObject, b: SceneObject) -> bool:
    """Whether an object's centre projects between two others and lies nearer to their line than half their distance."""
    along = (b.centre - a.centre)[:2]
    length = float(np.linalg.norm(along))
    if length < 1e-6:
        return False
    offset = (item.centre - a.centre)[:2]
    position = float(offset @ along) / length
    sideways = abs(float(offset[0] * along[1] - offset[1] * along[0])) / length
    return 0.0 < position < length and sideways < 0.5 * length
