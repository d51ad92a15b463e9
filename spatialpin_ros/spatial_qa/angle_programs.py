# SPDX-License-Identifier: Apache-2.0
"""Programs of angles within an image (IaAD): objects against the table, the viewer and each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, permutations

import numpy as np

from spatialpin_ros.angles import (
    UndefinedAngleError,
    axis_angle,
    axis_heading,
    elevation,
    has_long_axis,
    lies,
    rests_flat,
    side_turn,
    stands,
)
from spatialpin_ros.relations import viewer_frame
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.spatial_qa.question import Draft, Program, Subject

ALIKE_DEG, UNLIKE_DEG = 5.0, 16.0
LEAST_DEG = 8.0
STEEPER_DEG = 12.0
MOST_INCLINED_DEG = 50.0
LONG_RATIO = 1.2

Drafts = Callable[[Subject], Iterator[Draft]]


def _long(item: SceneObject) -> bool:
    """A clear long axis: a real benchmark does not ask for what is hard to say."""
    ordered = np.sort(item.size)
    return has_long_axis(item) and bool(ordered[2] > LONG_RATIO * ordered[1])


def _level(item: SceneObject) -> bool:
    return _long(item) and lies(item)


def _inclined(item: SceneObject, scene: Scene) -> bool:
    """A clear long axis that does not stand nearly upright, where its level part says little."""
    return _long(item) and bool(elevation(item, scene) < np.deg2rad(MOST_INCLINED_DEG))


def _degrees(measure: Callable[[], float]) -> float | None:
    try:
        return float(np.degrees(measure()))
    except UndefinedAngleError:
        return None


def between_axes(subject: Subject) -> Iterator[Draft]:
    inclined = [item for item in subject.objects if _inclined(item, subject.scene)]
    for a, b in combinations(inclined, 2):
        value = float(np.degrees(axis_angle(a, b)))
        if value > LEAST_DEG:
            yield Draft((a.id, b.id), (a.name, b.name), value)


def between_sides(subject: Subject) -> Iterator[Draft]:
    for a, b in combinations(_flat(subject), 2):
        value = _degrees(lambda a=a, b=b: side_turn(a, b))  # type: ignore[misc]
        if value is not None and value > LEAST_DEG:
            yield Draft((a.id, b.id), (a.name, b.name), value)


def heading(subject: Subject) -> Iterator[Draft]:
    frame = viewer_frame(subject.scene.base_T_camera)
    for item in subject.objects:
        if not _inclined(item, subject.scene):
            continue
        value = float(np.degrees(axis_heading(item, frame)))
        if value > LEAST_DEG:
            yield Draft((item.id,), (item.name,), value)


def _flat(subject: Subject) -> list[SceneObject]:
    """Objects that rest on a side; the sides of what leans have no one heading."""
    return [item for item in subject.objects if rests_flat(item)]


def to_table(subject: Subject) -> Iterator[Draft]:
    """What leans; the angle of what lies or stands is known beforehand."""
    for item in filter(_long, subject.objects):
        if not rests_flat(item):
            yield Draft((item.id,), (item.name,), float(np.degrees(elevation(item, subject.scene))))


def leaning(subject: Subject) -> Iterator[Draft]:
    for item in filter(_long, subject.objects):
        yield Draft((item.id,), (item.name,), float(not rests_flat(item)))


def steeper(subject: Subject) -> Iterator[Draft]:
    """Of two long axes one of which is inclined, the steeper one, by a clear angle."""
    for a, b in permutations(filter(_long, subject.objects), 2):
        more = float(np.degrees(elevation(a, subject.scene) - elevation(b, subject.scene)))
        if abs(more) > STEEPER_DEG and not (rests_flat(a) and rests_flat(b)):
            yield Draft((a.id, b.id), (a.name, b.name), float(more > 0.0))


def posture(lying: bool) -> Drafts:
    limit = 30.0 if lying else 60.0

    def drafts(subject: Subject) -> Iterator[Draft]:
        for item in filter(_long, subject.objects):
            if abs(float(np.degrees(elevation(item, subject.scene))) - limit) > LEAST_DEG:
                yield Draft((item.id,), (item.name,), float(lies(item) if lying else stands(item)))

    return drafts


def at_angle(wanted_deg: float) -> Drafts:
    """Whether two level long axes are at 0 or 90 degrees, to 5; no to 16 and more."""

    def drafts(subject: Subject) -> Iterator[Draft]:
        for a, b in permutations([item for item in subject.objects if _long(item)], 2):
            off = abs(float(np.degrees(axis_angle(a, b))) - wanted_deg)
            if off < ALIKE_DEG or (off > UNLIKE_DEG and lies(a) and lies(b)):
                yield Draft((a.id, b.id), (a.name, b.name), float(off < ALIKE_DEG))

    return drafts


def aligned(subject: Subject) -> Iterator[Draft]:
    for a, b in permutations(_flat(subject), 2):
        off = _degrees(lambda a=a, b=b: side_turn(a, b))  # type: ignore[misc]
        if off is not None and (off < ALIKE_DEG or off > UNLIKE_DEG):
            yield Draft((a.id, b.id), (a.name, b.name), float(off < ALIKE_DEG))


def runs_sideways(subject: Subject) -> Iterator[Draft]:
    frame = viewer_frame(subject.scene.base_T_camera)
    for item in filter(_level, subject.objects):
        value = float(np.degrees(axis_heading(item, frame)))
        if abs(value - 45.0) > 8.0:
            yield Draft((item.id,), (item.name,), float(value < 45.0))


def _program(
    name: str, kind: str, definition: str, drafts: Drafts, *templates: str, frame: str = "gravity"
) -> Program:
    return Program(name, "IaAD", kind, frame, definition, templates, drafts, "angle")  # type: ignore[arg-type]


PROGRAMS: tuple[Program, ...] = (
    _program("lies", "yes_no", "the long axis is within 30 degrees of level", posture(True),
             "Is the {0} lying on its side?", "Is the {0} lying flat?"),
    _program("stands", "yes_no", "the long axis is more than 60 degrees above level", posture(False),
             "Is the {0} standing upright?"),
    _program("leans", "yes_no",
             "no side is within 10 degrees of level; of a cylinder, its axis neither stands nor lies", leaning,
             "Is the {0} leaning?", "Is the {0} tilted?"),
    _program("steeper", "yes_no", "a's long axis is at a larger angle to the table plane than b's", steeper,
             "Is the {0} more steeply inclined than the {1}?", "Is the {0} steeper than the {1}?"),
    _program("parallel", "yes_no", "the long axes are within 10 degrees of each other", at_angle(0.0),
             "Are the {0} and the {1} parallel?", "Is the long axis of the {0} parallel to the long axis of the {1}?"),
    _program("perpendicular", "yes_no", "the long axes are within 10 degrees of a right angle", at_angle(90.0),
             "Is the {0} perpendicular to the {1}?"),
    _program("aligned", "yes_no", "the horizontal sides are within 10 degrees of each other, modulo a quarter turn",
             aligned, "Are the sides of the {0} aligned with the sides of the {1}?"),
    _program("runs_sideways", "yes_no", "the level part of the long axis is within 45 degrees of the viewer's right",
             runs_sideways, "Does the long axis of the {0} run more from left to right than from front to back?",
             frame="viewer"),
    _program("axis_angle", "number", "angle of the two long axes as lines", between_axes,
             "What is the angle between the long axes of the {0} and the {1}?",
             "What is the angle between the long axis of the {0} and the long axis of the {1}?"),
    _program("side_turn", "number", "smallest turn about the vertical that makes the sides parallel", between_sides,
             "By how many degrees would the {0} have to turn to be aligned with the {1}?",
             "How many degrees are the sides of the {0} turned from the sides of the {1}?"),
    _program("axis_heading", "number", "angle of the level part of the long axis from the viewer's left-right line",
             heading, "How many degrees is the long axis of the {0} turned from the left-right direction?",
             frame="viewer"),
    _program("elevation", "number", "angle of the long axis above the table plane", to_table,
             "What is the angle between the long axis of the {0} and the table?",
             "How many degrees is the {0} inclined to the table?"),
)  # fmt: skip
