# SPDX-License-Identifier: Apache-2.0
"""Turns a free-text request into a checked task, clause by clause, imagining the scene after each step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise, permutations

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import InfeasibleTaskError, NotUnderstoodError, UnknownNameError
from spatialpin_ros.reasoning import areas, words
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.destinations import Destination, ground
from spatialpin_ros.reasoning.feasibility import Verdict, can_carry, can_grasp, imagine
from spatialpin_ros.reasoning.referring import Objects, Resolver
from spatialpin_ros.reasoning.requests import SUPPORTED, Clause, read_request
from spatialpin_ros.reasoning.uprightness import without_upright
from spatialpin_ros.relations import all_carried_by, depth, viewer_frame, volume
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.task import Task, TaskStep

MAX_UNLOADED = 2
MAX_PERMUTED = 4
_PLACES = {"left": "left of", "right": "right of", "front": "in front of", "back": "behind"}
_VIEWER_NOTE = "left, right, front and back are the camera's (viewer frame)"

AreaMaker = Callable[[Scene, SceneObject], FloatArray]


def task_id(scene: Scene, backend: str, steps: Sequence[TaskStep], request: str = "") -> str:
    """Id that depends only on the scene's stamp, the back end, the words and the steps."""
    content = json.dumps(
        [scene.stamp_s, backend, request, [step.to_dict() for step in steps]], sort_keys=True
    )
    return f"task-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def understand(scene: Scene, abilities: Abilities, request: str, backend: str = "symbolic") -> Task:
    """Turn a request into a task whose every step was checked against the scene.

    Raises:
        NotUnderstoodError, UnknownNameError, AmbiguousNameError, InfeasibleTaskError: as their names say.
    """
    plain, upright = without_upright(request)
    clauses = read_request(plain)
    if not scene.objects:
        raise UnknownNameError(" ".join(clauses[0].tokens), ())
    builder = TaskBuilder(scene, abilities)
    for clause in clauses:
        builder.do(clause)
    if upright:
        builder.steps = [replace(step, keep_upright=True) for step in builder.steps]
        builder.notes.append("kept upright while it is carried")
    return builder.task(request, backend)


