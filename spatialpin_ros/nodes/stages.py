# SPDX-License-Identifier: Apache-2.0
"""The scene, reasoner and planner nodes as blocking calls on nouns, for the executor's worker thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from spatialpin_interfaces.srv import CaptureScene, DescribeTask, PlanTask, ProposeTasks
from std_srvs.srv import Trigger

from spatialpin_ros.conversions import (
    plan_failure_from_msg,
    plan_from_msg,
    scene_from_msg,
    task_from_msg,
    task_to_msg,
    time_to_msg,
)
from spatialpin_ros.errors import ExecutionError, PerceptionError, ReasoningError
from spatialpin_ros.execution import StopSignal
from spatialpin_ros.nodes.newest_scene import SAME_MOMENT_S, NewestScene, NoSceneError
from spatialpin_ros.nodes.qos import SERVICE
from spatialpin_ros.nodes.support import ServiceCaller
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task

SERVICE_SLACK_S = 5.0
MOST_PROPOSALS = 12


class TaskRefusedError(ReasoningError):
    """A stage refused a request, did not answer, or gave what does not fit; `reason` is the short code."""

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
        self._cancel_plan: Any = node.create_client(Trigger, f"{planner}/cancel", qos_profile=SERVICE)
        self._capture_s: float = values["capture_timeout_s"]
        self._reason_s: float = values["reasoning_timeout_s"]
        self._plan_s: float = values["planning_timeout_s"]
        self._scenes = NewestScene(node, f"{scene}/scene")

    def tell_scenes(self, listener: Callable[[Any], None] | None) -> None:
        """Have the stamp of every scene that arrives from now on told to a listener; None ends that."""
        self._scenes.tell(listener)

    def newest_scene(self) -> Scene:
        """Return the scene that was made last.

        Raises:
            PerceptionError: when there is none.
        """
        return self._scenes.get()

    def scene_at(self, stamp_s: float) -> Scene:
        """Return the scene with this stamp, as one that a plan was made in.

        Raises:
            TaskRefusedError: with reason "stale_scene" when it is not among the last few.
        """
        try:
            return self._scenes.at(stamp_s)
        except NoSceneError as error:
            raise TaskRefusedError("stale_scene", str(error)) from error

    def capture(self, cancel: StopSignal | None) -> Scene:
        """Take a fresh scene.

        Raises:
            PerceptionError: when the scene node cannot make one.
            TaskRefusedError: with reason "node_unavailable" when it does not answer.
        """
        request = CaptureScene.Request(timeout_s=self._capture_s)
        response = _answer(self._capture, request, self._capture_s + SERVICE_SLACK_S, cancel)
        if not response.success:
            raise PerceptionError(response.message)
        self._scenes.remember(response.scene)
        return scene_from_msg(response.scene)

    def understand(self, request: str, cancel: StopSignal) -> Task:
        """Turn words into a task, or no words into the best proposal, stacks first.

        Raises:
            TaskRefusedError: with the reasoner's reason, or "node_unavailable".
        """
        if request.strip():
            response = _answer(self._describe, DescribeTask.Request(request=request), self._reason_s, cancel)
            if not response.success:
                raise TaskRefusedError(response.reason or "not_understood", response.message)
            return task_from_msg(response.task)
        response = _answer(
            self._propose, ProposeTasks.Request(max_tasks=MOST_PROPOSALS), self._reason_s, cancel
        )
        tasks = [task_from_msg(task) for task in response.tasks]
        if not tasks:
            why = "; ".join(list(response.rejected)[:3]) or response.message
            raise TaskRefusedError("nothing_to_do", f"nothing can be done with this scene: {why}")
        return next((task for task in tasks if task.steps[-1].action == "place_on"), tasks[0])

    def plan(self, task: Task, scene_stamp_s: float, cancel: StopSignal) -> Plan | PlanFailure:
        """Plan a task in the scene with the given stamp, whatever was seen since.

        Raises:
            TaskRefusedError: with reason "node_unavailable" when the planner does not answer,
                "planner_unavailable" when it cannot work, "stale_scene" when it planned in another scene.
        """
        request = PlanTask.Request(task=task_to_msg(task), scene_stamp=time_to_msg(scene_stamp_s))
        try:
            response = _answer(self._plan, request, self._plan_s, cancel)
        except TaskRefusedError:
            if self._cancel_plan.service_is_ready():
                self._cancel_plan.call_async(Trigger.Request())
            raise
        if not response.success:
            if not response.failure.reason:
                raise TaskRefusedError("planner_unavailable", response.message)
            return plan_failure_from_msg(response.failure)
        plan = plan_from_msg(response.plan)
        if abs(plan.scene_stamp_s - scene_stamp_s) > SAME_MOMENT_S:
            raise TaskRefusedError(
                "stale_scene",
                f"the planner planned in the scene of {plan.scene_stamp_s:.3f} s instead of that of "
                f"{scene_stamp_s:.3f} s; let it heed scene_stamp",
            )
        return plan


def _answer(service: ServiceCaller, request: Any, timeout_s: float, cancel: StopSignal | None) -> Any:
    try:
        return service(request, timeout_s, cancel)
    except ExecutionError as error:
        raise TaskRefusedError("node_unavailable", str(error)) from error
