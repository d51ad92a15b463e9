# SPDX-License-Identifier: Apache-2.0
"""Object motions planned in SE(3): free by an independent check, relaxed where blocked, typed where impossible."""

from __future__ import annotations

import json

import numpy as np
import pytest
from planning.object_motion.bullet_check import least_distances
from scenes import five_blocks, make_object, make_scene, stacked

from spatialpin_ros.config import Workspace
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import TriangleMesh
from spatialpin_ros.plan import PlanFailure
from spatialpin_ros.planning.object_motion import (
    ObjectMotion,
    ObjectMotionOptions,
    ObjectMotionPlanner,
    ObjectPath,
    RotateSelf,
    RotateWref,
    TranslateDirecAxis,
    TranslateTarObj,
)
from spatialpin_ros.planning.object_motion.se3 import displacements, steps
from spatialpin_ros.scene import Scene, SceneObject

PLANNER = ObjectMotionPlanner()


def plan(
    scene: Scene, object_id: str, *motions: ObjectMotion, **settings: object
) -> ObjectPath | PlanFailure:
    return PLANNER.plan(scene, object_id, motions, ObjectMotionOptions(**settings))  # type: ignore[arg-type]


def planned(scene: Scene, object_id: str, *motions: ObjectMotion, **settings: object) -> ObjectPath:
    path = plan(scene, object_id, *motions, **settings)
    assert isinstance(path, ObjectPath), path
    return path


def gray(name: str, size: tuple[float, ...], at: tuple[float, float], bottom_z: float = 0.0) -> SceneObject:
    return make_object(name, "gray", "box", size, at, bottom_z=bottom_z, name=name)


def walled() -> Scene:
    """A red and a blue cube with a long, high wall between them."""
    return make_scene(
        make_object("o1", at=(0.45, 0.0)),
        make_object("o2", "blue", at=(0.70, 0.0)),
        gray("wall", (0.02, 0.9, 0.20), (0.57, 0.0)),
    )


def caged() -> Scene:
    """A red cube in a closed cage, a blue one outside."""
    return make_scene(
        make_object("o1", at=(0.5, 0.0)),
        make_object("o2", "blue", at=(0.70, 0.0)),
        gray("back", (0.02, 0.2, 0.15), (0.41, 0.0)),
        gray("front", (0.02, 0.2, 0.15), (0.59, 0.0)),
        gray("right", (0.16, 0.02, 0.15), (0.5, -0.09)),
        gray("left", (0.16, 0.02, 0.15), (0.5, 0.09)),
        gray("lid", (0.2, 0.2, 0.02), (0.5, 0.0), 0.15),
    )


def slotted() -> Scene:
    """A flat bar in a covered slot: little room to turn about the vertical, none above."""
    return make_scene(
        make_object("o1", "red", "box", (0.12, 0.03, 0.04), (0.5, 0.0)),
        make_object("o2", "blue", at=(0.8, 0.3)),
        gray("left", (0.2, 0.02, 0.2), (0.5, 0.05)),
        gray("right", (0.2, 0.02, 0.2), (0.5, -0.05)),
        gray("lid", (0.2, 0.12, 0.02), (0.5, 0.0), 0.05),
    )


def assert_free(scene: Scene, path: ObjectPath, clearance_m: float = 0.001) -> None:
    """Every pose keeps its clearance by PyBullet's own geometry; what is touched gets no deeper than 0.3 mm."""
    for name, distance in least_distances(scene, path.object_id, path.poses).items():
        least = -3e-4 if name in path.touched else clearance_m - 1e-4
        assert distance >= least, f"{name}: {1000 * distance:.2f} mm"


