# SPDX-License-Identifier: Apache-2.0
"""Bodies that took long to make are kept for objects that stand where they stood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spatialpin_ros.scene import Scene, SceneObject

_MOVED_M = 0.004
_RESIZED_M = 0.006
_RECOLORED = 40.0


class RememberedBodies:
    """Remembers what geometry saw of each object of the newest scene and what was made of it."""

    def __init__(self) -> None:
        self._pairs: list[tuple[SceneObject, SceneObject]] = []

    def recall(self, scene: Scene) -> tuple[Scene, frozenset[str]]:
        """Give objects that look as one did before the body that was made then; also return their ids."""
        known: dict[str, SceneObject] = {}
        for item in scene.objects:
            made = next((made for seen, made in self._pairs if _same(seen, item)), None)
            if made is not None:
                known[item.id] = replace(
                    item,
                    shape=made.shape,
                    box=made.box,
                    fit_residual_m=made.fit_residual_m,
                    mesh=made.mesh,
                    confidence=made.confidence,
                )
        objects = tuple(known.get(item.id, item) for item in scene.objects)
        return replace(scene, objects=objects), frozenset(known)

    def remember(self, seen: Scene, made: Scene) -> None:
        """Keep the objects whose bodies were made, in the place of those of the scene before."""
        after = {item.id: item for item in made.objects}
        self._pairs = [
            (item, after[item.id])
            for item in seen.objects
            if item.id in after and after[item.id].mesh is not item.mesh
        ]


def _same(one: SceneObject, other: SceneObject) -> bool:
    """Whether two objects as geometry sees them are one that was not touched."""
    return (
        one.shape == other.shape
        and float(np.abs(one.centre - other.centre).max()) < _MOVED_M
        and float(np.abs(one.box.corners - other.box.corners).max()) < _MOVED_M + _RESIZED_M
        and float(np.abs(one.color_rgb.astype(float) - other.color_rgb).max()) < _RECOLORED
    )
