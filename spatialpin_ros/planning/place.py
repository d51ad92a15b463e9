# SPDX-License-Identifier: Apache-2.0
"""Where and how an object can be put down: centred on another object, or on a free spot of a surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import FailureReason
from spatialpin_ros.scene import Scene, SceneObject, SupportSurface

_UPRIGHT_RAD = np.deg2rad(8.0)


@dataclass(frozen=True, slots=True)
class PlaceOptions:
    """How an object is put down.

    Args:
        drop_m: gap under the object when it is let go.
        stability_margin_m: least distance of the centre of mass from the edge of the contact area.
        spacing_m: least gap to other objects on a surface.
        yaw_step_deg: step of the turns about the vertical that are tried.
        spots: positions drawn in an area.
        most_spots: of these, how many become candidates.
    """

    drop_m: float = 0.0015
    stability_margin_m: float = 0.005
    spacing_m: float = 0.025
    yaw_step_deg: float = 30.0
    spots: int = 400
    most_spots: int = 6


@dataclass(frozen=True, slots=True, eq=False)
class PlacePose:
    """One way to put an object down.

    Args:
        name: readable.
        object_pose: pose of the object's box in the base frame when it is let go.
        score: preference, higher is better.
    """

    name: str
    object_pose: Pose
    score: float


@dataclass(frozen=True, slots=True)
class NoPlace:
    """Why there is none."""

    reason: FailureReason
    detail: str


def place_on_object(
    item: SceneObject, target: SceneObject, options: PlaceOptions
) -> list[PlacePose] | NoPlace:
    """Poses with the object's centre above the target's, the aligned ones first, or why it would not stay there."""
    problem = _unstable(item, target, options)
    if problem:
        return NoPlace("unstable_stack", problem)
    position = np.array([*target.centre[:2], target.box.top_z + item.box.height / 2.0 + options.drop_m])
    aligned = _relative_yaw(item, target)
    turns = [(aligned + quarter * np.pi / 2.0, 1.0) for quarter in range(4)]
    turns += [(float(np.deg2rad(step)), 0.5) for step in np.arange(0.0, 360.0, options.yaw_step_deg)]
    return [_pose(item, position, turn, score, "on top") for turn, score in turns]


def place_in_area(
    item: SceneObject,
    scene: Scene,
    support: SupportSurface,
    area: FloatArray,
    options: PlaceOptions,
    rng: np.random.Generator,
) -> list[PlacePose] | NoPlace:
    """Poses on free spots of a polygon (N, 2) of a surface, nearest to its middle first, or why there is none."""
    if item.shape == "sphere":
        return NoPlace("unstable_stack", f"{item.name} is round and would roll away on {support.name}")
    low, high = area.min(axis=0), area.max(axis=0)
    middle = area.mean(axis=0)
    spots = np.concatenate([middle[None], rng.uniform(low, high, (options.spots, 2))])
    spots = spots[_inside(spots, area)]
    if not len(spots):
        return NoPlace("no_free_place", f"the area on {support.name} is empty")
    radius = float(np.linalg.norm(_half_footprint(item)))
    gap = _gap_to_others(spots, radius, [other for other in scene.objects if other.id != item.id])
    free = gap >= options.spacing_m
    if not free.any():
        names = ", ".join(other.name for other in scene.objects if other.id != item.id)
        return NoPlace(
            "no_free_place",
            f"no spot of the area on {support.name} is {options.spacing_m * 1000:.0f} mm clear of: {names}",
        )
    spots = _spread(spots[free][np.argsort(np.linalg.norm(spots[free] - middle, axis=1))], options.most_spots)
    height = support.height_z + item.box.height / 2.0 + options.drop_m
    turns = (0.0, np.pi / 2.0, -np.pi / 2.0, np.pi)
    return [
        _pose(item, np.array([*spot, height]), turn, 1.0 - 0.1 * rank, f"at x {spot[0]:.2f} y {spot[1]:.2f}")
        for rank, spot in enumerate(spots)
        for turn in turns
    ]


def _pose(item: SceneObject, position: FloatArray, turn_rad: float, score: float, where: str) -> PlacePose:
    turn = Rotation.from_rotvec([0.0, 0.0, turn_rad])
    pose = Pose(position, (turn * item.box.pose.rotation).as_quat())
    return PlacePose(f"{where}, turned {np.rad2deg(turn_rad) % 360:.0f} deg", pose, score)


def _unstable(item: SceneObject, target: SceneObject, options: PlaceOptions) -> str:
    if target.shape == "sphere":
        return f"{target.name} is round: nothing stays on it"
    if item.shape == "sphere":
        return f"{item.name} is round and would roll off {target.name}"
    if _tilt(target) > _UPRIGHT_RAD:
        return f"the top of {target.name} is tilted by {np.rad2deg(_tilt(target)):.0f} degrees"
    if target.shape == "cylinder" and abs(target.box.pose.axes[2, 2]) < np.cos(_UPRIGHT_RAD):
        return f"{target.name} lies on its side: its top is round"
    contact = float(min(_half_footprint(item).min(), _half_footprint(target).min()))
    if contact < options.stability_margin_m + 0.003:
        return (
            f"{item.name} would touch {target.name} on only {2000 * contact:.0f} mm: its centre of mass needs "
            f"{options.stability_margin_m * 1000:.0f} mm to the edge of the contact"
        )
    return ""


def _tilt(item: SceneObject) -> float:
    """Angle between the vertical and the box axis nearest to it [rad]."""
    return float(np.arccos(np.clip(np.abs(item.box.pose.axes[2]).max(), 0.0, 1.0)))


def _half_footprint(item: SceneObject) -> FloatArray:
    """(2,) half extents along the two box axes that are not vertical [m]."""
    vertical = int(np.argmax(np.abs(item.box.pose.axes[2])))
    return np.asarray(np.delete(item.size, vertical) / 2.0)


def _relative_yaw(item: SceneObject, target: SceneObject) -> float:
    """Turn about the vertical that makes the object's edges parallel to the target's, at most 45 degrees [rad]."""
    quarter = np.pi / 2.0
    turn = _heading(target) - _heading(item)
    return float((turn + quarter / 2.0) % quarter - quarter / 2.0)


def _heading(item: SceneObject) -> float:
    vertical = int(np.argmax(np.abs(item.box.pose.axes[2])))
    axis = item.box.pose.axes[:, (vertical + 1) % 3]
    return float(np.arctan2(axis[1], axis[0]))


def _inside(points: FloatArray, polygon: FloatArray) -> BoolArray:
    """Which of (N, 2) points lie in a convex counter-clockwise polygon (M, 2)."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    away = points[:, None, :] - polygon[None]
    return np.asarray(
        (edges[None, :, 0] * away[..., 1] - edges[None, :, 1] * away[..., 0] >= 0.0).all(axis=1)
    )


def _gap_to_others(spots: FloatArray, radius: float, others: list[SceneObject]) -> FloatArray:
    """(N,) least gap between a disc of a radius at each spot and the footprints of other objects [m]."""
    gap = np.full(len(spots), np.inf)
    for other in others:
        vertical = int(np.argmax(np.abs(other.box.pose.axes[2])))
        axes = np.delete(other.box.pose.axes[:2], vertical, axis=1)
        local = np.abs((spots - other.centre[:2]) @ axes)
        outside = np.maximum(local - _half_footprint(other), 0.0)
        gap = np.minimum(gap, np.linalg.norm(outside, axis=1) - radius)
    return gap


def _spread(spots: FloatArray, most: int) -> FloatArray:
    """The first spots, each at least 3 cm from those already taken."""
    taken: list[FloatArray] = []
    for spot in spots:
        if len(taken) == most:
            break
        if all(np.linalg.norm(spot - other) > 0.03 for other in taken):
            taken.append(spot)
    return np.array(taken)
