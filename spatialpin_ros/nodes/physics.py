# SPDX-License-Identifier: Apache-2.0
"""The thread that owns the simulated workcell: it steps the physics at a pace and does what others ask for between."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from rclpy.node import Node
from rclpy.task import Future

from spatialpin_ros.nodes.support import resolve
from spatialpin_ros.simulation import Pace, Workcell

Result = TypeVar("Result")


class PhysicsThread:
    """Steps a workcell.

    Nobody else touches the workcell: others hand in jobs, which run between two ticks.

    Args:
        node: logs, and wakes coroutines.
        make: makes the workcell, on the thread.
        tick: called on the thread after every tick.
        tick_s: simulated time of a tick.
        real_time_factor: simulated over wall time; 0 is as fast as it goes.
    """

    def __init__(
        self,
        node: Node,
        make: Callable[[], Workcell],
        tick: Callable[[Workcell], None],
        tick_s: float,
        real_time_factor: float,
    ) -> None:
        self._node, self._make, self._tick = node, make, tick
        self._tick_s, self._factor = tick_s, real_time_factor
        self._jobs: queue.SimpleQueue[Callable[[Workcell], None]] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="physics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def do(self, job: Callable[[Workcell], None]) -> None:
        """Run a job between two ticks, later."""
        self._jobs.put(job)

    async def ask(self, job: Callable[[Workcell], Result]) -> Result:
        """Run a job between two ticks and return its result; awaited on the executor's thread."""
        done: Future[Any] = Future(executor=self._node.executor)
        self._jobs.put(lambda cell: resolve(done, lambda: job(cell)))
        result: Result = await done  # type: ignore[assignment]
        return result

    def _run(self) -> None:
        cell = self._make()
        steps = max(1, round(self._tick_s / cell.world.physics.step_s))
        pace = Pace(self._factor, self._closing.wait)
        while not self._closing.is_set():
            self._do_jobs(cell)
            cell.step(steps)
            self._tick(cell)
            pace.keep(steps * cell.world.physics.step_s)
            # Lets the executor's thread run.
            time.sleep(0.0)
        cell.world.close()

    def _do_jobs(self, cell: Workcell) -> None:
        while not self._jobs.empty():
            self._jobs.get()(cell)

    def close(self) -> None:
        self._closing.set()
        self._thread.join(3.0)
