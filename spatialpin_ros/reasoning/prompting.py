# SPDX-License-Identifier: Apache-2.0
"""Prompts from the jinja2 templates under prompts/, and the scene as text: the 3D priors that a model is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import BackendError
from spatialpin_ros.reasoning.polygons import centroid, convex_hull
from spatialpin_ros.relations import ReferenceFrame, depth, height, offsets, surface_gap, viewer_frame, width
from spatialpin_ros.scene import Scene, SceneObject

PACKAGE_PROMPTS = Path(__file__).parent / "prompts"
_DIRECTIONS: dict[str, tuple[int, int, int]] = {
    "up": (0, 0, 1),
    "down": (0, 0, -1),
    "right": (1, 0, 0),
    "left": (-1, 0, 0),
    "front": (0, 1, 0),
    "back": (0, -1, 0),
    "front-right": (1, 1, 0),
    "front-left": (-1, 1, 0),
    "back-right": (1, -1, 0),
    "back-left": (-1, -1, 0),
}
_UNIT = np.array(list(_DIRECTIONS.values()), dtype=np.float64)
_UNIT /= np.linalg.norm(_UNIT, axis=1, keepdims=True)
_MAIN = tuple(_DIRECTIONS)[:6]


def direction_word(components: FloatArray) -> str:
    """The nearest of ten direction words to (3,) right, front and up components."""
    return tuple(_DIRECTIONS)[int(np.argmax(_UNIT @ components))]


@dataclass(frozen=True, slots=True)
class ObjectText:
    """What the model is told of one object; lengths in cm, directions the viewer's (right, away, up)."""

    id: str
    name: str
    shape: str
    color: str
    centre_cm: tuple[float, ...]
    size_cm: tuple[float, ...]
    axes: Mapping[str, str]
    on: str
    carries: tuple[str, ...]
    nearest: Mapping[str, str]


def table_middle(scene: Scene) -> FloatArray:
    """(3,) origin of the coordinates that a model is told: the middle of the visible table top [m]."""
    outline = convex_hull(scene.table.outline_base[:, :2])
    return np.array([*centroid(outline), scene.table.height_z])


def describe_objects(scene: Scene) -> tuple[ObjectText, ...]:
    """Centre, size, axes and neighbours of every object in the viewer's frame, its origin below the table's middle."""
    frame = viewer_frame(scene.base_T_camera)
    origin = table_middle(scene)
    nearest = nearest_per_direction(scene, frame)
    texts = []
    for i, item in enumerate(scene.objects):
        right, front, up = frame.components(item.centre - origin) * 100.0
        texts.append(
            ObjectText(
                id=item.id,
                name=item.name,
                shape=item.shape,
                color=item.color,
                centre_cm=tuple(round(float(value), 1) + 0.0 for value in (right, -front, up)),
                size_cm=tuple(round(100.0 * measure(item), 1) for measure in (width, depth, height)),
                axes={} if item.shape == "sphere" else _axes(item, frame),
                on=item.supported_by,
                carries=tuple(other.id for other in scene.carried_by(item.id)),
                nearest=nearest[i],
            )
        )
    return tuple(texts)


def _axes(item: SceneObject, frame: ReferenceFrame) -> dict[str, str]:
    """Each axis as its (right, away, up) components and the direction word nearest to it."""
    texts = {}
    for name, axis in zip("xyz", item.box.pose.axes.T, strict=True):
        right, front, up = frame.components(axis)
        numbers = ", ".join(f"{round(float(value), 2) + 0.0:g}" for value in (right, -front, up))
        texts[name] = f"{direction_word(np.array([right, front, up]))} ({numbers})"
    return texts


def nearest_per_direction(scene: Scene, frame: ReferenceFrame) -> list[dict[str, str]]:
    """For each object and each of six directions, the nearest object that lies mainly there, with the gap in cm."""
    objects = scene.objects
    if not objects:
        return []
    away = offsets(objects, frame)
    mainly = np.argmax(away @ _UNIT[:6].T, axis=-1)
    distances = np.linalg.norm(away, axis=-1)
    result: list[dict[str, str]] = []
    for j, item in enumerate(objects):
        found: dict[str, str] = {}
        for d, name in enumerate(_MAIN):
            there = [i for i in range(len(objects)) if i != j and mainly[i, j] == d]
            if there:
                other = objects[min(there, key=lambda i: float(distances[i, j]))]
                found[name] = f"{other.id} {surface_gap(item, other) * 100:.1f}"
        result.append(found)
    return result


class Prompts:
    """Renders the templates; `folder` replaces the ones that come with the package.

    Raises:
        BackendError: the folder lacks a template, or one cannot be filled.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        path = Path(folder) if folder is not None else PACKAGE_PROMPTS
        missing = [each.name for each in PACKAGE_PROMPTS.glob("*.jinja2") if not (path / each.name).is_file()]
        if missing:
            raise BackendError(
                f"prompts folder {path} lacks {', '.join(sorted(missing))}; copy {PACKAGE_PROMPTS} and edit the copy"
            )
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(path),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
        )
        self._environment.filters["quoted"] = quoted

    def render(self, name: str, scene: Scene, **values: Any) -> str:
        """Fill a template that shows the scene in numbers."""
        objects: Sequence[ObjectText] = describe_objects(scene)
        return self.fill(name, scene=scene, objects=objects, **values)

    def fill(self, name: str, **values: Any) -> str:
        """Fill a template with the values alone."""
        try:
            return self._environment.get_template(f"{name}.jinja2").render(**values).strip()
        except jinja2.TemplateError as error:
            raise BackendError(f"prompt template {name}.jinja2 cannot be filled: {error}") from error


def quoted(text: str) -> str:
    """What a person said as one quotation that it cannot end itself."""
    return '"' + " ".join(text.split()).replace('"', "'") + '"'
