# SPDX-License-Identifier: Apache-2.0
"""Fixtures shared by all tests: each test that uses ROS gets a domain of its own."""

from __future__ import annotations

import fcntl
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rclpy.context import Context
    from rclpy.node import Node

# Jobs in the background of a script ignore interrupts, and what they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# 0 is what everybody uses, and the demo takes its domains from 20 up.
DOMAINS = range(1, 20)


@pytest.fixture
def ros_domain_id(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Reserve a ROS domain that no other test on this machine uses; child processes inherit it."""
    folder = Path(tempfile.gettempdir(), "spatialpin_ros_test_domains")
    folder.mkdir(exist_ok=True)
    for domain in DOMAINS:
        with (folder / str(domain)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
            monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
            yield domain
            return
    raise RuntimeError(f"all {len(DOMAINS)} ROS domains are in use by other tests")


@pytest.fixture
def ros_context(ros_domain_id: int) -> Iterator[Context]:
    """Initialise rclpy in the test's own domain; wall time."""
    rclpy = pytest.importorskip("rclpy")
    context = rclpy.context.Context()
    rclpy.init(context=context, domain_id=ros_domain_id)
    yield context
    context.try_shutdown()


@pytest.fixture
def ros_node(ros_context: Context) -> Iterator[Node]:
    """Spin a node on a thread of its own, so that a test may wait for futures and events."""
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.node import Node

    node = Node("test", context=ros_context)
    executor = SingleThreadedExecutor(context=ros_context)
    executor.add_node(node)

    def spin() -> None:
        try:
            executor.spin()
        except ExternalShutdownException:
            return

    thread = threading.Thread(target=spin, name="test executor", daemon=True)
    thread.start()
    yield node
    executor.shutdown()
    thread.join(timeout=10.0)
    node.destroy_node()
