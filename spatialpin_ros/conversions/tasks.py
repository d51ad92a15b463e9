# SPDX-License-Identifier: Apache-2.0
"""Tasks, plans, their failures and outcomes to messages and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from spatialpin_interfaces.msg import CandidateFailure as CandidateFailureMsg
from spatialpin_interfaces.msg import Outcome as OutcomeMsg
from spatialpin_interfaces.msg import Plan as PlanMsg
from spatialpin_interfaces.msg import PlanAlternative as PlanAlternativeMsg
from spatialpin_interfaces.msg import PlanFailure as PlanFailureMsg
from spatialpin_interfaces.msg import PlanStage as PlanStageMsg
from spatialpin_interfaces.msg import Task as TaskMsg
from spatialpin_interfaces.msg import TaskStep as TaskStepMsg
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.conversions.basics import (
    duration_to_msg,
    floats,
    header,
    named_poses_from_msg,
    named_poses_to_msg,
    named_values_from_msg,
    named_values_to_msg,
    polygon_from_msg,
    polygon_to_msg,
    seconds,
    time_to_msg,
    waypoints_from_msg,
    waypoints_to_msg,
)
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.outcome import Level, Outcome, Status
from spatialpin_ros.plan import Alternative, CandidateFailure, Plan, PlanFailure, PlanStage, Trajectory
from spatialpin_ros.task import Task, TaskStep

_Name = TypeVar("_Name", bound=str)

STATUSES: dict[Status, int] = {
    "succeeded": OutcomeMsg.SUCCEEDED,
    "failed": OutcomeMsg.FAILED,
    "cancelled": OutcomeMsg.CANCELLED,
    "planned": OutcomeMsg.PLANNED,
}
LEVELS: dict[Level, int] = {
    "none": OutcomeMsg.LEVEL_NONE,
    "picked": OutcomeMsg.LEVEL_PICKED,
    "contacted": OutcomeMsg.LEVEL_CONTACTED,
    "stacked": OutcomeMsg.LEVEL_STACKED,
    "placed": OutcomeMsg.LEVEL_PLACED,
}


def task_to_msg(task: Task) -> TaskMsg:
    return TaskMsg(
        id=task.id,
        description=task.description,
        request=task.request,
        backend=task.backend,
        rationale=task.rationale,
        score=float(task.score),
        steps=[_step_to_msg(step) for step in task.steps],
    )


def task_from_msg(message: TaskMsg) -> Task:
    """Convert a task.

    Raises:
        InvalidValueError: when the message breaks a rule of the task, for example an empty id.
    """
    return Task(
        id=message.id,
        description=message.description,
        steps=tuple(_step_from_msg(step) for step in message.steps),
        request=message.request,
        backend=message.backend,
        rationale=message.rationale,
        score=message.score,
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _optional(value: float) -> float | None:
    return None if math.isnan(value) else value


def _step_to_msg(step: TaskStep) -> TaskStepMsg:
    message = TaskStepMsg(
        action=step.action,
        object_id=step.object_id,
        target_id=step.target_id,
        closing_width_m=_number(step.closing_width_m),
        lift_height_m=_number(step.lift_height_m),
        drop_height_m=_number(step.drop_height_m),
        keep_upright=step.keep_upright,
    )
    if step.area is not None:
        message.area = polygon_to_msg(step.area)
    return message


def _step_from_msg(message: TaskStepMsg) -> TaskStep:
    return TaskStep(
        action=message.action,
        object_id=message.object_id,
        target_id=message.target_id,
        area=polygon_from_msg(message.area) if message.area.points else None,
        closing_width_m=_optional(message.closing_width_m),
        lift_height_m=_optional(message.lift_height_m),
        drop_height_m=_optional(message.drop_height_m),
        keep_upright=message.keep_upright,
    )


def trajectory_to_msg(trajectory: Trajectory, frame: str = "", stamp_s: float = 0.0) -> JointTrajectory:
    """Convert a trajectory; times are rounded to nanoseconds. A zero stamp means: start now."""
    rows = zip(
        trajectory.times, trajectory.positions, trajectory.velocities, trajectory.accelerations, strict=True
    )
    points = [
        JointTrajectoryPoint(
            positions=floats(position),
            velocities=floats(velocity),
            accelerations=floats(acceleration),
            time_from_start=duration_to_msg(float(time)),
        )
        for time, position, velocity, acceleration in rows
    ]
    return JointTrajectory(
        header=header(frame, stamp_s), joint_names=list(trajectory.joint_names), points=points
    )


def trajectory_from_msg(message: JointTrajectory, joint_names: Sequence[str] = ()) -> Trajectory:
    """Convert a trajectory; missing velocities and accelerations are zero.

    Args:
        joint_names: the order wanted; the message's own when empty.

    Raises:
        InvalidValueError: when joints are missing or points have the wrong number of values.
    """
    names = tuple(joint_names) or tuple(message.joint_names)
    missing = sorted(set(names) - set(message.joint_names))
    if missing or len(set(message.joint_names)) != len(names):
        raise InvalidValueError(
            f"trajectory: joints {list(message.joint_names)} are not the expected {list(names)}"
        )
    order = [list(message.joint_names).index(name) for name in names]
    count = len(names)

    def values(field: str) -> FloatArray:
        rows = [getattr(point, field) for point in message.points]
        if field != "positions" and not any(len(row) for row in rows):
            return np.zeros((len(rows), count))
        wrong = [index for index, row in enumerate(rows) if len(row) != count]
        if wrong:
            raise InvalidValueError(
                f"trajectory: point {wrong[0]} needs {count} {field}, has {len(rows[wrong[0]])}"
            )
        return np.array(rows, dtype=np.float64).reshape(len(rows), count)[:, order]

    times = np.array([seconds(point.time_from_start) for point in message.points])
    return Trajectory(names, times, values("positions"), values("velocities"), values("accelerations"))


def plan_to_msg(plan: Plan, stamp_s: float = 0.0) -> PlanMsg:
    """Convert a plan; the stamp says when it was made."""
    return PlanMsg(
        header=header(plan.base_frame, stamp_s),
        task=task_to_msg(plan.task),
        stages=[_stage_to_msg(stage, plan.base_frame) for stage in plan.stages],
        joint_names=list(plan.joint_names),
        tip_frame=plan.tip_frame,
        object_t_tcp=named_poses_to_msg(plan.object_T_tcp),
        expected_poses=named_poses_to_msg(plan.expected_poses),
        scene_stamp=time_to_msg(plan.scene_stamp_s),
        metrics=named_values_to_msg(plan.metrics),
        alternatives=[_alternative_to_msg(item) for item in plan.alternatives],
    )


def plan_from_msg(message: PlanMsg) -> Plan:
    """Convert a plan.

    Raises:
        InvalidValueError: when the message breaks a rule of the plan, for example motions that do not join up.
    """
    return Plan(
        task=task_from_msg(message.task),
        stages=tuple(_stage_from_msg(stage) for stage in message.stages),
        joint_names=tuple(message.joint_names),
        base_frame=message.header.frame_id,
        tip_frame=message.tip_frame,
        object_T_tcp=named_poses_from_msg(message.object_t_tcp),
        expected_poses=named_poses_from_msg(message.expected_poses),
        scene_stamp_s=seconds(message.scene_stamp),
        metrics=named_values_from_msg(message.metrics),
        alternatives=tuple(_alternative_from_msg(item) for item in message.alternatives),
    )


def _alternative_to_msg(item: Alternative) -> PlanAlternativeMsg:
    return PlanAlternativeMsg(
        step_index=item.step_index, candidate=item.candidate, cost=_number(item.cost), detail=item.detail
    )


def _alternative_from_msg(message: PlanAlternativeMsg) -> Alternative:
    return Alternative(message.step_index, message.candidate, _optional(message.cost), message.detail)


def _stage_to_msg(stage: PlanStage, frame: str) -> PlanStageMsg:
    message = PlanStageMsg(
        name=stage.name,
        step_index=stage.step_index,
        has_trajectory=stage.trajectory is not None,
        gripper_width_m=float(stage.gripper_width_m or 0.0),
        gripper_force_n=float(stage.gripper_force_n),
        tcp_waypoints=waypoints_to_msg(stage.tcp_waypoints, frame),
        holding=stage.holding,
        linear=stage.linear,
        text=stage.text,
    )
    if stage.trajectory is not None:
        message.trajectory = trajectory_to_msg(stage.trajectory)
    return message


def _stage_from_msg(message: PlanStageMsg) -> PlanStage:
    return PlanStage(
        name=message.name,
        step_index=message.step_index,
        trajectory=trajectory_from_msg(message.trajectory) if message.has_trajectory else None,
        gripper_width_m=None if message.has_trajectory else message.gripper_width_m,
        gripper_force_n=message.gripper_force_n,
        tcp_waypoints=waypoints_from_msg(message.tcp_waypoints),
        holding=message.holding,
        linear=message.linear,
        text=message.text,
    )


def plan_failure_to_msg(failure: PlanFailure) -> PlanFailureMsg:
    candidates = [
        CandidateFailureMsg(
            candidate=item.candidate, stage=item.stage, reason=item.reason, detail=item.detail
        )
        for item in failure.candidates
    ]
    return PlanFailureMsg(
        reason=failure.reason,
        stage=failure.stage,
        message=failure.message,
        candidates=candidates,
        elapsed_s=float(failure.elapsed_s),
    )


def plan_failure_from_msg(message: PlanFailureMsg) -> PlanFailure:
    candidates = tuple(
        CandidateFailure(item.candidate, item.stage, item.reason, item.detail) for item in message.candidates
    )
    return PlanFailure(message.reason, message.stage, message.message, candidates, message.elapsed_s)


def outcome_to_msg(outcome: Outcome) -> OutcomeMsg:
    return OutcomeMsg(
        task_id=outcome.task_id,
        status=STATUSES[outcome.status],
        level=LEVELS[outcome.level],
        reason=outcome.reason,
        message=outcome.message,
        stage=outcome.stage,
        duration_s=float(outcome.duration_s),
        measurements=named_values_to_msg(outcome.measurements),
        object_ids=list(outcome.object_ids),
    )


def outcome_from_msg(message: OutcomeMsg) -> Outcome:
    """Convert an outcome.

    Raises:
        InvalidValueError: when the status or level is none of the message's constants.
    """
    return Outcome(
        task_id=message.task_id,
        status=_named(STATUSES, message.status, "status"),
        level=_named(LEVELS, message.level, "level"),
        reason=message.reason,
        message=message.message,
        stage=message.stage,
        duration_s=message.duration_s,
        measurements=named_values_from_msg(message.measurements),
        object_ids=tuple(message.object_ids),
    )


def _named(table: dict[_Name, int], number: int, what: str) -> _Name:
    for name, value in table.items():
        if value == number:
            return name
    raise InvalidValueError(f"outcome: {what} {number} is none of {table}")
