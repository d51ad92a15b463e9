# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import five_blocks, make_object, make_scene, stacked
from scipy.spatial.transform import Rotation

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.reasoning import Abilities, areas, polygons
from spatialpin_ros.reasoning.feasibility import (
    can_carry,
    can_grasp,
    can_place_on,
    check_task,
    imagine,
    tower_stability,
)
from spatialpin_ros.task import Task, TaskStep

ABILITIES = Abilities()


def reason(verdict):
    return verdict.reason


@pytest.mark.parametrize("shape", ["box", "cylinder", "ball"])
@pytest.mark.parametrize(("extra_m", "expected"), [(-0.001, ""), (0.001, "too_wide")])
def test_the_widest_graspable_side_is_the_opening_less_the_clearance(shape, extra_m, expected):
    side = ABILITIES.graspable_width_m + extra_m
    item = make_object("o1", "red", shape, (side, side, side))
    assert reason(can_grasp(make_scene(item), item, ABILITIES)) == expected


def test_one_narrow_side_is_enough():
    plank = make_object("o1", "red", "box", (0.20, 0.04, 0.03), yaw_rad=0.7)
    assert can_grasp(make_scene(plank), plank, ABILITIES).ok


def test_a_flat_object_and_a_loaded_one_cannot_be_taken():
    card = make_object("o1", size=(0.05, 0.05, 0.008))
    assert reason(can_grasp(make_scene(card), card, ABILITIES)) == "too_flat"
    low = make_object("o1", size=(0.06, 0.06, 0.04))
    scene = make_scene(low, stacked(make_object("o2", "blue", size=(0.03, 0.03, 0.03)), low))
    verdict = can_grasp(scene, scene.object("o1"), ABILITIES)
    assert reason(verdict) == "carries_something"
    assert "blue cube" in verdict.message
    assert can_grasp(scene, scene.object("o2"), ABILITIES).ok


@pytest.mark.parametrize(
    ("distance_m", "expected"), [(0.24, "out_of_reach"), (0.26, ""), (0.77, ""), (0.79, "out_of_reach")]
)
def test_reach_is_a_ring_about_the_base(distance_m, expected):
    item = make_object("o1", at=(distance_m * np.cos(0.3), distance_m * np.sin(0.3)))
    assert reason(can_grasp(make_scene(item), item, ABILITIES)) == expected


def test_the_workspace_of_a_robot_bounds_the_reach():
    abilities = Abilities.from_robot(RobotConfig.load("panda"))
    assert abilities.max_grasp_width_m == pytest.approx(0.08)
    assert 0.6 < abilities.reach_max_m < 0.9
    low = make_object("o1", at=(0.5, 0.0), bottom_z=-0.5)
    assert reason(can_grasp(make_scene(low), low, abilities)) == "out_of_reach"


def test_walls_on_both_sides_leave_no_room_for_fingers_but_one_open_axis_does():
    item = make_object("o1", size=(0.04, 0.04, 0.04), at=(0.5, 0.0))
    walls = [
        make_object(f"w{i}", "gray", "box", (0.02, 0.2, 0.06), (0.5 + sign * 0.035, 0.0), name=f"wall {i}")
        for i, sign in enumerate((-1, 1))
    ]
    assert can_grasp(make_scene(item, *walls), item, ABILITIES).ok
    ends = [
        make_object(f"e{i}", "gray", "box", (0.04, 0.02, 0.06), (0.5, sign * 0.035), name=f"end {i}")
        for i, sign in enumerate((-1, 1))
    ]
    crowded = can_grasp(make_scene(item, *walls, *ends), item, ABILITIES)
    assert reason(crowded) == "crowded"
    low = [
        replace(wall, box=OrientedBox(Pose([*wall.centre[:2], 0.005]), [*wall.size[:2], 0.01]))
        for wall in walls + ends
    ]
    assert can_grasp(make_scene(item, *low), item, ABILITIES).ok


@pytest.mark.parametrize(
    ("item", "carrier", "expected"),
    [
        (("cube", (0.05, 0.05, 0.05)), ("box", (0.1, 0.08, 0.05)), ""),
        (("cube", (0.05, 0.05, 0.05)), ("cylinder", (0.06, 0.06, 0.05)), ""),
        (("cylinder", (0.05, 0.05, 0.08)), ("box", (0.06, 0.06, 0.05)), ""),
        (("ball", (0.05, 0.05, 0.05)), ("box", (0.1, 0.08, 0.05)), "round_base"),
        (("cube", (0.05, 0.05, 0.05)), ("ball", (0.06, 0.06, 0.06)), "round_top"),
        (("cube", (0.05, 0.05, 0.05)), ("box", (0.014, 0.06, 0.05)), "top_too_small"),
        (("box", (0.12, 0.07, 0.05)), ("cube", (0.03, 0.03, 0.05)), "top_too_small"),
        (("box", (0.02, 0.06, 0.3)), ("box", (0.1, 0.1, 0.02)), "tips_over"),
        (("box", (0.06, 0.06, 0.3)), ("box", (0.1, 0.1, 0.2)), "too_tall"),
    ],
)
def test_what_can_carry_what(item, carrier, expected):
    moved = make_object("o1", "red", item[0], item[1], (0.45, -0.15))
    target = make_object("o2", "blue", carrier[0], carrier[1], (0.5, 0.15))
    assert reason(can_carry(make_scene(moved, target), target, moved, ABILITIES)) == expected


