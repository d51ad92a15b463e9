# SPDX-License-Identifier: Apache-2.0
"""What can be grasped, reached and carried: typed verdicts computed from the scene's boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from spatialpin_ros.angles import rests_flat
from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.obb import obb_overlap
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.areas import free_places
from spatialpin_ros.reasoning.polygons import UPRIGHT_RAD, area, depth_inside, footprint, intersect
from spatialpin_ros.relations import (
    CONTACT_TOLERANCE_M,
    all_carried_by,
    height,
    horizontal_sides,
    surface_gap,
    vertical_axis,
    volume,
)
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.task import Task, TaskStep

Reason = Literal[
    "",
    "too_wide",
    "too_flat",
    "crowded",
    "carries_something",
    "out_of_reach",
    "already_there",
    "round_top",
    "round_base",
    "tilted",
    "occupied",
    "top_too_small",
    "too_tall",
    "tips_over",
    "unstable_stack",
    "no_free_place",
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something can be done, and if not, why: a short code and a sentence."""

    reason: Reason = ""
    message: str = ""

    @property
    def ok(self) -> bool:
        return not self.reason

    def __bool__(self) -> bool:
        return self.ok


YES = Verdict()


def _cm(length_m: float) -> str:
    return f"{length_m * 100:.1f} cm"


def within_reach(item: SceneObject, abilities: Abilities) -> Verdict:
    """Whether the hand can come to the object from above."""
    return point_within_reach(item.centre[:2], abilities, f"the {item.name}", item.box.top_z)


def point_within_reach(xy: FloatArray, abilities: Abilities, what: str, z: float = 0.05) -> Verdict:
    """Whether the hand can come to a point (2,) of the base frame at height z [m] from above."""
    distance = float(np.hypot(*xy))
    low, high = abilities.reach_min_m, abilities.reach_max_m
    if not low <= distance <= high:
        side = "too close to" if distance < low else "too far from"
        return Verdict(
            "out_of_reach", f"{what} is {side} the robot: {_cm(distance)}, reach is {_cm(low)} to {_cm(high)}"
        )
    space = abilities.workspace
    point = np.array([*xy, z])
    if space is not None and ((point < space.min) | (point > space.max)).any():
        return Verdict("out_of_reach", f"{what} is outside the robot's workspace")
    return YES


def grasp_axes(item: SceneObject) -> tuple[tuple[FloatArray, float], ...]:
    """Horizontal closing directions (3,) and the width [m] that the gripper would span along each, narrowest first."""
    vertical, tilt = vertical_axis(item.box)
    round_about_z = item.shape == "sphere" or (
        item.shape == "cylinder" and vertical == 2 and tilt < UPRIGHT_RAD
    )
    if round_about_z:
        angles = np.linspace(0.0, np.pi, 8, endpoint=False)
        return tuple((np.array([np.cos(a), np.sin(a), 0.0]), float(item.size[0])) for a in angles)
    sides = [i for i in range(3) if i != vertical]
    axes = []
    for i in sorted(sides, key=lambda i: float(item.size[i])):
        direction = item.box.pose.axes[:, i] * np.array([1.0, 1.0, 0.0])
        axes.append((direction / np.linalg.norm(direction), float(item.size[i])))
    return tuple(axes)


def can_grasp(scene: Scene, item: SceneObject, abilities: Abilities) -> Verdict:
    """Whether a hand from above can take the object: reach, nothing on top, width, height and room for the fingers."""
    if not (reach := within_reach(item, abilities)):
        return reach
    carried = scene.carried_by(item.id)
    if carried:
        names = " and ".join(f"the {other.name}" for other in carried)
        return Verdict("carries_something", f"the {item.name} carries {names}")
    if not rests_flat(item):
        return Verdict(
            "tilted", f"the {item.name} leans: a hand from above cannot take it, and it would slip"
        )
    if leaner := leaning_on(scene, item):
        return Verdict("carries_something", f"the {leaner.name} leans against the {item.name} and would fall")
    axes = grasp_axes(item)
    if axes[0][1] > abilities.graspable_width_m:
        return Verdict(
            "too_wide",
            f"the {item.name} is too wide for the gripper: its narrowest side is {_cm(axes[0][1])}, "
            f"{_cm(abilities.graspable_width_m)} fits",
        )
    if item.box.height < abilities.min_grasp_height_m:
        return Verdict(
            "too_flat", f"the {item.name} is too flat to grasp: {_cm(item.box.height)}, "
            f"{_cm(abilities.min_grasp_height_m)} is needed"
        )  # fmt: skip
    fitting = [(axis, width) for axis, width in axes if width <= abilities.graspable_width_m]
    blockers = [_finger_blocker(scene, item, axis, width, abilities) for axis, width in fitting]
    if all(blockers):
        return Verdict(
            "crowded", f"the fingers do not fit beside the {item.name}: the {blockers[0]} is in the way"
        )
    return YES


