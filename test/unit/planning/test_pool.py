# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.planning import Planner, PlanningPool, PlanOptions
from spatialpin_ros.planning.pool import _SEED_STRIDE
from spatialpin_ros.task import Task, TaskStep

OPTIONS = PlanOptions(improve_s=30.0, time_limit_s=60.0, seed=4)
PANDA = RobotConfig.load("panda")
HOME = np.array(PANDA.home)


@pytest.fixture(scope="module")
def pool() -> Iterator[PlanningPool]:
    with PlanningPool(PANDA, workers=2) as running:
        yield running


def test_the_better_of_two_seeds_wins(
    pool: PlanningPool, planner: Planner, random_scene: Callable, stack: Callable
) -> None:
    scene, task = random_scene(5, 8), stack("o0", "o1")
    best = pool.plan(scene, task, HOME, OPTIONS)
    alone = [
        planner.plan(scene, task, HOME, PlanOptions(improve_s=30.0, time_limit_s=60.0, seed=seed))
        for seed in (4, 4 + _SEED_STRIDE)
    ]
    durations = [plan.duration_s for plan in alone if isinstance(plan, Plan)]
    assert isinstance(best, Plan)
    assert best.duration_s in (pytest.approx(durations[0]), pytest.approx(durations[1]))
    assert len(set(pool.process_ids)) == 2


def test_one_worker_is_deterministic(planner: Planner, random_scene: Callable, stack: Callable) -> None:
    scene, task = random_scene(6, 6), stack("o0", "o1")
    expected = planner.plan(scene, task, HOME, OPTIONS)
    with PlanningPool(PANDA, workers=1) as single:
        plan = single.plan(scene, task, HOME, OPTIONS)
    assert isinstance(plan, Plan)
    assert isinstance(expected, Plan)
    assert np.array_equal(plan.stages[-1].trajectory.positions, expected.stages[-1].trajectory.positions)


def test_failures_and_cancellation_come_through(
    pool: PlanningPool, random_scene: Callable, stack: Callable
) -> None:
    scene = random_scene(5, 4)
    failure = pool.plan(scene, Task("t", "x", (TaskStep("pick", "o99"),)), HOME, OPTIONS)
    assert isinstance(failure, PlanFailure)
    assert failure.reason == "unknown_object"
    cancel = threading.Event()
    cancel.set()
    cancelled = pool.plan(scene, stack("o0", "o1"), HOME, OPTIONS, cancel)
    assert isinstance(cancelled, PlanFailure)
    assert cancelled.reason == "cancelled"
    assert isinstance(pool.plan(scene, stack("o0", "o1"), HOME, OPTIONS), Plan)


def test_the_other_worker_answers_when_one_dies(
    pool: PlanningPool, random_scene: Callable, stack: Callable
) -> None:
    first = pool.process_ids[0]
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert isinstance(pool.plan(random_scene(5, 4), stack("o0", "o1"), HOME, OPTIONS), Plan)


def test_closed_or_empty_pools_say_so(random_scene: Callable, stack: Callable) -> None:
    with pytest.raises(InvalidValueError, match="1 worker"):
        PlanningPool(PANDA, workers=0)
    for workers in (1, 2):
        closed = PlanningPool(PANDA, workers=workers)
        closed.close()
        with pytest.raises(BackendError, match="closed"):
            closed.plan(random_scene(5, 4), stack("o0", "o1"), HOME, OPTIONS)