def test_a_lying_cylinder_neither_carries_nor_stands():
    lying_pose = Pose.from_xyz_rpy((0.5, 0.1, 0.03), (np.pi / 2, 0.0, 0.0))
    lying = replace(make_object("o1", "red", "cylinder"), box=OrientedBox(lying_pose, (0.06, 0.06, 0.1)))
    box = make_object("o2", "blue", "box", (0.1, 0.1, 0.05), (0.5, -0.2))
    cube = make_object("o3", "green", at=(0.35, 0.0))
    scene = make_scene(lying, box, cube)
    assert reason(can_carry(scene, lying, cube, ABILITIES)) == "round_top"
    assert reason(can_carry(scene, box, lying, ABILITIES)) == "round_base"


def test_an_occupied_top_and_one_where_it_already_stands():
    box = make_object("o1", "blue", "box", (0.1, 0.1, 0.05), (0.5, 0.1))
    cube = stacked(make_object("o2", "red"), box)
    other = make_object("o3", "green", at=(0.45, -0.15))
    scene = make_scene(box, cube, other)
    assert reason(can_place_on(scene, other, box, ABILITIES)) == "occupied"
    assert reason(can_place_on(scene, cube, box, ABILITIES)) == "already_there"
    assert can_place_on(scene, other, cube, ABILITIES).ok


def test_an_overhanging_tower_is_unstable():
    base = make_object("o1", "blue", "box", (0.08, 0.08, 0.05), (0.5, 0.0))
    plank = make_object("o2", "red", "box", (0.16, 0.04, 0.02), (0.53, 0.0), bottom_z=0.05, supported_by="o1")
    scene = make_scene(base, plank)
    assert tower_stability(scene, plank, ABILITIES).ok
    weight = make_object(
        "o3", "green", "box", (0.06, 0.06, 0.12), (0.58, 0.0), bottom_z=0.07, supported_by="o2"
    )
    loaded = make_scene(base, plank, weight)
    assert reason(tower_stability(loaded, weight, ABILITIES)) == "unstable_stack"


sides = st.floats(0.02, 0.07)


@given(sides, sides, sides, sides, st.floats(-3.1, 3.1), st.floats(-3.1, 3.1))
def test_an_imagined_stack_rests_centred_whatever_the_headings(w1, d1, w2, d2, yaw1, yaw2):
    item = make_object("o1", "red", "box", (w1, d1, 0.05), (0.45, -0.2), yaw_rad=yaw1)
    carrier = make_object("o2", "blue", "box", (w2, d2, 0.04), (0.5, 0.1), yaw_rad=yaw2)
    after = imagine(make_scene(item, carrier), TaskStep("place_on", "o1", "o2")).object("o1")
    assert after.box.bottom_z == pytest.approx(carrier.box.top_z)
    assert after.box.pose.yaw_rad == pytest.approx(item.box.pose.yaw_rad)
    assert after.supported_by == "o2"
    np.testing.assert_allclose(after.centre[:2], carrier.centre[:2])


@given(sides, sides, st.floats(-3.1, 3.1))
def test_growing_the_carrier_never_makes_stacking_worse(width, depth, yaw):
    item = make_object("o1", "red", "box", (0.05, 0.04, 0.05), (0.45, -0.2), yaw_rad=yaw)

    def verdict(grow):
        carrier = make_object("o2", "blue", "box", (width + grow, depth + grow, 0.04), (0.5, 0.1))
        return can_carry(make_scene(item, carrier), carrier, item, ABILITIES)

    assert verdict(0.03).ok or not verdict(0.0).ok


def test_steps_are_checked_in_the_scene_that_earlier_ones_leave():
    scene = five_blocks()
    good = Task("t", "x", (TaskStep("pick", "o5"), TaskStep("place_on", "o5", "o1"), TaskStep("pick", "o3"),
                           TaskStep("place_on", "o3", "o5")))  # fmt: skip
    assert check_task(scene, good, ABILITIES).ok
    buried = Task("t", "x", (TaskStep("pick", "o5"), TaskStep("place_on", "o5", "o1"), TaskStep("pick", "o1"),
                             TaskStep("place_on", "o1", "o2")))  # fmt: skip
    assert reason(check_task(scene, buried, ABILITIES)) == "carries_something"


def test_a_full_area_has_no_free_place():
    scene = five_blocks()
    around_box = polygons.rectangle(scene.object("o2").centre[:2], (1.0, 0.0), 0.03, 0.03)
    task = Task("t", "x", (TaskStep("pick", "o4"), TaskStep("place_in_area", "o4", "table", around_box)))
    assert reason(check_task(scene, task, ABILITIES)) == "no_free_place"


def test_free_places_keep_clear_of_everything():
    scene = five_blocks()
    item = scene.object("o4")
    places = areas.free_places(scene, item, areas.reachable(scene, item, ABILITIES))
    assert len(places) > 100
    for other in scene.objects:
        if other.id != item.id:
            assert polygons.distance_outside(polygons.footprint(other), places).min() >= areas.radius(item)


def test_abilities_refuse_nonsense():
    with pytest.raises(InvalidValueError, match="reach"):
        Abilities(reach_min_m=0.9)
    with pytest.raises(InvalidValueError, match="max_grasp_width_m"):
        Abilities(max_grasp_width_m=float("nan"))


def test_what_leans_and_what_holds_it_up_stay_where_they_are():
    block = make_object("o1", "blue", "box", (0.05, 0.06, 0.05), (0.46, 0.0))
    tilted = Pose(np.array([0.51, 0.0, 0.045]), Rotation.from_euler("y", np.deg2rad(40.0)).as_quat())
    red = make_object("o2", "red", "box", (0.1, 0.04, 0.02))
    scene = make_scene(block, replace(red, box=OrientedBox(tilted, red.size)))
    assert can_grasp(scene, scene.object("o2"), Abilities()).reason == "tilted"
    held = can_grasp(scene, scene.object("o1"), Abilities())
    assert (held.reason, "the red box leans against" in held.message) == ("carries_something", True)
    assert can_grasp(make_scene(block), block, Abilities())
