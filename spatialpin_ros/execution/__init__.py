# SPDX-License-Identifier: Apache-2.0
"""Plan -> Outcome: carries a plan out stage by stage and judges the result in a fresh scene."""

from spatialpin_ros.execution.devices import (
    Arm,
    Gripper,
    GripperResult,
    MotionResult,
    StaleJointStatesError,
    StopSignal,
)
from spatialpin_ros.execution.guard import Blocked, Guard, NoGuard
from spatialpin_ros.execution.judge import Verdict, judge
from spatialpin_ros.execution.matching import MatchOptions, changes_for, match_objects, translate_task
from spatialpin_ros.execution.options import ExecutionOptions, JudgeOptions
from spatialpin_ros.execution.runner import Feedback, run_plan
from spatialpin_ros.execution.scaling import slowed

__all__ = [
    "Arm",
    "Blocked",
    "ExecutionOptions",
    "Feedback",
    "Gripper",
    "GripperResult",
    "Guard",
    "JudgeOptions",
    "MatchOptions",
    "MotionResult",
    "NoGuard",
    "StaleJointStatesError",
    "StopSignal",
    "Verdict",
    "changes_for",
    "judge",
    "match_objects",
    "run_plan",
    "slowed",
    "translate_task",
]
