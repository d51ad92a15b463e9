# SPDX-License-Identifier: Apache-2.0
"""Executor node: carries tasks out one after the other, on request in words or as an action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action.server import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from spatialpin_interfaces.action import ExecuteTask
from spatialpin_interfaces.msg import Outcome as OutcomeMsg
from spatialpin_interfaces.msg import TaskProgress
from spatialpin_interfaces.srv import RequestTask
from std_srvs.srv import Trigger

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.conversions import (
    header,
    outcome_to_msg,
    plan_failure_to_msg,
    plan_from_msg,
    task_from_msg,
)
from spatialpin_ros.doubts import LEAST_CONFIDENCE
from spatialpin_ros.errors import SpatialPinError
from spatialpin_ros.execution import ExecutionOptions
from spatialpin_ros.nodes.arm import RosArm, RosGripper
from spatialpin_ros.nodes.joint_states import JointStateMonitor
from spatialpin_ros.nodes.parameters import ROBOT, Parameter, declare
from spatialpin_ros.nodes.plan_guard import PlanGuards
from spatialpin_ros.nodes.qos import ACTION_SERVICES, OUTCOMES, RELIABLE, SERVICE
from spatialpin_ros.nodes.stages import StageServices
from spatialpin_ros.nodes.support import Worker, now_s, run
from spatialpin_ros.nodes.task_runner import Ended, Job, Settings, TaskRunner, Told

PARAMETERS = (
    ROBOT,
    Parameter("dry_run", True, "Plan and show, and move only once ~/approve is called.", read_only=False),
    Parameter("approval_timeout_s", 600.0, "Longest wait for approval; 0: only plan [s].", 0.0, 86400.0,
              read_only=False),
    Parameter("velocity_scaling", 1.0, "Fraction of the planned velocities.", 0.01, 1.0, read_only=False),
    Parameter("start_tolerance_rad", 0.01, "Most deviation of a joint from a plan's start.", 0.0001, 0.5,
              read_only=False),
    Parameter("scene_max_age_s", 120.0, "Older scenes are captured again before planning and moving; 0: never [s].",
              0.0, 1e6, read_only=False),
    Parameter("allow_estimated_depth", False, "Move without approval although depth was estimated, not measured.",
              read_only=False),
    Parameter("least_confidence", LEAST_CONFIDENCE, "Objects recognised with less are moved only once approved.",
              0.0, 1.0, read_only=False),
    Parameter("joint_states_timeout_s", 2.0, "Silence that counts as a lost controller [s].", 0.1, 60.0),
    Parameter("capture_timeout_s", 15.0, "Most time for a scene [s].", 1.0, 600.0),
    Parameter("reasoning_timeout_s", 300.0, "Most time for a task or proposals [s].", 1.0, 3600.0),
    Parameter("planning_timeout_s", 60.0, "Most time for a plan [s].", 1.0, 600.0),
    Parameter("scene_node", "/scene", "Full name of the scene node.", is_name=True),
    Parameter("reasoner_node", "/reasoner", "Full name of the reasoner node.", is_name=True),
    Parameter("planner_node", "/planner", "Full name of the planner node.", is_name=True),
    Parameter("queue_size", 10, "Most requests waiting.", 1, 1000),
)  # fmt: skip
FINAL_STATES = {
    "succeeded": TaskProgress.SUCCEEDED,
    "failed": TaskProgress.FAILED,
    "cancelled": TaskProgress.CANCELLED,
    "planned": TaskProgress.PLANNED,
}


class ExecutorNode(Node):
    """Serves ~/execute_task, ~/request_task, ~/stop and ~/approve; publishes ~/progress and ~/outcome."""

    def __init__(self) -> None:
        super().__init__("executor")
        values = declare(self, PARAMETERS)
        robot = RobotConfig.load(values["robot"])
        joints = JointStateMonitor(self, robot, values["joint_states_timeout_s"])
        self._arm = RosArm(self, robot, joints)
        stages = StageServices(self, values)
        guards = PlanGuards(self, values["planner_node"], stages)
        gripper = RosGripper(self, robot, joints)
        self._runner = TaskRunner(self._arm, gripper, stages, lambda: now_s(self), guards.watch)
        self._worker = Worker(self, "execution")
        self._jobs: list[Job] = []
        self._goals: dict[bytes, Job] = {}
        self._queue_size: int = values["queue_size"]
        self._count = 0
        self._progress_topic = self.create_publisher(TaskProgress, "~/progress", RELIABLE)
        self._outcome_topic = self.create_publisher(OutcomeMsg, "~/outcome", OUTCOMES)
        group = ReentrantCallbackGroup()
        serving: Any = {"qos_profile": SERVICE, "callback_group": group}
        self.create_service(RequestTask, "~/request_task", self._request, **serving)
        self.create_service(Trigger, "~/stop", self._stop, **serving)
        self.create_service(Trigger, "~/approve", self._approve, **serving)
        self._server: Any = ActionServer(
            self,
            ExecuteTask,
            "~/execute_task",
            execute_callback=self._execute,
            goal_callback=self._accept,
            cancel_callback=self._cancel,
            callback_group=group,
            **ACTION_SERVICES,
        )
        mode = "dry run: nothing moves before ~/approve" if values["dry_run"] else "moves on request"
        self.get_logger().info(f"ready for '{robot.name}'; {mode}")

    def _settings(self) -> Settings:
        names = ("dry_run", "approval_timeout_s", "velocity_scaling", "scene_max_age_s", "least_confidence",
                 "allow_estimated_depth")  # fmt: skip
        values: dict[str, Any] = {name: self.get_parameter(name).value for name in names}
        tolerance = float(self.get_parameter("start_tolerance_rad").value or 0.01)
        return Settings(**values, execution=ExecutionOptions(start_tolerance_rad=tolerance))

    def _new_id(self) -> str:
        self._count += 1
        return f"task-{self._count:04d}"

    def _request(self, request: Any, response: Any) -> Any:
        if len(self._jobs) >= self._queue_size:
            response.message = f"{len(self._jobs)} tasks are waiting already; try again later or call ~/stop"
            return response
        job = Job(self._new_id(), request=request.request)
        self._jobs.append(job)
        ahead = len(self._jobs) - 1
        self._tell(
            job, Told(TaskProgress.QUEUED, "", 0.0, f"queued behind {ahead} tasks" if ahead else "queued")
        )
        self._worker.submit(lambda: self._do(job, lambda told: self._tell(job, told)))
        response.accepted, response.task_id = True, job.task_id
        response.message = f"follow it on {self._progress_topic.topic_name}"
        return response

    def _do(self, job: Job, tell: Callable[[Told], None]) -> Ended:
        """Run a job and announce its end; on the worker's thread."""
        try:
            ended = self._runner.run(job, self._settings(), tell)
        finally:
            self._jobs.remove(job)
        outcome = ended.outcome
        self._outcome_topic.publish(outcome_to_msg(outcome))
        told = Told(FINAL_STATES[outcome.status], outcome.stage, 1.0, outcome.message)
        self._tell(job, told, outcome.reason)
        if ended.trace:
            self.get_logger().error(f"{job.task_id}: {ended.trace}")
        self.get_logger().info(
            f"{job.task_id}: {outcome.status} ({outcome.level}) {outcome.reason} {outcome.message}"
        )
        return ended

    def _tell(self, job: Job, told: Told, reason: str = "") -> None:
        message = TaskProgress(
            header=header("", now_s(self)),
            task_id=job.task_id,
            state=told.state,
            stage=told.stage,
            progress=told.progress,
            text=told.text,
            reason=reason,
        )
        self._progress_topic.publish(message)

    def _stop(self, _: Any, response: Any) -> Any:
        jobs = list(self._jobs)
        for job in jobs:
            job.cancel.set()
        response.success, response.message = True, f"stopping {len(jobs)} tasks"
        return response

    def _approve(self, _: Any, response: Any) -> Any:
        jobs = list(self._jobs)
        given = next((job.task_id for job in jobs if job.approval.give()), None)
        if given is None:
            doing = f"; {jobs[0].task_id} shows no plan now" if jobs else ""
            response.message = f"no plan is waiting for approval{doing}"
            return response
        response.success, response.message = True, f"{given} may move"
        return response

    def _accept(self, _: Any) -> GoalResponse:
        if self._jobs:
            self.get_logger().warning(f"goal rejected: busy with {self._jobs[0].task_id}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _cancel(self, handle: Any) -> CancelResponse:
        job = self._goals.get(_key(handle))
        if job is not None:
            job.cancel.set()
        return CancelResponse.ACCEPT

    async def _execute(self, handle: Any) -> Any:
        try:
            job = self._job(handle.request)
        except SpatialPinError as error:
            return self._give_up(handle, f"the goal is not a task: {error}")
        except Exception as error:  # the action's boundary: an empty result would read as a success
            return self._give_up(handle, f"the goal cannot be read: {error!r}")
        try:
            return self._finish(handle, await self._carry_out(handle, job))
        except Exception as error:  # the same boundary
            return self._give_up(handle, f"a fault of the program ended the task: {error!r}")

    async def _carry_out(self, handle: Any, job: Job) -> Ended:
        def tell(told: Told) -> None:
            feedback = ExecuteTask.Feedback(
                state=told.state, stage=told.stage, progress=told.progress, text=told.text
            )
            handle.publish_feedback(feedback)
            self._tell(job, told)

        self._jobs.append(job)
        self._goals[_key(handle)] = job
        if handle.is_cancel_requested:
            job.cancel.set()
        try:
            return await self._worker.run(lambda: self._do(job, tell))
        finally:
            del self._goals[_key(handle)]

    def _give_up(self, handle: Any, message: str) -> Any:
        self.get_logger().error(message)
        if handle.is_active:
            handle.abort()
        return ExecuteTask.Result(status=ExecuteTask.Result.FAILED, message=message)

    def _job(self, goal: Any) -> Job:
        plan = plan_from_msg(goal.plan) if goal.plan.stages else None
        task = plan.task if plan is not None else task_from_msg(goal.task)
        job = Job(task.id, task=task, plan=plan)
        if goal.approved:
            job.approval.give_in_advance()
        return job

    def _finish(self, handle: Any, ended: Ended) -> Any:
        outcome = ended.outcome
        result = ExecuteTask.Result(outcome=outcome_to_msg(outcome), message=outcome.message)
        result.status = result.outcome.status
        if ended.failure is not None:
            result.plan_failure = plan_failure_to_msg(ended.failure)
        if outcome.status in ("succeeded", "planned"):
            handle.succeed()
        elif outcome.status == "cancelled" and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result

    def close(self) -> None:
        """Bring the arm to a stop before the node goes."""
        for job in list(self._jobs):
            job.cancel.set()
        self._worker.close(timeout_s=6.0)


def _key(handle: Any) -> bytes:
    """What a goal of the action is known by, whatever it carries."""
    return bytes(handle.goal_id.uuid)


def main() -> None:
    run(ExecutorNode)


if __name__ == "__main__":
    main()
