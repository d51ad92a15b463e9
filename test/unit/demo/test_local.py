# SPDX-License-Identifier: Apache-2.0
"""The whole flow in one process, where the table is not as the plan has it any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("pybullet")

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.demo.local import LocalWorkcell
from spatialpin_ros.plan import Plan


@pytest.fixture
def cell() -> Iterator[LocalWorkcell]:
    cell = LocalWorkcell(RobotConfig.load("panda"), CameraConfig.load("simulation"), film=False)
    yield cell
    cell.close()


def test_an_object_that_is_gone_is_missed_at_the_grasp(cell: LocalWorkcell) -> None:
    cell.randomize(3, 4)
    cell.capture()
    task = next(task for task in cell.propose(12).tasks if task.steps[-1].action == "place_on")
    plan = cell.plan(task)
    assert isinstance(plan, Plan), plan
    told: list[str] = []
    cell.world.clear()
    outcome = cell.execute(task, plan, lambda progress: told.append(progress.stage), threading.Event())
    assert (outcome.status, outcome.level, outcome.reason) == ("failed", "none", "grasp_missed"), outcome
    assert outcome.measurements["closed_to_m"] == pytest.approx(
        outcome.measurements["commanded_width_m"], abs=0.002
    )
    assert "lift" not in told
    assert abs(cell._arm.joint_positions() - plan.start_positions).max() < 0.02
