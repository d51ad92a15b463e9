# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.planning import Planner, PlanningWorker, PlanOptions
from spatialpin_ros.scene import Scene

CONFIG = RobotConfig.load("panda")
OPTIONS = PlanOptions(improve_s=30.0, time_limit_s=60.0)


@pytest.fixture(scope="module")
def worker() -> Iterator[PlanningWorker]:
    with PlanningWorker(CONFIG) as started:
        yield started


@pytest.fixture
def scene(random_scene: Callable[[int, int], Scene]) -> Scene:
    return random_scene(1, 6)


@pytest.fixture
def walled(make_object: Callable, make_scene: Callable) -> Scene:
    """A scene whose search takes long: the arm stands in a cage that nothing leads out of."""
    bars = [
        make_object(f"w{k}", (0.38, y), (0.02, 0.02, 0.9)) for k, y in enumerate(np.arange(-0.6, 0.61, 0.05))
    ]
    return make_scene(make_object("o0", (0.55, 0.1)), make_object("o1", (0.55, -0.1)), *bars)


def test_the_worker_plans_what_the_planner_plans(
    worker: PlanningWorker, planner: Planner, scene: Scene, stack: Callable
) -> None:
    there = worker.plan(scene, stack("o0", "o1"), CONFIG.home, OPTIONS)
    here = planner.plan(scene, stack("o0", "o1"), np.array(CONFIG.home), OPTIONS)
    assert isinstance(there, Plan)
    assert isinstance(here, Plan)
    assert np.allclose(there.waypoints, here.waypoints)
    assert worker.process_id not in (None, os.getpid())


def test_a_plan_is_checked_again_there(
    worker: PlanningWorker, planner: Planner, scene: Scene, stack: Callable
) -> None:
    plan = worker.plan(scene, stack("o0", "o1"), CONFIG.home, OPTIONS)
    assert isinstance(plan, Plan)
    assert worker.revalidate(plan, scene) is None
    gone = replace(scene, objects=scene.objects[1:])
    there, here = worker.revalidate(plan, gone, from_stage=1), planner.revalidate(plan, gone, from_stage=1)
    assert there is not None
    assert there == here


def test_failures_and_errors_come_through(worker: PlanningWorker, scene: Scene, stack: Callable) -> None:
    failure = worker.plan(scene, stack("o0", "o9"), CONFIG.home, OPTIONS)
    assert isinstance(failure, PlanFailure)
    assert failure.reason == "unknown_object"
    with pytest.raises(InvalidValueError, match="7 finite"):
        worker.plan(scene, stack("o0", "o1"), np.zeros(3), OPTIONS)
    assert isinstance(worker.plan(scene, stack("o0", "o1"), CONFIG.home, OPTIONS), Plan)


def test_a_cancelled_plan_ends_and_the_next_one_works(
    worker: PlanningWorker, scene: Scene, stack: Callable
) -> None:
    before, cancel = worker.process_id, threading.Event()
    cancel.set()
    for _ in range(3):
        failure = worker.plan(scene, stack("o0", "o1"), CONFIG.home, OPTIONS, cancel)
        assert isinstance(failure, Plan | PlanFailure)
        assert isinstance(failure, Plan) or failure.reason == "cancelled"
    assert isinstance(worker.plan(scene, stack("o0", "o1"), CONFIG.home, OPTIONS), Plan)
    assert worker.process_id == before


def test_a_dead_process_is_reported_and_replaced(scene: Scene, stack: Callable) -> None:
    with PlanningWorker(CONFIG) as worker:
        assert isinstance(worker.plan(scene, stack("o0", "o1"), CONFIG.home, OPTIONS), Plan)
        before = worker.process_id
        assert before is not None
        os.kill(before, signal.SIGSTOP)
        threading.Timer(0.2, os.kill, (before, signal.SIGKILL)).start()
        failure = worker.plan(scene, stack("o0", "o1"), CONFIG.home, OPTIONS)
        assert isinstance(failure, PlanFailure)
        assert failure.reason == "worker_died"
        assert isinstance(worker.plan(scene, stack("o0", "o1"), CONFIG.home, OPTIONS), Plan)
        assert worker.process_id != before


@pytest.mark.parametrize("reason", ["timeout", "cancelled"])
def test_a_hanging_process_is_killed(scene: Scene, stack: Callable, reason: str) -> None:
    with PlanningWorker(CONFIG, kill_after_s=0.2) as worker:
        assert isinstance(worker.plan(scene, stack("o0", "o1"), CONFIG.home, OPTIONS), Plan)
        before, cancel = worker.process_id, threading.Event()
        assert before is not None
        os.kill(before, signal.SIGSTOP)
        limit = 0.1 if reason == "timeout" else 60.0
        if reason == "cancelled":
            cancel.set()
        failure = worker.plan(scene, stack("o0", "o1"), CONFIG.home, PlanOptions(time_limit_s=limit), cancel)
        assert isinstance(failure, PlanFailure)
        assert failure.reason == reason
        assert worker.process_id != before


def test_the_caller_is_not_held_up(worker: PlanningWorker, walled: Scene, stack: Callable) -> None:
    ticks, done = [0], threading.Event()

    def count() -> None:
        while not done.wait(0.001):
            ticks[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    result = worker.plan(walled, stack("o0", "o1"), CONFIG.home, PlanOptions(time_limit_s=1.0))
    done.set()
    counter.join()
    assert isinstance(result, PlanFailure)
    assert ticks[0] > 100


def test_a_broken_urdf_and_a_closed_worker_say_so(scene: Scene, stack: Callable) -> None:
    with (
        PlanningWorker(CONFIG, "<robot name='x'>") as worker,
        pytest.raises(InvalidValueError, match="well-formed"),
    ):
        worker.plan(scene, stack("o0", "o1"), CONFIG.home)
    worker.close()
    with pytest.raises(BackendError, match="closed"):
        worker.plan(scene, stack("o0", "o1"), CONFIG.home)


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.15])
def test_closing_while_the_process_starts_is_said_so(scene: Scene, stack: Callable, after_s: float) -> None:
    worker = PlanningWorker(CONFIG)
    closing = threading.Timer(after_s, worker.close)
    closing.start()
    with pytest.raises(BackendError, match="closed"):
        worker.plan(scene, stack("o0", "o1"), CONFIG.home, OPTIONS)
    closing.join()
