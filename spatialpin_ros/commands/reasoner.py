# SPDX-License-Identifier: Apache-2.0
"""The options by which a command asks for a reasoning back end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.scene import Scene

if TYPE_CHECKING:
    from spatialpin_ros.reasoning import Backend

BackendName = Annotated[str, typer.Option("--backend", help="Reasoning back end.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Setting of the back end, name=value or a YAML file; may be repeated."),
]
Record = Annotated[
    Path | None, typer.Option(help="Folder that keeps every prompt, image and reply of a language model.")
]
Photo = Annotated[
    Path | None,
    typer.Option("--photo", help="Colour image that the scene was made from, for a model that looks."),
]


@dataclass(frozen=True, slots=True)
class Reasoner:
    """The back end that a command asks for, and the image that it may look at."""

    backend: str = "symbolic"
    settings: Sequence[str] = ()
    record: Path | None = None
    photo: Path | None = None

    def create(self) -> Backend:
        from spatialpin_ros.reasoning import create_backend, read_settings

        settings = read_settings(self.settings)
        if self.record is not None:
            settings["record_folder"] = self.record
        return create_backend(self.backend, **settings)

    def frame(self, scene: Scene) -> CameraFrame | None:
        if self.photo is None:
            return None
        from spatialpin_ros.perception.files import read_color
        from spatialpin_ros.reasoning.images import scene_photo

        return scene_photo(read_color(self.photo), scene)
