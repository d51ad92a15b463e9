# SPDX-License-Identifier: Apache-2.0
"""Perception with whatever modules there are: learned where they work, geometric where they do not, and saying so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import BackendError
from spatialpin_ros.perception.from_masks import reconstruct_masks
from spatialpin_ros.perception.learned.modules import Modules
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.reconstruct import reconstruct
from spatialpin_ros.perception.rgb.finding import find_objects
from spatialpin_ros.scene import Scene, SceneObject

_CROP_MARGIN = 0.15


class Perception:
    """RGB-D perception that uses learned modules when they are there.

    With a detector and a segmenter, and names to look for, objects are segmented by them; geometry measures what
    they find. With a scorer, objects get the nouns that fit their picture best. A module that cannot be loaded or
    run is left out, and `notes` says which and why.

    Args:
        modules: what to use.
        options: of the geometry.
        nouns: words that the scorer may choose from; empty: the geometric ones stay.
        least_score: a scorer's noun below this is not believed.
    """

    def __init__(
        self,
        modules: Modules | None = None,
        options: PerceptionOptions | None = None,
        nouns: Sequence[str] = (),
        least_score: float = 0.4,
    ) -> None:
        self._modules = modules or Modules()
        self._options = options or PerceptionOptions()
        self._nouns = tuple(nouns)
        self._least_score = least_score
        self.notes: tuple[str, ...] = ()

    def reconstruct(self, frame: CameraFrame, names: Sequence[str] = ()) -> Scene:
        """Rebuild the scene; raises as the geometric `reconstruct` does, never for a learned module."""
        notes: list[str] = []
        scene = self._by_names(frame, names, notes) if names else None
        if scene is None:
            scene = reconstruct(frame, self._options)
        if self._nouns and self._modules.has("scorer"):
            scene = self._with_nouns(scene, frame, notes)
        self.notes = tuple(notes)
        return scene

    def _by_names(self, frame: CameraFrame, names: Sequence[str], notes: list[str]) -> Scene | None:
        if not (self._modules.has("detector") and self._modules.has("segmenter")):
            notes.append(
                "no detector and segmenter are configured: objects are segmented by geometry, not by name"
            )
            return None
        try:
            found = find_objects(
                frame.color, names, self._modules.detector, self._modules.segmenter, self._modules.inpainter
            )
        except BackendError as error:
            notes.append(f"objects are segmented by geometry, not by name: {error}")
            return None
        if not found:
            notes.append("the detector found none of the names: objects are segmented by geometry")
            return None
        return reconstruct_masks(
            frame, [item.visible for item in found], [item.name for item in found], self._options
        )

    def _with_nouns(self, scene: Scene, frame: CameraFrame, notes: list[str]) -> Scene:
        if not scene.objects:
            return scene
        try:
            scores = self._modules.scorer.score([crop(frame, item) for item in scene.objects], self._nouns)
        except BackendError as error:
            notes.append(f"objects keep their geometric nouns: {error}")
            return scene
        objects = list(scene.objects)
        for index, row in enumerate(scores):
            best = int(np.argmax(row))
            if row[best] >= self._least_score:
                objects[index] = _renamed(objects[index], self._nouns[best], [o.name for o in objects])
        return replace(scene, objects=tuple(objects))


def crop(frame: CameraFrame, item: SceneObject) -> UInt8Array:
    """The picture of one object with a margin; the whole image when it has no mask."""
    if item.mask is None or not item.mask.area:
        return frame.color
    (row, column), (height, width) = item.mask.offset, item.mask.bits.shape
    margin = round(_CROP_MARGIN * max(height, width))
    top, left = max(0, row - margin), max(0, column - margin)
    return np.ascontiguousarray(frame.color[top : row + height + margin, left : column + width + margin])


def _renamed(item: SceneObject, noun: str, taken: Sequence[str]) -> SceneObject:
    """The object with another noun, in its label and where its name has the old one."""
    if noun == item.label:
        return item
    name = item.name.replace(item.label, noun) if item.label in item.name else f"{item.color} {noun}"
    others = {other for other in taken if other != item.name}
    return replace(item, label=noun, name=name if name not in others else f"{name} ({item.id})")
