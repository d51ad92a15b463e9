# SPDX-License-Identifier: Apache-2.0
"""Seeded table layouts for the spatial benchmark, and what may have happened to one before a second look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from spatialpin_ros.angles import LEANING_RAD, lean
from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.obb import obb_distance
from spatialpin_ros.simulation import PALETTE, ObjectSpec

_TRIES = 80
_KINDS = {"cube": 0.25, "box": 0.40, "cylinder": 0.35}
_UPRIGHT_HEADINGS = 0.4


@dataclass(frozen=True, slots=True)
class LayoutOptions:
    """What is drawn.

    Args:
        count: least and most objects.
        x_m, y_m: range of object centres in the base frame [m].
        gap_m: least gap between two objects [m].
        like_share: share of layouts in which two objects have one colour and kind.
        stack_share: share of layouts in which one object stands on another.
        lean_share: share of layouts in which a box or cylinder lies over the edge of a block, its foot on the table.
        lean_deg: inclination of its long axis.
    """

    count: tuple[int, int] = (4, 8)
    x_m: tuple[float, float] = (0.34, 0.68)
    y_m: tuple[float, float] = (-0.28, 0.28)
    gap_m: float = 0.02
    like_share: float = 0.25
    stack_share: float = 0.3
    lean_share: float = 0.35
    lean_deg: tuple[float, float] = (18.0, 65.0)


def draw_layout(seed: int, options: LayoutOptions | None = None) -> tuple[ObjectSpec, ...]:
    """Draw cubes, boxes on any of their faces, cylinders that stand or lie, and what leans, apart from each other."""
    options = options or LayoutOptions()
    rng = np.random.default_rng([seed, 11])
    count = int(rng.integers(options.count[0], options.count[1] + 1))
    heading = float(rng.uniform(-np.pi, np.pi))
    specs: list[ObjectSpec] = []
    used: set[tuple[str, str]] = set()
    if rng.random() < options.stack_share:
        specs += _stack(rng, options, used)
    if rng.random() < options.lean_share:
        specs += _lean(rng, specs, options, used)
    while len(specs) < count:
        spec = _place(_draw(rng, len(specs), used), specs, rng, options, heading)
        if spec is None:
            break
        specs.append(spec)
    if rng.random() < options.like_share:
        twin = _place(_twin(specs[-1], len(specs), rng), specs, rng, options, heading)
        specs += [twin] if twin is not None else []
    return tuple(specs)


def change_layout(
    specs: Sequence[ObjectSpec], seed: int, options: LayoutOptions | None = None
) -> tuple[ObjectSpec, ...]:
    """Move, turn, take away and add objects; those that carry something, lean or hold up stay where they are.

    Args:
        specs: the objects where they came to rest.
        seed: of what happens.
    """
    options = options or LayoutOptions()
    rng = np.random.default_rng([seed, 13])
    used: set[tuple[str, str]] = {(spec.color, spec.kind) for spec in specs}
    held = {spec.id for spec in specs if _leans(spec)}
    held |= {spec.id for spec in specs for other in specs if other.id in held and _touches(spec, other)}
    free = [spec for spec in specs if spec.id not in held and not any(_on(other, spec) for other in specs)]
    order = [free[i] for i in rng.permutation(len(free))]
    gone = order[:1] if rng.random() < 0.6 and len(specs) > 3 else []
    now = {spec.id: spec for spec in specs if spec not in gone}
    for spec in order[len(gone) :]:
        fate = rng.random()
        if fate < 0.6:
            others = [other for other in now.values() if other.id != spec.id]
            now[spec.id] = _moved(spec, others, rng, options, turn=fate < 0.4, shift=not 0.25 < fate < 0.4)
    if rng.random() < 0.6:
        new = _place(_draw(rng, len(specs) + 10, used), list(now.values()), rng, options, None)
        if new is not None:
            now[new.id] = new
    return tuple(now.values())


def _draw(rng: np.random.Generator, number: int, used: set[tuple[str, str]]) -> ObjectSpec:
    pairs = [(color, kind) for kind in _KINDS for color in PALETTE if (color, kind) not in used]
    weights = np.array([_KINDS[kind] for _, kind in pairs])
    color, kind = pairs[int(rng.choice(len(pairs), p=weights / weights.sum()))]
    used.add((color, kind))
    return _spec(number, kind, color, _size(rng, kind))


def _size(rng: np.random.Generator, kind: str) -> FloatArray:
    if kind == "cube":
        return np.full(3, rng.uniform(0.035, 0.060))
    if kind == "cylinder":
        diameter = rng.uniform(0.034, 0.060)
        return np.array([diameter, diameter, diameter * rng.uniform(1.4, 2.3)])
    short = rng.uniform(0.030, 0.048)
    middle = short * rng.uniform(1.30, 1.65)
    return rng.permutation([short, middle, min(middle * rng.uniform(1.30, 1.65), 0.115)])


def _spec(number: int, kind: str, color: str, size: FloatArray) -> ObjectSpec:
    share = np.pi / 4.0 if kind == "cylinder" else 1.0
    mass = 550.0 * float(np.prod(size)) * share
    return ObjectSpec(f"object_{number}", kind, color, OrientedBox(Pose(), size), mass)  # type: ignore[arg-type]


def _twin(spec: ObjectSpec, number: int, rng: np.random.Generator) -> ObjectSpec:
    """Another object of the same colour and kind, of a similar size."""
    return _spec(number, spec.kind, spec.color, spec.size * rng.uniform(0.92, 1.08))


def _pose(spec: ObjectSpec, xy: FloatArray, yaw: float, lying: bool) -> Pose:
    turn = Rotation.from_euler("z", yaw)
    if lying:
        turn = turn * Rotation.from_euler("y", np.pi / 2.0)
    half = spec.size[0] / 2.0 if lying else spec.size[2] / 2.0
    return Pose(np.array([*xy, half + 2e-4]), turn.as_quat())


def _place(
    spec: ObjectSpec,
    others: Sequence[ObjectSpec],
    rng: np.random.Generator,
    options: LayoutOptions,
    heading: float | None,
) -> ObjectSpec | None:
    """Put an object at a free place; `heading` is one that objects of the layout often share."""
    lying = spec.kind == "cylinder" and bool(rng.random() < 0.5)
    shared = heading is not None and rng.random() < _UPRIGHT_HEADINGS
    for _ in range(_TRIES):
        xy = np.array([rng.uniform(*options.x_m), rng.uniform(*options.y_m)])
        yaw = float(rng.uniform(-np.pi, np.pi))
        if heading is not None and shared:
            yaw = heading + float(rng.choice([0.0, np.pi / 2])) + float(rng.normal(0.0, 0.01))
        candidate = spec.at(_pose(spec, xy, yaw, lying))
        if _clear(candidate, others, options.gap_m):
            return candidate
    return None


def _clear(spec: ObjectSpec, others: Sequence[ObjectSpec], gap_m: float) -> bool:
    return all(obb_distance(spec.box, other.box) >= gap_m for other in others)


def _stack(rng: np.random.Generator, options: LayoutOptions, used: set[tuple[str, str]]) -> list[ObjectSpec]:
    """A broad box with a smaller object of another colour on it."""
    colors = [str(color) for color in rng.choice(list(PALETTE), 2, replace=False)]
    size = np.array([rng.uniform(0.10, 0.13), rng.uniform(0.075, 0.09), rng.uniform(0.030, 0.055)])
    base = _spec(0, "box", colors[0], size)
    xy = np.array([rng.uniform(*options.x_m), rng.uniform(*options.y_m)])
    yaw = float(rng.uniform(-np.pi, np.pi))
    base = base.at(_pose(base, xy, yaw, False))
    kind = str(rng.choice(["cube", "cylinder"]))
    rider = _spec(1, kind, colors[1], np.array([1.0, 1.0, 1.0]) * rng.uniform(0.034, 0.045))
    offset = Rotation.from_euler("z", yaw).apply([*(rng.uniform(-0.012, 0.012, 2)), 0.0])
    pose = _pose(rider, xy + offset[:2], float(rng.uniform(-np.pi, np.pi)), False)
    rider = rider.at(Pose(pose.position + np.array([0.0, 0.0, base.box.top_z]), pose.quaternion))
    used.update({(colors[0], "box"), (colors[1], kind)})
    return [base, rider]


def _lean(
    rng: np.random.Generator, others: Sequence[ObjectSpec], options: LayoutOptions, used: set[tuple[str, str]]
) -> list[ObjectSpec]:
    """A block, and a box or cylinder that lies over its edge; nothing when no place is free."""
    free = [color for color in PALETTE if not {(color, "box"), (color, "cylinder")} & used]
    colors = [str(color) for color in rng.choice(free, 2, replace=False)]
    angle, kind = (
        float(np.deg2rad(rng.uniform(*options.lean_deg))),
        str(rng.choice(["box", "cylinder"], p=[0.6, 0.4])),
    )
    length, thick = rng.uniform(0.085, 0.12), rng.uniform(0.024, 0.036)
    # The edge is beyond the middle, so that the thing rests on it and on its foot.
    reach = length * rng.uniform(0.62, 0.90)
    height = reach * np.sin(angle)
    size = np.array([thick, thick if kind == "cylinder" else rng.uniform(0.034, 0.05), length])
    block = _spec(len(others), "box", colors[0], np.array([*rng.uniform((0.05, 0.07), (0.08, 0.10)), height]))
    leaner = _spec(len(others) + 1, kind, colors[1], size)
    over = np.array([np.sin(angle), 0.0, np.cos(angle)]) * (0.5 * thick + 3e-4)
    middle = (
        np.array([height / np.tan(angle) - 0.5 * length * np.cos(angle), 0.0, 0.5 * length * np.sin(angle)])
        + over
    )
    for _ in range(_TRIES):
        xy = np.array([rng.uniform(*options.x_m), rng.uniform(*options.y_m)])
        place = Pose.from_yaw((*xy, 0.0), float(rng.uniform(-np.pi, np.pi)))
        base = block.at(place @ Pose(np.array([-0.5 * block.size[0], 0.0, 0.5 * height + 2e-4])))
        tilt = Rotation.from_euler("y", angle - np.pi / 2.0)
        pair = [base, leaner.at(place @ Pose(middle, tilt.as_quat()))]
        if all(_clear(spec, others, options.gap_m) for spec in pair):
            used.update({(colors[0], "box"), (colors[1], kind)})
            return pair
    return []


def _on(upper: ObjectSpec, lower: ObjectSpec) -> bool:
    return upper.id != lower.id and stands_on(upper.box, lower.box)


def _leans(spec: ObjectSpec) -> bool:
    return lean("cylinder" if spec.kind == "cylinder" else "box", spec.box) > LEANING_RAD


def _touches(one: ObjectSpec, other: ObjectSpec) -> bool:
    return obb_distance(one.box, other.box) < 0.005


def stands_on(upper: OrientedBox, lower: OrientedBox) -> bool:
    """Whether a box stands on another one, from the true poses."""
    over = lower.contains(np.array([*upper.centre[:2], lower.centre[2]]), 0.01)
    return abs(lower.top_z - upper.bottom_z) < 0.008 and bool(over)


def _moved(
    spec: ObjectSpec,
    others: Sequence[ObjectSpec],
    rng: np.random.Generator,
    options: LayoutOptions,
    *,
    turn: bool,
    shift: bool,
) -> ObjectSpec:
    """The object elsewhere on the table, or where it was when no place is free."""
    pose = spec.box.pose
    for _ in range(_TRIES):
        distance, way = float(rng.uniform(0.04, 0.22)) if shift else 0.0, float(rng.uniform(-np.pi, np.pi))
        xy = pose.position[:2] + distance * np.array([np.cos(way), np.sin(way)])
        by = (
            float(rng.uniform(np.deg2rad(15), np.deg2rad(80))) * float(rng.choice([-1.0, 1.0]))
            if turn
            else 0.0
        )
        inside = options.x_m[0] <= xy[0] <= options.x_m[1] and options.y_m[0] <= xy[1] <= options.y_m[1]
        z = spec.box.height / 2.0 + 2e-4 if shift else pose.position[2]
        quaternion = (Rotation.from_euler("z", by) * pose.rotation).as_quat()
        candidate = spec.at(Pose(np.array([*xy, z]), quaternion))
        gap_m = options.gap_m if shift else 0.0
        if inside and (_clear(candidate, others, gap_m) or not (shift or turn)):
            return candidate
    return spec
