# SPDX-License-Identifier: Apache-2.0
"""What every node needs: quiet starts and ends, long work on a worker thread, and calls from such a thread."""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from spatialpin_ros.errors import ExecutionError, SpatialPinError
from spatialpin_ros.execution import StopSignal
from spatialpin_ros.nodes.qos import SERVICE
from spatialpin_ros.nodes.servers import Acquaintances

Result = TypeVar("Result")
POLL_S = 0.02
SERVICE_LIMIT_S = 10.0


def run(make: Callable[[], Any]) -> None:
    """Make a node and spin it until SIGINT or SIGTERM; the body of every `main`.

    The node is closed while it still spins, so that an arm in motion can be stopped and what it said be heard. A node
    that cannot start, for example because of a bad parameter, ends with one clear line and exit status 1.
    """
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    # An Event's set is not reentrant: a second signal would find its lock taken by the first, for ever.
    ending: queue.SimpleQueue[None] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.put(None))
    try:
        node = make()
    except SpatialPinError as error:
        get_logger("spatialpin_ros").fatal(str(error))
        rclpy.try_shutdown()
        sys.exit(1)
    status = _spin_until(ending, node)
    rclpy.try_shutdown()
    sys.exit(status)


def _spin_until(ending: queue.SimpleQueue[None], node: Any) -> int:
    """Spin on a thread of its own, because a signal does not wake a thread that waits for messages."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    status = 0

    def spin() -> None:
        nonlocal status
        try:
            executor.spin()
        except ExternalShutdownException:
            status = 0
        except (
            Exception
        ) as error:  # the executor's boundary: a node whose callback failed must not live on half dead
            node.get_logger().fatal(f"callback failed: {error!r}\n{traceback.format_exc()}")
            status = 1
        ending.put(None)

    thread = threading.Thread(target=spin, name="executor", daemon=True)
    thread.start()
    ending.get()
    node.close()
    executor.shutdown(timeout_sec=1.0)
    thread.join(1.0)
    return status


class Worker:
    """One thread for a node's long jobs, one job at a time, in order.

    Callbacks of the executor `await run(job)`; meanwhile the executor serves others.
    """

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # the worker's boundary: one bad job must not end the others
                self._node.get_logger().error(f"{self._thread.name}: {error!r}")

    def submit(self, job: Callable[[], object]) -> None:
        """Queue a job whose result nobody awaits; what it raises is logged."""
        self._jobs.put(job)

    async def run(self, job: Callable[[], Result]) -> Result:
        """Run a job on the thread and return what it returns or raise what it raises."""
        done: Future[Any] = Future(executor=self._node.executor)
        self._jobs.put(lambda: resolve(done, job))
        result: Result = await done  # type: ignore[assignment]
        return result

    def close(self, timeout_s: float = 3.0) -> None:
        """End the thread after the job that runs; queued jobs still run."""
        self._jobs.put(None)
        self._thread.join(timeout_s)


def resolve(done: Future[Any], job: Callable[[], Any]) -> None:
    """Run a job and complete a future with its result or exception, waking the executor that awaits it."""
    try:
        value = job()
    except Exception as error:  # the worker's boundary: whoever awaits the future gets it
        done.set_exception(error)
    else:
        done.set_result(value)
    wake(done)


def wake(done: Future[Any]) -> None:
    """Make the executor look at the coroutine that awaits a future which was completed by another thread."""
    done.add_done_callback(lambda _: None)


def wait_for(
    future: Future[Any],
    timeout_s: float,
    what: str,
    cancel: StopSignal | None = None,
    check: Callable[[], None] = lambda: None,
) -> Any:
    """Wait on a worker thread for a future that the executor's thread completes.

    Args:
        check: called again and again; raises when waiting is in vain.

    Raises:
        ExecutionError: when it is not completed in time, or `cancel` is set first.
    """
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    deadline = time.monotonic() + timeout_s
    while not done.wait(POLL_S):
        if cancel is not None and cancel.is_set():
            raise ExecutionError(f"gave up waiting for {what}: cancelled")
        if time.monotonic() > deadline:
            raise ExecutionError(f"{what} did not answer within {timeout_s:.1f} s; is its node running?")
        check()
    return future.result()


def cancel_once_accepted(sent: Future[Any]) -> None:
    """Give up a goal that was sent: should its server accept it after all, cancel it at once."""

    def cancel(answered: Future[Any]) -> None:
        handle = None if answered.cancelled() or answered.exception() else answered.result()
        if handle is not None and handle.accepted:
            handle.cancel_goal_async()

    sent.add_done_callback(cancel)


class ServiceCaller:
    """Calls one service from a worker thread."""

    def __init__(self, node: Node, kind: Any, name: str) -> None:
        self.name, self._servers = name, Acquaintances(node)
        self._client: Any = node.create_client(
            kind, name, qos_profile=SERVICE, callback_group=ReentrantCallbackGroup()
        )

    def __call__(self, request: Any, timeout_s: float, cancel: StopSignal | None = None) -> Any:
        """Call and return the response.

        Raises:
            ExecutionError: when there is no answer in time; a ServerLostError once none can come any more.
        """
        deadline = time.monotonic() + min(timeout_s, SERVICE_LIMIT_S)
        while not self._client.service_is_ready():
            if cancel is not None and cancel.is_set():
                raise ExecutionError(f"gave up waiting for service {self.name}: cancelled")
            if time.monotonic() > deadline:
                raise ExecutionError(f"service {self.name} is not there; is its node running?")
            time.sleep(POLL_S)
        server = self._servers.server(self.name, self._client.service_is_ready)
        future = self._client.call_async(request)
        try:
            return wait_for(future, timeout_s, f"service {self.name}", cancel, server.check)
        except ExecutionError:
            self._client.remove_pending_request(future)
            raise


def now_s(node: Node) -> float:
    """Time of the node's clock, which is simulated time with use_sim_time [s]."""
    return float(node.get_clock().now().nanoseconds) * 1e-9
