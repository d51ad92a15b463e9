# SPDX-License-Identifier: Apache-2.0
"""Planning in a warm process of its own: cancelled, killed and restarted at need, never holding the caller's GIL."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.errors import BackendError, SpatialPinError
from spatialpin_ros.plan import FailureReason, Plan, PlanFailure
from spatialpin_ros.planning.options import PlanOptions
from spatialpin_ros.planning.revalidation import PlanConflict
from spatialpin_ros.planning.rrt_star import never
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.task import Task

_POLL_S = 0.02
_START_LIMIT_S = 60.0
_REVALIDATION_LIMIT_S = 5.0


class PlanningWorker:
    """`Planner.plan` and `Planner.revalidate` in another process.

    The process starts at once, in the background; a plan asked for before it is ready waits for it.

    Args:
        robot, urdf: as for Planner.
        kill_after_s: how long after its time limit, or after a cancellation, planning may go on before the
            process is killed and a new one started [s].
    """

    def __init__(self, robot: RobotConfig, urdf: str | None = None, *, kill_after_s: float = 1.0) -> None:
        self._setup = pickle.dumps((robot, urdf))
        self._kill_after_s = kill_after_s
        self._lock = threading.Lock()
        self._closed = False
        self._process: _Process | None = _Process(self._setup)

    @property
    def process_id(self) -> int | None:
        """Id of the worker process, None when there is none."""
        return self._process.pid if self._process else None

    def plan(
        self,
        scene: Scene,
        task: Task,
        start: npt.ArrayLike,
        options: PlanOptions | None = None,
        cancel: threading.Event | None = None,
    ) -> Plan | PlanFailure:
        """Plan as Planner.plan does; one plan at a time, further callers wait.

        Args:
            cancel: set it from any thread to end planning with reason "cancelled".

        Raises:
            BackendError: when the worker is closed or cannot start.
            SpatialPinError: what Planner raised, such as InvalidValueError for a broken URDF.
        """
        options = options or PlanOptions()
        positions = np.asarray(start, dtype=np.float64)
        request = ("plan", scene, task, positions, replace(options, cancelled=never))
        answer = self._ask(request, options.time_limit_s, cancel)
        if not isinstance(answer, Plan | PlanFailure):
            raise BackendError(f"the planning process answered with a {type(answer).__name__}")
        return answer

    def revalidate(
        self,
        plan: Plan,
        scene: Scene,
        *,
        held: SceneObject | None = None,
        from_stage: int = 0,
        from_time_s: float = 0.0,
    ) -> PlanConflict | None:
        """Check the rest of a plan in a changed scene as Planner.revalidate does; waits for a plan being made.

        Raises:
            BackendError: when the worker is closed, cannot start or did not answer.
        """
        keywords = {"held": held, "from_stage": from_stage, "from_time_s": from_time_s}
        answer = self._ask(("revalidate", plan, scene, keywords), _REVALIDATION_LIMIT_S, None)
        if isinstance(answer, PlanFailure):
            raise BackendError(f"the plan could not be checked again: {answer.message}")
        if not isinstance(answer, PlanConflict | None):
            raise BackendError(f"the planning process answered with a {type(answer).__name__}")
        return answer

    def close(self) -> None:
        """End the process; safe to call more than once and while a plan is running, which then fails."""
        self._closed = True
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def __enter__(self) -> PlanningWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: tuple[Any, ...], limit_s: float, cancel: threading.Event | None) -> Any:
        """The process's answer, or the PlanFailure that tells why there is none."""
        with self._lock:
            if self._closed:
                raise BackendError("the planning worker is closed; make a new one")
            began = time.monotonic()
            process = self._running()
            if not self._await_ready(process, cancel):
                return _failure("cancelled", "planning was cancelled", began)
            return self._exchange(process, request, limit_s, cancel)

    def _running(self) -> _Process:
        if self._process is None or not self._process.alive:
            self._replace()
        if self._process is None:
            raise BackendError("the planning worker is closed; make a new one")
        return self._process

    def _replace(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._process = None if self._closed else _Process(self._setup)

    def _await_ready(self, process: _Process, cancel: threading.Event | None) -> bool:
        deadline = time.monotonic() + _START_LIMIT_S
        while not process.ready:
            if cancel is not None and cancel.is_set():
                return False
            try:
                first = process.answers.recv() if process.answers.poll(_POLL_S) else None
            except (EOFError, OSError) as error:
                raise BackendError(self._why_not_started()) from error
            if isinstance(first, SpatialPinError):
                raise first
            process.ready = first is not None
            if not process.ready and time.monotonic() > deadline:
                raise BackendError(f"the planning process was not ready after {_START_LIMIT_S:.0f} s")
        return True

    def _why_not_started(self) -> str:
        if self._closed:
            return "the planning worker was closed while its process was starting; make a new one"
        return "the planning process ended while starting; run it with `spatialpin doctor` to see why"

    def _exchange(
        self, process: _Process, request: Any, limit_s: float, cancel: threading.Event | None
    ) -> Any:
        began = time.monotonic()
        deadline, reason = began + limit_s + self._kill_after_s, "timeout"
        try:
            process.requests.send(request)
            while not process.answers.poll(_POLL_S):
                now = time.monotonic()
                if cancel is not None and cancel.is_set() and reason != "cancelled":
                    process.cancel()
                    deadline, reason = now + self._kill_after_s, "cancelled"
                if now > deadline:
                    self._replace()
                    return _failure(
                        "cancelled" if reason == "cancelled" else "timeout",
                        "planning was killed: it did not end in time",
                        began,
                    )
            answer = process.answers.recv()
            process.rearm()
        except (EOFError, OSError):
            self._replace()
            return _failure(
                "worker_died",
                "the planning process ended unexpectedly and was started anew; try again",
                began,
            )
        if isinstance(answer, SpatialPinError):
            raise answer
        return answer


def _failure(reason: FailureReason, message: str, began: float) -> PlanFailure:
    return PlanFailure(reason, "", message, elapsed_s=time.monotonic() - began)


class _Process:
    """A child interpreter with a pipe for requests, one for answers and one that cancels."""

    def __init__(self, setup: bytes) -> None:
        ask_read, ask_write = os.pipe()
        answer_read, answer_write = os.pipe()
        cancel_read, cancel_write = os.pipe()
        inherited = (ask_read, answer_write, cancel_read)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "OMP_NUM_THREADS": "1",
        }
        command = [
            sys.executable,
            "-m",
            "spatialpin_ros.planning.worker_process",
            *(str(fd) for fd in inherited),
        ]
        self._child = subprocess.Popen(command, pass_fds=inherited, env=environment, stdin=subprocess.DEVNULL)
        for fd in inherited:
            os.close(fd)
        self.requests = Connection(ask_write, readable=False)
        self.answers = Connection(answer_read, writable=False)
        self._cancels = Connection(cancel_write, readable=False)
        self._cancelled = False
        self.ready = False
        self.requests.send_bytes(setup)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def cancel(self) -> None:
        self._cancelled = True
        self._cancels.send_bytes(b"cancel")

    def rearm(self) -> None:
        """After an answer: tell the child where the cancellation that it may not have seen ends."""
        if self._cancelled:
            self._cancels.send_bytes(b"end")
            self._cancelled = False
            self.requests.send("forget cancel")

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()
        for pipe in (self.requests, self.answers, self._cancels):
            pipe.close()
