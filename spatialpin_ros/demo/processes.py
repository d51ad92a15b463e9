# SPDX-License-Identifier: Apache-2.0
"""Starts the nodes as processes of their own, watches them and ends every one of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from spatialpin_ros.errors import BackendError, ExecutionError
from spatialpin_ros.transport import transport_environment

FIRST_PORT, PORTS_PER_DOMAIN = 7400, 250
DOMAINS = range(20, 101)
GRACE_S, KILL_GRACE_S = 4.0, 2.0
TAIL_LINES = 12


class NodeDiedError(ExecutionError):
    """A node ended although nobody asked it to; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class NodeCommand:
    """A node's name, its Python module and the arguments of its process."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()


def free_domain() -> int:
    """A ROS domain none of whose UDP ports is in use on this machine.

    Domain d takes the ports 7400 + 250 d and up (DDSI-RTPS 2.3, section 9.6.1).

    Raises:
        BackendError: when all are taken.
    """
    used = _used_udp_ports()
    start = os.getpid() % len(DOMAINS)
    for domain in [*DOMAINS[start:], *DOMAINS[:start]]:
        first = FIRST_PORT + PORTS_PER_DOMAIN * domain
        if not any(first <= port < first + PORTS_PER_DOMAIN for port in used):
            return int(domain)
    raise BackendError(
        f"no free ROS domain in {DOMAINS.start}..{DOMAINS.stop - 1}; end other graphs, or give --domain"
    )


def _used_udp_ports() -> set[int]:
    ports: set[int] = set()
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        ports |= {int(line.split()[1].rpartition(":")[2], 16) for line in lines}
    return ports


def node_environment(domain: int) -> dict[str, str]:
    """Environment of the nodes: this one's, on a domain of its own that no other machine sees."""
    environment = dict(os.environ)
    root = str(Path(__file__).resolve().parents[2])
    paths = [
        root,
        *(path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path and path != root),
    ]
    environment |= transport_environment()
    environment |= {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "OMP_NUM_THREADS": environment.get("OMP_NUM_THREADS", "1"),
    }
    return environment


def _end_with_parent() -> None:
    """Have the kernel end this process when its parent dies, however that dies (Linux)."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class NodeProcesses:
    """Processes of the nodes; a context manager that leaves none behind.

    Args:
        commands: what to start, in order.
        environment: of every process.
        folder: where each node's output goes, as <name>.log.
    """

    def __init__(self, commands: Sequence[NodeCommand], environment: Mapping[str, str], folder: Path) -> None:
        self._commands, self._environment, self._folder = commands, environment, folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.logs = {command.name: folder / f"{command.name}.log" for command in commands}

    def __enter__(self) -> NodeProcesses:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for command in self._commands:
                self._start(command)
        except OSError as error:
            self.stop()
            raise BackendError(f"cannot start the nodes: {error}") from error
        return self

    def _start(self, command: NodeCommand) -> None:
        with self.logs[command.name].open("wb") as log:
            self._running[command.name] = subprocess.Popen(
                [sys.executable, "-m", command.module, *command.arguments],
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def check(self) -> None:
        """Make sure that every node runs.

        Raises:
            NodeDiedError: names the node, how it ended and the end of its log.
        """
        for name, process in self._running.items():
            status = process.poll()
            if status is not None:
                raise NodeDiedError(
                    f"the {name} node died ({_in_words(status)}); the end of its log:\n{self.tail(name)}"
                )

    def all_run(self) -> bool:
        return all(process.poll() is None for process in self._running.values())

    def tail(self, name: str, lines: int = TAIL_LINES) -> str:
        """The last lines of a node's log."""
        try:
            text = self.logs[name].read_text(errors="replace").strip()
        except OSError as error:
            return f"(no log: {error.strerror})"
        return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"

    def stop(self) -> None:
        """End all nodes: ask, wait, insist; with each its children."""
        for number, grace_s in (
            (signal.SIGINT, GRACE_S),
            (signal.SIGTERM, KILL_GRACE_S),
            (signal.SIGKILL, KILL_GRACE_S),
        ):
            alive = [process for process in self._running.values() if process.poll() is None]
            for process in alive if number != signal.SIGKILL else self._running.values():
                _signal_group(process.pid, number)
            _await_end(alive, grace_s)
        self._running.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _in_words(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _await_end(processes: Sequence[subprocess.Popen[bytes]], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
