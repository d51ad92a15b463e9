# SPDX-License-Identifier: Apache-2.0
"""Object finding: what the model sees in the image, each with colour, texture and place, and which object that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.reasoning.schemas import strict
from spatialpin_ros.reasoning.words import COLORS
from spatialpin_ros.scene import Scene, SceneObject

ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
LOCATIONS = tuple(f"{row} {column}" for row in ROWS for column in COLUMNS)
SHAPES = ("box", "cylinder", "sphere", "other")
WEIGHTS = {"place": 0.5, "color": 0.3, "shape": 0.2}
FAR_OFF = 0.35
MOST_COST = 0.45
_ALIKE = frozenset(
    frozenset(pair)
    for pair in (
        ("red", "orange"), ("red", "pink"), ("red", "brown"), ("orange", "yellow"), ("orange", "brown"),
        ("yellow", "brown"), ("white", "gray"), ("black", "gray"), ("blue", "cyan"), ("green", "cyan"),
        ("blue", "purple"), ("purple", "pink"), ("brown", "black"), ("yellow", "white"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FoundObject:
    """One object as the model describes it.

    Args:
        name, color, texture: in its words.
        shape: one of SHAPES.
        location: one of LOCATIONS, the ninth of the image that it is in.
        point: (2,) its place as fractions of the image's width and height, when given.
    """

    name: str
    color: str
    texture: str
    shape: str
    location: str
    point: tuple[float, float] | None = None

    def __str__(self) -> str:
        return f"{self.name} of color {self.color}, texture {self.texture} at location {self.location}"


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Which found object is which object of the scene, by the scene's ids, and what is left on either side."""

    by_id: Mapping[str, FoundObject]
    unknown: tuple[FoundObject, ...]
    unseen: tuple[SceneObject, ...]

    @property
    def findings(self) -> tuple[str, ...]:
        return (
            *(f"the model sees a {found}; no segmented object fits" for found in self.unknown),
            *(f"the model does not mention {item.id}, the {item.name}" for item in self.unseen),
        )


def found_schema() -> dict[str, Any]:
    """Every object with its name, colour, texture, shape and place; x and y in percent where the model can tell."""
    item = strict(
        {"name": {"type": "string"}, "color": {"type": "string"}, "texture": {"type": "string"},
         "shape": {"type": "string", "enum": list(SHAPES)},
         "location": {"type": "string", "enum": list(LOCATIONS)},
         "x_percent": {"type": ["number", "null"]}, "y_percent": {"type": ["number", "null"]}}
    )  # fmt: skip
    return strict({"objects": {"type": "array", "items": item}})


def read_found(reply: Mapping[str, Any]) -> tuple[tuple[FoundObject, ...], Sequence[str]]:
    """Read the reply; coordinates off the image are asked for again."""
    found, problems = [], []
    for entry in reply["objects"]:
        x, y = entry["x_percent"], entry["y_percent"]
        point = None if x is None or y is None else (float(x) / 100.0, float(y) / 100.0)
        if point is not None and not all(0.0 <= value <= 1.0 for value in point):
            problems.append(
                f"x_percent and y_percent of the {entry['name']} must lie in 0..100, got {x}, {y}"
            )
            point = None
        words = {name: str(entry[name]) for name in ("name", "color", "texture", "shape", "location")}
        found.append(FoundObject(point=point, **words))
    return tuple(found), problems


def match(found: Sequence[FoundObject], scene: Scene, camera: Intrinsics) -> Matches:
    """Assign found to segmented objects at the least total cost of place, colour and shape; a bad fit is no match."""
    pixels = image_points(scene, camera)
    cost = np.array(
        [[_cost(each, item, pixels[i]) for i, item in enumerate(scene.objects)] for each in found]
    ).reshape(len(found), len(scene.objects))
    pairs = {
        int(row): int(column)
        for row, column in zip(*linear_sum_assignment(cost), strict=True)
        if cost[row, column] <= MOST_COST
    }
    taken = set(pairs.values())
    return Matches(
        {scene.objects[column].id: found[row] for row, column in pairs.items()},
        tuple(each for i, each in enumerate(found) if i not in pairs),
        tuple(item for i, item in enumerate(scene.objects) if i not in taken),
    )


def image_points(scene: Scene, camera: Intrinsics) -> FloatArray:
    """(N, 2) middle of each object's mask, or its projected centre, as fractions of the image's width and height."""
    size = np.array([camera.width, camera.height], dtype=np.float64)
    centres = np.array([item.centre for item in scene.objects]).reshape(-1, 3)
    points = camera.project(scene.base_T_camera.inverse().transform(centres))
    for i, item in enumerate(scene.objects):
        if item.mask is not None and item.mask.area:
            rows, columns = np.nonzero(item.mask.bits)
            points[i] = columns.mean() + item.mask.offset[1], rows.mean() + item.mask.offset[0]
    return np.asarray(points / size)


def _cost(found: FoundObject, item: SceneObject, point: FloatArray) -> float:
    if not np.isfinite(point).all():
        return 1.0
    parts = {
        "place": min(_distance(found, point) / FAR_OFF, 1.0),
        "color": _color_cost(found, item),
        "shape": _shape_cost(found.shape, item.shape),
    }
    return sum(WEIGHTS[name] * value for name, value in parts.items())


def _distance(found: FoundObject, point: FloatArray) -> float:
    """From the point that the model gave, else from the ninth that it named."""
    if found.point is not None:
        return float(np.linalg.norm(point - found.point))
    row, column = found.location.split()
    low = np.array([COLUMNS.index(column), ROWS.index(row)]) / 3.0
    return float(np.linalg.norm(np.maximum(0.0, np.maximum(low - point, point - low - 1.0 / 3.0))))


def _color_cost(found: FoundObject, item: SceneObject) -> float:
    said = {COLORS[word] for word in f"{found.color} {found.name}".lower().split() if word in COLORS}
    true = COLORS.get(item.color, item.color)
    if not said:
        return 0.5
    if true in said:
        return 0.0
    return 0.5 if any(frozenset((word, true)) in _ALIKE for word in said) else 1.0


def _shape_cost(said: str, true: str) -> float:
    if said == true:
        return 0.0
    return 0.5 if said == "other" or true == "unknown" else 1.0
