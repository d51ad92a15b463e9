# SPDX-License-Identifier: Apache-2.0
"""What an image-to-3D back end must offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.geometry import TriangleMesh
from spatialpin_ros.scene import SceneObject


@dataclass(frozen=True, slots=True, eq=False)
class Completion:
    """A whole body for an object of which one side is seen.

    Args:
        mesh: its surface.
        in_base: it is in the base frame, in metres and in place; otherwise pose and scale are the back end's own, and
            it must be aligned.
    """

    mesh: TriangleMesh
    in_base: bool


class Completer(Protocol):
    """Makes whole bodies of seen objects."""

    name: str

    def complete(self, frame: CameraFrame, item: SceneObject) -> Completion:
        """Make the body of one object of a frame.

        Raises:
            BackendError: when the back end cannot be reached or does not answer with a mesh.
        """
        ...
