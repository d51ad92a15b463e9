# SPDX-License-Identifier: Apache-2.0
"""GraphClient: the running ROS graph as a workcell of plain blocking calls, for the demo, the CLI and scripts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rclpy.action.client import ActionClient
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from spatialpin_interfaces.action import ExecuteTask
from spatialpin_interfaces.msg import Scene as SceneMsg
from spatialpin_interfaces.msg import TaskProgress
from spatialpin_interfaces.srv import (
    AskScene,
    CaptureScene,
    DescribeTask,
    PlanTask,
    ProposeTasks,
    RandomizeScene,
)

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.conversions import (
    color_from_msg,
    outcome_from_msg,
    plan_failure_from_msg,
    plan_from_msg,
    plan_to_msg,
    scene_from_msg,
    seconds,
    task_from_msg,
    task_to_msg,
)
from spatialpin_ros.demo.recorder import VERIFY, Recorder
from spatialpin_ros.demo.workcell import Answered, Progress, Proposed
from spatialpin_ros.errors import BackendError, ExecutionError, PerceptionError, ReasoningError
from spatialpin_ros.nodes.qos import ACTION_SERVICES, LATCHED
from spatialpin_ros.nodes.servers import Server, ServerLostError
from spatialpin_ros.nodes.session import GraphSession
from spatialpin_ros.nodes.support import cancel_once_accepted
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task

CANCEL_LIMIT_S = 15.0
ROUND_LIMIT_S = 1.0
SHORT_STATES = {
    TaskProgress.QUEUED: "queue",
    TaskProgress.LOOKING: "look",
    TaskProgress.REASONING: "understand",
    TaskProgress.PLANNING: "plan",
    TaskProgress.WAITING_FOR_APPROVAL: "approval",
    TaskProgress.VERIFYING: VERIFY,
}


@dataclass(frozen=True, slots=True)
class GraphNames:
    """Names of what the nodes offer."""

    capture: str = "/scene/capture"
    scene: str = "/scene/scene"
    propose: str = "/reasoner/propose_tasks"
    ask: str = "/reasoner/ask"
    describe: str = "/reasoner/describe_task"
    plan: str = "/planner/plan_task"
    execute: str = "/executor/execute_task"
    randomize: str = "/simulator/randomize"
    joint_states: str = "/joint_states"
    color: str = "/scene/color"
    film: str = "/simulator/overview"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait for a reply [s] of wall time."""

    accept_s: float = 10.0
    capture_s: float = 30.0
    reason_s: float = 300.0
    plan_s: float = 60.0
    execute_s: float = 600.0  # without any progress


