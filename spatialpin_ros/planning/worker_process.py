# SPDX-License-Identifier: Apache-2.0
"""The child's side of PlanningWorker: run as a module, it answers plan requests on inherited pipes."""

from __future__ import annotations

import os
import pickle
import sys
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from spatialpin_ros.errors import SpatialPinError
from spatialpin_ros.planning.planner import Planner


class _Cancelled:
    """Asks the cancel pipe at most every few milliseconds; planners ask this in every iteration."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._seen, self._next = pipe, False, 0.0

    def __call__(self) -> bool:
        now = time.monotonic()
        if not self._seen and now >= self._next:
            self._seen, self._next = self._pipe.poll(0), now + 0.005
        return self._seen

    def forget(self) -> None:
        while self._pipe.recv_bytes() != b"end":
            continue
        self._seen = False


def _serve(ask: Connection, answer: Connection, cancelled: _Cancelled) -> None:
    """Answer requests until the parent closes the pipe."""
    robot, urdf = pickle.loads(ask.recv_bytes())
    try:
        planner = Planner(robot, urdf)
    except SpatialPinError as error:
        answer.send(error)
        return
    answer.send("ready")
    while True:
        request = ask.recv()
        if request == "forget cancel":
            cancelled.forget()
            continue
        try:
            answer.send(_answer(planner, request, cancelled))
        except SpatialPinError as error:
            answer.send(error)


def _answer(planner: Planner, request: tuple[Any, ...], cancelled: _Cancelled) -> Any:
    """Do what a request names: ("plan", scene, task, start, options) or ("revalidate", plan, scene, keywords)."""
    kind, *values = request
    if kind == "revalidate":
        plan, scene, keywords = values
        return planner.revalidate(plan, scene, **keywords)
    scene, task, start, options = values
    return planner.plan(scene, task, start, replace(options, cancelled=cancelled))


def _main() -> None:
    ask, answer, cancel = (int(text) for text in sys.argv[1:4])
    try:
        _serve(
            Connection(ask, writable=False),
            Connection(answer, readable=False),
            _Cancelled(Connection(cancel, writable=False)),
        )
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        # The parent has gone or is going: nobody is left to answer.
        os._exit(0)
    # OMPL's bindings report leaks while the interpreter shuts down; there is nothing left to clean up.
    os._exit(0)


if __name__ == "__main__":
    _main()
