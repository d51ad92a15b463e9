# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.geometry import OrientedBox
from spatialpin_ros.plan import Plan
from spatialpin_ros.planning import Planner, PlanOptions
from spatialpin_ros.planning.changes import changed_scene, hand_at
from spatialpin_ros.planning.joining import with_objects
from spatialpin_ros.scene import Scene, SceneObject


@pytest.fixture(scope="module")
def planned(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> tuple[Scene, Plan]:
    scene = make_scene(*(make_object(f"o{k}", (0.45, y)) for k, y in ((1, 0.2), (2, -0.2), (3, -0.05))))
    options = PlanOptions(improve_s=30.0, time_limit_s=60.0)
    plan = planner.plan(scene, stack("o1", "o2"), np.array(planner.robot.config.home), options)
    assert isinstance(plan, Plan), plan
    return scene, plan


def at(item: SceneObject, x: float, y: float, **changes: object) -> SceneObject:
    pose = replace(item.box.pose, position=np.array([x, y, item.centre[2]]))
    return replace(item, box=OrientedBox(pose, item.size), **changes)


def test_nothing_new_is_no_change(planned: tuple[Scene, Plan]) -> None:
    scene, plan = planned
    assert changed_scene(plan, scene, scene) is None


def test_what_the_arm_hides_or_cuts_is_no_change(planned: tuple[Scene, Plan]) -> None:
    scene, plan = planned
    o1, _, o3 = scene.objects
    cut = replace(o3, box=OrientedBox(o3.box.pose, o3.size * np.array([0.4, 1.0, 1.0])))
    nudged = at(cut, o3.centre[0] + 0.012, o3.centre[1], id="o8")
    assert changed_scene(plan, scene, replace(scene, objects=(nudged,))) is None
    carried = at(o1, 0.45, 0.0)
    assert changed_scene(plan, scene, replace(scene, objects=(carried,))) is None


def test_what_is_put_down_is_no_change(planned: tuple[Scene, Plan]) -> None:
    scene, plan = planned
    o1, o2, o3 = scene.objects
    placed = replace(o1, id="o7", box=OrientedBox(plan.expected_poses["o1"], o1.size))
    assert changed_scene(plan, scene, replace(scene, objects=(o2, o3, placed))) is None


def test_a_new_or_moved_object_counts_once_it_is_recognised(
    planned: tuple[Scene, Plan], make_object: Callable
) -> None:
    scene, plan = planned
    new = make_object("o9", (0.6, 0.0))
    found = changed_scene(plan, scene, replace(scene, objects=(new,)))
    assert found is not None
    assert [item.id for item in found.objects] == ["o1", "o2", "o3", "o9"]
    vague = replace(new, confidence=0.2)
    assert changed_scene(plan, scene, replace(scene, objects=(vague,))) is None
    moved = changed_scene(plan, scene, replace(scene, objects=(at(scene.object("o3"), 0.6, 0.1),)))
    assert moved is not None
    assert moved.object("o3").centre[0] == pytest.approx(0.6)
    assert len(moved.objects) == 3


def test_a_new_object_with_a_known_name_is_told_apart_by_its_id(
    planned: tuple[Scene, Plan], make_object: Callable
) -> None:
    scene, plan = planned
    name = scene.object("o3").name
    twin = replace(make_object("o8", (0.6, 0.0)), name=name)
    found = changed_scene(plan, scene, replace(scene, objects=(twin,)))
    assert found is not None
    assert [item.id for item in found.objects] == ["o1", "o2", "o3", "o8"]
    assert found.object("o8").name == f"{name} 2"
    assert found.object("o3").name == name


def test_objects_of_another_scene_keep_their_ids_and_stand_on_what_is_there(
    planned: tuple[Scene, Plan], make_object: Callable
) -> None:
    scene, _ = planned
    name = scene.object("o3").name
    moved = replace(at(scene.object("o3"), 0.6, 0.1), name=scene.object("o1").name)
    twin = replace(make_object("o9", (0.6, -0.1)), name=name, supported_by="o77")
    upon = replace(make_object("o10", (0.6, -0.1)), name="table", supported_by="o9")
    found = with_objects(scene, [moved, twin, upon])
    assert [item.id for item in found.objects] == ["o1", "o2", "o3", "o9", "o10"]
    assert len({*found.names, "table"}) == 6
    assert found.object("o3").centre[0] == pytest.approx(0.6)
    assert found.object("o9").name == name
    assert (found.object("o9").supported_by, found.object("o10").supported_by) == ("table", "o9")


def test_what_is_at_the_hand_does_not_count(planned: tuple[Scene, Plan], make_object: Callable) -> None:
    scene, plan = planned
    seen = replace(scene, objects=(make_object("o9", (0.6, 0.0)),))
    assert changed_scene(plan, scene, seen, hand=np.array([0.6, 0.0, 0.1])) is None
    assert changed_scene(plan, scene, seen, hand=np.array([0.6, 0.0, 0.4])) is not None


def test_the_hand_is_where_the_plan_has_it(planned: tuple[Scene, Plan]) -> None:
    _, plan = planned
    grasp = next(k for k, item in enumerate(plan.stages) if item.name == "grasp" and item.trajectory is None)
    before = plan.stages[grasp - 1].tcp_waypoints
    assert np.allclose(hand_at(plan, grasp, 0.3), before[-1, :3])
    assert np.allclose(hand_at(plan, grasp - 1, 0.0), before[0, :3])
    assert np.allclose(hand_at(plan, grasp - 1, 1e9), before[-1, :3])
    opening = plan.stages[0]
    assert (opening.trajectory is None) == (hand_at(plan, 0, 0.0) is None)
