# SPDX-License-Identifier: Apache-2.0
"""Pick-and-stack parameters by the model: how far to close, lift and drop, kept within what the geometry allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.areas import radius
from spatialpin_ros.reasoning.feasibility import grasp_axes, imagine
from spatialpin_ros.reasoning.schemas import strict
from spatialpin_ros.reasoning.turns.context import SceneContext
from spatialpin_ros.reasoning.turns.conversation import Conversation
from spatialpin_ros.relations import depth, height, width
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.task import Task, TaskStep

# Closing to less than the object's width presses the pads on; closing much further would squeeze it.
PRESS_M = (0.005, 0.02)
LIFT_M = (0.03, 0.25)
DROP_M = (0.001, 0.01)
CLEARANCE_M = 0.01
LENGTHS = ("closing_width_cm", "lift_height_cm", "drop_height_cm")


@dataclass(frozen=True, slots=True)
class Limits:
    """Lowest and highest sensible value of each parameter [m], and what the lift must clear."""

    closing_width_m: tuple[float, float]
    lift_height_m: tuple[float, float]
    drop_height_m: tuple[float, float]
    cleared: str


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """One object that is taken and, if `place` says so, put down.

    Args:
        number: from 1, the name of the motion in prompt and reply.
        task, step: index of the task, and of the picking step in it.
        item: what is taken, where it is at that time.
        place: the step that puts it down, if any.
        target: name of what receives it.
        target_object: the same, when it is an object.
        on_the_way: objects between the two places.
        limits: what the geometry allows.
    """

    number: int
    task: int
    step: int
    item: SceneObject
    place: TaskStep | None
    target: str
    target_object: SceneObject | None
    on_the_way: tuple[SceneObject, ...]
    limits: Limits


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The model's three numbers [m] and its reasoning."""

    closing_width_m: float
    lift_height_m: float
    drop_height_m: float
    reasoning: str


def motions(scene: Scene, abilities: Abilities, tasks: Sequence[Task]) -> tuple[Motion, ...]:
    """Every pick of every task, each task starting from the scene, each pick from what the steps before it leave."""
    found: list[Motion] = []
    for index, task in enumerate(tasks):
        now = scene
        for i, step in enumerate(task.steps):
            if step.action == "pick":
                place = task.steps[i + 1] if i + 1 < len(task.steps) else None
                found.append(_motion(now, abilities, len(found) + 1, (index, i), step, place))
            else:
                now = imagine(now, step)
    return tuple(found)


def parameter_schema() -> dict[str, Any]:
    """Per motion the reasoning and three lengths in cm."""
    lengths = {name: {"type": "number"} for name in LENGTHS}
    motion = strict({"number": {"type": "integer"}, "reasoning": {"type": "string"}, **lengths})
    return strict({"motions": {"type": "array", "items": motion}})


def read_parameters(
    wanted: Sequence[Motion], reply: Mapping[str, Any]
) -> tuple[dict[int, Suggestion], Sequence[str]]:
    """Suggestions by motion number; a missing motion and a number that is none are asked for again."""
    found: dict[int, Suggestion] = {}
    for entry in reply["motions"]:
        closing, lift, drop = (float(entry[name]) / 100.0 for name in LENGTHS)
        if all(map(math.isfinite, (closing, lift, drop))):
            found[entry["number"]] = Suggestion(closing, lift, drop, entry["reasoning"])
    missing = [motion.number for motion in wanted if motion.number not in found]
    return found, [f"motion {number} has no three finite lengths" for number in missing]


def apply(
    tasks: Sequence[Task], wanted: Sequence[Motion], suggestions: Mapping[int, Suggestion]
) -> tuple[tuple[Task, ...], tuple[str, ...]]:
    """Put the suggestions, kept within the limits, into the tasks; the rationale says what was asked and what is used.

    Returns:
        The tasks, and a sentence for each number that had to be changed.
    """
    steps = [list(task.steps) for task in tasks]
    said: list[list[str]] = [[] for _ in tasks]
    findings: list[str] = []
    for motion in wanted:
        suggestion = suggestions.get(motion.number)
        if suggestion is None:
            said[motion.task].append(
                f"no parameters suggested for the {motion.item.name}: the planner chooses"
            )
            continue
        used, words, changed = _kept_within(motion, suggestion)
        own = steps[motion.task]
        own[motion.step] = replace(own[motion.step], closing_width_m=used[0], lift_height_m=used[1])
        if motion.place is not None:
            own[motion.step + 1] = replace(own[motion.step + 1], drop_height_m=used[2])
        said[motion.task].append(f"{motion.item.name}: {', '.join(words)}")
        findings += [f"{motion.item.name}: {word}" for word in changed]
    made = tuple(
        replace(task, steps=tuple(own), rationale="; ".join([task.rationale, *words]))
        for task, own, words in zip(tasks, steps, said, strict=True)
    )
    return made, tuple(findings)


