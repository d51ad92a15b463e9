# SPDX-License-Identifier: Apache-2.0
"""GraphSession: a node spun by a thread of its own, with services called as plain blocking functions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from spatialpin_ros.errors import BackendError
from spatialpin_ros.nodes.qos import SERVICE
from spatialpin_ros.nodes.servers import Acquaintances, Server

SLICE_S = 0.1
SERVICE_LIMIT_S = 10.0


def _healthy() -> None:
    """Find nothing wrong."""


class GraphSession:
    """Joins a ROS graph from a program that is no node; not for use inside callbacks.

    Args:
        domain_id: ROS domain; None takes ROS_DOMAIN_ID.
        use_sim_time: tell time by /clock.
        health: called while waiting; raises when waiting is in vain, for example because a node died.
    """

    def __init__(
        self,
        domain_id: int | None = None,
        use_sim_time: bool = False,
        health: Callable[[], None] = _healthy,
    ) -> None:
        self.health = health
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self.domain_id = int(self._context.get_domain_id())
        overrides = [Parameter("use_sim_time", Parameter.Type.BOOL, use_sim_time)]
        self.node: Node = rclpy.create_node(
            "spatialpin_client", context=self._context, parameter_overrides=overrides
        )
        self._clients: dict[str, Any] = {}
        self._servers = Acquaintances(self.node)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name="spatialpin_client", daemon=True)

    def start(self) -> None:
        """Begin to spin; call it once subscriptions are made."""
        self._thread.start()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return

    @property
    def now_s(self) -> float:
        """Time by /clock, or the system's [s]."""
        return float(self.node.get_clock().now().nanoseconds) * 1e-9

    def service_is_ready(self, service: str, kind: Any) -> bool:
        return bool(self._client(service, kind).service_is_ready())

    def _client(self, service: str, kind: Any) -> Any:
        if service not in self._clients:
            self._clients[service] = self.node.create_client(kind, service, qos_profile=SERVICE)
        return self._clients[service]

    def call(self, service: str, kind: Any, request: Any, limit_s: float) -> Any:
        """Call a service and wait for its reply.

        Args:
            service: its full name.
            kind: its type.
            request: of that type.
            limit_s: most wall time to wait for the reply.

        Raises:
            BackendError: when it is not there or does not answer in time; a ServerLostError once it cannot any more.
        """
        client = self._client(service, kind)
        server, future = self.server(service, client.service_is_ready), client.call_async(request)
        try:
            return self.result(future, limit_s, f"service {service}", server.check)
        except BackendError:
            client.remove_pending_request(future)
            raise

    def server(self, service: str, is_ready: Callable[[], bool]) -> Server:
        """Who serves a service, or one of an action's, once it is there and knows this process's clients.

        Args:
            is_ready: tells whether there is a server.

        Raises:
            BackendError: when there is none.
        """
        self.wait_until(
            is_ready,
            SERVICE_LIMIT_S,
            f"service {service} is not there (ROS domain {self.domain_id}); start the nodes, for example with "
            "`ros2 launch spatialpin_ros simulation.launch.py`",
        )
        return self._servers.server(service, is_ready)

    def result(self, future: Any, limit_s: float, what: str, check: Callable[[], None] = _healthy) -> Any:
        """Wait for a future that the spinning thread completes; raises BackendError when it is late.

        Args:
            check: called again and again; raises when waiting is in vain.
        """
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        self.wait_for(done, limit_s, f"{what} did not answer within {limit_s:.0f} s", check)
        return future.result()

    def wait_for(
        self, event: threading.Event, limit_s: float, complaint: str, check: Callable[[], None] = _healthy
    ) -> None:
        """Wait for an event, checking the health of the graph, and what else is to be checked.

        Raises:
            BackendError: with `complaint` when the time is over.
        """
        deadline = time.monotonic() + limit_s
        while not event.wait(SLICE_S):
            self.health()
            check()
            if time.monotonic() > deadline:
                raise BackendError(complaint)

    def wait_until(self, is_true: Callable[[], bool], limit_s: float, complaint: str) -> None:
        """Wait until a condition holds; as `wait_for`."""
        deadline, pause = time.monotonic() + limit_s, threading.Event()
        while not is_true():
            self.health()
            if time.monotonic() > deadline:
                raise BackendError(complaint)
            pause.wait(SLICE_S)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown(timeout_sec=1.0)
        self._context.try_shutdown()
        self._thread.join(2.0)
