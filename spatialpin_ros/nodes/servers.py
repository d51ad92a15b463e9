# SPDX-License-Identifier: Apache-2.0
"""Who serves a service: whether it is still there, and whether it knows already who asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rcl_interfaces.srv import GetParameterTypes
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from spatialpin_ros.errors import BackendError, ExecutionError
from spatialpin_ros.nodes.qos import SERVICE

LOOK_S = 0.25
GREETING_S = 0.25
MEETING_LIMIT_S = 2.0


class ServerLostError(BackendError, ExecutionError):
    """The node that was asked ended, or was started again, before it answered."""


class Server:
    """The nodes that serve a service at the time when this is made.

    Args:
        node: who asks.
        service: full name; of an action, that of one of its services.
        is_ready: tells whether there is any server; decides where the middleware does not tell servers apart.
    """

    def __init__(self, node: Node, service: str, is_ready: Callable[[], bool]) -> None:
        self._node, self._is_ready = node, is_ready
        self._replies = f"rr{node.resolve_service_name(service)}Reply"
        self._asked = self._endpoints()
        self._looked_s, self._lost = time.monotonic(), False
        self.what = f"service {service}"

    @property
    def identity(self) -> frozenset[bytes]:
        """Equal for the same servers, another one for those that were started again."""
        return frozenset(self._asked)

    def check(self) -> None:
        """Look, a few times a second at most, whether a reply can still come.

        A node that was killed stays listed for some 20 s; that it is gone is seen earlier when one of its name appears.

        Raises:
            ServerLostError: when all of the servers ended or were started again.
        """
        if time.monotonic() - self._looked_s > LOOK_S:
            self._looked_s, self._lost = time.monotonic(), self._lost or self._none_left()
        if self._lost:
            raise ServerLostError(
                f"{self.what}: its node ended or was started again before it answered; ask again"
            )

    def _none_left(self) -> bool:
        if not self._asked:
            return not self._is_ready()
        now = self._endpoints()
        replaced = {name for key, name in now.items() if key not in self._asked}
        return not any(key in now and name not in replaced for key, name in self._asked.items())

    def _endpoints(self) -> dict[bytes, str]:
        """Full name of the node of each server, by the identity of what it replies through."""
        found = self._node.get_publishers_info_by_topic(self._replies, no_mangle=True)
        return {
            bytes(each.endpoint_gid): f"{each.node_namespace.rstrip('/')}/{each.node_name}" for each in found
        }

    def meet(self) -> None:
        """Wait until the servers know all clients that this process has made so far, 2 s at most.

        A server may hear a request before it has heard of the client's end for replies, and its reply is lost then.
        What a process makes becomes known in that order: once a node has answered a client that was made later, it
        knows the earlier ones. Every ROS node answers for its parameters.
        """
        deadline = time.monotonic() + MEETING_LIMIT_S
        for name in set(self._asked.values()):
            self._greet(f"{name}/get_parameter_types", deadline)

    def _greet(self, service: str, deadline: float) -> None:
        group = ReentrantCallbackGroup()
        client: Any = self._node.create_client(
            GetParameterTypes, service, qos_profile=SERVICE, callback_group=group
        )
        answered = threading.Event()
        try:
            while not answered.is_set() and time.monotonic() < deadline:
                if not client.service_is_ready():
                    answered.wait(0.005)
                    continue
                future = client.call_async(GetParameterTypes.Request())
                future.add_done_callback(lambda _: answered.set())
                if not answered.wait(GREETING_S):
                    client.remove_pending_request(future)
        finally:
            self._node.destroy_client(client)


class Acquaintances:
    """Servers that know this process's clients.

    Args:
        node: who asks.
    """

    def __init__(self, node: Node) -> None:
        self._node, self._met = node, dict[str, frozenset[bytes]]()

    def server(self, service: str, is_ready: Callable[[], bool]) -> Server:
        """The server of a service whose client there is already; may take a moment when it is asked first.

        Args:
            service, is_ready: as of `Server`.
        """
        server = Server(self._node, service, is_ready)
        if self._met.get(service) != server.identity:
            server.meet()
            self._met[service] = server.identity
        return server
