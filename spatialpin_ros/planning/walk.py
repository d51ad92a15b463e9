# SPDX-License-Identifier: Apache-2.0
"""Go through the motions of a plan as they will be: how wide the hand is, what it holds, what may touch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import Plan, PlanStage, Trajectory
from spatialpin_ros.scene import Scene, SceneObject


@dataclass(frozen=True, slots=True, eq=False)
class Moving:
    """One motion of a plan.

    Args:
        index: of the stage in the plan.
        trajectory: of the stage.
        width_m: opening of the hand meanwhile.
        allowed: pairs of names that touch by intent: what is held, and what it stands on before or after.
    """

    index: int
    stage: PlanStage
    trajectory: Trajectory
    width_m: float
    allowed: tuple[tuple[str, str], ...]


def motions(plan: Plan, scene: Scene, open_width_m: float) -> Iterator[Moving]:
    """Every motion in order.

    Args:
        scene: in which the objects that are taken have their sizes and supports.
        open_width_m: opening before the first gripper stage.
    """
    width_m = open_width_m
    for index, stage in enumerate(plan.stages):
        if stage.trajectory is None:
            width_m = _width_after(plan, stage, scene)
        else:
            yield Moving(index, stage, stage.trajectory, width_m, _touching(plan, stage, scene))


def _width_after(plan: Plan, stage: PlanStage, scene: Scene) -> float:
    """Opening of the hand after a gripper stage: closed on an object, it is the object's width."""
    commanded = stage.gripper_width_m or 0.0
    held = plan.task.steps[stage.step_index].object_id
    known = {item.id: item for item in scene.objects}
    if stage.name != "grasp" or held not in known:
        return commanded
    return width_between_pads(known[held], plan.object_T_tcp[held])


def width_between_pads(item: SceneObject, object_T_tcp: Pose) -> float:
    """Extent of an object along the direction in which the hand closes [m]."""
    along, size = np.abs(object_T_tcp.axes[:, 1]), item.size
    if item.shape == "sphere":
        return float(size.max())
    if item.shape == "cylinder":
        return float(np.hypot(*along[:2]) * size[:2].max() + along[2] * size[2])
    return float(along @ size)


def _touching(plan: Plan, stage: PlanStage, scene: Scene) -> tuple[tuple[str, str], ...]:
    step = plan.task.steps[stage.step_index]
    if stage.name == "lift":
        supports = {item.id: item.supported_by for item in scene.objects}
        return ((step.object_id, supports.get(step.object_id, scene.table.name)),)
    return ((step.object_id, step.target_id),) if stage.name == "place" else ()