CASES = {
    "onto": (five_blocks(), "o1", (TranslateTarObj("o2", (0.0, 0.0, 0.057)),)),
    "along the table": (five_blocks(), "o1", (TranslateDirecAxis(0.10, "o1", "o2"),)),
    "past another": (five_blocks(), "o1", (TranslateDirecAxis(0.40, "o1", "o2"),)),
    "turn on the table": (five_blocks(), "o2", (RotateSelf("z", 200.0),)),
    "tumble": (five_blocks(), "o1", (RotateSelf("x", -270.0),)),
    "ball": (five_blocks(), "o4", (TranslateTarObj("o3", (0.0, 0.0, 0.1)), RotateSelf("y", 90.0))),
    "pour": (
        five_blocks(),
        "o3",
        (
            TranslateTarObj("o2", (0.0, 0.15, 0.15)),
            RotateWref("o2", "pitch", "towards"),
            RotateWref("o2", "pitch", "back"),
            TranslateTarObj("o2", (0.0, 0.15, 0.015)),
        ),
    ),
    "wall": (walled(), "o1", (TranslateTarObj("o2", (0.0, 0.1, 0.0)),)),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_paths_are_free_fine_and_reach_their_goals(case: str) -> None:
    scene, object_id, motions = CASES[case]
    path = planned(scene, object_id, *motions)
    assert not path.relaxed
    assert_free(scene, path)
    assert np.allclose(path.poses[0, :3], scene.object(object_id).centre)
    radius = float(np.linalg.norm(scene.object(object_id).size)) / 2.0
    assert displacements(path.poses, radius).max() <= path.resolution_m + 1e-9
    assert np.degrees(steps(path.poses)[1].max()) <= path.resolution_deg + 1e-9
    for segment, motion in zip(path.segments, motions, strict=True):
        assert segment.motion == motion
        end = path.poses[segment.last]
        assert np.allclose(end[:3], segment.goal.position, atol=3e-3)
        assert segment.shortfall_deg < 1e-3
    assert [segment.first for segment in path.segments[1:]] == [s.last for s in path.segments[:-1]]


def test_speeds_and_accelerations_stay_within_their_limits() -> None:
    options = ObjectMotionOptions()
    path = planned(walled(), "o1", TranslateTarObj("o2", (0.0, 0.1, 0.0)), RotateSelf("z", 90.0))
    moved, turned = steps(path.poses)
    spans = np.diff(path.times)
    assert (moved / spans).max() <= options.speed_mps * 1.001
    assert np.degrees(turned / spans).max() <= options.turn_rate_degps * 1.001
    velocity = np.diff(path.poses[:, :3], axis=0) / spans[:, None]
    within = path.segments[0].last - 1
    acceleration = np.linalg.norm(np.diff(velocity[:within], axis=0), axis=1) / spans[1:within]
    assert acceleration.max() <= options.acceleration_mps2 * 1.02


def test_the_wall_is_gone_around_and_not_through() -> None:
    scene = walled()
    path = planned(scene, "o1", TranslateTarObj("o2", (0.0, 0.1, 0.0)))
    segment = path.segments[0]
    assert segment.planner != "straight"
    assert segment.cost_m > segment.straight_cost_m
    crossing = path.poses[np.abs(path.poses[:, 0] - 0.57) < 0.01]
    assert (crossing[:, 2] > 0.2).all()


def test_a_goal_inside_the_target_stops_at_contact_and_says_so() -> None:
    scene = five_blocks()
    path = planned(scene, "o1", TranslateTarObj("o2", (0.0, 0.0, 0.0)))
    segment = path.segments[0]
    assert "blue box" in segment.relaxed
    assert segment.shortfall_m == pytest.approx(0.03 + 0.025 + 0.001, abs=1e-3)
    assert path.end.position[:2] == pytest.approx(scene.object("o2").centre[:2], abs=1e-6)
    assert least_distances(scene, "o1", path.poses[-1:])["o2"] == pytest.approx(0.001, abs=3e-4)
    refused = plan(scene, "o1", TranslateTarObj("o2", (0.0, 0.0, 0.0)), allow_relaxed=False)
    assert isinstance(refused, PlanFailure)
    assert refused.reason == "goal_in_collision"
    assert "blue box" in refused.candidates[0].detail


def test_a_push_against_an_object_is_shortened() -> None:
    scene = make_scene(make_object("o1", at=(0.4, 0.0)), make_object("o2", "blue", at=(0.6, 0.0)))
    path = planned(scene, "o1", TranslateDirecAxis(0.2, "o1", "o2"))
    assert "short" in path.relaxed
    assert path.end.position == pytest.approx([0.549, 0.0, 0.025], abs=1e-3)


def test_a_direction_into_the_table_is_levelled() -> None:
    tall = make_object("o2", "blue", "box", (0.05, 0.05, 0.12), (0.4, 0.25))
    low = make_object("o3", "green", "box", (0.05, 0.05, 0.03), (0.6, 0.25))
    scene = make_scene(make_object("o1", at=(0.4, 0.0)), tall, low)
    path = planned(scene, "o1", TranslateDirecAxis(0.15, "o2", "o3"))
    assert "above the goal" in path.relaxed
    assert path.end.position[0] == pytest.approx(0.4 + 0.15 * 0.2 / np.hypot(0.2, 0.045), abs=1e-6)
    assert path.end.position[2] == pytest.approx(0.025, abs=1e-3)
    assert_free(scene, path)


def test_a_turn_without_room_on_the_table_is_raised() -> None:
    scene = five_blocks()
    path = planned(scene, "o3", RotateSelf("x", 45.0))
    assert "raised" in path.relaxed
    lowest = 0.045 * np.cos(np.pi / 4) + 0.025 * np.sin(np.pi / 4)
    assert path.end.position[2] == pytest.approx(max(lowest, 0.045), abs=5e-3)
    assert_free(scene, path)


def test_a_blocked_turn_goes_as_far_as_it_can() -> None:
    scene = slotted()
    path = planned(scene, "o1", RotateSelf("z", 90.0), max_lift_m=0.1)
    segment = path.segments[0]
    assert "of the motion" in segment.relaxed
    assert 60.0 < segment.shortfall_deg < 81.0
    assert_free(scene, path)


def test_a_turn_without_any_room_fails_and_names_what_is_in_the_way() -> None:
    ends = [gray("near", (0.02, 0.12, 0.05), (0.42, 0.0)), gray("far", (0.02, 0.12, 0.05), (0.58, 0.0))]
    kept = [item for item in slotted().objects if item.id != "lid"]
    scene = make_scene(*kept, *ends, gray("lid", (0.2, 0.12, 0.02), (0.5, 0.0), 0.05))
    failure = plan(scene, "o1", RotateSelf("y", 180.0), max_lift_m=0.1, first_path_states=2000)
    assert isinstance(failure, PlanFailure)
    assert failure.stage == "motion 1 (rotate_self)"
    assert "lid" in failure.message


def test_a_cage_lets_nothing_out() -> None:
    scene = caged()
    failure = plan(
        scene, "o1", TranslateTarObj("o2", (0.0, 0.0, 0.06)), allow_relaxed=False, first_path_states=3000
    )
    assert isinstance(failure, PlanFailure)
    assert failure.reason == "no_path"
    assert "front" in failure.message
    path = planned(scene, "o1", TranslateTarObj("o2", (0.0, 0.0, 0.06)), first_path_states=3000)
    assert "as far as" in path.relaxed
    assert path.end.position[0] + 0.025 < 0.58
    assert_free(scene, path)


def test_what_stands_on_it_stops_it_from_rising() -> None:
    lower = make_object("o1", "red", "cube", (0.06, 0.06, 0.06))
    upper = stacked(make_object("o2", "blue", "cube", (0.04, 0.04, 0.04)), lower)
    scene = make_scene(lower, upper, make_object("o3", "green", at=(0.5, 0.3)))
    failure = plan(scene, "o1", TranslateTarObj("o3", (0.0, -0.3, 0.1)), first_path_states=2000)
    assert not isinstance(failure, ObjectPath) or failure.end.position[2] < 0.04
    turned = planned(scene, "o1", RotateSelf("z", 45.0))
    assert {"table", "o2"} <= set(turned.touched)


def test_a_ball_goes_into_a_bowl_and_not_through_its_wall() -> None:
    scene = make_scene(make_object("o1", "yellow", "ball", (0.03,) * 3, (0.4, 0.0)), bowl())
    path = planned(scene, "o1", TranslateTarObj("o2", (0.0, 0.0, 0.0)))
    assert not path.relaxed
    assert path.end.position == pytest.approx([0.6, 0.0, 0.03], abs=1e-3)
    entering = path.poses[np.abs(path.poses[:, 0] - 0.555) < 0.003]
    assert len(entering)
    assert (entering[:, 2] > 0.06).all()


def bowl() -> SceneObject:
    """An open square box, 100 x 100 x 60 mm with 10 mm of wall and floor, as a closed mesh."""
    outer, inner = np.array([-0.05, 0.05]), np.array([-0.04, 0.04])
    ring = [(0, 0), (1, 0), (1, 1), (0, 1)]
    levels = [(outer, 0.0), (outer, 0.06), (inner, 0.06), (inner, 0.01)]
    vertices = [(0.6 + xy[i], xy[j], z) for xy, z in levels for i, j in ring]
    triangles = [(0, 2, 1), (0, 3, 2), (12, 13, 14), (12, 14, 15)]
    for level in range(3):
        for side in range(4):
            a, b = 4 * level + side, 4 * level + (side + 1) % 4
            triangles += [(a, b, b + 4), (a, b + 4, a + 4)]
    mesh = TriangleMesh(np.array(vertices), np.array(triangles, dtype=np.int32))
    return make_object("o2", "blue", "bowl", (0.1, 0.1, 0.06), (0.6, 0.0), shape="unknown", mesh=mesh)


def test_the_same_seed_gives_the_same_path() -> None:
    motion = TranslateTarObj("o2", (0.0, 0.1, 0.0))
    first, second, third = (planned(walled(), "o1", motion, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.poses, second.poses)
    assert np.array_equal(first.times, second.times)
    assert not np.array_equal(first.poses, third.poses)


def test_unknown_ids_and_undefined_motions_are_typed_failures() -> None:
    scene = five_blocks()
    assert _reason(plan(scene, "o9", RotateSelf("x", 10.0))) == ("unknown_object", "")
    assert _reason(plan(scene, "o1", RotateWref("o9", "yaw", 5.0))) == ("unknown_object", "rotate_wref")
    itself = plan(scene, "o1", TranslateTarObj("o1", (0.0, 0.0, 0.1)))
    assert isinstance(itself, PlanFailure)
    assert "own reference" in itself.message
    with pytest.raises(InvalidValueError, match="empty"):
        plan(scene, "o1")


def test_overlap_at_the_start_is_refused_and_a_little_tolerated() -> None:
    deep = make_scene(make_object("o1"), make_object("o2", "blue", at=(0.53, 0.0)))
    assert _reason(plan(deep, "o1", RotateSelf("z", 10.0))) == ("start_in_collision", "")
    sunk = make_scene(make_object("o1", bottom_z=-0.004), make_object("o2", "blue", at=(0.7, 0.0)))
    path = planned(sunk, "o1", TranslateTarObj("o2", (0.0, 0.0, 0.1)))
    assert path.touched == ("table",)
    assert path.poses[:, 2].min() >= 0.021 - 3e-4


def test_cancel_and_bounds() -> None:
    scene = walled()
    stopped = PLANNER.plan(scene, "o1", [TranslateTarObj("o2", (0, 0.1, 0))], cancelled=lambda: True)
    assert isinstance(stopped, PlanFailure)
    assert stopped.reason == "cancelled"
    low = ObjectMotionPlanner(Workspace(np.array([0.2, -0.4, 0.0]), np.array([0.9, 0.4, 0.15])))
    result = low.plan(
        scene,
        "o1",
        [TranslateTarObj("o2", (0, 0.1, 0))],
        ObjectMotionOptions(first_path_states=2000, allow_relaxed=False),
    )
    assert _reason(result) == ("no_path", "motion 1 (translate_tar_obj)")


def test_json_round_trip_and_interpolation() -> None:
    path = planned(five_blocks(), "o1", RotateSelf("z", 90.0), TranslateTarObj("o2", (0.0, 0.0, 0.0)))
    again = ObjectPath.from_dict(json.loads(json.dumps(path.to_dict())))
    assert np.array_equal(again.poses, path.poses)
    assert again.relaxed == path.relaxed
    assert again.segments[1].motion == path.segments[1].motion
    middle = path.pose_at(float(path.times[10] + path.times[11]) / 2.0)
    moved, turned = steps(
        np.stack([path.poses[10], np.r_[middle.position, middle.quaternion], path.poses[11]])
    )
    assert turned[0] == pytest.approx(turned[1], abs=1e-9)
    assert moved[0] == pytest.approx(moved[1], abs=1e-12)
    assert path.pose_at(1e9).distance_to(path.end)[0] == 0.0


def _reason(result: ObjectPath | PlanFailure) -> tuple[str, str]:
    assert isinstance(result, PlanFailure), result
    assert result.message
    return result.reason, result.stage
