# SPDX-License-Identifier: Apache-2.0
"""Programs of relations within an image (IaOR): directions, distances, gaps, sizes, counts and comparisons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations

import numpy as np

from spatialpin_ros.angles import rests_flat
from spatialpin_ros.relations import (
    Direction,
    centre_distance,
    depth,
    directional_offset,
    height,
    horizontal_distance,
    surface_gap,
    viewer_frame,
    volume,
    width,
)
from spatialpin_ros.scene import SceneObject
from spatialpin_ros.spatial_qa.question import Draft, Program, Subject

DIRECTION_MARGIN_M = 0.02
LENGTH_RATIO = 1.15
VOLUME_RATIO = 1.35
DISTANCE_RATIO = 1.15
LEAST_M = 0.015
KINDS = ("cube", "box", "cylinder")
COLORS = ("red", "green", "blue", "yellow", "orange", "purple", "cyan", "pink")

Drafts = Callable[[Subject], Iterator[Draft]]
Measure = Callable[[SceneObject], float]


def _named(*objects: SceneObject) -> tuple[str, ...]:
    return tuple(item.name for item in objects)


def _ids(*objects: SceneObject) -> tuple[str, ...]:
    return tuple(item.id for item in objects)


def direction(name: Direction) -> Drafts:
    """Centre offset along the viewer's axis beyond the margin."""

    def drafts(subject: Subject) -> Iterator[Draft]:
        frame = viewer_frame(subject.scene.base_T_camera)
        for a, b in permutations(subject.objects, 2):
            offset = directional_offset(name, a, b, frame)
            if abs(offset) > DIRECTION_MARGIN_M:
                yield Draft(_ids(a, b), _named(a, b), float(offset > 0.0))

    return drafts


def _measurable(measure: Measure, objects: Sequence[SceneObject]) -> Iterator[SceneObject]:
    """Objects that have the measure: of what leans, no side is its height or width."""
    return (item for item in objects if measure is volume or rests_flat(item))


def compared(measure: Measure, sign: int, ratio: float) -> Drafts:
    """One measure of two objects, that differ by a ratio or more."""

    def drafts(subject: Subject) -> Iterator[Draft]:
        for a, b in permutations(_measurable(measure, subject.objects), 2):
            first, second = measure(a), measure(b)
            if max(first, second) > ratio * min(first, second):
                yield Draft(_ids(a, b), _named(a, b), float(sign * (first - second) > 0.0))

    return drafts


def chosen(measure: Measure, sign: int, ratio: float) -> Drafts:
    def drafts(subject: Subject) -> Iterator[Draft]:
        for draft in compared(measure, sign, ratio)(subject):
            yield Draft(draft.operands, draft.words, 1.0 - draft.truth, draft.words)

    return drafts


def closer(subject: Subject) -> Iterator[Draft]:
    for a in subject.objects:
        for b, c in permutations([item for item in subject.objects if item is not a], 2):
            first, second = centre_distance(a, b), centre_distance(a, c)
            if max(first, second) > DISTANCE_RATIO * min(first, second) + 0.01:
                yield Draft(_ids(a, b, c), _named(a, b, c), float(first < second))


def closer_choice(subject: Subject) -> Iterator[Draft]:
    for draft in closer(subject):
        yield Draft(draft.operands, draft.words, 1.0 - draft.truth, draft.words[1:])


def carried(subject: Subject) -> Iterator[Draft]:
    for a, b in permutations(subject.objects, 2):
        if horizontal_distance(a, b) < 0.2:
            yield Draft(_ids(a, b), _named(a, b), float(a.supported_by == b.id))


def with_article(phrase: str) -> str:
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def exists(subject: Subject) -> Iterator[Draft]:
    """A colour and kind of which there is one, or none and nothing that could be taken for it: a cube is a box."""
    there = {(item.color, item.label) for item in subject.scene.objects}
    there |= {(color, "box") for color, label in there if label == "cube"}
    seen = {(item.color, item.label) for item in subject.objects}
    for color in COLORS:
        for kind in KINDS:
            if (color, kind) in seen:
                yield Draft((), (with_article(f"{color} {kind}"),), 1.0)
            elif (color, kind) not in there and subject.complete:
                yield Draft((), (with_article(f"{color} {kind}"),), 0.0)


def of_pair(measure: Callable[[SceneObject, SceneObject], float], least_m: float) -> Drafts:
    def drafts(subject: Subject) -> Iterator[Draft]:
        for a, b in combinations(subject.objects, 2):
            value = measure(a, b)
            if value > least_m:
                yield Draft(_ids(a, b), _named(a, b), value)

    return drafts


def of_one(measure: Measure, suits: Callable[[SceneObject], bool] = lambda item: True) -> Drafts:
    def drafts(subject: Subject) -> Iterator[Draft]:
        for item in _measurable(measure, subject.objects):
            if suits(item):
                yield Draft(_ids(item), _named(item), measure(item))

    return drafts


def offset(name: Direction) -> Drafts:
    def drafts(subject: Subject) -> Iterator[Draft]:
        frame = viewer_frame(subject.scene.base_T_camera)
        for a, b in permutations(subject.objects, 2):
            value = directional_offset(name, a, b, frame)
            if value > 2.0 * LEAST_M:
                yield Draft(_ids(a, b), _named(a, b), value)

    return drafts


