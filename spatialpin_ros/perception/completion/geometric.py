# SPDX-License-Identifier: Apache-2.0
"""Completion by geometry: the fitted primitive, or the closed hull that perception made."""

from __future__ import annotations

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.perception.completion.protocol import Completion
from spatialpin_ros.perception.meshes import primitive_mesh
from spatialpin_ros.scene import SceneObject


class GeometricCompleter:
    """Needs no weights; what it returns is already in place."""

    name = "geometric"

    def complete(self, frame: CameraFrame, item: SceneObject) -> Completion:
        mesh = item.mesh if item.mesh is not None else primitive_mesh(item.box, item.shape)
        return Completion(mesh, in_base=True)