class _Patience:
    """Runs out when an execution tells nothing for too long, but never while a person is asked for approval.

    Args:
        limit_s: longest silence.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s, self._heard_s = limit_s, time.monotonic()
        self.asking = False

    def hear(self, state: int) -> None:
        self._heard_s, self.asking = time.monotonic(), state == TaskProgress.WAITING_FOR_APPROVAL

    @property
    def over(self) -> bool:
        return not self.asking and time.monotonic() - self._heard_s > self._limit_s


class GraphClient:
    """A workcell behind ROS interfaces.

    Args:
        session: its own node and thread; None joins the domain of ROS_DOMAIN_ID on the system's time.
        names: of the graph's interfaces.
        limits: on waiting.
        film: record the pictures of `names.film` while a plan is executed; the simulator renders them only then.
    """

    def __init__(
        self,
        session: GraphSession | None = None,
        *,
        names: GraphNames | None = None,
        limits: Limits | None = None,
        film: bool = False,
    ) -> None:
        self.session = session or GraphSession()
        self.names, self.limits = names or GraphNames(), limits or Limits()
        self.recorder = Recorder()
        self._film = film
        self.notes: tuple[str, ...] = ()
        self._scene: Scene | None = None
        self._heard_stamp_s = -1.0
        self._color: Image | None = None
        node = self.session.node
        self._execute: Any = ActionClient(node, ExecuteTask, self.names.execute, **ACTION_SERVICES)
        node.create_subscription(SceneMsg, self.names.scene, self._on_scene, LATCHED)
        node.create_subscription(
            JointState, self.names.joint_states, self._on_joints, qos_profile_sensor_data
        )
        node.create_subscription(Image, self.names.color, self._on_color, LATCHED)
        self.session.start()

    def _on_scene(self, message: SceneMsg) -> None:
        self._scene = scene_from_msg(message)
        self._heard_stamp_s = self._scene.stamp_s

    def _on_joints(self, message: JointState) -> None:
        self.recorder.joints(seconds(message.header.stamp), message.name, message.position, message.velocity)

    def _on_color(self, message: Image) -> None:
        self._color = message

    def _on_film(self, message: Image) -> None:
        self.recorder.image(seconds(message.header.stamp), color_from_msg(message))

    @property
    def transport(self) -> str:
        return f"ROS 2, domain {self.session.domain_id}"

    def wait_until_ready(
        self, limit_s: float, needed: Sequence[str], on_change: Callable[[list[str]], None] = lambda _: None
    ) -> None:
        """Wait until all needed interfaces are there.

        Args:
            limit_s: most wall time.
            needed: field names of GraphNames.
            on_change: told the interfaces that are still missing whenever that changes.

        Raises:
            BackendError: names what is missing when the time is over.
        """
        deadline = time.monotonic() + limit_s
        missing = list(needed)
        while missing:
            name = missing[0]
            on_change(missing)
            complaint = (
                f"after {limit_s:.0f} s {getattr(self.names, name)} is still missing; are the nodes running?"
            )
            self.session.wait_until(lambda: self._is_there(name), deadline - time.monotonic(), complaint)  # noqa: B023
            missing = [name for name in missing if not self._is_there(name)]

    def _is_there(self, name: str) -> bool:
        if name == "execute":
            return bool(self._execute.server_is_ready())
        if name in SERVICES:
            return self.session.service_is_ready(getattr(self.names, name), SERVICES[name])
        return self.session.node.count_publishers(getattr(self.names, name)) > 0

    def _call(self, name: str, request: Any, limit_s: float) -> Any:
        return self.session.call(getattr(self.names, name), SERVICES[name], request, limit_s)

    def randomize(self, seed: int, objects: int) -> tuple[str, ...]:
        reply = self._call(
            "randomize", RandomizeScene.Request(seed=seed, objects=objects), self.limits.capture_s
        )
        if not reply.success:
            raise BackendError(f"the simulator could not make the scene: {reply.message}")
        return tuple(reply.objects_placed)

    def capture(self, names: Sequence[str] = ()) -> Scene:
        """Ask for a fresh scene; `notes` then says what was assumed or left out.

        Args:
            names: of objects to look for with the learned detector; none: those of the perception YAML.

        Raises:
            PerceptionError: with the scene node's message.
        """
        reply = self._call("capture", CaptureScene.Request(names=list(names)), self.limits.capture_s)
        if not reply.success:
            raise PerceptionError(reply.message)
        self.notes = tuple(reply.notes)
        self._scene = scene_from_msg(reply.scene)
        self._await_scene(self._scene.stamp_s)
        return self._scene

    def _await_scene(self, stamp_s: float) -> None:
        """Wait until the scene has gone round by its topic: the other nodes then have it too."""
        deadline = time.monotonic() + ROUND_LIMIT_S
        while self._heard_stamp_s < stamp_s - 1e-6 and time.monotonic() < deadline:
            time.sleep(0.002)

    def image(self) -> UInt8Array | None:
        deadline = time.monotonic() + ROUND_LIMIT_S
        while (
            self._scene is not None and not self._color_belongs(self._scene) and time.monotonic() < deadline
        ):
            time.sleep(0.002)
        return None if self._color is None else color_from_msg(self._color)

    def _color_belongs(self, scene: Scene) -> bool:
        return self._color is not None and seconds(self._color.header.stamp) > scene.stamp_s - 1e-6

    def newest_scene(self) -> Scene | None:
        return self._scene

    def propose(self, max_tasks: int) -> Proposed:
        reply = self._call("propose", ProposeTasks.Request(max_tasks=max_tasks), self.limits.reason_s)
        if not reply.success:
            raise ReasoningError(reply.message)
        return Proposed(tuple(task_from_msg(task) for task in reply.tasks), tuple(reply.rejected))

    def describe(self, request: str) -> Task:
        reply = self._call("describe", DescribeTask.Request(request=request), self.limits.reason_s)
        if not reply.success:
            raise ReasoningError(reply.message)
        return task_from_msg(reply.task)

    def answer(self, question: str) -> Answered:
        reply = self._call("ask", AskScene.Request(question=question), self.limits.reason_s)
        if not reply.success:
            raise ReasoningError(reply.text or reply.reason)
        value = reply.value if reply.has_value else None
        evidence = reply.evidence
        return Answered(
            reply.text, value, reply.unit, tuple(evidence.object_ids), evidence.program, evidence.frame
        )

    def plan(self, task: Task) -> Plan | PlanFailure:
        reply = self._call("plan", PlanTask.Request(task=task_to_msg(task)), self.limits.plan_s)
        if reply.success:
            return plan_from_msg(reply.plan)
        if not reply.failure.reason:
            raise BackendError(f"the planner could not work: {reply.message}")
        return plan_failure_from_msg(reply.failure)

    def execute(
        self,
        task: Task,
        plan: Plan,
        on_progress: Callable[[Progress], None],
        cancel: threading.Event,
        *,
        approved: bool = True,
    ) -> Outcome:
        """Carry out a plan through the executor's action; whatever is raised, the task is cancelled before.

        Raises:
            ExecutionError: when the goal is rejected or no outcome comes.
        """
        goal = ExecuteTask.Goal(task=task_to_msg(task), plan=plan_to_msg(plan), approved=approved)
        patience = _Patience(self.limits.execute_s)

        def on_feedback(message: Any) -> None:
            patience.hear(message.feedback.state)
            self._on_feedback(message, on_progress)

        server = self.session.server(f"{self.names.execute}/_action/send_goal", self._execute.server_is_ready)
        with self._recorded(plan):
            sent = self._execute.send_goal_async(goal, feedback_callback=on_feedback)
            try:
                handle = self.session.result(
                    sent, self.limits.accept_s, f"action {self.names.execute}", server.check
                )
            except BaseException:
                cancel_once_accepted(sent)
                raise
            if not handle.accepted:
                raise ExecutionError("the executor rejected the task; is it busy with another one?")
            return self._await_outcome(handle, cancel, patience, server)

    @contextmanager
    def _recorded(self, plan: Plan) -> Iterator[None]:
        self.recorder.begin(plan, self.session.now_s)
        film = None
        if self._film:
            film = self.session.node.create_subscription(
                Image, self.names.film, self._on_film, qos_profile_sensor_data
            )
        try:
            yield
        finally:
            self.recorder.end(self.session.now_s)
            if film is not None:
                self.session.node.destroy_subscription(film)

    def _on_feedback(self, message: Any, on_progress: Callable[[Progress], None]) -> None:
        told, now_s = message.feedback, self.session.now_s
        stage = told.stage or SHORT_STATES.get(told.state, "execute")
        self.recorder.stage(now_s, stage, told.text)
        on_progress(Progress(stage, float(told.progress), told.text, now_s))

    def _await_outcome(
        self, handle: Any, cancel: threading.Event, patience: _Patience, server: Server
    ) -> Outcome:
        done = threading.Event()
        future: Any = handle.get_result_async()
        future.add_done_callback(lambda _: done.set())
        try:
            while not (done.wait(0.1) or cancel.is_set()):
                self.session.health()
                self._check_alive(patience, server)
        except ServerLostError as error:
            raise ExecutionError(f"{error}; stop the arm by hand if it moves") from error
        except BaseException:
            handle.cancel_goal_async()
            done.wait(CANCEL_LIMIT_S)
            raise
        if not done.is_set():
            handle.cancel_goal_async()
            if not done.wait(CANCEL_LIMIT_S):
                raise ExecutionError("the executor did not end the task; stop the arm by hand if it moves")
        return self._outcome(future.result().result)

    def _check_alive(self, patience: _Patience, server: Server) -> None:
        server.check()
        if patience.over:
            raise ExecutionError(
                f"the executor told nothing for {self.limits.execute_s:.0f} s; the task was cancelled, "
                "stop the arm by hand if it moves"
            )

    def _outcome(self, result: Any) -> Outcome:
        if not result.outcome.task_id:
            raise ExecutionError(f"the executor ended without an outcome: {result.message}")
        return outcome_from_msg(result.outcome)

    def close(self) -> None:
        """Leave the graph."""
        self.session.close()

    def __enter__(self) -> GraphClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


SERVICES: dict[str, Any] = {
    "capture": CaptureScene,
    "propose": ProposeTasks,
    "ask": AskScene,
    "describe": DescribeTask,
    "plan": PlanTask,
    "randomize": RandomizeScene,
}
