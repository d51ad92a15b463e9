# SPDX-License-Identifier: Apache-2.0
"""Seeded scenes for measuring perception, of five kinds, each seen from its own camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from scipy.spatial.transform import Rotation

from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.simulation import MESH_MODELS, PALETTE, ROUND_MODELS, ObjectSpec
from spatialpin_ros.simulation.generator import footprint_gap, visible_share

AREA_M = ((0.34, -0.30), (0.68, 0.30))
TOUCHING_M = 5e-4
APART_M = 0.03
BORDER_PX = 5
MOST_OBJECTS = 10
# The quick check on the boxes; the pixels of the rendered scene decide afterwards.
CLEARLY_SEEN, HALF_HIDDEN = 0.8, (0.4, 0.85)
_NUMBERS = count()
# A step of one colour cannot be told from two boxes side by side, so it is left out.
MODELS = tuple(model for model in MESH_MODELS if model != "stairs")
FLAT_TOPPED = ("hexagon", "l_block", "t_block", "arch")


@dataclass(frozen=True, eq=False)
class Drawing:
    """A scene being drawn: the random numbers, the camera, and how much of every object must stay in sight."""

    rng: np.random.Generator
    base_T_camera: Pose
    intrinsics: Intrinsics
    least_seen: float

    @property
    def eye(self) -> np.ndarray:
        return self.base_T_camera.position

    def fits(
        self, specs: list[ObjectSpec], added: list[ObjectSpec], least_seen: float = CLEARLY_SEEN
    ) -> bool:
        """True when what is added is in the picture, apart from the rest, and everything is seen well enough."""
        centres = np.array([item.box.centre[:2] for item in added])
        inside = (centres > AREA_M[0]).all() and (centres < AREA_M[1]).all()
        if not inside or not all(self.in_picture(item.box) for item in added):
            return False
        if any(footprint_gap(a, b) < APART_M for a in added for b in specs):
            return False
        everything = [*specs, *added]
        return all(visible_share(item, everything, self.eye) >= least_seen for item in added) and all(
            visible_share(item, everything, self.eye) >= self.least_seen for item in specs
        )

    def in_picture(self, box: OrientedBox) -> bool:
        pixels = self.intrinsics.project(self.base_T_camera.inverse().transform(box.corners))
        limit = np.array([self.intrinsics.width, self.intrinsics.height]) - BORDER_PX
        return bool(np.isfinite(pixels).all() and (pixels > BORDER_PX).all() and (pixels < limit).all())

    def spot(self) -> np.ndarray:
        return self.rng.uniform(*AREA_M)

    def heading(self) -> float:
        return float(self.rng.uniform(-np.pi, np.pi))

    def color(self, *taken: ObjectSpec) -> str:
        """A colour that none of the given neighbours has."""
        return str(self.rng.choice([name for name in PALETTE if name not in {t.color for t in taken}]))


def camera_pose(rng: np.random.Generator) -> Pose:
    """Look at the middle of the table from 0.75 to 1.1 m, 30 to 65 degrees above it, rolled by up to 8 degrees."""
    elevation, azimuth = np.deg2rad(rng.uniform(30.0, 65.0)), np.deg2rad(rng.uniform(-60.0, 60.0))
    level = np.array([np.cos(azimuth), np.sin(azimuth), 0.0]) * np.cos(elevation)
    target = np.array([0.51, 0.0, 0.03]) + rng.uniform(-0.03, 0.03, 3) * (1.0, 1.0, 0.0)
    eye = target + rng.uniform(0.75, 1.1) * (level + np.array([0.0, 0.0, np.sin(elevation)]))
    roll = Rotation.from_euler("z", rng.uniform(-8.0, 8.0), degrees=True)
    return Pose.looking_at(eye, target) @ Pose(np.zeros(3), roll.as_quat())


def primitive(drawing: Drawing, color: str, *, tall: bool = False) -> ObjectSpec:
    """A cube, box, cylinder or ball of any size that a table scene may have; it lies at the origin."""
    rng = drawing.rng
    kind = str(rng.choice(["cube", "box", "cylinder", "sphere"], p=[0.3, 0.35, 0.25, 0.1]))
    if tall:
        kind = str(rng.choice(["box", "cylinder"]))
    if kind == "cube":
        size = np.full(3, rng.uniform(0.032, 0.06))
    elif kind == "sphere":
        size = np.full(3, rng.uniform(0.04, 0.07))
    elif kind == "cylinder":
        size = np.array([*np.full(2, rng.uniform(0.034, 0.08)), rng.uniform(0.04, 0.10)])
    else:
        size = np.array([rng.uniform(0.035, 0.11), rng.uniform(0.03, 0.07), rng.uniform(0.025, 0.09)])
    if tall:
        size[2] = rng.uniform(0.08, 0.13)
    return _spec(kind, color, size)


def mesh(drawing: Drawing, color: str, models: tuple[str, ...] = MODELS) -> ObjectSpec:
    """An object that is neither box, cylinder nor ball."""
    rng, model = drawing.rng, str(drawing.rng.choice(models))
    if model in ROUND_MODELS:
        diameter = rng.uniform(0.05, 0.08)
        size = np.array([diameter, diameter, rng.uniform(0.06, 0.10)])
    elif model == "hexagon":
        across = rng.uniform(0.04, 0.08)
        size = np.array([across, across * np.sqrt(0.75), rng.uniform(0.03, 0.07)])
    else:
        size = np.array([rng.uniform(0.06, 0.10), rng.uniform(0.05, 0.08), rng.uniform(0.03, 0.07)])
    return _spec("mesh", color, size, model)


def _spec(kind: str, color: str, size: np.ndarray, model: str = "") -> ObjectSpec:
    return ObjectSpec(f"new_{next(_NUMBERS)}", kind, color, OrientedBox(Pose(), size), 0.1, model=model)  # type: ignore[arg-type]


def placed(spec: ObjectSpec, xy: np.ndarray, yaw: float, floor_m: float = 0.0) -> ObjectSpec:
    """The object on a level floor."""
    return spec.at(Pose.from_yaw((xy[0], xy[1], floor_m + 0.5 * spec.size[2]), yaw))


def add_single(drawing: Drawing, specs: list[ObjectSpec], make: Callable[..., ObjectSpec]) -> None:
    """Add an object that stands alone; nothing when no place is free."""
    for _ in range(60):
        item = placed(make(drawing, drawing.color()), drawing.spot(), drawing.heading())
        if drawing.fits(specs, [item]):
            specs.append(item)
            return


def add_touching(drawing: Drawing, specs: list[ObjectSpec]) -> None:
    """Add two or three objects of different colours that touch each other."""
    for _ in range(60):
        group = [placed(_any_object(drawing, drawing.color()), drawing.spot(), drawing.heading())]
        for _ in range(int(drawing.rng.choice([1, 2], p=[0.7, 0.3]))):
            new = pushed_against(drawing, group, _any_object(drawing, drawing.color(*group)))
            if new is not None:
                group.append(new)
        if len(group) > 1 and drawing.fits(specs, group, 0.5):
            specs.extend(group)
            return


def _any_object(drawing: Drawing, color: str) -> ObjectSpec:
    return (mesh if drawing.rng.random() < 0.2 else primitive)(drawing, color)


def pushed_against(drawing: Drawing, group: list[ObjectSpec], item: ObjectSpec) -> ObjectSpec | None:
    """Push an object towards the last of a group until it touches; None when it meets another one first."""
    rng, to = drawing.rng, group[-1]
    yaw, direction = drawing.heading(), drawing.heading()
    if not to.round and rng.random() < 0.7:
        # Side against side.
        direction = to.box.pose.yaw_rad + np.pi / 2 * int(rng.integers(4))
        yaw = to.box.pose.yaw_rad + np.pi / 2 * int(rng.integers(2))
    towards = np.array([np.cos(direction), np.sin(direction)])
    slide = rng.uniform(-0.3, 0.3) * float(to.size[:2].min()) * np.array([-towards[1], towards[0]])
    near, far = 0.0, 0.3
    for _ in range(40):
        middle = 0.5 * (near + far)
        gap = footprint_gap(placed(item, to.box.centre[:2] + middle * towards + slide, yaw), to)
        near, far = (middle, far) if gap < TOUCHING_M else (near, middle)
    found = placed(item, to.box.centre[:2] + far * towards + slide, yaw)
    clear = all(footprint_gap(found, other) > APART_M for other in group[:-1])
    return found if clear else None


def add_stack(drawing: Drawing, specs: list[ObjectSpec]) -> None:
    """Add two or three objects of different colours on top of each other, the lowest the broadest."""
    rng = drawing.rng
    for _ in range(60):
        carrier_size = np.array([rng.uniform(0.07, 0.12), rng.uniform(0.06, 0.10), rng.uniform(0.025, 0.06)])
        kind = str(rng.choice(["box", "cylinder"], p=[0.75, 0.25]))
        if kind == "cylinder":
            carrier_size[:2] = rng.uniform(0.07, 0.10)
        stack = [placed(_spec(kind, drawing.color(), carrier_size), drawing.spot(), drawing.heading())]
        for _ in range(int(rng.choice([1, 2], p=[0.75, 0.25]))):
            below = stack[-1]
            item = _rider(drawing, drawing.color(below), 0.85 * float(below.size[:2].min()))
            slack = 0.5 * np.maximum(float(below.size[:2].min() - item.size[:2].max()), 0.0)
            yaw = float(rng.choice([below.box.pose.yaw_rad, drawing.heading()]))
            xy = below.box.centre[:2] + rng.uniform(-slack, slack, 2) * 0.7
            stack.append(placed(item, xy, yaw, float(below.box.top_z)))
        if drawing.fits(specs, stack, 0.5):
            specs.extend(stack)
            return


def _rider(drawing: Drawing, color: str, most_m: float) -> ObjectSpec:
    """Something to stand on another, no broader than `most_m`."""
    while True:
        item = mesh(drawing, color, FLAT_TOPPED) if drawing.rng.random() < 0.15 else primitive(drawing, color)
        if item.kind != "sphere":
            shrink = min(1.0, most_m / float(item.size[:2].max()))
            size = item.size * np.array([shrink, shrink, 0.8])
            return replace(item, box=OrientedBox(Pose(), size))


def add_occluded(drawing: Drawing, specs: list[ObjectSpec]) -> None:
    """Add an object, and a taller one of another colour before it that hides a part of it."""
    rng = drawing.rng
    for _ in range(120):
        hidden = placed(_any_object(drawing, drawing.color()), drawing.spot(), drawing.heading())
        towards = drawing.eye[:2] - hidden.box.centre[:2]
        towards /= np.linalg.norm(towards)
        radii = 0.5 * float(np.hypot(*hidden.size[:2]))
        before = primitive(drawing, drawing.color(hidden), tall=True)
        distance = radii + 0.5 * float(np.hypot(*before.size[:2])) + rng.uniform(0.015, 0.08)
        sideways = rng.uniform(-1.0, 1.0) * radii * np.array([-towards[1], towards[0]])
        before = placed(before, hidden.box.centre[:2] + distance * towards + sideways, drawing.heading())
        group = [hidden, before]
        if not drawing.fits(specs, group, HALF_HIDDEN[0]) or footprint_gap(hidden, before) < 0.01:
            continue
        if visible_share(hidden, [*specs, *group], drawing.eye) <= HALF_HIDDEN[1]:
            specs.extend(group)
            return


def _separate(drawing: Drawing, specs: list[ObjectSpec]) -> None:
    for _ in range(int(drawing.rng.integers(2, MOST_OBJECTS + 1))):
        add_single(drawing, specs, primitive)


def _meshes(drawing: Drawing, specs: list[ObjectSpec]) -> None:
    for _ in range(int(drawing.rng.integers(2, 9))):
        add_single(drawing, specs, mesh)


def _groups(add: Callable[[Drawing, list[ObjectSpec]], None]) -> Callable[[Drawing, list[ObjectSpec]], None]:
    def draw(drawing: Drawing, specs: list[ObjectSpec]) -> None:
        for _ in range(int(drawing.rng.integers(1, 4))):
            add(drawing, specs)
        for _ in range(int(drawing.rng.integers(0, 4))):
            if len(specs) < MOST_OBJECTS:
                add_single(drawing, specs, primitive)

    return draw


KINDS: dict[str, Callable[[Drawing, list[ObjectSpec]], None]] = {
    "separate": _separate,
    "meshes": _meshes,
    "touching": _groups(add_touching),
    "stacked": _groups(add_stack),
    "occluded": _groups(add_occluded),
}


def draw_scene(kind: str, seed: int, intrinsics: Intrinsics) -> tuple[Pose, tuple[ObjectSpec, ...]]:
    """Draw a camera pose and 2 to 10 objects; the same kind and seed give the same scene."""
    rng = np.random.default_rng([seed, 4, list(KINDS).index(kind)])
    while True:
        least_seen = CLEARLY_SEEN if kind in ("separate", "meshes") else HALF_HIDDEN[0]
        drawing = Drawing(rng, camera_pose(rng), intrinsics, least_seen)
        specs: list[ObjectSpec] = []
        KINDS[kind](drawing, specs)
        if 2 <= len(specs) <= MOST_OBJECTS:
            return drawing.base_T_camera, tuple(replace(s, id=f"t{k}") for k, s in enumerate(specs))
