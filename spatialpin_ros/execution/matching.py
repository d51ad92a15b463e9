# SPDX-License-Identifier: Apache-2.0
"""Carries a task over to a fresh scene, whatever ids its objects have there, and tells what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from spatialpin_ros.changes import compare
from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.matching import MatchOptions, match_objects
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.task import Task

__all__ = ["MatchOptions", "changes_for", "match_objects", "translate_task"]


def changes_for(task: Task, before: Scene, now: Scene) -> tuple[str, ...]:
    """Say what a newer scene shows moved, turned or gone of the objects that a task moves or builds on.

    Args:
        task: its ids refer to `before`.
        now: in the same base frame; its ids may be others.
    """
    concerned = {key for step in task.steps for key in (step.object_id, step.target_id)}
    found = compare(before, now)
    moved = [f"the {each.before.name} is {each.distance_m * 100:.1f} cm from where it was"
             for each in found.moved if each.before.id in concerned]  # fmt: skip
    turned = [f"the {each.before.name} is turned by {np.rad2deg(each.turn_rad or 0.0):.0f} degrees"
              for each in found.turned if each.before.id in concerned and not each.moved]  # fmt: skip
    gone = [f"the {item.name} is gone" for item in found.vanished if item.id in concerned]
    return (*moved, *turned, *gone)


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
