# SPDX-License-Identifier: Apache-2.0
"""Programs of changes between two images (IrSD): moved, turned, appeared, vanished, nearer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations

import numpy as np

from spatialpin_ros.changes import Change
from spatialpin_ros.relations import centre_distance, viewer_frame
from spatialpin_ros.scene import SceneObject
from spatialpin_ros.spatial_qa.question import Draft, Program, Subject

STILL_M, MOVED_M = 0.005, 0.03
STILL_DEG, TURNED_DEG = 2.0, 14.0
BOX_RATIO = 1.25

Drafts = Callable[[Subject], Iterator[Draft]]


def _kept(subject: Subject) -> list[Change]:
    """Objects well seen in both images whose plain names mean one object in each."""
    asked = {item.id for item in subject.objects}
    return [change for change in subject.changes.kept if change.after.id in asked] if subject.changes else []


def _turn_deg(change: Change) -> float | None:
    """The turn, where it is clear: cubes, boxes with distinct sides, lying cylinders."""
    sides = np.sort(change.after.size)
    distinct = bool((sides[1:] > BOX_RATIO * sides[:-1]).all())
    if change.turn_rad is None or not (distinct or change.after.label != "box"):
        return None
    return float(np.degrees(change.turn_rad))


def moved(subject: Subject) -> Iterator[Draft]:
    for change in _kept(subject):
        if change.distance_m < STILL_M or change.distance_m > MOVED_M:
            yield _of(change, float(change.distance_m > MOVED_M))


def moved_way(axis: int, sign: float) -> Drafts:
    """Moved along one of the viewer's axes by a clear distance, against moved the other way."""

    def drafts(subject: Subject) -> Iterator[Draft]:
        frame = viewer_frame(subject.scene.base_T_camera)
        for change in _kept(subject):
            shift = sign * float(frame.components(change.after.centre - change.before.centre)[axis])
            if abs(shift) > MOVED_M:
                yield _of(change, float(shift > 0.0))

    return drafts


def turned(subject: Subject) -> Iterator[Draft]:
    for change in _kept(subject):
        turn = _turn_deg(change)
        if turn is not None and (turn < STILL_DEG or turn > TURNED_DEG):
            yield _of(change, float(turn > TURNED_DEG))


def present(vanished: bool) -> Drafts:
    """What is gone (or new) against what is in both."""

    def drafts(subject: Subject) -> Iterator[Draft]:
        if subject.changes is None:
            return
        for item in subject.changes.vanished if vanished else subject.changes.appeared:
            yield Draft((item.id,), (item.name,), 1.0)
        for change in _kept(subject):
            yield _of(change, 0.0)

    return drafts


def came_closer(subject: Subject) -> Iterator[Draft]:
    for a, b, nearer in _approaches(subject):
        if abs(nearer) > 0.02:
            yield Draft((a.id, b.id), (a.name, b.name), float(nearer > 0.0))


def closer_by(subject: Subject) -> Iterator[Draft]:
    for a, b, nearer in _approaches(subject):
        if nearer > MOVED_M:
            yield Draft((a.id, b.id), (a.name, b.name), nearer)


def _approaches(subject: Subject) -> Iterator[tuple[SceneObject, SceneObject, float]]:
    for a, b in permutations(_kept(subject), 2):
        yield a.after, b.after, centre_distance(a.before, b.before) - centre_distance(a.after, b.after)


def moved_distance(subject: Subject) -> Iterator[Draft]:
    for change in _kept(subject):
        if change.distance_m > MOVED_M:
            yield _of(change, change.distance_m)


def turned_by(subject: Subject) -> Iterator[Draft]:
    for change in _kept(subject):
        turn = _turn_deg(change)
        if turn is not None and turn > TURNED_DEG:
            yield _of(change, turn)


def counted(subject: Subject) -> Iterator[Draft]:
    """How many moved, appeared or vanished, where every object is seen well and every change is clear."""
    changes = subject.changes
    if changes is None or not subject.complete:
        return
    if all(c.distance_m < STILL_M or c.distance_m > MOVED_M for c in changes.kept):
        yield Draft((), ("been moved",), float(sum(c.distance_m > MOVED_M for c in changes.kept)))
    yield Draft((), ("vanished",), float(len(changes.vanished)))
    yield Draft((), ("appeared",), float(len(changes.appeared)))


def _of(change: Change, truth: float) -> Draft:
    return Draft((change.after.id,), (change.after.name,), truth)


def _program(name: str, kind: str, definition: str, drafts: Drafts, *templates: str, frame: str = "gravity",
             dimension: str = "length") -> Program:  # fmt: skip
    return Program(name, "IrSD", kind, frame, definition, templates, drafts, dimension)  # type: ignore[arg-type]


PROGRAMS: tuple[Program, ...] = (
    _program("moved", "yes_no", "the box centre is elsewhere", moved, "Has the {0} been moved?", "Did the {0} move?"),
    _program("moved_left", "yes_no", "the box centre went to the left of the second image's viewer",
             moved_way(0, -1.0), "Did the {0} move to the left?", frame="viewer"),
    _program("moved_nearer", "yes_no", "the box centre came level towards the second image's viewer",
             moved_way(1, 1.0), "Did the {0} move towards the viewer?", frame="viewer"),
    _program("turned", "yes_no", "the smallest rotation between the poses, modulo symmetry, is not 0", turned,
             "Has the {0} been turned?", "Did the {0} turn?"),
    _program("vanished", "yes_no", "the object is in the first image only", present(True), "Is the {0} gone?",
             "Has the {0} been removed?"),
    _program("appeared", "yes_no", "the object is in the second image only", present(False), "Is the {0} new?",
             "Has the {0} been added?"),
    _program("came_closer", "yes_no", "the distance of the box centres shrank", came_closer,
             "Did the {0} come closer to the {1}?"),
    _program("moved_distance", "number", "distance between the box centre before and after", moved_distance,
             "How far did the {0} move?", "How far has the {0} been moved?"),
    _program("turned_by", "number", "smallest rotation between the poses, modulo the symmetry of the shape", turned_by,
             "By how many degrees was the {0} turned?", "How many degrees did the {0} turn?", dimension="angle"),
    _program("closer_by", "number", "by how much the distance of the box centres shrank", closer_by,
             "How much closer did the {0} come to the {1}?"),
    _program("change_count", "number", "how many objects changed in this way", counted, "How many objects have {0}?",
             dimension="count"),
)  # fmt: skip
