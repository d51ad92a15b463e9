# SPDX-License-Identifier: Apache-2.0
"""What an arm and its gripper can do, as far as choosing a task needs to know."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from spatialpin_ros.config import RobotConfig, Workspace
from spatialpin_ros.errors import InvalidValueError

_HAND_LENGTH_M = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class Abilities:
    """Limits that tasks are checked against; the planner has the last word.

    Args:
        max_grasp_width_m: opening between the pads.
        grasp_clearance_m: free width that must remain beside a grasped object, both sides together.
        min_grasp_height_m: flattest object that the pads can hold.
        finger_breadth_m, finger_thickness_m: extents of a finger across and along the closing direction.
        reach_min_m, reach_max_m: horizontal distance from the base within which the hand can point down.
        max_stack_height_m: highest top of a placed object above the base frame's origin.
        min_support_margin_m: smallest horizontal distance of a centre of mass from the edge of its support.
        min_support_share: smallest share of a placed object's base that must lie on its support.
        min_tip_angle_rad: smallest angle by which a placed object may be tilted before it falls.
        workspace: region that the gripper may enter; None means anywhere within reach.

    Raises:
        InvalidValueError: when a limit is negative or the reach interval is empty.
    """

    max_grasp_width_m: float = 0.08
    grasp_clearance_m: float = 0.006
    min_grasp_height_m: float = 0.012
    finger_breadth_m: float = 0.022
    finger_thickness_m: float = 0.012
    reach_min_m: float = 0.25
    reach_max_m: float = 0.78
    max_stack_height_m: float = 0.45
    min_support_margin_m: float = 0.008
    min_support_share: float = 0.25
    min_tip_angle_rad: float = 0.1
    workspace: Workspace | None = None

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, (int, float)) and (not np.isfinite(value) or value < 0.0):
                raise InvalidValueError(
                    f"abilities: {item.name} must be finite and not negative, got {value}"
                )
        if self.reach_min_m >= self.reach_max_m:
            raise InvalidValueError(
                f"abilities: reach_min_m {self.reach_min_m} must be below {self.reach_max_m}"
            )

    @property
    def graspable_width_m(self) -> float:
        """Widest side that can be taken between the pads with clearance."""
        return self.max_grasp_width_m - self.grasp_clearance_m

    @classmethod
    def from_robot(cls, robot: RobotConfig) -> Abilities:
        """Take the limits of a robot's configuration; the reach is its workspace's, less the length of a hand."""
        reach = float(np.abs(np.concatenate([robot.workspace.min[:2], robot.workspace.max[:2]])).max())
        return cls(
            max_grasp_width_m=robot.gripper.max_width_m,
            finger_breadth_m=robot.gripper.finger_thickness_m,
            reach_max_m=max(reach - _HAND_LENGTH_M, 0.3),
            workspace=robot.workspace,
        )
