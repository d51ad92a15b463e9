# SPDX-License-Identifier: Apache-2.0
"""Several planning processes on one task, each with a seed of its own; the plan that moves the least time wins."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

import numpy.typing as npt

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.planning.options import PlanOptions
from spatialpin_ros.planning.revalidation import PlanConflict
from spatialpin_ros.planning.worker import PlanningWorker
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.task import Task

_SEED_STRIDE = 1_000_003
_POLL_S = 0.01
_PATIENCE = 1.0

_Answer = Plan | PlanFailure


class PlanningPool:
    """PlanningWorkers side by side, used like one; with one it is one, and as deterministic.

    Args:
        robot, urdf, kill_after_s: as for PlanningWorker.
        workers: how many processes, one for each core that is to be used.

    Raises:
        InvalidValueError: when `workers` is less than 1.
    """

    def __init__(
        self, robot: RobotConfig, urdf: str | None = None, *, workers: int = 2, kill_after_s: float = 1.0
    ) -> None:
        if workers < 1:
            raise InvalidValueError(f"planning pool: needs 1 worker or more, got {workers}")
        self._workers = [PlanningWorker(robot, urdf, kill_after_s=kill_after_s) for _ in range(workers)]
        self._threads = ThreadPoolExecutor(workers, "planning")

    def plan(
        self,
        scene: Scene,
        task: Task,
        start: npt.ArrayLike,
        options: PlanOptions | None = None,
        cancel: threading.Event | None = None,
    ) -> Plan | PlanFailure:
        """Plan as Planner.plan does, by every worker at once.

        Once one has a plan, the others get as much time again as that took, then they are cancelled. Without any
        plan the first worker's failure is returned.

        Raises:
            BackendError, SpatialPinError: as PlanningWorker.plan raises.
        """
        options = options or PlanOptions()
        if len(self._workers) == 1:
            return self._workers[0].plan(scene, task, start, options, cancel)
        surplus, began = threading.Event(), time.monotonic()
        stop = _Either(cancel or threading.Event(), surplus)
        seeds = [replace(options, seed=options.seed + k * _SEED_STRIDE) for k in range(len(self._workers))]
        try:
            asked = [
                self._threads.submit(worker.plan, scene, task, start, seeded, stop)
                for worker, seeded in zip(self._workers, seeds, strict=True)
            ]
        except RuntimeError as error:  # how an executor says that it was shut down
            raise BackendError("the planning pool is closed; make a new one") from error
        open_: set[Future[_Answer]] = set(asked)
        deadline = float("inf")
        while open_:
            done, open_ = wait(open_, _POLL_S, FIRST_COMPLETED)
            now = time.monotonic()
            if any(future.exception() is None and isinstance(future.result(), Plan) for future in done):
                deadline = min(deadline, now + _PATIENCE * (now - began))
            if now > deadline:
                surplus.set()
        return _best(asked)

    def revalidate(
        self,
        plan: Plan,
        scene: Scene,
        *,
        held: SceneObject | None = None,
        from_stage: int = 0,
        from_time_s: float = 0.0,
    ) -> PlanConflict | None:
        """Check the rest of a plan in a changed scene; see PlanningWorker.revalidate."""
        worker = self._workers[0]
        return worker.revalidate(plan, scene, held=held, from_stage=from_stage, from_time_s=from_time_s)

    @property
    def process_ids(self) -> tuple[int | None, ...]:
        """Ids of the worker processes."""
        return tuple(worker.process_id for worker in self._workers)

    def close(self) -> None:
        """End the processes; safe to call more than once."""
        for worker in self._workers:
            worker.close()
        self._threads.shutdown(wait=False)

    def __enter__(self) -> PlanningPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Either(threading.Event):
    """Set when one of two events is."""

    def __init__(self, first: threading.Event, second: threading.Event) -> None:
        super().__init__()
        self._events = (first, second)

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._events)


def _best(asked: list[Future[_Answer]]) -> _Answer:
    """The plan that takes the least time, else what the first worker answered or raised."""
    answers = [future.result() for future in asked if future.exception() is None]
    plans = [answer for answer in answers if isinstance(answer, Plan)]
    return min(plans, key=lambda plan: plan.duration_s) if plans else asked[0].result()
