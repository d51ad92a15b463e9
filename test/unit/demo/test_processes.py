# SPDX-License-Identifier: Apache-2.0
"""Real processes: one that dies is named with the end of its log, and none outlives the context."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from spatialpin_ros.demo.processes import (
    DOMAINS,
    FIRST_PORT,
    PORTS_PER_DOMAIN,
    NodeCommand,
    NodeDiedError,
    NodeProcesses,
    free_domain,
    node_environment,
)

WAITING = "import sys, threading; print('ready', flush=True); threading.Event().wait()"
STUBBORN = "import signal, threading; signal.signal(signal.SIGINT, signal.SIG_IGN); threading.Event().wait()"
PARENT = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).wait()"
)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    return tmp_path


def start(folder: Path, **sources: str) -> NodeProcesses:
    for name, source in sources.items():
        (folder / f"fake_{name}.py").write_text(source)
    commands = [NodeCommand(name, f"fake_{name}") for name in sources]
    return NodeProcesses(commands, node_environment(25), folder / "logs")


def await_end(processes: NodeProcesses) -> None:
    pause = threading.Event()
    for _ in range(200):
        processes.check()
        pause.wait(0.05)


def test_a_dead_node_is_named_with_its_status_and_log(module: Path) -> None:
    dying = "import sys; print('one'); print('the last words'); sys.exit(7)"
    with start(module, planner=dying, scene=WAITING) as processes:
        with pytest.raises(NodeDiedError, match=r"planner node died \(exit status 7\)") as caught:
            await_end(processes)
        assert "the last words" in str(caught.value)


def test_a_killed_node_is_told_from_one_that_ended(module: Path) -> None:
    killing = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with start(module, scene=killing) as processes, pytest.raises(NodeDiedError, match="killed by SIGKILL"):
        await_end(processes)


def is_there(group: int) -> bool:
    """Whether a process of a group is left; a dead one is until its new parent, init, has collected it."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_process_outlives_the_context_not_even_children(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spatialpin_ros.demo.processes.GRACE_S", 0.5)
    with start(module, calm=WAITING, stubborn=STUBBORN, parent=PARENT) as processes:
        groups = [processes.pid(name) for name in ("calm", "stubborn", "parent")]
        assert all(os.getpgid(pid) == pid for pid in groups)
    limit, pause = time.monotonic() + 10.0, threading.Event()
    while alive := [pid for pid in groups if is_there(pid)]:
        assert time.monotonic() < limit, alive
        pause.wait(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/net/udp")
def test_a_domain_whose_port_is_taken_is_not_chosen() -> None:
    first = free_domain()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", FIRST_PORT + PORTS_PER_DOMAIN * first + 10))
        second = free_domain()
    assert second != first
    assert second in DOMAINS