def leaning_on(scene: Scene, item: SceneObject) -> SceneObject | None:
    """An object that leans against this one, if any."""
    others = (other for other in scene.objects if other.id != item.id and not rests_flat(other))
    return next((other for other in others if surface_gap(other, item) < CONTACT_TOLERANCE_M), None)


def _finger_blocker(
    scene: Scene, item: SceneObject, axis: FloatArray, width: float, abilities: Abilities
) -> str:
    """Name of an object where a finger would have to be, or nothing."""
    grip = min(0.6 * item.box.height, 0.03)
    yaw = float(np.arctan2(axis[1], axis[0]))
    away = 0.5 * (width + abilities.grasp_clearance_m + abilities.finger_thickness_m)
    size = np.array([abilities.finger_thickness_m, abilities.finger_breadth_m, grip])
    others = [other for other in scene.objects if other.id not in (item.id, item.supported_by)]
    for sign in (-1.0, 1.0):
        centre = np.array([*(item.centre + sign * away * axis)[:2], item.box.top_z - grip / 2.0])
        finger = OrientedBox(Pose.from_yaw(centre, yaw), size)
        for other in others:
            if obb_overlap(finger, other.box):
                return other.name
    return ""


def flat_top(item: SceneObject) -> Verdict:
    """Whether the object has a level face on top that another can stand on."""
    axis, tilt = vertical_axis(item.box)
    if item.shape == "sphere" or (item.shape == "cylinder" and axis != 2):
        return Verdict("round_top", f"the top of the {item.name} is round")
    if tilt > UPRIGHT_RAD:
        return Verdict("tilted", f"the {item.name} is tilted by {np.degrees(tilt):.0f} degrees")
    return YES


def flat_base(item: SceneObject) -> Verdict:
    """Whether the object has a level face below to stand on."""
    axis, tilt = vertical_axis(item.box)
    if item.shape == "sphere" or (item.shape == "cylinder" and axis != 2):
        return Verdict("round_base", f"the {item.name} would roll off")
    if tilt > UPRIGHT_RAD:
        return Verdict("tilted", f"the {item.name} is tilted by {np.degrees(tilt):.0f} degrees")
    return YES


def can_carry(scene: Scene, carrier: SceneObject, item: SceneObject, abilities: Abilities) -> Verdict:
    """Whether the item, put down centred on the carrier, would stay there.

    Checks flat faces, a free top, the supported share of the base, the height, the angle at which it tips over,
    and every contact of the tower below.
    """
    if item.supported_by == carrier.id:
        return Verdict("already_there", f"the {item.name} is already on the {carrier.name}")
    others = [other for other in scene.carried_by(carrier.id) if other.id != item.id]
    if others:
        return Verdict("occupied", f"the {carrier.name} already carries the {others[0].name}")
    for verdict in (within_reach(carrier, abilities), flat_top(carrier), flat_base(item)):
        if not verdict:
            return verdict
    after = imagine(scene, TaskStep("place_on", item.id, carrier.id))
    placed = after.object(item.id)
    if (top_z := placed.box.top_z) > abilities.max_stack_height_m:
        limit = _cm(abilities.max_stack_height_m)
        return Verdict("too_tall", f"the stack would be {_cm(top_z)} high, {limit} is allowed")
    base, top = footprint(placed), footprint(after.object(carrier.id))
    contact = intersect(base, top)
    margin, share = float(depth_inside(contact, placed.centre[:2])), area(contact) / area(base)
    if margin < abilities.min_support_margin_m or share < abilities.min_support_share:
        return Verdict(
            "top_too_small",
            f"the top of the {carrier.name} is too small for the {item.name}: "
            f"{share:.0%} of its base would be supported",
        )
    if np.arctan2(margin, placed.box.height / 2.0) < abilities.min_tip_angle_rad:
        return Verdict("tips_over", f"the {item.name} is too slender to stand on the {carrier.name}")
    return tower_stability(after, placed, abilities)


