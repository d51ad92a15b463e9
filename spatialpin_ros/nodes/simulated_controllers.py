# SPDX-License-Identifier: Apache-2.0
"""The simulated controllers as the action servers that ros2_control offers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from control_msgs.action import FollowJointTrajectory, GripperCommand, ParallelGripperCommand
from control_msgs.msg import JointTolerance
from rclpy.action.server import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.conversions import duration_to_msg, floats, header, seconds
from spatialpin_ros.nodes.physics import PhysicsThread
from spatialpin_ros.nodes.qos import ACTION_SERVICES, RELIABLE
from spatialpin_ros.nodes.support import wake
from spatialpin_ros.simulation import Acceptance, ArmGoal, ArmStatus, GoalState, GripperStatus, Workcell

FEEDBACK_PERIOD_S = 0.05


class _Goals:
    """Bookkeeping of one action server: which controller goal belongs to which action goal."""

    def __init__(self) -> None:
        self.accepted: dict[int, int] = {}
        self.watched: dict[int, tuple[Any, Future[Any]]] = {}
        self.told_s = -math.inf

    def due(self, now_s: float) -> bool:
        """Tell whether feedback is due."""
        if now_s - self.told_s < FEEDBACK_PERIOD_S:
            return False
        self.told_s = now_s
        return True


class _ControllerServer(ABC):
    """What both servers share: accept on the physics thread, await the end, set the goal's state."""

    def __init__(self, node: Node, physics: PhysicsThread, kind: Any, name: str) -> None:
        self._node, self._physics, self._goals = node, physics, _Goals()
        self._server: Any = ActionServer(
            node,
            kind,
            name,
            execute_callback=self._execute,
            goal_callback=self._accept,  # type: ignore[arg-type]  # rclpy awaits it
            cancel_callback=self._cancel,
            callback_group=ReentrantCallbackGroup(),
            **ACTION_SERVICES,
        )

    @abstractmethod
    def _start(self, cell: Workcell, request: Any) -> Acceptance:
        """Hand a goal to the simulated controller."""

    @abstractmethod
    def _stop(self, cell: Workcell, goal_id: int) -> None:
        """Have it come to rest."""

    @abstractmethod
    def _result(self, status: Any) -> Any:
        """Make the result message of a goal that ended."""

    async def _accept(self, request: Any) -> Any:
        acceptance = await self._physics.ask(lambda cell: self._start(cell, request))
        if not acceptance.accepted:
            self._node.get_logger().warning(f"goal rejected: {acceptance.message}")
            return GoalResponse.REJECT
        self._goals.accepted[id(request)] = acceptance.goal_id
        return GoalResponse.ACCEPT

    async def _execute(self, handle: Any) -> Any:
        goal_id = self._goals.accepted.pop(id(handle.request))
        ended: Future[Any] = Future(executor=self._node.executor)
        self._goals.watched[goal_id] = (handle, ended)
        status: Any = await ended
        if status.state is GoalState.SUCCEEDED:
            handle.succeed()
        elif status.state is GoalState.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return self._result(status)

    def _cancel(self, handle: Any) -> CancelResponse:
        for goal_id, (watched, _) in self._goals.watched.items():
            if watched.goal_id == handle.goal_id:
                self._physics.do(lambda cell, goal_id=goal_id: self._stop(cell, goal_id))  # type: ignore[misc]
        return CancelResponse.ACCEPT

    def _end(self, goal_id: int, status: Any) -> None:
        _, ended = self._goals.watched.pop(goal_id)
        ended.set_result(status)
        wake(ended)