def taller_by(subject: Subject) -> Iterator[Draft]:
    for a, b in permutations(_measurable(height, subject.objects), 2):
        value = height(a) - height(b)
        if value > LEAST_M:
            yield Draft(_ids(a, b), _named(a, b), value)


def to_camera(subject: Subject) -> Iterator[Draft]:
    eye = subject.scene.base_T_camera.position
    for item in subject.objects:
        yield Draft(_ids(item), _named(item), float(np.linalg.norm(item.centre - eye)))


def counted(subject: Subject) -> Iterator[Draft]:
    if not subject.complete:
        return
    kinds = Counter(item.label for item in subject.scene.objects)
    yield Draft((), ("objects",), float(sum(kinds.values())))
    yield Draft((), ("cylinders",), float(kinds["cylinder"]))
    yield Draft((), ("cubes",), float(kinds["cube"]))


def _upright_box(item: SceneObject) -> bool:
    return item.shape == "box"


def _program(name: str, kind: str, definition: str, drafts: Drafts, *templates: str, frame: str = "gravity",
             dimension: str = "length") -> Program:  # fmt: skip
    return Program(name, "IaOR", kind, frame, definition, templates, drafts, dimension)  # type: ignore[arg-type]


PROGRAMS: tuple[Program, ...] = (
    _program("left_of", "yes_no", "a's centre is left of b's along the viewer's right axis", direction("left_of"),
             "Is the {0} to the left of the {1}?", "Is the {0} left of the {1}?", frame="viewer"),
    _program("right_of", "yes_no", "a's centre is right of b's along the viewer's right axis", direction("right_of"),
             "Is the {0} to the right of the {1}?", "Is the {0} right of the {1}?", frame="viewer"),
    _program("in_front_of", "yes_no", "a's centre is nearer to the viewer than b's along the horizontal line of sight",
             direction("in_front_of"), "Is the {0} in front of the {1}?", frame="viewer"),
    _program("behind", "yes_no", "a's centre is farther from the viewer than b's along the horizontal line of sight",
             direction("behind"), "Is the {0} behind the {1}?", frame="viewer"),
    _program("taller", "yes_no", "a's vertical side is longer than b's", compared(height, 1, LENGTH_RATIO),
             "Is the {0} taller than the {1}?"),
    _program("shorter", "yes_no", "a's vertical side is shorter than b's", compared(height, -1, LENGTH_RATIO),
             "Is the {0} shorter than the {1}?"),
    _program("wider", "yes_no", "a's longer horizontal side is longer than b's", compared(width, 1, LENGTH_RATIO),
             "Is the {0} wider than the {1}?"),
    _program("bigger", "yes_no", "a's solid has a larger volume than b's", compared(volume, 1, VOLUME_RATIO),
             "Is the {0} bigger than the {1}?", "Is the {0} larger than the {1}?"),
    _program("closer", "yes_no", "a's centre is nearer to b's than to c's", closer,
             "Is the {0} closer to the {1} than to the {2}?"),
    _program("on", "yes_no", "b carries a", carried, "Is the {0} on the {1}?", "Is the {0} on top of the {1}?"),
    _program("exists", "yes_no", "an object of this colour and kind is there", exists, "Is there {0}?",
             "Do you see {0}?"),
    _program("which_taller", "choice", "the one whose vertical side is longer", chosen(height, 1, LENGTH_RATIO),
             "Which is taller, the {0} or the {1}?"),
    _program("which_smaller", "choice", "the one whose solid has the smaller volume", chosen(volume, -1, VOLUME_RATIO),
             "Which is smaller, the {0} or the {1}?"),
    _program("which_closer", "choice", "the one whose centre is nearer to a's", closer_choice,
             "Which is closer to the {0}, the {1} or the {2}?"),
    _program("centre_distance", "number", "distance of the box centres", of_pair(centre_distance, LEAST_M),
             "How far is the {0} from the {1}?", "What is the distance between the {0} and the {1}?"),
    _program("horizontal_distance", "number", "horizontal distance of the box centres",
             of_pair(horizontal_distance, LEAST_M), "What is the horizontal distance between the {0} and the {1}?"),
    _program("surface_gap", "number", "smallest distance between the two boxes", of_pair(surface_gap, LEAST_M),
             "How wide is the gap between the {0} and the {1}?", "What is the gap between the {0} and the {1}?"),
    _program("height", "number", "side of the box nearest to vertical", of_one(height), "How tall is the {0}?",
             "What is the height of the {0}?"),
    _program("width", "number", "longer horizontal side of the box", of_one(width, _upright_box),
             "How wide is the {0}?", "What is the width of the {0}?"),
    _program("depth", "number", "shorter horizontal side of the box", of_one(depth, _upright_box),
             "What is the depth of the {0}?"),
    _program("left_offset", "number", "component of the centre offset along the viewer's left", offset("left_of"),
             "How far to the left of the {1} is the {0}?", frame="viewer"),
    _program("front_offset", "number", "component of the centre offset towards the viewer, level",
             offset("in_front_of"), "How far in front of the {1} is the {0}?", frame="viewer"),
    _program("taller_by", "number", "difference of the vertical sides", taller_by,
             "How much taller is the {0} than the {1}?"),
    _program("camera_distance", "number", "distance of the box centre from the camera", to_camera,
             "How far is the {0} from the camera?", frame="viewer"),
    _program("count", "number", "objects of a kind on the table", counted, "How many {0} are there?",
             dimension="count"),
)  # fmt: skip
