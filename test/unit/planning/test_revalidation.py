# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.plan import Plan
from spatialpin_ros.planning import Planner, PlanOptions
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task, TaskStep

OPTIONS = PlanOptions(improve_s=30.0, time_limit_s=60.0)


@pytest.fixture(scope="module")
def planned(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> tuple[Scene, Plan]:
    scene = make_scene(make_object("o1", (0.45, 0.2)), make_object("o2", (0.5, -0.2)))
    plan = planner.plan(scene, stack("o1", "o2"), np.array(planner.robot.config.home), OPTIONS)
    assert isinstance(plan, Plan), plan
    return scene, plan


def index_of(plan: Plan, name: str) -> int:
    return next(
        i for i, stage in enumerate(plan.stages) if stage.name == name and stage.trajectory is not None
    )


def shifted(scene: Scene, key: str, offset: tuple[float, float, float]) -> Scene:
    def moved(item):
        pose = replace(item.box.pose, position=item.centre + np.array(offset))
        return replace(item, box=OrientedBox(pose, item.size))

    return replace(scene, objects=tuple(moved(item) if item.id == key else item for item in scene.objects))


def intruding(plan: Plan, name: str, make_object: Callable):
    waypoints = plan.stages[index_of(plan, name)].tcp_waypoints
    middle = waypoints[len(waypoints) // 2]
    return make_object("o9", middle[:2], (0.04, 0.04, float(middle[2])))


@pytest.mark.parametrize("seed", range(3))
def test_a_plan_holds_in_the_scene_it_was_made_for(
    planner: Planner, random_scene: Callable, stack: Callable, seed: int
) -> None:
    scene = random_scene(seed, 8)
    plan = planner.plan(scene, stack("o0", "o1"), np.array(planner.robot.config.home), OPTIONS)
    assert isinstance(plan, Plan)
    for index in range(len(plan.stages)):
        assert planner.revalidate(plan, scene, from_stage=index) is None


def test_a_tower_of_two_steps_holds(planner: Planner, make_object: Callable, make_scene: Callable) -> None:
    scene = make_scene(
        make_object("o1", (0.45, 0.2)), make_object("o2", (0.55, -0.2)), make_object("o3", (0.45, 0.0))
    )
    steps = (
        TaskStep("pick", "o1"), TaskStep("place_on", "o1", "o3"),
        TaskStep("pick", "o2"), TaskStep("place_on", "o2", "o1"),
    )  # fmt: skip
    plan = planner.plan(scene, Task("t", "tower", steps), np.array(planner.robot.config.home), OPTIONS)
    assert isinstance(plan, Plan)
    assert planner.revalidate(plan, scene) is None
    built = shifted(scene, "o1", tuple(plan.expected_poses["o1"].position - scene.object("o1").centre))
    second = next(i for i, stage in enumerate(plan.stages) if stage.step_index == 2)
    assert planner.revalidate(plan, built, from_stage=second) is None


def test_an_object_in_the_way_is_named_with_stage_and_time(
    planner: Planner, planned: tuple[Scene, Plan], make_object: Callable
) -> None:
    scene, plan = planned
    changed = replace(scene, objects=(*scene.objects, intruding(plan, "transfer", make_object)))
    conflict = planner.revalidate(plan, changed)
    assert conflict is not None
    assert (conflict.stage, conflict.stage_index) == ("transfer", index_of(plan, "transfer"))
    assert "thing o9" in conflict.detail
    assert 0.0 < conflict.time_s < plan.stages[conflict.stage_index].duration_s


def test_what_is_behind_the_arm_no_longer_matters(
    planner: Planner, planned: tuple[Scene, Plan], make_object: Callable
) -> None:
    scene, plan = planned
    changed = replace(scene, objects=(*scene.objects, intruding(plan, "transfer", make_object)))
    conflict = planner.revalidate(plan, changed)
    assert conflict is not None
    late = plan.stages[conflict.stage_index].duration_s * 0.9
    after = planner.revalidate(plan, changed, from_stage=conflict.stage_index, from_time_s=late)
    assert after is None or after.stage == "home"
    place = index_of(plan, "place")
    assert planner.revalidate(plan, changed, from_stage=place) == after


def test_objects_that_moved_or_are_gone_are_noticed(planner: Planner, planned: tuple[Scene, Plan]) -> None:
    scene, plan = planned
    conflict = planner.revalidate(plan, shifted(scene, "o1", (0.0, 0.03, 0.0)))
    assert conflict is not None
    assert conflict.stage == "approach"
    conflict = planner.revalidate(plan, shifted(scene, "o2", (0.03, 0.0, 0.0)))
    assert conflict is not None
    assert (conflict.stage, "30 mm" in conflict.detail) == ("place", True)
    gone = replace(scene, objects=tuple(item for item in scene.objects if item.id != "o2"))
    conflict = planner.revalidate(plan, gone)
    assert conflict is not None
    assert "no longer" in conflict.detail
    assert planner.revalidate(plan, shifted(scene, "o1", (0.002, 0.002, 0.001))) is None


def test_what_is_held_counts_though_the_scene_lacks_it(
    planner: Planner, planned: tuple[Scene, Plan], make_object: Callable
) -> None:
    scene, plan = planned
    transfer = index_of(plan, "transfer")
    path = plan.stages[transfer].tcp_waypoints
    tip = path[len(path) // 2]
    # A beam that only what hangs below the fingers can touch.
    low = make_object("o9", tip[:2], (0.02, 0.02, 0.02), bottom_z=float(tip[2]) - 0.06)
    without = replace(scene, objects=(*(item for item in scene.objects if item.id != "o1"), low))
    held = scene.object("o1")
    longer = replace(held, box=OrientedBox(Pose(held.centre), held.size + np.array([0.0, 0.0, 0.08])))
    assert planner.revalidate(plan, without, from_stage=transfer) is None
    conflict = planner.revalidate(plan, without, from_stage=transfer, held=longer)
    assert conflict is not None
    assert "thing o1 touches thing o9" in conflict.detail
