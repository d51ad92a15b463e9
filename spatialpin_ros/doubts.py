# SPDX-License-Identifier: Apache-2.0
"""Why an arm should not move on a scene without a person's word: estimated depth, objects hardly recognised."""

from __future__ import annotations

from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task

LEAST_CONFIDENCE = 0.3


def doubts_about(
    scene: Scene,
    task: Task,
    least_confidence: float = LEAST_CONFIDENCE,
    *,
    allow_estimated_depth: bool = False,
) -> tuple[str, ...]:
    """Return one sentence for each reason to doubt that the scene is good enough for the task; none: go ahead.

    Args:
        scene: that the task was planned in.
        task: whose objects count.
        least_confidence: objects that were recognised with less are doubtful, 0..1.
        allow_estimated_depth: positions from a network's depth are good enough.
    """
    found = []
    if scene.depth_source == "estimated" and not allow_estimated_depth:
        found.append(
            "the depth of this scene is estimated from the colour image, not measured: positions may be centimetres off"
        )
    named = dict.fromkeys(key for step in task.steps for key in (step.object_id, step.target_id) if key)
    found.extend(
        f"the {item.name} was recognised with confidence {item.confidence:.2f}; trusted from {least_confidence:.2f}"
        for item in scene.objects
        if item.id in named and item.confidence < least_confidence
    )
    return tuple(found)