class ArmServer(_ControllerServer):
    """FollowJointTrajectory, and the plain topic of joint_trajectory_controller."""

    def __init__(self, node: Node, physics: PhysicsThread, robot: RobotConfig) -> None:
        super().__init__(node, physics, FollowJointTrajectory, robot.controllers.arm_action)
        self._names = list(robot.joints)
        if robot.controllers.arm_topic:
            node.create_subscription(JointTrajectory, robot.controllers.arm_topic, self._on_topic, RELIABLE)

    def _on_topic(self, message: JointTrajectory) -> None:
        request = FollowJointTrajectory.Goal(trajectory=message)

        def start(cell: Workcell) -> None:
            acceptance = self._start(cell, request)
            if not acceptance.accepted:
                self._node.get_logger().warning(f"trajectory ignored: {acceptance.message}")

        self._physics.do(start)

    def _start(self, cell: Workcell, request: Any) -> Acceptance:
        stamp_s = seconds(request.trajectory.header.stamp)
        # The controller's clock counts only the time it was stepped.
        lag_s = cell.world.time_s - cell.arm.time_s
        return cell.arm.start(_arm_goal(request, stamp_s - lag_s if stamp_s > 0.0 else 0.0))

    def _stop(self, cell: Workcell, goal_id: int) -> None:
        cell.arm.cancel(goal_id)

    def _result(self, status: ArmStatus) -> Any:
        result = FollowJointTrajectory.Result()
        result.error_code, result.error_string = int(status.error_code), status.message
        return result

    def tick(self, cell: Workcell) -> None:
        """Tell watchers how their goals stand; on the physics thread."""
        due = self._goals.due(cell.world.time_s)
        for goal_id, (handle, _) in list(self._goals.watched.items()):
            status = cell.arm.status(goal_id)
            if status is None or not status.state.final:
                if status is not None and due:
                    handle.publish_feedback(self._feedback(status, cell.world.time_s))
                continue
            self._end(goal_id, status)

    def _feedback(self, status: ArmStatus, now_s: float) -> Any:
        feedback = FollowJointTrajectory.Feedback(header=header("", now_s), joint_names=self._names)
        since = duration_to_msg(max(status.time_from_start_s, 0.0))
        feedback.desired = JointTrajectoryPoint(
            positions=floats(status.desired),
            velocities=floats(status.desired_velocities),
            time_from_start=since,
        )
        feedback.actual = JointTrajectoryPoint(
            positions=floats(status.actual),
            velocities=floats(status.actual_velocities),
            time_from_start=since,
        )
        feedback.error = JointTrajectoryPoint(positions=floats(status.error), time_from_start=since)
        return feedback


def _arm_goal(request: Any, stamp_s: float) -> ArmGoal:
    points = request.trajectory.points
    return ArmGoal(
        joint_names=tuple(request.trajectory.joint_names),
        times=[seconds(point.time_from_start) for point in points],
        positions=[list(point.positions) for point in points],
        velocities=_optional([list(point.velocities) for point in points]),
        accelerations=_optional([list(point.accelerations) for point in points]),
        path_tolerance=_tolerances(request.path_tolerance),
        goal_tolerance=_tolerances(request.goal_tolerance),
        goal_time_tolerance_s=seconds(request.goal_time_tolerance) or None,
        stamp_s=stamp_s,
    )


def _optional(rows: list[list[float]]) -> list[list[float]] | None:
    return rows if any(rows) else None


def _tolerances(messages: Sequence[JointTolerance]) -> dict[str, float] | None:
    """Position tolerances by joint; 0 leaves the controller's own, a negative value is no limit."""
    return {message.name: message.position for message in messages if message.position != 0.0} or None


class GripperServer(_ControllerServer):
    """GripperCommand or ParallelGripperCommand, whichever the robot's configuration names."""

    def __init__(self, node: Node, physics: PhysicsThread, robot: RobotConfig) -> None:
        self._parallel = robot.controllers.gripper_action_type == "parallel_gripper_command"
        self._joints = list(robot.gripper.joints)
        kind = ParallelGripperCommand if self._parallel else GripperCommand
        super().__init__(node, physics, kind, robot.controllers.gripper_action)

    def _start(self, cell: Workcell, request: Any) -> Acceptance:
        command = request.command
        if not self._parallel:
            return cell.gripper.start(command.position, command.max_effort)
        position = command.position[0] if len(command.position) else math.nan
        return cell.gripper.start(position, command.effort[0] if len(command.effort) else 0.0)

    def _stop(self, cell: Workcell, goal_id: int) -> None:
        cell.gripper.cancel(goal_id)

    def _result(self, status: GripperStatus) -> Any:
        if self._parallel:
            state = JointState(
                name=self._joints[:1], position=floats([status.position]), effort=floats([status.effort])
            )
            return ParallelGripperCommand.Result(
                state=state, stalled=status.stalled, reached_goal=status.reached_goal
            )
        return GripperCommand.Result(
            position=status.position,
            effort=status.effort,
            stalled=status.stalled,
            reached_goal=status.reached_goal,
        )

    def tick(self, cell: Workcell) -> None:
        """Tell watchers how their goals stand; on the physics thread."""
        newest = cell.gripper.status()
        for goal_id in list(self._goals.watched):
            if newest is None or newest.goal_id != goal_id:
                preempted = GripperStatus(goal_id, GoalState.ABORTED, 0.0, 0.0, False, False, "preempted")
                self._end(goal_id, preempted)
            elif newest.state.final:
                self._end(goal_id, newest)
