# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that run real nodes: graphs of processes on ROS domains of their own."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from rclpy.action.client import ActionClient
from spatialpin_interfaces.action import ExecuteTask
from spatialpin_interfaces.msg import Outcome, TaskProgress
from spatialpin_interfaces.srv import CaptureScene, PlanTask, ProposeTasks, RandomizeScene, RequestTask
from std_srvs.srv import Trigger

from spatialpin_ros.demo.processes import NodeCommand, NodeProcesses, free_domain, node_environment
from spatialpin_ros.nodes.joint_states import JointStateMonitor
from spatialpin_ros.nodes.qos import OUTCOMES, RELIABLE
from spatialpin_ros.nodes.session import GraphSession

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def own_domain(ros_domain_id: int) -> int:
    """Give every test here a ROS domain of its own, whether it asks for one or not."""
    return ros_domain_id


class Graph:
    """Node processes and a session among them.

    Args:
        nodes: parameters ("name:=value") by node name.
        folder: for logs.
    """

    def __init__(self, nodes: dict[str, tuple[str, ...]], folder: Path, *, sim_time: bool = True) -> None:
        clock = f"use_sim_time:={str(sim_time).lower()}"
        commands = []
        for name, values in nodes.items():
            own = "use_sim_time:=false" if name == "simulator" else clock
            arguments = [part for value in (own, *values) for part in ("-p", value)]
            commands.append(NodeCommand(name, f"spatialpin_ros.nodes.{name}", ("--ros-args", *arguments)))
        self.domain = free_domain()
        self.processes = NodeProcesses(commands, node_environment(self.domain), folder)
        self.progress: list[TaskProgress] = []
        self.outcomes: dict[str, Outcome] = {}
        self._changed = threading.Condition()

    def __enter__(self) -> Graph:
        self.processes.__enter__()
        try:
            self.session = GraphSession(self.domain)
            self.node = self.session.node
            self.node.create_subscription(TaskProgress, "/executor/progress", self._on_progress, RELIABLE)
            self.node.create_subscription(Outcome, "/executor/outcome", self._on_outcome, OUTCOMES)
            self._execute = ActionClient(self.node, ExecuteTask, "/executor/execute_task")
            self.session.start()
        except BaseException:
            self.processes.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()
        self.processes.stop()

    def _on_progress(self, message: TaskProgress) -> None:
        with self._changed:
            self.progress.append(message)
            self._changed.notify_all()

    def _on_outcome(self, message: Outcome) -> None:
        with self._changed:
            self.outcomes[message.task_id] = message
            self._changed.notify_all()

    def wait_until(self, condition, what: str, limit_s: float = WAIT_S):
        """Wait for something that progress or outcomes make true."""
        with self._changed:
            assert self._changed.wait_for(condition, limit_s), f"{what}; logs:\n{self.logs()}"

    def logs(self) -> str:
        return "\n".join(f"--- {name}\n{self.processes.tail(name)}" for name in self.processes.logs)

    def call(self, kind, name, request=None, limit_s: float = WAIT_S):
        ready = lambda: self.session.service_is_ready(name, kind)  # noqa: E731
        self.session.wait_until(ready, WAIT_S, f"{name} is not there; logs:\n{self.logs()}")
        return self.session.call(name, kind, request or kind.Request(), limit_s)

    def trigger(self, name: str):
        return self.call(Trigger, name)

    def randomize(self, seed: int, objects: int = 4) -> list[str]:
        reply = self.call(
            RandomizeScene, "/simulator/randomize", RandomizeScene.Request(seed=seed, objects=objects)
        )
        assert reply.success, reply.message
        return list(reply.objects_placed)

    def capture(self, **fields):
        return self.call(CaptureScene, "/scene/capture", CaptureScene.Request(**fields))

    def stack_plan(self):
        """Capture, propose and plan a stack; returns the task and its plan."""
        reply = self.capture()
        assert reply.success, reply.message
        tasks = self.call(ProposeTasks, "/reasoner/propose_tasks").tasks
        for task in (task for task in tasks if task.steps[-1].action == "place_on"):
            planned = self.call(PlanTask, "/planner/plan_task", PlanTask.Request(task=task))
            if planned.success:
                return task, planned.plan
        raise AssertionError(
            f"none of {[task.description for task in tasks]} could be planned\n{self.logs()}"
        )

    def request(self, words: str) -> str:
        reply = self.call(RequestTask, "/executor/request_task", RequestTask.Request(request=words))
        assert reply.accepted, reply.message
        return reply.task_id

    def outcome(self, task_id: str, limit_s: float = WAIT_S) -> Outcome:
        self.wait_until(lambda: task_id in self.outcomes, f"no outcome of {task_id}", limit_s)
        return self.outcomes[task_id]

    def states(self, task_id: str) -> list[int]:
        return list(dict.fromkeys(item.state for item in self.progress if item.task_id == task_id))

    def execute(self, goal) -> Execution:
        assert self._execute.wait_for_server(WAIT_S), self.logs()
        return Execution(self, self._execute, goal)

    def joints(self, robot, timeout_s: float = 2.0) -> JointStateMonitor:
        return JointStateMonitor(self.node, robot, timeout_s)

    def signal(self, name: str, number: signal.Signals) -> None:
        self.processes._running[name].send_signal(number)

    def exit_status(self, name: str, limit_s: float = 15.0) -> int:
        return self.processes._running[name].wait(limit_s)


