# SPDX-License-Identifier: Apache-2.0
"""Models of known objects in the place of what geometry made of them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from functools import lru_cache

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import BackendError, InvalidValueError, PerceptionError
from spatialpin_ros.geometry import TriangleMesh
from spatialpin_ros.perception.alignment import use_model
from spatialpin_ros.perception.configuration import ObjectModel
from spatialpin_ros.perception.meshes import load_mesh, simplified
from spatialpin_ros.scene import Scene, SceneObject


def with_known_models(
    scene: Scene,
    frame: CameraFrame,
    models: Sequence[ObjectModel],
    notes: list[str],
    done: Container[str] = (),
) -> Scene:
    """Align each model to every object that it is a model of, but for those whose ids are `done`.

    An object that its model does not fit stays as it is; `notes` says so.
    """
    for model in models:
        meant = [item for item in scene.objects if is_meant(item, model.name)]
        if not meant:
            notes.append(f"model {model.file.name}: no object is a '{model.name}'")
        for item in (one for one in meant if one.id not in done):
            try:
                scene = use_model(scene, item.id, _mesh(model), frame)
            except (BackendError, InvalidValueError, PerceptionError) as error:
                notes.append(f"{item.name}: keeps its geometric shape: {model.file.name}: {error}")
    return scene


def is_meant(item: SceneObject, name: str) -> bool:
    """Whether an object goes by this: its name, its noun, or its colour and noun; case does not matter."""
    wanted = name.strip().casefold()
    return wanted in {item.name.casefold(), item.label.casefold(), f"{item.color} {item.label}".casefold()}


@lru_cache(maxsize=64)
def _mesh(model: ObjectModel) -> TriangleMesh:
    return simplified(load_mesh(model.file, model.unit_m))
