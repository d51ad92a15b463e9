# SPDX-License-Identifier: Apache-2.0
"""The scene, reasoner and planner nodes as blocking calls on nouns, for the executor's worker thread."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from spatialpin_interfaces.msg import Scene as SceneMsg
from spatialpin_interfaces.srv import CaptureScene, DescribeTask, PlanTask, ProposeTasks
from std_srvs.srv import Trigger

from spatialpin_ros.conversions import (
    plan_failure_from_msg,
    plan_from_msg,
    scene_from_msg,
    task_from_msg,
    task_to_msg,
)
from spatialpin_ros.conversions.basics import NANOSECONDS
from spatialpin_ros.errors import ExecutionError, PerceptionError, ReasoningError
from spatialpin_ros.execution import StopSignal
from spatialpin_ros.nodes.qos import LATCHED
from spatialpin_ros.nodes.support import ServiceCaller
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task

REMEMBERED_SCENES = 8
SERVICE_SLACK_S = 5.0
SCENE_RACE_S = 2.0
MOST_PROPOSALS = 12


class TaskRefusedError(ReasoningError):
    """The reasoner refused a request or the planner's answer does not fit; `reason` is the short code."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class StageServices:
    """Calls the other nodes.

    Args:
        node: the executor.
        values: its parameters: names of the nodes and time limits.
    """

    def __init__(self, node: Node, values: dict[str, Any]) -> None:
        scene, reasoner, planner = values["scene_node"], values["reasoner_node"], values["planner_node"]
        self._capture = ServiceCaller(node, CaptureScene, f"{scene}/capture")
        self._propose = ServiceCaller(node, ProposeTasks, f"{reasoner}/propose_tasks")
        self._describe = ServiceCaller(node, DescribeTask, f"{reasoner}/describe_task")
        self._plan = ServiceCaller(node, PlanTask, f"{planner}/plan_task")
        self._cancel_plan: Any = node.create_client(Trigger, f"{planner}/cancel")
        self._capture_s: float = values["capture_timeout_s"]
        self._reason_s: float = values["reasoning_timeout_s"]
        self._plan_s: float = values["planning_timeout_s"]
        self._lock = threading.Lock()
        self._scenes: OrderedDict[int, SceneMsg] = OrderedDict()
        self._listener: Callable[[Any], None] | None = None
        group = ReentrantCallbackGroup()
        node.create_subscription(SceneMsg, f"{scene}/scene", self._receive, LATCHED, callback_group=group)

    def tell_scenes(self, listener: Callable[[Any], None] | None) -> None:
        """Have the stamp of every scene that arrives from now on told to a listener; None ends that."""
        self._listener = listener

    def _receive(self, message: SceneMsg) -> None:
        self._remember(message)
        listener = self._listener
        if listener is not None:
            listener(message.header.stamp)

    def _remember(self, message: SceneMsg) -> None:
        with self._lock:
            key = _stamp(message.header.stamp)
            self._scenes[key] = message
            self._scenes.move_to_end(key)
            while len(self._scenes) > REMEMBERED_SCENES:
                self._scenes.popitem(last=False)

    def newest_scene(self) -> Scene:
        """Return the scene that was made last.

        Raises:
            PerceptionError: when there is none.
        """
        with self._lock:
            if not self._scenes:
                raise PerceptionError("there is no scene yet; call /scene/capture first")
            message = next(reversed(self._scenes.values()))
        return scene_from_msg(message)

    def scene_at(self, stamp_s: float) -> Scene:
        """Return the scene with this stamp, as one that a plan was made in.

        Raises:
            TaskRefusedError: with reason "stale_scene" when it is not among the last few.
        """
        wanted = round(stamp_s * NANOSECONDS)
        deadline = time.monotonic() + SCENE_RACE_S
        while True:
            with self._lock:
                # A stamp that went through float seconds is off by some hundred nanoseconds.
                found = [message for key, message in self._scenes.items() if abs(key - wanted) < 10_000]
            if found:
                return scene_from_msg(found[-1])
            if time.monotonic() > deadline:
                raise TaskRefusedError(
                    "stale_scene", "the plan's scene is not known any more; capture and plan again"
                )
            time.sleep(0.02)

    def capture(self, cancel: StopSignal | None) -> Scene:
        """Take a fresh scene.

        Raises:
            PerceptionError: when the scene node cannot make one; ExecutionError when it does not answer.
        """
        request = CaptureScene.Request(timeout_s=self._capture_s)
        response = self._capture(request, self._capture_s + SERVICE_SLACK_S, cancel)
        if not response.success:
            raise PerceptionError(response.message)
        self._remember(response.scene)
        return scene_from_msg(response.scene)

    def understand(self, request: str, cancel: StopSignal) -> Task:
        """Turn words into a task, or no words into the best proposal, stacks first.

        Raises:
            TaskRefusedError: with the reasoner's reason.
        """
        if request.strip():
            response = self._describe(DescribeTask.Request(request=request), self._reason_s, cancel)
            if not response.success:
                raise TaskRefusedError(response.reason or "not_understood", response.message)
            return task_from_msg(response.task)
        response = self._propose(ProposeTasks.Request(max_tasks=MOST_PROPOSALS), self._reason_s, cancel)
        tasks = [task_from_msg(task) for task in response.tasks]
        if not tasks:
            why = "; ".join(list(response.rejected)[:3]) or response.message
            raise TaskRefusedError("nothing_to_do", f"nothing can be done with this scene: {why}")
        return next((task for task in tasks if task.steps[-1].action == "place_on"), tasks[0])

    def plan(self, task: Task, scene_stamp_s: float, cancel: StopSignal) -> Plan | PlanFailure:
        """Plan a task in the scene with the given stamp.

        Raises:
            ExecutionError: when the planner does not answer, or only for another scene.
        """
        deadline = time.monotonic() + SCENE_RACE_S
        while True:
            result = self._plan_once(task, cancel)
            if isinstance(result, PlanFailure) or abs(result.scene_stamp_s - scene_stamp_s) < 1e-5:
                return result
            # The scene travels on another path than the request and may still be under way.
            if time.monotonic() > deadline:
                raise ExecutionError(
                    "the planner planned in another scene than the newest; is something capturing?"
                )
            time.sleep(0.05)

    def _plan_once(self, task: Task, cancel: StopSignal) -> Plan | PlanFailure:
        try:
            response = self._plan(PlanTask.Request(task=task_to_msg(task)), self._plan_s, cancel)
        except ExecutionError:
            if self._cancel_plan.service_is_ready():
                self._cancel_plan.call_async(Trigger.Request())
            raise
        if response.success:
            return plan_from_msg(response.plan)
        if not response.failure.reason:
            raise TaskRefusedError("planner_unavailable", response.message)
        return plan_failure_from_msg(response.failure)


def _stamp(time_message: Any) -> int:
    return int(time_message.sec) * NANOSECONDS + int(time_message.nanosec)
