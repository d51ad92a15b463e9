# SPDX-License-Identifier: Apache-2.0
"""What has surely changed in a scene while a plan is being carried out, and what only the moving arm makes it seem."""

from __future__ import annotations

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import OrientedBox
from spatialpin_ros.plan import Plan
from spatialpin_ros.planning.joining import with_objects
from spatialpin_ros.scene import Scene, SceneObject

_MARGIN_M = 0.02
_HAND_M = 0.12
_GRID = 5


def changed_scene(
    plan: Plan,
    before: Scene,
    now: Scene,
    *,
    hand: FloatArray | None = None,
    least_confidence: float = 0.5,
) -> Scene | None:
    """The scene that a plan was made in, with what is surely new or elsewhere now; None when nothing is.

    The arm hides objects, cuts pieces off them and carries some about. So what is missing now stays where it
    was, and an object seen now counts only when it is recognised with confidence, is none of those that the plan
    moves, is not at the hand, and most of it is outside of where anything stood or is to be put down.

    Args:
        before: the scene of the plan.
        now: a newer one.
        hand: (3,) position of the TCP when that was seen [m].
        least_confidence: of what counts, 0..1.
    """
    moved = {step.object_id for step in plan.task.steps}
    sizes = {item.id: item.size for item in before.objects}
    known = [item.box for item in before.objects]
    known += [OrientedBox(pose, sizes[key]) for key, pose in plan.expected_poses.items() if key in sizes]
    changed = [
        item
        for item in now.objects
        if item.id not in moved
        and item.confidence >= least_confidence
        and not _at_hand(item, hand)
        and _mostly_outside(item.box, known)
    ]
    return with_objects(before, changed) if changed else None


def hand_at(plan: Plan, stage_index: int, time_s: float) -> FloatArray | None:
    """Where a plan has the TCP some time into a stage [m]; during a gripper stage, where the arm went before."""
    for index in range(min(stage_index, len(plan.stages) - 1), -1, -1):
        stage = plan.stages[index]
        if stage.trajectory is None or not len(stage.tcp_waypoints):
            continue
        share = min(max(time_s / stage.duration_s, 0.0), 1.0) if index == stage_index else 1.0
        waypoints = stage.tcp_waypoints
        return np.asarray(waypoints[round(share * (len(waypoints) - 1)), :3])
    return None


def _at_hand(item: SceneObject, hand: FloatArray | None) -> bool:
    if hand is None:
        return False
    local = item.box.pose.inverse().transform(hand[None])[0]
    outside = np.maximum(np.abs(local) - item.size / 2.0, 0.0)
    return float(np.linalg.norm(outside)) < _HAND_M


def _mostly_outside(box: OrientedBox, known: list[OrientedBox]) -> bool:
    steps = (np.arange(_GRID) + 0.5) / _GRID - 0.5
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3) * box.size
    points = box.pose.transform(grid)
    inside = np.zeros(len(points), dtype=bool)
    for other in known:
        inside |= other.contains(points, _MARGIN_M)
    return bool(inside.mean() < 0.5)
