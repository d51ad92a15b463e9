# SPDX-License-Identifier: Apache-2.0
"""Nouns for objects by how well a text fits their picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import BackendError
from spatialpin_ros.perception.boundary import module_boundary
from spatialpin_ros.perception.learned.protocols import ImageTextScorer
from spatialpin_ros.perception.rgb.upright import quarter_turns, turned
from spatialpin_ros.scene import Scene, SceneObject

_CROP_MARGIN = 0.15


def with_nouns(
    scene: Scene,
    frame: CameraFrame,
    namer: ImageTextScorer,
    nouns: Sequence[str],
    least_score: float,
    keep: Sequence[str] = (),
) -> Scene:
    """Give each object that shows in the frame the noun that fits its picture best.

    Args:
        scene: made of the frame.
        frame: the observation.
        namer: scores pictures against words.
        nouns: to choose from.
        least_score: a noun with a lower score is not believed.
        keep: names that were asked for, and stay.

    Raises:
        BackendError: when the namer fails.
    """
    asked = {name.casefold() for name in keep}
    shown = [i for i, item in enumerate(scene.objects) if item.mask is not None and item.mask.area]
    shown = [i for i in shown if scene.objects[i].name.casefold() not in asked]
    if not shown or not nouns:
        return scene
    turns = quarter_turns(frame.base_T_camera)
    crops = [turned(crop(frame, scene.objects[i]), turns) for i in shown]
    with module_boundary("namer"):
        scores = np.asarray(namer.score(crops, nouns))
    if scores.shape != (len(shown), len(nouns)):
        raise BackendError(
            f"namer: gave scores of shape {scores.shape} for {len(shown)} pictures and {len(nouns)} nouns"
        )
    objects = list(scene.objects)
    for i, row in zip(shown, scores, strict=True):
        best = int(np.argmax(row))
        if row[best] >= least_score:
            objects[i] = _renamed(objects[i], nouns[best], [o.name for o in objects])
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
