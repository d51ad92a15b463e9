# SPDX-License-Identifier: Apache-2.0
"""Objects that learned modules find by name, put into the scene that geometry made of the same frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spatialpin_ros.arrays import BoolArray, Float32Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.perception.from_masks import reconstruct_masks, with_names
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.rgb.finding import FoundObject
from spatialpin_ros.scene import Scene

# An object of geometry is a found one, too, when this share of its pixels is.
_SAME_SHARE = 0.5
_LEAST_PIXELS = 40
_MARGIN_M = 0.008


def with_found(
    scene: Scene,
    frame: CameraFrame,
    found: Sequence[FoundObject],
    options: PerceptionOptions,
    robot: BoolArray | None = None,
) -> Scene:
    """Segment the scene by the masks of what was found; what nobody looked for stays as geometry saw it.

    Args:
        scene: that geometry made of the frame.
        frame: the observation.
        found: objects with masks and names.
        options: of the geometry.
        robot: (H, W) pixels of the robot itself, which belong to no object.

    Raises:
        PerceptionError: when no table is in view.
    """
    masks = [item.visible if robot is None else item.visible & ~robot for item in found]
    names = [item.name for item in found]
    taken = np.any(masks, axis=0) if masks else np.zeros(frame.size, dtype=np.bool_)
    for item in scene.objects:
        if item.mask is None:
            continue
        mine = item.mask.full(frame.size)
        rest = mine & ~taken
        if np.count_nonzero(rest) > max(_LEAST_PIXELS, (1.0 - _SAME_SHARE) * np.count_nonzero(mine)):
            masks.append(rest)
            names.append(item.name)
    made = reconstruct_masks(frame, masks, names, options)
    return replace(made, unexplained=_outside(scene.unexplained, made))


def named_by_masks(scene: Scene, frame: CameraFrame, found: Sequence[FoundObject]) -> Scene:
    """Only name the objects of a scene: for one of several views, which a single view's masks must not replace."""
    pairs = [(item.visible, item.name) for item in found if item.visible.shape == frame.size]
    return with_names(scene, [mask for mask, _ in pairs], [name for _, name in pairs]) if pairs else scene


def _outside(points: Float32Array, scene: Scene) -> Float32Array:
    """The points that are in no object's box."""
    kept = points
    for item in scene.objects:
        kept = kept[~item.box.contains(kept, _MARGIN_M)]
    return kept
