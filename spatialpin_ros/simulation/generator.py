# SPDX-License-Identifier: Apache-2.0
"""Seeded random table scenes: separate, visible, reachable objects with at least one pick-and-stack in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.simulation.objects import PALETTE, ObjectKind, ObjectSpec

MIN_OBJECTS, MAX_OBJECTS = 2, 8


@dataclass(frozen=True, slots=True)
class GeneratorOptions:
    """Where objects may stand and how far apart.

    Args:
        x_m, y_m: range of object centres in the base frame [m].
        reach_m: range of the distance of centres from the base axis, for a grasp from above [m].
        margin_m: least gap between two footprints [m].
        camera_eye_m: camera position in the base frame, for the visibility check [m].
        min_visible: least share of an object's top and front that the camera sees.
        density_kg_m3: range of the material's density (wood to plastic) [kg/m^3].
        friction: range of the lateral friction coefficient.
    """

    x_m: tuple[float, float] = (0.32, 0.70)
    y_m: tuple[float, float] = (-0.34, 0.34)
    reach_m: tuple[float, float] = (0.36, 0.68)
    margin_m: float = 0.045
    camera_eye_m: tuple[float, float, float] = (1.25, 0.0, 0.70)
    min_visible: float = 0.7
    density_kg_m3: tuple[float, float] = (400.0, 700.0)
    friction: tuple[float, float] = (0.6, 0.9)


def generate_objects(
    seed: int, count: int | None = None, options: GeneratorOptions | None = None
) -> tuple[ObjectSpec, ...]:
    """Draw a scene of `count` objects (None: 2 to 8); the same seed and count give the same scene.

    No two objects share both colour and kind. One of them fits the gripper and one can carry it.

    Raises:
        InvalidValueError: when the count is outside 2..8, or the options leave no room.
    """
    if count is not None and not MIN_OBJECTS <= count <= MAX_OBJECTS:
        raise InvalidValueError(f"objects: count must lie in {MIN_OBJECTS}..{MAX_OBJECTS}, got {count}")
    options = options or GeneratorOptions()
    rng = np.random.default_rng(seed)
    number = int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1)) if count is None else count
    for _ in range(200):
        placed = _place(_draw_kinds(rng, number, options), rng, options)
        if placed is not None:
            return placed
    raise InvalidValueError(
        f"objects: found no room for {number} objects in x {options.x_m}, y {options.y_m} with a gap of "
        f"{options.margin_m} m; widen the area or lower the gap"
    )


def _draw_kinds(rng: np.random.Generator, count: int, options: GeneratorOptions) -> list[ObjectSpec]:
    """Draw sizes and colours; the first object fits the gripper and the second can carry it."""
    kinds: list[ObjectKind] = ["cube", "box", "cylinder"]
    sizes: list[tuple[ObjectKind, FloatArray]] = [_graspable_size(rng, kinds[int(rng.integers(3))])]
    sizes.append(_carrier_size(rng, kinds[int(rng.integers(1, 3))]))
    while len(sizes) < count:
        kind = kinds[int(rng.integers(3))]
        large = kind != "cube" and rng.random() < 0.3 and sum(size[:2].min() > 0.07 for _, size in sizes) < 3
        sizes.append(_carrier_size(rng, kind) if large else _graspable_size(rng, kind))
    order = rng.permutation(count)
    free = {kind: list(rng.permutation(list(PALETTE))) for kind in kinds}
    specs = []
    for number, index in enumerate(order, start=1):
        kind, size = sizes[index]
        volume = float(np.prod(size)) * (np.pi / 4.0 if kind == "cylinder" else 1.0)
        specs.append(
            ObjectSpec(
                id=f"object_{number}",
                kind=kind,
                color=str(free[kind].pop()),
                box=OrientedBox(Pose(), size),
                mass_kg=volume * float(rng.uniform(*options.density_kg_m3)),
                friction=float(rng.uniform(*options.friction)),
            )
        )
    return specs


def _graspable_size(rng: np.random.Generator, kind: ObjectKind) -> tuple[ObjectKind, FloatArray]:
    """Sizes that two fingers take from above; the base's diagonal stays below the smallest carrier's top."""
    if kind == "cube":
        return kind, np.full(3, rng.uniform(0.035, 0.058))
    if kind == "cylinder":
        diameter = rng.uniform(0.034, 0.060)
        return kind, np.array([diameter, diameter, rng.uniform(0.045, 0.085)])
    width = rng.uniform(0.028, 0.044)
    return kind, np.array([width * rng.uniform(1.35, 1.60), width, rng.uniform(0.030, 0.075)])


def _carrier_size(rng: np.random.Generator, kind: ObjectKind) -> tuple[ObjectKind, FloatArray]:
    """Sizes with a broad flat top, too wide for the gripper."""
    height = rng.uniform(0.030, 0.075)
    if kind == "cylinder":
        diameter = rng.uniform(0.086, 0.115)
        return kind, np.array([diameter, diameter, height])
    return kind, np.array([rng.uniform(0.105, 0.150), rng.uniform(0.086, 0.105), height])


def _place(
    specs: list[ObjectSpec], rng: np.random.Generator, options: GeneratorOptions
) -> tuple[ObjectSpec, ...] | None:
    """Stand the objects on the table, the largest first; None when one finds no place."""
    placed: dict[int, ObjectSpec] = {}
    for index in sorted(range(len(specs)), key=lambda i: -float(specs[i].size[:2].max())):
        for _ in range(60):
            candidate = specs[index].at(_draw_pose(rng, specs[index], options))
            if all(
                footprint_gap(candidate, other) >= options.margin_m for other in placed.values()
            ) and _all_seen([*placed.values(), candidate], options):
                placed[index] = candidate
                break
        else:
            return None
    return tuple(placed[index] for index in range(len(specs)))


def _draw_pose(rng: np.random.Generator, spec: ObjectSpec, options: GeneratorOptions) -> Pose:
    while True:
        x, y = rng.uniform(*options.x_m), rng.uniform(*options.y_m)
        if options.reach_m[0] <= np.hypot(x, y) <= options.reach_m[1]:
            return Pose.from_yaw((x, y, spec.size[2] / 2.0), rng.uniform(-np.pi, np.pi))


def footprint_polygon(spec: ObjectSpec) -> FloatArray:
    """(N, 2) counter-clockwise outline of the base in the base frame [m]; around the circle for what is round."""
    if not spec.round:
        return spec.box.footprint
    angles = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    radius = spec.size[0] / 2.0 / np.cos(np.pi / 24)
    return np.asarray(spec.box.centre[:2] + radius * np.column_stack([np.cos(angles), np.sin(angles)]))


def footprint_gap(a: ObjectSpec, b: ObjectSpec) -> float:
    """Widest gap between two bases along any edge normal [m]; a lower bound of their distance, negative in overlap.

    Separating axis theorem: Gottschalk et al., "OBBTree", SIGGRAPH 1996.
    """
    outlines = footprint_polygon(a), footprint_polygon(b)
    edges = np.vstack([np.roll(outline, -1, axis=0) - outline for outline in outlines])
    normals = np.column_stack([edges[:, 1], -edges[:, 0]])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    first, second = outlines[0] @ normals.T, outlines[1] @ normals.T
    gaps = np.maximum(first.min(axis=0) - second.max(axis=0), second.min(axis=0) - first.max(axis=0))
    return float(gaps.max())


def _all_seen(specs: list[ObjectSpec], options: GeneratorOptions) -> bool:
    eye = np.asarray(options.camera_eye_m)
    return all(visible_share(spec, specs, eye) >= options.min_visible for spec in specs)


def visible_share(spec: ObjectSpec, specs: list[ObjectSpec], eye: FloatArray) -> float:
    """Share of points on the top and on the sides towards `eye` that no other object's box hides."""
    points = _facing_points(spec, eye)
    hidden = np.zeros(len(points), dtype=np.bool_)
    for other in specs:
        if other.id != spec.id:
            hidden |= _box_blocks(other.box, points, eye)
    return float(1.0 - hidden.mean())


