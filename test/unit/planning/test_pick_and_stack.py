# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.plan import CandidateFailure, Plan, PlanFailure
from spatialpin_ros.planning import Planner, PlanOptions
from spatialpin_ros.planning.candidates import in_the_way
from spatialpin_ros.planning.recheck import recheck
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task, TaskStep

STAGES = [
    "approach",
    "approach",
    "approach",
    "grasp",
    "lift",
    "transfer",
    "place",
    "release",
    "retreat",
    "home",
]
# Bounded by edge checks, not by time, so that every run is the same.
OPTIONS = PlanOptions(improve_s=30.0, time_limit_s=60.0)


def made(result: Plan | PlanFailure) -> Plan:
    assert isinstance(result, Plan), result
    return result


def failed(result: Plan | PlanFailure) -> PlanFailure:
    assert isinstance(result, PlanFailure)
    return result


def home(robot: RobotModel) -> np.ndarray:
    return np.array(robot.config.home)


@pytest.mark.parametrize("seed", range(4))
def test_random_scenes_are_planned_and_pybullet_finds_nothing_wrong(
    planner: Planner, random_scene: Callable[[int, int], Scene], stack: Callable, seed: int
) -> None:
    robot, scene = planner.robot, random_scene(seed, 8)
    plan = made(planner.plan(scene, stack("o0", "o1"), home(robot), OPTIONS))
    assert [stage.name for stage in plan.stages] == STAGES
    assert recheck(robot, scene, plan, step_s=0.02) == []
    for stage in plan.stages:
        if stage.trajectory is not None:
            assert (np.abs(stage.trajectory.velocities) <= robot.velocity * 1.000001).all()
            assert (np.abs(stage.trajectory.accelerations) <= robot.acceleration * 1.000001).all()
            assert robot.within_limits(stage.trajectory.positions).all()


