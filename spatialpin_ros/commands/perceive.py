# SPDX-License-Identifier: Apache-2.0
"""What `spatialpin capture` does with files: RGB-D or one colour image, named objects, models of objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import Workspace
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.scene import Scene


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """A scene, the picture it came from, and what there is to say about it."""

    scene: Scene
    picture: UInt8Array
    notes: tuple[str, ...]


def perceive_depth(
    frame: CameraFrame, workspace: Workspace, names: Sequence[str], modules: str, models: Sequence[str]
) -> Captured:
    """Rebuild a scene from an RGB-D frame.

    Args:
        frame: the observation.
        workspace: what is looked at.
        names: of objects to look for; none: geometry finds and names them.
        modules: config/perception/<modules>.yaml, or a path.
        models: NAME=FILE of mesh files that replace what was found of an object.
    """
    from spatialpin_ros.perception import PerceptionOptions
    from spatialpin_ros.perception.learned import Modules
    from spatialpin_ros.perception.learned.perception import Perception

    perception = Perception(Modules.load(modules), PerceptionOptions(workspace=workspace))
    scene = perception.reconstruct(frame, names)
    return Captured(with_models(scene, frame, models), frame.color, perception.notes)


def perceive_color(
    color: Path,
    intrinsics: Path | None,
    base_T_camera: Pose | None,
    workspace: Workspace | None,
    names: Sequence[str],
    modules: str,
) -> Captured:
    """Rebuild a scene from one colour image, with estimated depth.

    Args:
        color: the image file; its EXIF data is used when there are no intrinsics.
        intrinsics: file, if there is one.
        base_T_camera: pose of the camera; None: a base frame is laid on the table.
        workspace: what is looked at; needs a pose.
        names: of the objects to look for.
        modules: config/perception/<modules>.yaml, or a path.
    """
    from spatialpin_ros.perception import PerceptionOptions
    from spatialpin_ros.perception.files import read_color, read_intrinsics
    from spatialpin_ros.perception.learned import Modules
    from spatialpin_ros.perception.rgb import RgbOptions, exif_intrinsics, reconstruct_rgb

    picture = read_color(color)
    size = picture.shape[0], picture.shape[1]
    camera = read_intrinsics(intrinsics, size) if intrinsics is not None else exif_intrinsics(color)
    options = RgbOptions(PerceptionOptions(workspace=workspace), base_T_camera)
    notes: list[str] = []
    scene = reconstruct_rgb(picture, camera, names, Modules.load(modules), options, notes)
    return Captured(scene, picture, tuple(notes))


def with_models(scene: Scene, frame: CameraFrame, models: Sequence[str]) -> Scene:
    """Align the mesh of each NAME=FILE to the object of that name.

    Raises:
        InvalidValueError: when an entry is not of that form or its file holds no mesh.
        UnknownNameError: lists the objects there are.
        PerceptionError: when a mesh does not fit what is seen.
    """
    from spatialpin_ros.perception.alignment import use_model
    from spatialpin_ros.perception.meshes import load_mesh

    for entry in models:
        name, equals, file = entry.partition("=")
        if not (equals and name.strip() and file.strip()):
            raise InvalidValueError(
                f"--model: expected NAME=FILE, such as 'red cube=cube.stl', got '{entry}'"
            )
        scene = use_model(scene, scene.named(name).id, load_mesh(file.strip()), frame)
    return scene