def tower_stability(scene: Scene, top: SceneObject, abilities: Abilities) -> Verdict:
    """Whether, at each contact from `top` down to the support surface, what is above has its mass over the contact.

    Mass is taken as proportional to volume.
    """
    surfaces = {surface.name for surface in scene.supports}
    item = top
    while item.supported_by not in surfaces:
        carrier = scene.object(item.supported_by)
        load = (item, *all_carried_by(scene, item.id))
        weights = np.array([volume(each) for each in load])
        mass_centre = weights @ np.array([each.centre[:2] for each in load]) / weights.sum()
        margin = float(depth_inside(intersect(footprint(item), footprint(carrier)), mass_centre))
        if margin < min(abilities.min_support_margin_m, 0.005):
            return Verdict(
                "unstable_stack",
                f"what stands on the {carrier.name} would not be balanced with the {top.name} on top",
            )
        item = carrier
    return YES


def can_place_on(scene: Scene, item: SceneObject, carrier: SceneObject, abilities: Abilities) -> Verdict:
    """Whether the item can be taken and put on the carrier."""
    if item.supported_by == carrier.id:
        return Verdict("already_there", f"the {item.name} is already on the {carrier.name}")
    return can_grasp(scene, item, abilities) and can_carry(scene, carrier, item, abilities)


def imagine(scene: Scene, step: TaskStep) -> Scene:
    """Return the scene as it should be after a placing step, heading unchanged.

    On an object the moved one is centred; in an area it takes the free place nearest to the middle.
    """
    item = scene.object(step.object_id)
    if step.action == "pick":
        return scene
    if step.action == "place_on":
        carrier = scene.object(step.target_id)
        xy, bottom = carrier.centre[:2], carrier.box.top_z
    else:
        surface = next(surface for surface in scene.supports if surface.name == step.target_id)
        xy, bottom = _likely_place(scene, item, np.asarray(step.area)), surface.height_z
    rise = bottom - item.box.bottom_z
    pose = Pose(np.array([*xy, item.centre[2] + rise]), item.box.pose.quaternion)
    moved = replace(
        item,
        box=OrientedBox(pose, item.size),
        supported_by=step.target_id,
        points=np.zeros((0, 3), dtype=np.float32),
        colors=np.zeros((0, 3), dtype=np.uint8),
        mask=None,
        mesh=None,
    )
    return replace(scene, objects=tuple(moved if other.id == item.id else other for other in scene.objects))


def _likely_place(scene: Scene, item: SceneObject, area: FloatArray) -> FloatArray:
    """The free place nearest to the middle of an area, or the middle."""
    middle = area.mean(axis=0)
    places = free_places(scene, item, area)
    return np.asarray(
        places[int(np.argmin(np.linalg.norm(places - middle, axis=1)))] if len(places) else middle
    )


def check_step(scene: Scene, step: TaskStep, abilities: Abilities) -> Verdict:
    """Whether one step can be done in the scene as it is before the step's object is picked."""
    item = scene.object(step.object_id)
    if step.action == "pick":
        return can_grasp(scene, item, abilities)
    if step.action == "place_on":
        return can_carry(scene, scene.object(step.target_id), item, abilities)
    area = np.asarray(step.area)
    if not len(free_places(scene, item, area)):
        return Verdict("no_free_place", f"there is no free place for the {item.name} in the area")
    return point_within_reach(_likely_place(scene, item, area), abilities, f"the place for the {item.name}")


def check_task(scene: Scene, task: Task, abilities: Abilities) -> Verdict:
    """Check each step in the scene that the steps before it should have left.

    Raises:
        UnknownNameError: when the task names an object that the scene does not have.
    """
    for step in task.steps:
        if not (verdict := check_step(scene, step, abilities)):
            return verdict
        scene = imagine(scene, step)
    return YES


def fit_quality(item: SceneObject, carrier: SceneObject) -> float:
    """How comfortably the carrier's top holds the item, 0..1: supported share of the base times margin up to 2 cm."""
    base, top = horizontal_sides(item), horizontal_sides(carrier)
    share = min(top[1] / base[1], 1.0) * min(top[0] / base[0], 1.0)
    margin = 0.5 * min(base[1], top[1])
    return float(share * min(margin / 0.02, 1.0))


def slenderness(item: SceneObject) -> float:
    """Height over the shorter horizontal side."""
    return height(item) / horizontal_sides(item)[1]
