# SPDX-License-Identifier: Apache-2.0
"""The arm and gripper behind ros2_control's actions, as execution wants them; used on worker threads."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from control_msgs.action import FollowJointTrajectory, GripperCommand, ParallelGripperCommand
from rclpy.action.client import ActionClient
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.config import RobotConfig
from spatialpin_ros.conversions import duration_to_msg, floats, seconds, trajectory_to_msg
from spatialpin_ros.errors import ExecutionError
from spatialpin_ros.execution import GripperResult, MotionResult, StopSignal
from spatialpin_ros.nodes.joint_states import JointStateMonitor
from spatialpin_ros.nodes.qos import RELIABLE
from spatialpin_ros.nodes.support import POLL_S, cancel_once_accepted, wait_for
from spatialpin_ros.plan import Trajectory

ANSWER_S = 5.0
CANCELLED_ANSWER_S = 1.0
STOP_S = 5.0
STANDING_RAD_S = 0.02
TOPIC_SETTLE_S = 2.0
TOPIC_TOLERANCE_RAD = 0.02
GRIPPER_S = 20.0
GRIPPER_ARRIVED_M = 0.001
GRIPPER_STILL_M = 0.0003
GRIPPER_REST_S = 0.25
GRIPPER_REST_LIMIT_S = 3.0
CODES = {
    getattr(FollowJointTrajectory.Result, name): name
    for name in (
        "INVALID_GOAL",
        "INVALID_JOINTS",
        "OLD_HEADER_TIMESTAMP",
        "PATH_TOLERANCE_VIOLATED",
        "GOAL_TOLERANCE_VIOLATED",
    )
}


class RosArm:
    """Sends FollowJointTrajectory goals, or where no such server is there, plain JointTrajectory messages."""

    def __init__(self, node: Node, robot: RobotConfig, joints: JointStateMonitor) -> None:
        self._node, self._robot, self._joints = node, robot, joints
        group = ReentrantCallbackGroup()
        self._client: Any = ActionClient(
            node, FollowJointTrajectory, robot.controllers.arm_action, callback_group=group
        )
        topic = robot.controllers.arm_topic
        self._topic = node.create_publisher(JointTrajectory, topic, RELIABLE) if topic else None
        self._handle: Any = None

    @property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(self._robot.joints)

    def joint_positions(self) -> FloatArray:
        return self._joints.positions()

    def follow(
        self, trajectory: Trajectory, cancel: StopSignal, on_progress: Callable[[float], None]
    ) -> MotionResult:
        """Follow a trajectory to its end; see `execution.Arm`. The arm stands also when this raises."""
        try:
            return self._follow(trajectory, cancel, on_progress)
        except BaseException:
            self.stop()
            self._stands_still()
            raise
        finally:
            self._handle = None

    def _follow(
        self, trajectory: Trajectory, cancel: StopSignal, on_progress: Callable[[float], None]
    ) -> MotionResult:
        if self._client.wait_for_server(1.0):
            return self._follow_action(trajectory, cancel, on_progress)
        if self._topic is not None and self._topic.get_subscription_count():
            return self._follow_topic(trajectory, cancel, on_progress)
        name = self._robot.controllers.arm_action
        return MotionResult("controller_lost", f"no controller serves {name}; load and activate it")

    def _follow_action(
        self, trajectory: Trajectory, cancel: StopSignal, on_progress: Callable[[float], None]
    ) -> MotionResult:
        progress = _Progress(trajectory.duration_s)
        goal = FollowJointTrajectory.Goal(trajectory=trajectory_to_msg(trajectory))
        sent = self._client.send_goal_async(goal, feedback_callback=progress.receive)
        try:
            handle = _answer(sent, "the arm's controller", cancel)
        except ExecutionError as error:
            return MotionResult("cancelled" if cancel.is_set() else "controller_lost", str(error))
        if not handle.accepted:
            return MotionResult("rejected", "the arm's controller rejected the trajectory; see its log")
        self._handle = handle
        return self._await_end(handle.get_result_async(), cancel, progress, on_progress)

    def _await_end(
        self, ended: Any, cancel: StopSignal, progress: _Progress, on_progress: Callable[[float], None]
    ) -> MotionResult:
        while not ended.done():
            if cancel.is_set():
                return self._cancelled(ended)
            if self._joints.stale:
                return self._lost()
            if progress.moved_on():
                on_progress(progress.share)
            time.sleep(POLL_S)
        return _motion_result(ended.result())

    def _cancelled(self, ended: Any) -> MotionResult:
        """Cancel the goal and wait until the controller has ended it and the arm stands."""
        self.stop()
        try:
            result = wait_for(ended, STOP_S, "the arm's controller after the cancellation")
        except ExecutionError as error:
            return MotionResult("controller_lost", str(error))
        if not self._stands_still():
            return MotionResult("controller_lost", "the controller ended the goal, but the arm still moves")
        if result.status == GoalStatus.STATUS_SUCCEEDED:
            return MotionResult("reached")
        return MotionResult("cancelled", "stopped on request")

    def _lost(self) -> MotionResult:
        """Give the goal up, in case the controller still listens."""
        self.stop()
        message = f"no joint states on {self._joints.topic} for {self._joints.age_s:.1f} s during the motion"
        return MotionResult(
            "controller_lost", f"{message}; the goal was cancelled, is the arm's driver alive?"
        )

    def _stands_still(self) -> bool:
        deadline = time.monotonic() + STOP_S
        while self._joints.fastest() > STANDING_RAD_S:
            if time.monotonic() > deadline or self._joints.stale:
                return False
            time.sleep(POLL_S)
        return True

    def _follow_topic(
        self, trajectory: Trajectory, cancel: StopSignal, on_progress: Callable[[float], None]
    ) -> MotionResult:
        """Publish the trajectory and watch the joint states, since the topic tells nothing back."""
        assert self._topic is not None
        self._topic.publish(trajectory_to_msg(trajectory))
        goal, began_s, path = trajectory.positions[-1], time.monotonic(), _length(trajectory.positions)
        limit_s = trajectory.duration_s * 3.0 + TOPIC_SETTLE_S
        while time.monotonic() - began_s < limit_s:
            if cancel.is_set():
                self.stop()
                stopped = self._stands_still()
                return MotionResult("cancelled" if stopped else "controller_lost", "stopped on request")
            if self._joints.stale:
                return self._lost()
            left = float(np.abs(self._joints.positions() - goal).max())
            on_progress(1.0 - min(left / path, 1.0))
            long_enough = time.monotonic() - began_s > 0.1
            if long_enough and left < TOPIC_TOLERANCE_RAD and self._joints.fastest() < STANDING_RAD_S:
                return MotionResult("reached")
            time.sleep(POLL_S)
        self.stop()
        return MotionResult("tolerance", "the arm did not arrive at the end of the trajectory in time")

    def stop(self) -> None:
        """Cancel the goal that runs; without an action server, command the arm to stay where it is."""
        if self._handle is not None:
            self._handle.cancel_goal_async()
        elif self._topic is not None and not self._client.server_is_ready() and not self._joints.stale:
            here = JointTrajectoryPoint(
                positions=floats(self._joints.positions()), time_from_start=duration_to_msg(0.3)
            )
            self._topic.publish(JointTrajectory(joint_names=list(self._robot.joints), points=[here]))


def _answer(sent: Any, what: str, cancel: StopSignal) -> Any:
    """Wait for the handle of a goal that was sent; a goal that is accepted after this gave up is cancelled.

    Raises:
        ExecutionError: when no answer comes in time, or none shortly after `cancel` is set.
    """
    try:
        try:
            return wait_for(sent, ANSWER_S, what, cancel)
        except ExecutionError:
            if not cancel.is_set():
                raise
            # Whoever answers now has a goal whose end can be waited for, so that the arm is known to stand.
            return wait_for(sent, CANCELLED_ANSWER_S, what)
    except BaseException:
        cancel_once_accepted(sent)
        raise


def _length(positions: FloatArray) -> float:
    """Largest distance of any joint from its end [rad], never 0."""
    return max(float(np.abs(positions - positions[-1]).max()), 1e-6)


class _Progress:
    """Share of a trajectory's time that has passed, from the controller's feedback."""

    def __init__(self, duration_s: float) -> None:
        self._duration_s, self._told = duration_s, -1.0
        self.share = 0.0

    def receive(self, message: Any) -> None:
        passed_s = seconds(message.feedback.desired.time_from_start)
        self.share = max(self.share, min(passed_s / self._duration_s, 1.0))

    def moved_on(self) -> bool:
        """Tell whether there is something new to report."""
        if self.share <= self._told:
            return False
        self._told = self.share
        return True


def _motion_result(response: Any) -> MotionResult:
    result, text = response.result, response.result.error_string
    if response.status == GoalStatus.STATUS_SUCCEEDED and result.error_code == result.SUCCESSFUL:
        return MotionResult("reached")
    name = CODES.get(result.error_code, f"error {result.error_code}")
    if "TOLERANCE" in name:
        return MotionResult("tolerance", f"{name}: {text}")
    return MotionResult("rejected", f"the controller gave the trajectory up ({name}): {text}")


class RosGripper:
    """Sends GripperCommand or ParallelGripperCommand goals, as the robot's configuration says."""

    def __init__(self, node: Node, robot: RobotConfig, joints: JointStateMonitor) -> None:
        self._config, self._joints = robot.gripper, joints
        self._parallel = robot.controllers.gripper_action_type == "parallel_gripper_command"
        kind = ParallelGripperCommand if self._parallel else GripperCommand
        self._name = robot.controllers.gripper_action
        self._client: Any = ActionClient(node, kind, self._name, callback_group=ReentrantCallbackGroup())

    def width(self) -> float | None:
        return self._joints.gripper_width()

    def move(self, width_m: float, force_n: float, cancel: StopSignal) -> GripperResult:
        """Open or close; see `execution.Gripper`."""
        if not self._client.wait_for_server(1.0):
            return self._failed("controller_lost", f"no controller serves {self._name}; load and activate it")
        sent = self._client.send_goal_async(self._goal(width_m, force_n))
        try:
            handle = _answer(sent, "the gripper", cancel)
        except ExecutionError as error:
            return self._failed("cancelled" if cancel.is_set() else "controller_lost", str(error))
        if not handle.accepted:
            return self._failed(
                "rejected", f"the gripper refused to go to {width_m * 1000:.1f} mm; see its log"
            )
        return self._await_end(handle, width_m, cancel)

    def _await_end(self, handle: Any, width_m: float, cancel: StopSignal) -> GripperResult:
        ended, deadline = handle.get_result_async(), time.monotonic() + GRIPPER_S
        while not ended.done():
            if cancel.is_set():
                handle.cancel_goal_async()
                return self._failed("cancelled", "stopped on request")
            if self._joints.stale or time.monotonic() > deadline:
                handle.cancel_goal_async()
                return self._failed("controller_lost", f"the gripper did not answer on {self._name}")
            time.sleep(POLL_S)
        response = ended.result()
        result = response.result
        if response.status != GoalStatus.STATUS_SUCCEEDED and not result.stalled:
            return self._failed("rejected", "the gripper gave the command up; see its log")
        ended_m = self._ended_m(result)
        if math.isnan(ended_m) or (result.reached_goal and not result.stalled):
            ended_m = self._at_rest(width_m, ended_m, cancel)
        return GripperResult(ended_m, stalled=result.stalled, reached=result.reached_goal)

    def _ended_m(self, result: Any) -> float:
        """Opening that the controller reports [m]; NaN when it reports none."""
        position = result.position if not self._parallel else next(iter(result.state.position), math.nan)
        return float(position) / self._config.joint_position_per_width

    def _at_rest(self, wanted_m: float, ended_m: float, cancel: StopSignal) -> float:
        """Opening at which the pads come to rest [m]: a controller with a wide tolerance reports where they pass by."""
        measured_m, since_s = self.width(), time.monotonic()
        deadline = since_s + GRIPPER_REST_LIMIT_S
        while measured_m is not None and abs(measured_m - wanted_m) > GRIPPER_ARRIVED_M:
            time.sleep(POLL_S)
            now_m, now_s = self.width() or 0.0, time.monotonic()
            if abs(now_m - measured_m) > GRIPPER_STILL_M:
                measured_m, since_s = now_m, now_s
            if now_s - since_s > GRIPPER_REST_S or now_s > deadline or cancel.is_set():
                return now_m
        return ended_m if measured_m is None else measured_m

    def _goal(self, width_m: float, force_n: float) -> Any:
        width_m = min(max(width_m, self._config.min_width_m), self._config.max_width_m)
        position = width_m * self._config.joint_position_per_width
        effort = min(force_n, self._config.max_force_n) if force_n > 0.0 else self._config.max_force_n
        if not self._parallel:
            goal = GripperCommand.Goal()
            goal.command.position, goal.command.max_effort = position, effort
            return goal
        command = JointState(
            name=self._config.joints[:1], position=floats([position]), effort=floats([effort])
        )
        return ParallelGripperCommand.Goal(command=command)

    def _failed(self, status: Any, message: str) -> GripperResult:
        width = self.width()
        return GripperResult(math.nan if width is None else width, False, False, status, message)