class TaskBuilder:
    """Collects steps while imagining the scene that each of them leaves."""

    def __init__(self, scene: Scene, abilities: Abilities) -> None:
        self.original = self.scene = scene
        self.abilities = abilities
        self.frame = viewer_frame(scene.base_T_camera)
        self.steps: list[TaskStep] = []
        self.sentences: list[str] = []
        self.notes: list[str] = []
        self.it: SceneObject | None = None
        self.held = ""

    def task(self, request: str, backend: str) -> Task:
        sentence = ", then ".join(self.sentences)
        notes = list(dict.fromkeys(self.notes))
        checked = "checked: reach, grasp width, free top, support and balance of every step"
        return Task(
            id=task_id(self.original, backend, self.steps, request),
            description=f"{sentence[0].upper()}{sentence[1:]}.",
            steps=tuple(self.steps),
            request=request,
            backend=backend,
            rationale="; ".join([checked, *notes]),
        )

    def do(self, clause: Clause) -> None:
        it = None if self.it is None else self.scene.object(self.it.id)
        resolver = Resolver(self.scene, it)
        if clause.action == "pick" and not _says_where(clause.tokens, resolver):
            self.pick_up(resolver.one(clause.tokens))
        elif clause.action == "tower":
            self._tower(clause, resolver)
        elif clause.action == "clear" and not _says_where(_cleared(clause.tokens), resolver):
            self._clear(resolver.one(_not_table(_cleared(clause.tokens))))
        else:
            self._move(clause, resolver)

    def _move(self, clause: Clause, resolver: Resolver) -> None:
        moved, destination = ground(clause.tokens, resolver)
        if destination.relation == "inside":
            name = self.scene.object(destination.references[0]).name
            raise InfeasibleTaskError(
                f"the {name} is taken to be solid: nothing fits inside; say 'on'", "not_a_container"
            )
        if len(moved) > 1 and destination.relation == "on" and destination.references:
            base = self.scene.object(destination.references[0])
            self._stack_up([base, *(item for item in moved if item.id != base.id)])
            return
        for item in moved:
            self.deliver(self.scene.object(item.id), destination)

    def deliver(self, item: SceneObject, destination: Destination) -> None:
        if self.held and self.held != item.id:
            held = self.scene.object(self.held).name
            raise NotUnderstoodError(
                f"say where to put the {held} before moving the {item.name}; I can {SUPPORTED}"
            )
        if item.id in destination.references:
            raise InfeasibleTaskError(f"the {item.name} cannot be put relative to itself", "same_object")
        if destination.relation == "on" and destination.references:
            self._put_on(item, self.scene.object(destination.references[0]))
        else:
            make, where = self._area(item, destination)
            self._put_in(item, make, where)

    def _clear(self, item: SceneObject) -> None:
        """Free an object of what it carries, or take it out of the way when it carries nothing."""
        carried = all_carried_by(self.scene, item.id)
        for other in reversed(carried or (item,)):
            self._put_in(self.scene.object(other.id), self._aside, "out of the way")

    def pick_up(self, item: SceneObject) -> None:
        if self.held:
            raise NotUnderstoodError(
                f"I hold one object at a time: say where to put the {self.it and self.it.name} first"
            )
        self._make_graspable(item)
        self.steps.append(TaskStep("pick", item.id))
        self.sentences.append(f"pick up the {item.name}")
        self.it, self.held = item, item.id

    def _put_on(self, item: SceneObject, carrier: SceneObject) -> None:
        if item.supported_by == carrier.id:
            raise InfeasibleTaskError(f"the {item.name} is already on the {carrier.name}", "already_there")
        self._make_graspable(item)
        carrier = self.scene.object(carrier.id)
        self._unload([other for other in self.scene.carried_by(carrier.id) if other.id != item.id], carrier)
        self._require(can_carry(self.scene, carrier, self.scene.object(item.id), self.abilities))
        self._add(
            item, TaskStep("place_on", item.id, carrier.id), f"put the {item.name} on the {carrier.name}"
        )

    def _put_in(self, item: SceneObject, make: AreaMaker, where: str) -> None:
        self._make_graspable(item)
        area = make(self.scene, self.scene.object(item.id))
        step = TaskStep("place_in_area", item.id, self.scene.table.name, area)
        self._add(item, step, f"put the {item.name} {where}")

    def _add(self, item: SceneObject, step: TaskStep, sentence: str) -> None:
        if self.held == item.id:
            self.held = ""
            self.sentences.pop()
        else:
            self.steps.append(TaskStep("pick", item.id))
        self.steps.append(step)
        self.sentences.append(sentence)
        self.scene = imagine(self.scene, step)
        self.it = self.scene.object(item.id)

    def _make_graspable(self, item: SceneObject) -> None:
        if self.held == item.id:
            return
        self._unload(list(all_carried_by(self.scene, item.id)), item)
        self._require(can_grasp(self.scene, self.scene.object(item.id), self.abilities))

    def _unload(self, carried: Sequence[SceneObject], carrier: SceneObject) -> None:
        """Take what is on top out of the way first, where it is little."""
        load = {other.id: other for each in carried for other in (each, *all_carried_by(self.scene, each.id))}
        names = " and ".join(f"the {other.name}" for other in load.values())
        if len(load) > MAX_UNLOADED:
            raise InfeasibleTaskError(
                f"the {carrier.name} carries {names}: ask for those to be cleared first", "carries_something"
            )
        if self.held and load:
            raise InfeasibleTaskError(
                f"the {carrier.name} carries {names}: clear it before picking", "occupied"
            )
        for other in reversed(load.values()):
            self.notes.append(f"the {carrier.name} carries {names}, which is cleared first")
            self._put_in(self.scene.object(other.id), self._aside, "out of the way")

    def _require(self, verdict: Verdict) -> None:
        if not verdict:
            raise InfeasibleTaskError(verdict.message, verdict.reason)

    def _tower(self, clause: Clause, resolver: Resolver) -> None:
        tokens = list(clause.tokens)
        start = next((i for i in range(1, len(tokens)) if tokens[i] in ("on", "onto", "upon", "atop")), None)
        base: Objects = ()
        if start is not None and words.preposition_at(tokens, start) is not None:
            preposition = words.preposition_at(tokens, start)
            rest = tokens[start + (preposition.words if preposition else 1) :]
            if not all(token in words.TABLE_WORDS | words.DETERMINERS for token in rest):
                base = (resolver.one(rest),)
            tokens = tokens[:start]
        parts = [item for item in resolver.listed(tokens) if item.id not in {b.id for b in base}]
        if len(parts) + len(base) < 2:
            raise NotUnderstoodError(
                f"a stack needs two objects or more, and only one is named; I can {SUPPORTED}"
            )
        self._stack_up([*base, *parts] if base else self._best_order(parts))

    def _best_order(self, parts: Sequence[SceneObject]) -> list[SceneObject]:
        """Largest at the bottom, or the first other order that would stand."""
        ordered = sorted(
            parts, key=lambda item: (item.shape == "sphere", -depth(item), -volume(item), item.id)
        )
        self.notes.append("the largest base goes to the bottom")
        for order in permutations(ordered) if len(ordered) <= MAX_PERMUTED else [tuple(ordered)]:
            trial = TaskBuilder(self.scene, self.abilities)
            try:
                trial._stack_up(order)
            except InfeasibleTaskError:
                continue
            return list(order)
        return ordered

    def _stack_up(self, order: Sequence[SceneObject]) -> None:
        for lower, upper in pairwise(order):
            if self.scene.object(upper.id).supported_by != lower.id:
                self._put_on(self.scene.object(upper.id), self.scene.object(lower.id))
        if not self.steps:
            raise InfeasibleTaskError("these objects are already stacked", "already_there")

    def _aside(self, scene: Scene, item: SceneObject) -> FloatArray:
        return areas.out_of_the_way(scene, item, self.abilities)

    def _area(self, item: SceneObject, destination: Destination) -> tuple[AreaMaker, str]:
        """How to make the area for a destination, and how to say it."""
        kind, abilities, frame = destination.relation, self.abilities, self.frame
        if kind in ("aside", "off"):
            return self._aside, "out of the way"
        if kind == "shift":
            self.notes.append(_VIEWER_NOTE)
            right, front = areas.SIDES[destination.side]
            return self._shift(frame.vector(right, front)[:2], destination, f"to the {destination.side}")
        if kind == "toward":
            return self._toward(item, destination)
        if kind == "between":
            return self._between(destination)
        if not destination.references:
            if kind in ("on", "near"):
                return self._aside, "on a free place of the table"
            self.notes.append(_VIEWER_NOTE)
            where = f"on the {kind} of the table" if kind == "middle" else f"on the {kind} side of the table"
            return (lambda scene, moved: areas.side_of_table(scene, moved, kind, abilities, frame)), where
        return self._beside(item, destination)

    def _beside(self, item: SceneObject, destination: Destination) -> tuple[AreaMaker, str]:
        kind, reference = destination.relation, self.scene.object(destination.references[0])
        if kind == "middle":
            raise NotUnderstoodError(
                f"say 'on the {reference.name}' or 'in the middle of the table'; I can {SUPPORTED}"
            )
        self.notes.append(_VIEWER_NOTE)
        sides = ("left", "right", "front", "back") if kind == "near" else (kind,)

        def make(scene: Scene, moved: SceneObject) -> FloatArray:
            beside = scene.object(reference.id)
            area, side = areas.beside(
                scene, moved, beside, sides, self.abilities, self.frame, destination.distance_m
            )
            if kind == "near":
                self.notes.append(f"the place is {_PLACES[side]} the {reference.name}")
            return area

        where = "next to" if kind == "near" else _PLACES[kind]
        return make, f"{where} the {reference.name}"

    def _shift(self, direction: FloatArray, destination: Destination, where: str) -> tuple[AreaMaker, str]:
        distance = destination.distance_m
        if distance is not None and not 0.0 < distance <= 1.0:
            raise InfeasibleTaskError(
                f"a move must be more than 0 and at most 1 m, got {distance:g} m", "out_of_reach"
            )
        origin = direction / max(float(np.linalg.norm(direction)), 1e-9)
        said = f"{distance * 100:g} cm {where}" if distance is not None else where

        def make(scene: Scene, moved: SceneObject) -> FloatArray:
            return areas.shifted(scene, moved, origin, distance, self.abilities, said)

        return make, said

    def _toward(self, item: SceneObject, destination: Destination) -> tuple[AreaMaker, str]:
        if destination.references:
            other = self.scene.object(destination.references[0])
            goal, name = other.centre, f"the {other.name}"
        elif destination.side == "robot":
            goal, name = np.zeros(3), "the robot"
        else:
            goal, name = self.scene.base_T_camera.position, "the camera"
        return self._shift((goal - item.centre)[:2], destination, f"towards {name}")

    def _between(self, destination: Destination) -> tuple[AreaMaker, str]:
        a, b = (self.scene.object(reference) for reference in destination.references)
        where = f"between the {a.name} and the {b.name}"

        def make(scene: Scene, moved: SceneObject) -> FloatArray:
            middle = 0.5 * (scene.object(a.id).centre + scene.object(b.id).centre)[:2]
            return areas.around(scene, moved, middle, self.abilities, where)

        return make, where


def _says_where(tokens: Sequence[str], resolver: Resolver) -> bool:
    """Whether the words hold a destination rather than only a description of one object."""
    try:
        ground(tokens, resolver)
    except (UnknownNameError, NotUnderstoodError):
        return False
    return True


def _cleared(tokens: Sequence[str]) -> Sequence[str]:
    """Read "everything off the box" as "the box"."""
    rest = list(tokens)
    if rest[:1] in (["everything"], ["all"], ["anything"]) and (found := words.preposition_at(rest, 1)):
        return rest[1 + found.words :] if found.relation in ("off", "on") else tokens
    return tokens


def _not_table(tokens: Sequence[str]) -> Sequence[str]:
    content = [token for token in tokens if token not in words.DETERMINERS]
    if content and all(token in words.TABLE_WORDS for token in content):
        raise NotUnderstoodError(f"name the object to clear, not the table; I can {SUPPORTED}")
    return tokens
