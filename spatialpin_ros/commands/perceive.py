# SPDX-License-Identifier: Apache-2.0
"""What `spatialpin capture` does with files: RGB-D or one colour image, named objects, models of objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import Workspace
from spatialpin_ros.errors import InvalidValueError, PerceptionError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.scene import Scene

if TYPE_CHECKING:
    from spatialpin_ros.perception.perceive import Perceived, Perception


def make_perception(configuration: str, workspace: Workspace | None) -> Perception:
    """Make perception of config/perception/<configuration>.yaml, or of the YAML file at a path."""
    from spatialpin_ros.perception.configuration import PerceptionConfig
    from spatialpin_ros.perception.perceive import Perception
    from spatialpin_ros.reasoning.listing import ObjectLister

    config = PerceptionConfig.load(configuration)
    lister = None if config.lister is None else ObjectLister(config.lister)
    return Perception(config, workspace, lister=lister)


def perceive_depth(
    frame: CameraFrame,
    workspace: Workspace,
    names: Sequence[str],
    configuration: str,
    models: Sequence[str] = (),
) -> Perceived:
    """Rebuild a scene from an RGB-D frame.

    Args:
        frame: the observation.
        workspace: what is looked at.
        names: of objects to look for; none: those of the configuration.
        configuration: config/perception/<configuration>.yaml, or a path.
        models: NAME=FILE of mesh files that replace what was found of an object.
    """
    seen = make_perception(configuration, workspace).measured(frame, names)
    return replace(seen, scene=with_models(seen.scene, frame, models))


def perceive_color(
    color: Path,
    intrinsics: Path | None,
    base_T_camera: Pose | None,
    workspace: Workspace | None,
    names: Sequence[str],
    configuration: str,
) -> Perceived:
    """Rebuild a scene from one colour image, with estimated depth.

    Args:
        color: the image file; its EXIF data is used when there are no intrinsics.
        intrinsics: file, if there is one.
        base_T_camera: pose of the camera; None: a base frame is laid on the table.
        workspace: what is looked at; needs a pose.
        names: of objects to look for; none: those of the configuration.
        configuration: config/perception/<configuration>.yaml, or a path.
    """
    from spatialpin_ros.perception.files import read_color, read_intrinsics
    from spatialpin_ros.perception.perceive import ColorView
    from spatialpin_ros.perception.rgb import exif_intrinsics

    picture = read_color(color, upright=intrinsics is None)
    size = picture.shape[0], picture.shape[1]
    camera = read_intrinsics(intrinsics, size) if intrinsics is not None else exif_intrinsics(color)
    view = ColorView(picture, camera, base_T_camera)
    return make_perception(configuration, workspace).colored(view, names)


def with_models(scene: Scene, frame: CameraFrame, models: Sequence[str]) -> Scene:
    """Align the mesh of each NAME=FILE to the object of that name.

    Raises:
        InvalidValueError: when an entry is not of that form or its file holds no mesh.
        UnknownNameError: lists the objects there are.
        PerceptionError: when a mesh does not fit what is seen.
    """
    from spatialpin_ros.perception.alignment import use_model
    from spatialpin_ros.perception.meshes import load_mesh, simplified

    for entry in models:
        name, equals, file = entry.partition("=")
        if not (equals and name.strip() and file.strip()):
            raise InvalidValueError(
                f"--model: expected NAME=FILE, such as 'red cube=cube.stl', got '{entry}'"
            )
        item = scene.named(name)
        try:
            scene = use_model(scene, item.id, simplified(load_mesh(file.strip())), frame)
        except PerceptionError as error:
            raise PerceptionError(f"--model {entry}: {error}") from error
    return scene