class Execution:
    """One goal of the executor's action with its feedback."""

    def __init__(self, graph: Graph, client, goal) -> None:
        self._graph, self.feedback = graph, []
        self._changed = threading.Condition()
        sent = client.send_goal_async(goal, feedback_callback=self._on_feedback)
        self.handle = graph.session.result(sent, WAIT_S, "the executor")
        self._result = self.handle.get_result_async() if self.handle.accepted else None

    def _on_feedback(self, message) -> None:
        with self._changed:
            self.feedback.append(message.feedback)
            self._changed.notify_all()

    def wait_for_stage(self, stage: str, least_progress: float = 0.0) -> None:
        def there() -> bool:
            return any(item.stage == stage and item.progress >= least_progress for item in self.feedback)

        with self._changed:
            assert self._changed.wait_for(there, WAIT_S), (
                f"no stage {stage}: {self.feedback}\n{self._graph.logs()}"
            )

    def cancel(self) -> None:
        self._graph.session.result(self.handle.cancel_goal_async(), WAIT_S, "the cancellation")

    def result(self, limit_s: float = WAIT_S):
        """Return the status of the action and its result."""
        response = self._graph.session.result(self._result, limit_s, "the result of the action")
        return response.status, response.result

    @property
    def stages(self) -> list[str]:
        return list(dict.fromkeys(item.stage for item in self.feedback if item.stage))


SIMULATED = {
    "simulator": ("real_time_factor:=2.0",),
    "scene": (),
    "reasoner": (),
    "planner": (),
    "executor": ("dry_run:=false",),
}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """The whole simulated graph, shared by the tests of a module; every test makes its own scene."""
    with Graph(SIMULATED, tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture
def own_graph(tmp_path: Path) -> Iterator[Graph]:
    """A whole simulated graph for one test that breaks it."""
    with Graph(SIMULATED, tmp_path) as running:
        yield running


def until(condition, what: str, limit_s: float = WAIT_S) -> None:
    """Poll a condition that no event announces."""
    deadline, pause = time.monotonic() + limit_s, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, what
        pause.wait(0.02)


@pytest.fixture
def wait():
    return until


@pytest.fixture(scope="session")
def graph_of(tmp_path_factory: pytest.TempPathFactory):
    """Make graphs of chosen nodes."""
    return lambda nodes, **options: Graph(nodes, tmp_path_factory.mktemp("logs"), **options)
