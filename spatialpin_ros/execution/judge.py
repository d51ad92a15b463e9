# SPDX-License-Identifier: Apache-2.0
"""Decides from a fresh scene how far a task came, never from what was meant to happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.execution.matching import match_objects
from spatialpin_ros.execution.options import JudgeOptions
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.outcome import Level
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.task import Task, TaskStep


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a fresh scene shows of a task.

    Args:
        level: how far it came.
        reason: short code of what is not as it should be; empty when the goal is met.
        message: one or two sentences with the figures that decided.
        measurements: offsets and heights [m], counts.
    """

    level: Level
    reason: str
    message: str
    measurements: Mapping[str, float] = field(default_factory=dict)

    @property
    def success(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class _Case:
    """All that the judgement of one step looks at."""

    step: TaskStep
    before: Scene
    after: Scene
    seen: Mapping[str, SceneObject]
    expected: Pose | None
    held: bool | None
    options: JudgeOptions

    @property
    def item(self) -> SceneObject:
        return self.before.object(self.step.object_id)


def judge(
    task: Task,
    before: Scene,
    after: Scene,
    *,
    expected: Mapping[str, Pose] | None = None,
    held: bool | None = None,
    options: JudgeOptions | None = None,
) -> Verdict:
    """Compare two scenes and decide what was achieved; the first step that is not met decides.

    Args:
        task: its ids refer to `before`; the ids of `after` may be others.
        before, after: scenes seen before and after, same base frame.
        expected: where each moved object's box centre should be now, by id in `before`.
        held: whether the gripper has something between its pads now; None when it cannot tell.
    """
    settings, targets = options or JudgeOptions(), expected or {}
    places = _possible_places(task, before, targets)
    seen = match_objects(before, after, places)
    shared = _bystanders(task, before, seen, settings)
    verdict = Verdict("none", "no_goal", "the task has no step that can be judged", shared)
    for step in _deciding_steps(task):
        case = _Case(step, before, after, seen, targets.get(step.object_id), held, settings)
        judged = {"pick": _judge_pick, "place_on": _judge_on, "place_in_area": _judge_area}[step.action](case)
        verdict = Verdict(judged.level, judged.reason, judged.message, {**judged.measurements, **shared})
        if not verdict.success:
            break
    return verdict


def _deciding_steps(task: Task) -> list[TaskStep]:
    """Return the last step of every object that moves: earlier ones leave no trace in the last scene."""
    return list({step.object_id: step for step in task.steps}.values())


def _possible_places(task: Task, before: Scene, expected: Mapping[str, Pose]) -> dict[str, list[FloatArray]]:
    places = {key: [pose.position] for key, pose in expected.items()}
    known = {item.id: item for item in before.objects}
    for step in task.steps:
        item, target = known.get(step.object_id), known.get(step.target_id)
        if step.action == "place_on" and item is not None and target is not None:
            top = np.array([*target.centre[:2], target.box.top_z + item.box.height / 2.0])
            places.setdefault(item.id, []).append(top)
    return places


def _bystanders(
    task: Task, before: Scene, seen: Mapping[str, SceneObject], options: JudgeOptions
) -> dict[str, float]:
    """Count what should have stayed as it was but moved or is not seen any more."""
    movers = set(task.object_ids)
    rest = [item for item in before.objects if item.id not in movers]
    shifts = [_distance(seen[item.id], item) for item in rest if item.id in seen]
    return {
        "disturbed_objects": float(sum(shift > options.moved_m for shift in shifts)),
        "unseen_objects": float(sum(item.id not in seen for item in rest)),
    }


def _judge_pick(case: _Case) -> Verdict:
    now, item = case.seen.get(case.step.object_id), case.item
    if now is not None:
        rise = now.box.bottom_z - item.box.bottom_z
        numbers = {"rise_m": rise, "displacement_m": _distance(now, item)}
        if rise > case.options.lifted_m and case.held is not False:
            return Verdict(
                "picked", "", f"the {item.name} is {rise * 100:.1f} cm above where it stood", numbers
            )
        moved = numbers["displacement_m"] > case.options.moved_m
        what = "was moved but is not in the gripper" if moved else "is where it was"
        return Verdict("none", "dropped" if moved else "grasp_missed", f"the {item.name} {what}", numbers)
    if case.held:
        return Verdict(
            "picked", "", f"the {item.name} is gone from its place and the gripper holds something"
        )
    return _lost(case, item)


def _judge_on(case: _Case) -> Verdict:
    item, target = case.item, case.before.object(case.step.target_id)
    now, base = case.seen.get(item.id), case.seen.get(target.id)
    if now is None or base is None:
        joined = _judge_as_one_body(case, target, now or base)
        if joined is not None:
            return joined
    if now is None:
        return _lost(case, item)
    numbers = _common_numbers(case, now)
    if base is None:
        message = f"the {target.name}, which should carry the {item.name}, is not seen any more; look again"
        return Verdict(_moved_level(case, numbers), "object_lost", message, numbers)
    offset = float(np.linalg.norm(now.centre[:2] - base.centre[:2]))
    gap = now.box.bottom_z - base.box.top_z
    related = now.supported_by == base.id
    over = base.box.contains([*now.centre[:2], base.centre[2]], margin_m=0.005)
    numbers |= {
        "offset_from_target_m": offset,
        "height_error_m": gap,
        "supported_by_target": float(related),
        "target_shift_m": _distance(base, target),
    }
    allowed_gap_m = case.options.height_tolerance_m * (2.0 if related else 1.0)
    if bool(over) and abs(gap) <= allowed_gap_m:
        message = f"the {item.name} stands on the {target.name}, {offset * 1000:.0f} mm off its centre"
        return Verdict("stacked", "", message, numbers)
    level = "below" if gap < 0.0 else "above"
    figures = f"{offset * 100:.1f} cm beside its centre, foot {abs(gap) * 100:.1f} cm {level} its top"
    if _touching(now.box, base.box, case.options.contact_gap_m):
        message = f"the {item.name} touches the {target.name} but does not stand on it ({figures})"
        return Verdict("contacted", "not_on_target", message, numbers)
    return _not_there(
        case, numbers, f"the {item.name} is not on the {target.name} ({figures})", "not_on_target"
    )


def _judge_as_one_body(case: _Case, target: SceneObject, body: SceneObject | None) -> Verdict | None:
    """Recognise a stack of one colour that is seen as one object: in the target's place, as high as both together."""
    item = case.item
    if body is None or not item.color == target.color == body.color:
        return None
    height_error = body.box.top_z - (target.box.top_z + item.box.height)
    numbers = {
        "height_error_m": height_error,
        "offset_from_target_m": float(np.linalg.norm(body.centre[:2] - target.centre[:2])),
        "seen_as_one_body": 1.0,
    }
    tolerance = case.options.height_tolerance_m
    in_place = numbers["offset_from_target_m"] <= case.options.moved_m
    standing = abs(body.box.bottom_z - target.box.bottom_z) <= tolerance
    if not (in_place and standing and abs(height_error) <= tolerance):
        return None
    figures = f"{body.box.height * 100:.1f} cm high where the {target.name} stood"
    return Verdict(
        "stacked", "", f"the {item.name} and the {target.name} are seen as one body, {figures}", numbers
    )


def _judge_area(case: _Case) -> Verdict:
    item, area = case.item, case.step.area
    now = case.seen.get(item.id)
    if now is None or area is None:
        return _lost(case, item)
    surface = next((s for s in case.after.supports if s.name == case.step.target_id), case.after.table)
    outside = _distance_outside(now.centre[:2], area)
    gap = now.box.bottom_z - surface.height_z
    numbers = {**_common_numbers(case, now), "outside_area_m": max(outside, 0.0), "height_error_m": gap}
    on_surface = now.supported_by == surface.name or abs(gap) <= case.options.height_tolerance_m
    if outside <= case.options.area_margin_m and on_surface:
        return Verdict("placed", "", f"the {item.name} stands on the {surface.name} in its area", numbers)
    where = (
        f"{outside * 100:.1f} cm outside its area"
        if outside > case.options.area_margin_m
        else "not on its surface"
    )
    return _not_there(case, numbers, f"the {item.name} is {where}", "not_in_area")


def _common_numbers(case: _Case, now: SceneObject) -> dict[str, float]:
    numbers = {
        "displacement_m": _distance(now, case.item),
        "height_change_m": now.box.height - case.item.box.height,
    }
    if case.expected is not None:
        difference = now.centre - case.expected.position
        numbers["horizontal_offset_m"] = float(np.linalg.norm(difference[:2]))
        numbers["vertical_offset_m"] = float(difference[2])
    return numbers


def _not_there(case: _Case, numbers: dict[str, float], message: str, reason: str) -> Verdict:
    level = _moved_level(case, numbers)
    if level == "none":
        return Verdict(level, "grasp_missed", f"{message}; it was not moved", numbers)
    return Verdict(level, reason, message, numbers)


def _moved_level(case: _Case, numbers: Mapping[str, float]) -> Level:
    return "picked" if numbers["displacement_m"] > case.options.moved_m else "none"


def _lost(case: _Case, item: SceneObject) -> Verdict:
    there_is = ", ".join(case.after.names) or "nothing"
    holding = " (the gripper still holds something)" if case.held else ""
    message = f"the {item.name} is not seen any more{holding}; there is: {there_is}"
    return Verdict("picked" if case.held else "none", "object_lost", message)


def _distance(one: SceneObject, other: SceneObject) -> float:
    return float(np.linalg.norm(one.centre - other.centre))


def _distance_outside(point: FloatArray, polygon: FloatArray) -> float:
    """Distance of a point from a convex counter-clockwise polygon, negative inside [m]."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    lengths = np.linalg.norm(edges, axis=1, keepdims=True)
    normals = np.column_stack([edges[:, 1], -edges[:, 0]]) / np.maximum(lengths, 1e-12)
    return float(np.einsum("ij,ij->i", point - polygon, normals).max())


def _touching(one: OrientedBox, other: OrientedBox, gap_m: float) -> bool:
    """Tell whether two boxes are nearer than `gap_m` (separating axes of their faces)."""
    axes = np.vstack([one.pose.axes.T, other.pose.axes.T])
    spans = [corners @ axes.T for corners in (one.corners, other.corners)]
    (low_a, high_a), (low_b, high_b) = [(span.min(axis=0), span.max(axis=0)) for span in spans]
    return bool(np.maximum(low_a - high_b, low_b - high_a).max() <= gap_m)