def _facing_points(spec: ObjectSpec, eye: FloatArray) -> FloatArray:
    grid = np.linspace(-0.45, 0.45, 4)
    a, b = (values.ravel() for values in np.meshgrid(grid, grid))
    half = np.full_like(a, 0.5)
    faces = [
        np.column_stack(order)
        for order in ((a, b, half), (half, a, b), (-half, a, b), (a, half, b), (a, -half, b))
    ]
    outward = (
        np.array([[0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], dtype=np.float64)
        @ spec.box.pose.axes.T
    )
    centres = np.array([spec.box.pose.transform(face.mean(axis=0) * spec.size) for face in faces])
    towards = np.einsum("ij,ij->i", outward, eye - centres) > 0.0
    facing = np.vstack([face for face, seen in zip(faces, towards, strict=True) if seen])
    return spec.box.pose.transform(facing * spec.size)


def _box_blocks(box: OrientedBox, points: FloatArray, eye: FloatArray) -> BoolArray:
    """Tell which segments from the (N, 3) points to the eye cross the box (slab test; Kay and Kajiya 1986)."""
    into = box.pose.inverse()
    start, end = into.transform(points), into.transform(eye)
    direction = end - start
    direction = np.where(np.abs(direction) < 1e-12, 1e-12, direction)
    one, two = (-box.size / 2.0 - start) / direction, (box.size / 2.0 - start) / direction
    enter = np.minimum(one, two).max(axis=1)
    leave = np.maximum(one, two).min(axis=1)
    return np.asarray((enter < leave) & (leave > 0.0) & (enter < 1.0))