def test_ends_meet_and_the_object_follows_the_hand(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    robot = planner.robot
    moved = make_object("o1", (0.45, 0.15), (0.04, 0.05, 0.05), 0.4)
    target = make_object("o2", (0.5, -0.15), (0.06, 0.06, 0.06))
    plan = made(planner.plan(make_scene(moved, target), stack("o1", "o2"), home(robot), OPTIONS))
    by_name = {stage.name: stage for stage in plan.stages if stage.trajectory is not None}
    assert np.array_equal(plan.start_positions, home(robot))
    assert np.allclose(by_name["home"].trajectory.positions[-1], home(robot), atol=1e-6)
    assert {stage.name for stage in plan.stages if stage.holding} == {"lift", "transfer", "place"}

    taken = robot.tcp(by_name["lift"].trajectory.positions[0]) @ plan.object_T_tcp["o1"].inverse()
    assert taken.distance_to(moved.box.pose) == pytest.approx((0.0, 0.0), abs=1e-3)
    put = robot.tcp(by_name["place"].trajectory.positions[-1]) @ plan.object_T_tcp["o1"].inverse()
    assert put.distance_to(plan.expected_poses["o1"]) == pytest.approx((0.0, 0.0), abs=1e-3)
    assert np.allclose(put.position[:2], target.centre[:2], atol=1e-3)
    assert put.position[2] - 0.025 - target.box.top_z == pytest.approx(0.0015, abs=5e-4)
    assert plan.metrics["planning_s"] > 0.0
    assert plan.metrics["checked_states"] > 100


def test_other_ways_are_ranked_and_the_search_is_reported(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    scene = make_scene(
        make_object("o1", (0.5, 0.1)), make_object("o2", (0.5, -0.2)),
        make_object("o3", (0.5, -0.05), (0.3, 0.05, 0.3)), make_object("o4", (0.555, 0.1), (0.03, 0.03, 0.10)),
    )  # fmt: skip
    plan = made(planner.plan(scene, stack("o1", "o2"), home(planner.robot), OPTIONS))
    possible = [item for item in plan.alternatives if item.detail.startswith("possible")]
    costs = [item.cost for item in possible]
    assert len(possible) >= 2
    assert costs == sorted(costs)
    assert plan.alternatives[: len(possible)] == tuple(possible)
    fallen = plan.alternatives[len(possible) :]
    assert any("fails: " in item.detail and "thing o4" in item.detail for item in fallen)
    assert len({item.candidate for item in plan.alternatives}) == len(plan.alternatives)
    won = {name: value for name, value in plan.metrics.items() if name.startswith("won_")}
    assert sum(won.values()) == 3
    assert set(won) - {"won_straight_line"}
    assert 0.0 < plan.metrics["paths_rad"] <= plan.metrics["first_paths_rad"]
    assert plan.metrics["first_paths_s"] > 0.0
    assert plan.metrics["checked_edges"] > 3


def test_gripper_stages_open_wide_enough_close_and_open_again(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    scene = make_scene(make_object("o1", (0.45, 0.15), (0.04, 0.04, 0.05)), make_object("o2", (0.5, -0.15)))
    plan = made(planner.plan(scene, stack("o1", "o2"), home(planner.robot), OPTIONS))
    widths = [
        (stage.name, stage.gripper_width_m) for stage in plan.stages if stage.gripper_width_m is not None
    ]
    assert [name for name, _ in widths] == ["approach", "grasp", "release"]
    assert widths[0][1] == pytest.approx(0.06)
    assert 0.0 <= widths[1][1] < 0.036
    assert widths[2][1] == pytest.approx(0.06)


def test_the_same_seed_gives_the_same_plan(
    planner: Planner, random_scene: Callable[[int, int], Scene], stack: Callable
) -> None:
    plans = [
        made(planner.plan(random_scene(5, 8), stack("o0", "o1"), home(planner.robot), OPTIONS))
        for _ in range(2)
    ]
    for first, second in zip(*(plan.stages for plan in plans), strict=True):
        assert (first.trajectory is None) == (second.trajectory is None)
        if first.trajectory is not None and second.trajectory is not None:
            assert np.array_equal(first.trajectory.positions, second.trajectory.positions)


def test_two_picks_and_places_build_a_tower(
    planner: Planner, make_object: Callable, make_scene: Callable
) -> None:
    scene = make_scene(
        make_object("o1", (0.45, 0.2)),
        make_object("o2", (0.55, -0.2)),
        make_object("o3", (0.45, 0.0), (0.06, 0.06, 0.05)),
    )
    steps = (
        TaskStep("pick", "o1"), TaskStep("place_on", "o1", "o3"),
        TaskStep("pick", "o2"), TaskStep("place_on", "o2", "o1"),
    )  # fmt: skip
    plan = made(planner.plan(scene, Task("tower", "build a tower", steps), home(planner.robot), OPTIONS))
    assert [stage.name for stage in plan.stages].count("home") == 1
    assert [stage.step_index for stage in plan.stages] == sorted(stage.step_index for stage in plan.stages)
    assert plan.expected_poses["o2"].position[2] == pytest.approx(0.05 + 0.04 + 0.02 + 2 * 0.0015, abs=1e-3)
    assert recheck(planner.robot, scene, plan, step_s=0.04) == []


def test_a_pick_alone_ends_holding_the_object(
    planner: Planner, make_object: Callable, make_scene: Callable
) -> None:
    task = Task("pick", "pick it up", (TaskStep("pick", "o1", lift_height_m=0.2),))
    plan = made(planner.plan(make_scene(make_object("o1", (0.5, 0.0))), task, home(planner.robot), OPTIONS))
    assert plan.stages[-1].name == "lift"
    heights = plan.stages[-1].tcp_waypoints[[0, -1], 2]
    assert heights[1] - heights[0] == pytest.approx(0.2, abs=2e-3)


def test_placing_in_an_area_of_the_table(
    planner: Planner, make_object: Callable, make_scene: Callable
) -> None:
    area = np.array([[0.4, -0.3], [0.6, -0.3], [0.6, -0.1], [0.4, -0.1]])
    steps = (TaskStep("pick", "o1"), TaskStep("place_in_area", "o1", "table", area=area))
    scene = make_scene(make_object("o1", (0.5, 0.2)), make_object("o2", (0.5, -0.2)))
    plan = made(planner.plan(scene, Task("clear", "clear it", steps), home(planner.robot), OPTIONS))
    x, y, z = plan.expected_poses["o1"].position
    assert 0.4 <= x <= 0.6
    assert -0.3 <= y <= -0.1
    assert z == pytest.approx(0.0215, abs=1e-4)
    assert np.hypot(x - 0.5, y + 0.2) > 0.045
    assert recheck(planner.robot, scene, plan, step_s=0.04) == []


def test_grasping_in_a_row_closes_along_the_row_only_where_the_fingers_fit(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    scene = make_scene(
        make_object("o1", (0.5, 0.0)), make_object("o2", (0.5, 0.055)), make_object("o3", (0.5, -0.055)),
        make_object("o4", (0.4, -0.25), (0.06, 0.06, 0.04)),
    )  # fmt: skip
    plan = made(planner.plan(scene, stack("o1", "o4"), home(planner.robot), OPTIONS))
    closing = plan.object_T_tcp["o1"].axes[:, 1]
    assert abs(closing[0]) > 0.99


def test_out_of_reach_names_inverse_kinematics(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    scene = make_scene(make_object("o1", (1.3, 0.0)), make_object("o2", (0.5, 0.0)))
    failure = failed(planner.plan(scene, stack("o1", "o2"), home(planner.robot), OPTIONS))
    assert (failure.reason, failure.stage) == ("ik", "grasp")
    assert "thing o1" in failure.message
    assert failure.candidates
    assert all(item.detail for item in failure.candidates)


def test_a_target_out_of_reach_fails_at_the_place(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    scene = make_scene(make_object("o1", (0.5, 0.0)), make_object("o2", (1.1, 0.0)))
    failure = failed(planner.plan(scene, stack("o1", "o2"), home(planner.robot), OPTIONS))
    assert (failure.reason, failure.stage) == ("ik", "place")


def test_too_wide_is_no_grasp(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    scene = make_scene(make_object("o1", (0.5, 0.1), (0.09, 0.1, 0.05)), make_object("o2", (0.5, -0.2)))
    failure = failed(planner.plan(scene, stack("o1", "o2"), home(planner.robot), OPTIONS))
    assert failure.reason == "no_grasp"
    assert "90 and 100 mm" in failure.message


def test_an_unknown_object_lists_what_there_is(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    scene = make_scene(make_object("o1", (0.5, 0.1)))
    failure = failed(planner.plan(scene, stack("o1", "o7"), home(planner.robot), OPTIONS))
    assert failure.reason == "unknown_object"
    assert "o1 (thing o1)" in failure.message


def test_a_bad_start_is_named(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    robot = planner.robot
    tip = robot.tcp(home(robot)).position
    scene = make_scene(make_object("o1", (0.5, 0.2)), make_object("o2", tip[:2], (0.1, 0.1, tip[2])))
    failure = failed(planner.plan(scene, stack("o1", "o2"), home(robot), OPTIONS))
    assert failure.reason == "start_in_collision"
    assert "o2" in failure.message
    beyond = home(robot)
    beyond[3] = 0.5
    failure = failed(
        planner.plan(
            make_scene(make_object("o1", (0.5, 0.2))), Task("t", "pick", (TaskStep("pick", "o1"),)), beyond
        )
    )
    assert failure.reason == "start_out_of_limits"
    with pytest.raises(InvalidValueError, match="7 finite"):
        planner.plan(scene, stack("o1", "o2"), np.zeros(6))


def test_a_walled_in_target_gives_reasons(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    walls = [
        make_object(f"w{k}", (0.5 + dx, -0.15 + dy), (0.02 if dx else 0.14, 0.14 if dx else 0.02, 0.25))
        for k, (dx, dy) in enumerate([(0.06, 0.0), (-0.06, 0.0), (0.0, 0.06), (0.0, -0.06)])
    ]
    scene = make_scene(
        make_object("o1", (0.45, 0.2)), make_object("o2", (0.5, -0.15), (0.06, 0.06, 0.03)), *walls
    )
    failure = failed(planner.plan(scene, stack("o1", "o2"), home(planner.robot), OPTIONS))
    assert failure.reason == "no_free_place"
    assert failure.stage in ("place", "retreat")
    assert any("touches thing w" in item.detail for item in failure.candidates)


def test_carried_objects_block_taking_and_putting(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    scene = make_scene(
        make_object("o1", (0.5, 0.1)), make_object("o2", (0.5, 0.1), bottom_z=0.04, supported_by="o1"),
        make_object("o3", (0.5, -0.2)),
    )  # fmt: skip
    assert failed(planner.plan(scene, stack("o1", "o3"), home(planner.robot))).reason == "no_grasp"
    assert failed(planner.plan(scene, stack("o3", "o1"), home(planner.robot))).reason == "no_free_place"


def test_an_unstable_stack_is_refused(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    ball = make_object("o2", (0.5, -0.2), (0.05, 0.05, 0.05), 0.0, "sphere")
    failure = failed(
        planner.plan(make_scene(make_object("o1", (0.5, 0.1)), ball), stack("o1", "o2"), home(planner.robot))
    )
    assert (failure.reason, failure.stage) == ("unstable_stack", "place")


def test_cancelling_and_running_out_of_time(
    planner: Planner, random_scene: Callable[[int, int], Scene], stack: Callable
) -> None:
    scene, robot = random_scene(1, 6), planner.robot
    cancelled = planner.plan(scene, stack("o0", "o1"), home(robot), replace(OPTIONS, cancelled=lambda: True))
    assert failed(cancelled).reason == "cancelled"
    late = planner.plan(scene, stack("o0", "o1"), home(robot), replace(OPTIONS, time_limit_s=1e-4))
    assert failed(late).reason == "timeout"


def test_options_are_checked() -> None:
    with pytest.raises(InvalidValueError, match="speed"):
        PlanOptions(speed=0.0)
    with pytest.raises(InvalidValueError, match="lift_m"):
        PlanOptions(lift_m=-0.1)


def test_a_camera_on_the_arm_is_no_obstacle_and_one_beside_it_is(
    planner: Planner, make_object: Callable, make_scene: Callable, stack: Callable
) -> None:
    scene = make_scene(make_object("o1", (0.45, 0.15)), make_object("o2", (0.5, -0.15)))
    tip = planner.robot.tcp(home(planner.robot))
    on_arm = replace(scene, base_T_camera=tip)
    assert isinstance(planner.plan(on_arm, stack("o1", "o2"), home(planner.robot), OPTIONS), Plan)
    above_target = replace(scene, base_T_camera=replace(tip, position=np.array([0.5, -0.15, 0.2])))
    failure = failed(planner.plan(above_target, stack("o1", "o2"), home(planner.robot), OPTIONS))
    assert "touches camera" in failure.message


def test_what_is_in_the_way_is_counted_by_try() -> None:
    def fell(detail: str) -> CandidateFailure:
        return CandidateFailure("a grasp", "grasp", "goal_in_collision", detail)

    tries = (
        fell("panda_hand touches red cube, panda_link7 touches red cube"),
        fell("panda_hand touches small red cube"),
        fell("green can touches red cube, and 2 more"),
        CandidateFailure("a grasp", "grasp", "ik", "no joint positions reach the red cube"),
    )
    assert in_the_way(tries, ["small red cube", "red cube", "ball"]) == [
        ("red cube", 2),
        ("small red cube", 1),
    ]
