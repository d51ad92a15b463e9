# SPDX-License-Identifier: Apache-2.0
"""Image-to-3D back ends by name, and their use on a scene."""

from __future__ import annotations

import importlib
from collections.abc import Container
from dataclasses import replace
from typing import Any

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import BackendError, InvalidValueError, PerceptionError
from spatialpin_ros.perception.alignment import AlignmentOptions, use_model
from spatialpin_ros.perception.boundary import module_boundary
from spatialpin_ros.perception.completion.protocol import Completer
from spatialpin_ros.scene import Scene

_PACKAGE = "spatialpin_ros.perception.completion"
_PATIENCE = 2
_COMPLETERS = {
    "geometric": (f"{_PACKAGE}.geometric", "GeometricCompleter"),
    "http": (f"{_PACKAGE}.http", "HttpCompleter"),
}


def completer_names() -> tuple[str, ...]:
    return tuple(_COMPLETERS)


def create_completer(name: str = "geometric", **settings: Any) -> Completer:
    """Make a back end; `settings` are its own keyword arguments.

    Raises:
        BackendError: on an unknown name or setting.
    """
    if name not in _COMPLETERS:
        raise BackendError(f"no completion called '{name}'; there is: {', '.join(_COMPLETERS)}")
    module, kind = _COMPLETERS[name]
    try:
        completer: Completer = getattr(importlib.import_module(module), kind)(**settings)
    except TypeError as error:
        raise BackendError(f"completion '{name}': {error}") from error
    return completer


def complete_scene(
    scene: Scene,
    frame: CameraFrame,
    completer: Completer,
    notes: list[str] | None = None,
    done: Container[str] = (),
) -> Scene:
    """Give every object the mesh of a back end, aligned to the image where it comes in its own frame.

    An object for which the back end fails, or whose mesh does not fit the image, stays as it is; `notes` says why.
    Those whose ids are `done` are left out, and after two failures of the back end in a row all others, too: it may be
    away, and every object would wait for it.
    """
    failures = 0
    for item in scene.objects:
        if item.id in done:
            continue
        if failures == _PATIENCE:
            if notes is not None:
                notes.append(f"{item.name}: keeps its geometric shape: the completion failed before")
            continue
        try:
            with module_boundary("completion"):
                completion = completer.complete(frame, item)
            if completion.in_base:
                objects = tuple(
                    replace(o, mesh=completion.mesh) if o.id == item.id else o for o in scene.objects
                )
                scene = replace(scene, objects=objects)
            else:
                options = AlignmentOptions(known_scale=False)
                scene = use_model(scene, item.id, completion.mesh, frame, options)
            failures = 0
        except (BackendError, InvalidValueError, PerceptionError) as error:
            failures = failures + 1 if isinstance(error, BackendError) else 0
            if notes is not None:
                notes.append(f"{item.name}: keeps its geometric shape: {error}")
    return scene
