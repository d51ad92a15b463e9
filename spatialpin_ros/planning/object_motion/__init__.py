# SPDX-License-Identifier: Apache-2.0
"""SpatialPIN's object motions, planned in SE(3) with the moving body itself."""

from spatialpin_ros.planning.object_motion.arm import CarryOptions, attach_to_arm, follow_with_arm
from spatialpin_ros.planning.object_motion.goals import goal_pose
from spatialpin_ros.planning.object_motion.motions import (
    ObjectMotion,
    RotateSelf,
    RotateWref,
    TranslateDirecAxis,
    TranslateTarObj,
    motion_from_dict,
)
from spatialpin_ros.planning.object_motion.options import ObjectMotionOptions
from spatialpin_ros.planning.object_motion.path import MotionSegment, ObjectPath
from spatialpin_ros.planning.object_motion.planner import ObjectMotionPlanner

__all__ = [
    "CarryOptions",
    "MotionSegment",
    "ObjectMotion",
    "ObjectMotionOptions",
    "ObjectMotionPlanner",
    "ObjectPath",
    "RotateSelf",
    "RotateWref",
    "TranslateDirecAxis",
    "TranslateTarObj",
    "attach_to_arm",
    "follow_with_arm",
    "goal_pose",
    "motion_from_dict",
]
