# SPDX-License-Identifier: Apache-2.0
"""Changes as the camera sees them: the arm in the picture stops nothing, a box put in its way stops it."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("pybullet")

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.demo.local import LocalWorkcell
from spatialpin_ros.execution import Blocked, run_plan
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.plan import Plan
from spatialpin_ros.planning import Planner
from spatialpin_ros.planning.changes import changed_scene, hand_at
from spatialpin_ros.scene import Scene
from spatialpin_ros.simulation import ObjectSpec
from spatialpin_ros.task import Task

pytestmark = pytest.mark.slow
PANDA = RobotConfig.load("panda")


class Looking:
    """Looks during every motion and checks the rest of the plan; puts a box under the way at a stage."""

    def __init__(
        self, cell: LocalWorkcell, planner: Planner, plan: Plan, before: Scene, box_at: int = -1
    ) -> None:
        self._cell, self._planner, self._plan, self._before, self._box_at = (
            cell,
            planner,
            plan,
            before,
            box_at,
        )
        self._blocked: Blocked | None = None
        self._looked: set[int] = set()
        self.looks = 0

    def at(self, stage_index: int, share: float) -> None:
        stage = self._plan.stages[stage_index]
        if stage.trajectory is None or share < 0.3 or stage_index in self._looked:
            return
        self._looked.add(stage_index)
        if stage_index == self._box_at:
            self._cell.world.add_object(self._box())
        now, time_s = self._cell.capture(), share * stage.duration_s
        self.looks += 1
        scene = changed_scene(self._plan, self._before, now, hand=hand_at(self._plan, stage_index, time_s))
        if scene is None:
            return
        found = self._planner.revalidate(self._plan, scene, from_stage=stage_index, from_time_s=time_s)
        if found is not None:
            self._blocked = Blocked(found.stage, found.kind, found.object_ids, found.detail)

    def blocked(self) -> Blocked | None:
        return self._blocked

    def _box(self) -> ObjectSpec:
        transfer = next(stage for stage in self._plan.stages if stage.name == "transfer")
        hand = transfer.tcp_waypoints[len(transfer.tcp_waypoints) // 2]
        height = float(hand[2])
        pose = Pose(np.array([hand[0], hand[1], height / 2.0]))
        return ObjectSpec("intruder", "box", "orange", OrientedBox(pose, np.array([0.05, 0.05, height])), 0.2)


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(PANDA)


def stack(cell: LocalWorkcell, planner: Planner, seed: int) -> tuple[Task, Plan, Scene]:
    cell.randomize(seed, 4)
    scene = cell.capture()
    for task in cell.propose(12).tasks:
        if task.steps[-1].action != "place_on":
            continue
        plan = planner.plan(scene, task, np.array(PANDA.home))
        if isinstance(plan, Plan):
            return task, plan, scene
    pytest.skip("no stack in this scene")


@pytest.mark.parametrize("seed", range(4))
def test_what_the_camera_sees_of_the_moving_arm_stops_nothing(planner: Planner, seed: int) -> None:
    cell = LocalWorkcell(PANDA, CameraConfig.load("simulation"), film=False)
    try:
        _, plan, scene = stack(cell, planner, seed)
        guard = Looking(cell, planner, plan, scene)
        ended = run_plan(
            plan,
            scene,
            cell._arm,
            cell._gripper,
            cell.capture,
            lambda _: None,
            threading.Event(),
            guard=guard,
        )
    finally:
        cell.close()
    assert guard.looks >= 6
    assert guard.blocked() is None, guard.blocked()
    assert ended.status == "succeeded", ended


@pytest.mark.parametrize("seed", range(4))
def test_a_box_put_in_the_way_is_seen_and_stops_the_arm(planner: Planner, seed: int) -> None:
    cell = LocalWorkcell(PANDA, CameraConfig.load("simulation"), film=False)
    try:
        _, plan, scene = stack(cell, planner, seed)
        first = next(k for k, item in enumerate(plan.stages) if item.trajectory is not None)
        guard = Looking(cell, planner, plan, scene, box_at=first)
        ended = run_plan(
            plan,
            scene,
            cell._arm,
            cell._gripper,
            cell.capture,
            lambda _: None,
            threading.Event(),
            guard=guard,
        )
        intruder = next(item for item in cell.world.truth().objects if item.spec.id == "intruder")
        leaning = float(np.degrees(np.arccos(np.clip(intruder.box.pose.axes[2, 2], -1.0, 1.0))))
    finally:
        cell.close()
    assert (ended.status, ended.reason) == ("failed", "path_blocked"), ended
    assert ended.stage == "approach"
    assert len(ended.object_ids) == 1
    assert leaning < 3.0
