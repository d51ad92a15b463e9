# SPDX-License-Identifier: Apache-2.0
"""Tells a gripper that holds an object from one that closed on air, by where its pads came to rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spatialpin_ros.execution.devices import GripperResult
from spatialpin_ros.execution.options import ExecutionOptions
from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import Plan, PlanStage
from spatialpin_ros.scene import Scene, SceneObject


@dataclass(frozen=True, slots=True)
class Grip:
    """One closing of the gripper: where it was sent, and how far an object would have let it come.

    What counts is where the pads are: how far from its goal a controller calls it reached differs, and may be more
    than an object gives way.

    Args:
        commanded_m: opening that it was sent to, which it reaches on air [m].
        object_m: extent of the object between the pads as it was seen; None when that is not known [m].
        margin_m: how far from the commanded opening the pads may come to rest on air [m].
    """

    commanded_m: float
    object_m: float | None
    margin_m: float

    @property
    def air_m(self) -> float:
        """Largest opening that means air [m]: a little over the commanded one, less if the object is hardly wider."""
        room_m = math.inf if self.object_m is None else (self.object_m - self.commanded_m) / 3.0
        return self.commanded_m + min(self.margin_m, room_m)

    def missed(self, result: GripperResult) -> bool:
        """Whether nothing, or not the object, is between the pads.

        Less than half of the object's extent is something else; from there on it may be soft, tapered or seen too wide.
        """
        if math.isnan(result.width_m):
            return result.reached and not result.stalled
        return result.width_m <= max(self.air_m, (self.object_m or 0.0) / 2.0)

    def lost_m(self, held_m: float, slip_m: float) -> float:
        """Opening under which an object that was held at `held_m` slipped out [m].

        Args:
            slip_m: most that an object which stays may give way while it is moved [m].
        """
        return max(held_m - slip_m, (self.commanded_m + self.air_m) / 2.0)

    def figures(self, width_m: float) -> dict[str, float]:
        """What to report of the pads that came to rest at an opening [m]."""
        known = {} if self.object_m is None else {"object_width_m": self.object_m}
        measured = {} if math.isnan(width_m) else {"closed_to_m": width_m}
        return {**measured, "commanded_width_m": self.commanded_m, **known}

    def in_words(self, width_m: float) -> str:
        """Say where the pads came to rest, where they were sent and how wide the object is."""
        measured = "an unknown opening" if math.isnan(width_m) else f"{width_m * 1000:.1f} mm"
        known = "" if self.object_m is None else f", the object is {self.object_m * 1000:.1f} mm wide"
        return f"the gripper closed to {measured} (sent to {self.commanded_m * 1000:.1f} mm{known})"


def grip_of(plan: Plan, stage: PlanStage, scene: Scene, options: ExecutionOptions) -> Grip:
    """What to expect of a stage that closes the gripper.

    Args:
        plan: with the stage; its ids refer to `scene`.
        scene: where the object's size is from.
    """
    key = plan.task.steps[stage.step_index].object_id
    item = next((item for item in scene.objects if item.id == key), None)
    extent_m = None if item is None else _between_pads(item, plan.object_T_tcp)
    return Grip(stage.gripper_width_m or 0.0, extent_m, options.grip_margin_m)


def _between_pads(item: SceneObject, grasps: Mapping[str, Pose]) -> float:
    """Extent of an object along the closing direction, the TCP's y axis; its least where the grasp is not known [m]."""
    if item.id not in grasps:
        return float(item.size.min())
    closing = np.abs(grasps[item.id].axes[:, 1])
    if item.shape == "sphere":
        return float(item.size.max())
    if item.shape == "cylinder":
        across = float(np.sqrt(max(1.0 - closing[2] ** 2, 0.0)))
        return float(item.size[:2].max() * across + item.size[2] * closing[2])
    return float(closing @ item.size)
