# SPDX-License-Identifier: Apache-2.0
"""Carries a task over to a fresh scene, whatever ids its objects have there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.matching import MatchOptions, match_objects
from spatialpin_ros.scene import SceneObject
from spatialpin_ros.task import Task

__all__ = ["MatchOptions", "match_objects", "translate_task"]


def translate_task(task: Task, found: Mapping[str, SceneObject]) -> Task:
    """Return the task with the ids of the scene that its objects were found in again.

    Args:
        task: its ids refer to an older scene.
        found: what `match_objects` returned.

    Raises:
        UnknownNameError: when an object of the task was not found again.
    """

    def new_id(old: str) -> str:
        if old not in found:
            again = [f"{key} ({item.name})" for key, item in found.items()]
            raise UnknownNameError(old, again, "object in the new scene")
        return found[old].id

    steps = tuple(
        replace(
            step,
            object_id=new_id(step.object_id),
            target_id=new_id(step.target_id) if step.action == "place_on" else step.target_id,
        )
        for step in task.steps
    )
    return replace(task, steps=steps)