def suggest(
    conversation: Conversation,
    scene: Scene,
    abilities: Abilities,
    tasks: Sequence[Task],
    context: SceneContext,
) -> tuple[Task, ...]:
    """Ask for the parameters of every motion of the tasks in one turn; without a usable reply the planner chooses."""
    wanted = motions(scene, abilities, tasks)
    prompt = conversation.prompts.fill(
        "parameters",
        motions=wanted,
        abilities=abilities,
        floor=scene.table.height_z,
        cm=lambda length_m: f"{100.0 * length_m:.1f}",
        size=lambda item: " x ".join(f"{100.0 * side(item):.1f}" for side in (width, depth, height)),
    )
    suggestions = conversation.try_ask(
        "parameters",
        conversation.prompts.fill("system", numbers=True),
        prompt,
        context.images,
        parameter_schema(),
        lambda reply: read_parameters(wanted, reply),
    )
    made, findings = apply(tasks, wanted, suggestions or {})
    conversation.note(*findings)
    return made


def limits(
    abilities: Abilities, item: SceneObject, target: str, top_z: float, on_the_way: Sequence[SceneObject]
) -> Limits:
    """What the thinnest graspable side, and the heights of what must be cleared, allow."""
    thinnest = grasp_axes(item)[0][1]
    widest = max(0.0, min(thinnest - PRESS_M[0], abilities.max_grasp_width_m))
    tallest = max(on_the_way, key=lambda other: other.box.top_z, default=None)
    cleared = f"the {tallest.name}" if tallest is not None and tallest.box.top_z > top_z else target
    height = max(top_z, tallest.box.top_z if tallest is not None else top_z)
    needed = float(np.clip(height + CLEARANCE_M - item.box.bottom_z, *LIFT_M))
    return Limits((max(0.0, thinnest - PRESS_M[1]), widest), (needed, LIFT_M[1]), DROP_M, cleared)


def _motion(
    scene: Scene,
    abilities: Abilities,
    number: int,
    where: tuple[int, int],
    pick: TaskStep,
    place: TaskStep | None,
) -> Motion:
    item = scene.object(pick.object_id)
    if place is None:
        held = limits(abilities, item, "nothing", item.box.bottom_z, ())
        return Motion(number, *where, item, None, "", None, (), held)
    if place.action == "place_on":
        carrier = scene.object(place.target_id)
        goal, top_z, target = carrier.centre[:2], carrier.box.top_z, f"the {carrier.name}"
    else:
        surface = next(each for each in scene.supports if each.name == place.target_id)
        carrier, goal = None, np.asarray(place.area).mean(axis=0)
        top_z, target = surface.height_z, f"the {surface.name}"
    others = [each for each in scene.objects if each.id not in (item.id, place.target_id, item.supported_by)]
    way = tuple(each for each in others if _between(each, item, goal))
    return Motion(
        number, *where, item, place, target, carrier, way, limits(abilities, item, target, top_z, way)
    )


def _between(other: SceneObject, item: SceneObject, goal: FloatArray) -> bool:
    """Whether the item, moved straight to the goal, would pass over the other one."""
    start = item.centre[:2]
    way = goal - start
    share = np.clip((other.centre[:2] - start) @ way / max(float(way @ way), 1e-12), 0.0, 1.0)
    gap = float(np.linalg.norm(other.centre[:2] - start - share * way))
    return gap < radius(other) + radius(item)


def _kept_within(
    motion: Motion, suggestion: Suggestion
) -> tuple[tuple[float, float, float], list[str], list[str]]:
    """The numbers to use, the words for each, and the words for those that differ from the suggestion."""
    bounds = motion.limits
    parts = [
        ("close to", suggestion.closing_width_m, bounds.closing_width_m,
         f"its thinnest side is {grasp_axes(motion.item)[0][1] * 100:.1f} cm"),
        ("lift by", suggestion.lift_height_m, bounds.lift_height_m, f"to clear {bounds.cleared}, at most 25 cm"),
        ("drop from", suggestion.drop_height_m, bounds.drop_height_m, "1 to 10 mm keep it in place"),
    ]  # fmt: skip
    values, words, changed = [], [], []
    for name, asked, (low, high), why in parts if motion.place is not None else parts[:2]:
        value = float(np.clip(asked, low, high))
        word = f"{name} {value * 100:.1f} cm"
        if abs(value - asked) > 5e-5:
            word += f" instead of {asked * 100:.1f} cm ({why})"
            changed.append(word)
        values.append(value)
        words.append(word)
    return (values[0], values[1], values[2] if len(values) > 2 else DROP_M[0]), words, changed
