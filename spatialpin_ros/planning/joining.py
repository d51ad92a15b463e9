# SPDX-License-Identifier: Apache-2.0
"""Puts objects of one scene into another, where ids are what counts and names may be taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, count

from spatialpin_ros.scene import Scene, SceneObject


def with_objects(scene: Scene, more: Iterable[SceneObject]) -> Scene:
    """A scene with objects of another one, each in the place of that with the same id if there is one.

    A name that is taken is counted up, and what stands on something that only the other scene has stands on the table.

    Args:
        more: in the same base frame; their ids differ from each other.
    """
    new = {item.id: item for item in more}
    kept = [item for item in scene.objects if item.id not in new]
    surfaces = {surface.name for surface in scene.supports}
    known = surfaces | new.keys() | {item.id for item in kept}
    taken = surfaces | {item.name for item in kept}
    for key, item in new.items():
        carrier = item.supported_by if item.supported_by in known else scene.table.name
        new[key] = replace(item, name=_free(item.name, taken), supported_by=carrier)
        taken.add(new[key].name)
    objects = (new.pop(item.id, item) for item in scene.objects)
    return replace(scene, objects=(*objects, *new.values()))


def _free(name: str, taken: set[str]) -> str:
    """The name itself, or with the first number from 2 on that makes it unique."""
    names = chain([name], (f"{name} {number}" for number in count(2)))
    return next(each for each in names if each not in taken)
