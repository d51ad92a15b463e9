# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import coal
import numpy as np
import pinocchio as pin
import pytest

from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.planning import collision_world
from spatialpin_ros.planning.bullet_world import BulletWorld
from spatialpin_ros.planning.collision_world import CollisionWorld, densify
from spatialpin_ros.planning.obstacles import UNEXPLAINED, Obstacle, scene_obstacles
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.scene import Scene

BAND_M = 0.002


def solid(scene: Scene, robot: RobotModel) -> tuple[Obstacle, ...]:
    everything = scene_obstacles(scene, robot.config.workspace)
    return tuple(item for item in everything if item.kind in ("object", "support"))


def world_of(scene: Scene, robot: RobotModel, **options: float) -> CollisionWorld:
    return CollisionWorld(robot, solid(scene, robot), **{"width_m": 0.08, "padding_m": 0.0, **options})


@pytest.mark.parametrize("seed", [1, 2])
def test_verdicts_agree_with_pybullet(
    robot: RobotModel, random_scene: Callable[[int, int], Scene], seed: int
) -> None:
    scene = random_scene(seed, 8)
    world = world_of(scene, robot)
    samples = np.random.default_rng(seed).uniform(robot.lower, robot.upper, (150, 7))
    verdicts = world.valid_many(samples)
    compared = 0
    with BulletWorld(robot, scene) as bullet:
        for q, free in zip(samples, verdicts, strict=True):
            bullet.place_arm(q, 0.08)
            nearest = bullet.least_distance()
            if abs(nearest.depth_m) > BAND_M:
                compared += 1
                assert free == (nearest.depth_m < 0.0), (q.tolist(), nearest, world.contacts(q))
    assert compared > 130
    assert 20 < verdicts.sum() < 140


def test_held_object_verdicts_agree_with_pybullet(
    robot: RobotModel, random_scene: Callable[[int, int], Scene]
) -> None:
    scene = random_scene(3, 6)
    grip = Pose.from_xyz_rpy([0.0, 0.0, 0.01], [np.pi, 0.0, 0.4])
    world = world_of(scene, robot).attach("o2", grip)
    samples = robot.config.home + np.random.default_rng(3).normal(0.0, 0.6, (150, 7))
    samples = np.clip(samples, robot.lower, robot.upper)
    with BulletWorld(robot, scene) as bullet:
        for q in samples:
            bullet.place_arm(q, 0.08)
            bullet.place_body("o2", bullet.tip() @ grip)
            nearest = bullet.least_distance("o2")
            if abs(nearest.depth_m) > BAND_M:
                assert world.valid(q) == (nearest.depth_m < 0.0), (q.tolist(), nearest, world.contacts(q))


def test_single_batch_and_contacts_give_one_verdict(
    robot: RobotModel, random_scene: Callable[[int, int], Scene]
) -> None:
    world = world_of(random_scene(4, 6), robot, padding_m=0.005)
    samples = np.random.default_rng(4).uniform(robot.lower, robot.upper, (80, 7))
    batch = world.valid_many(samples)
    for q, free in zip(samples, batch, strict=True):
        assert world.valid(q) == free == (not world.contacts(q))
        assert bool(world.explain(q)) != free


def test_a_motion_is_free_only_if_all_of_it_is(
    robot: RobotModel, make_object: Callable, make_scene: Callable
) -> None:
    home = np.array(robot.config.home)
    other = home.copy()
    other[0] += 1.5
    middle = robot.tcp((home + other) / 2.0).position
    blocked = make_scene(make_object("o1", middle[:2], (0.1, 0.1, 0.8)))
    empty = make_scene()
    assert world_of(empty, robot).motion(home, other)
    world = world_of(blocked, robot)
    assert world.valid(home)
    assert world.valid(other)
    assert not world.motion(home, other)
    assert not world.path(np.stack([home, other]))
    assert not world.motion(other, home)


def test_padding_keeps_a_distance(robot: RobotModel, make_object: Callable, make_scene: Callable) -> None:
    home = np.array(robot.config.home)
    tip_z = robot.tcp(home).position[2] - robot.tip_beyond_tcp_m
    scene = make_scene(make_object("o1", robot.tcp(home).position[:2], (0.1, 0.1, tip_z - 0.010)))
    world = world_of(scene, robot)
    assert world.distance(home) == pytest.approx(0.010, abs=0.001)
    assert world.derive(padding_m=0.008).valid(home)
    assert not world.derive(padding_m=0.012).valid(home)
    assert world.derive(padding_m=0.012, near={"o1": 0.001}).valid(home)
    assert "o1" in world.derive(padding_m=0.012).explain(home)


def test_a_held_object_is_part_of_the_robot_and_gone_from_the_world(
    robot: RobotModel, make_object: Callable, make_scene: Callable
) -> None:
    home = np.array(robot.config.home)
    tip = robot.tcp(home).position
    held = make_object("o1", (0.5, 0.3), (0.04, 0.04, 0.1))
    below = make_object("o2", tip[:2], (0.1, 0.1, tip[2] - 0.04))
    world = world_of(make_scene(held, below), robot)
    assert world.valid(home)
    carrying = world.attach("o1", Pose.from_xyz_rpy([0.0, 0.0, 0.02], [np.pi, 0.0, 0.0]))
    assert carrying.contacts(home) == (("o1", "o2"),)
    assert carrying.derive(allowed=[("o1", "o2")]).valid(home)
    assert [item.name for item in carrying.obstacles] == ["table", "o2"]


def test_workspace_walls_stop_the_hand_but_not_the_arm(robot: RobotModel, make_scene: Callable) -> None:
    world = CollisionWorld(robot, scene_obstacles(make_scene(), robot.config.workspace), width_m=0.08)
    back = np.array(robot.config.home)
    back[:2] = [2.6, 0.9]
    touched = {name for pair in world.contacts(back) for name in pair}
    assert any(name.startswith("workspace") for name in touched)
    assert not {"panda_link1", "panda_link2", "panda_link3"} & touched


def test_unexplained_points_are_obstacles_except_near_what_moves(
    robot: RobotModel, make_object: Callable, make_scene: Callable
) -> None:
    home = np.array(robot.config.home)
    tip = robot.tcp(home).position
    points = tip + np.random.default_rng(0).uniform(-0.05, 0.05, (300, 3))
    scene = make_scene(unexplained=points)
    world = CollisionWorld(robot, scene_obstacles(scene, robot.config.workspace), width_m=0.08)
    assert UNEXPLAINED in {name for pair in world.contacts(home) for name in pair}
    near = (OrientedBox(Pose(tip), np.full(3, 0.10)),)
    cleared = scene_obstacles(scene, robot.config.workspace, clear_of=near)
    assert CollisionWorld(robot, cleared, width_m=0.08).valid(home)


def test_out_of_limits_is_not_valid_and_says_so(robot: RobotModel, make_scene: Callable) -> None:
    world = world_of(make_scene(), robot)
    beyond = np.array(robot.config.home)
    beyond[5] = 4.0
    assert not world.valid(beyond)
    assert "panda_joint6" in world.explain(beyond)


def test_fixtures_are_obstacles(robot: RobotModel, make_scene: Callable) -> None:
    home = np.array(robot.config.home)
    mast = Obstacle("mast", coal.Box(0.05, 0.05, 1.0), Pose(robot.tcp(home).position), "fixture")
    obstacles = scene_obstacles(make_scene(), robot.config.workspace, fixtures=(mast,))
    assert "mast" in CollisionWorld(robot, obstacles, width_m=0.08).explain(home)


def test_densify_keeps_waypoints_and_bounds_the_steps() -> None:
    path = np.array([[0.0, 0.0], [0.3, 0.0], [0.3, 1.0]])
    dense = densify(path, 0.07)
    assert np.linalg.norm(np.diff(dense, axis=0), axis=1).max() <= 0.07 + 1e-12
    for waypoint in path:
        assert np.linalg.norm(dense - waypoint, axis=1).min() < 1e-12


def test_a_new_world_knows_where_its_bodies_are(robot: RobotModel, make_scene: Callable) -> None:
    """Placements that nobody sets are whatever was in the memory, and now and then no box can be put around them."""
    for _ in range(20):
        world = world_of(make_scene(), robot)
        expected = world._geometry.createData()
        pin.updateGeometryPlacements(
            robot.model, robot.model.createData(), world._geometry, expected, pin.neutral(robot.model)
        )
        for found, placed in zip(world._placed.oMg, expected.oMg, strict=True):
            np.testing.assert_array_equal(found.homogeneous, placed.homogeneous)


def test_verdicts_do_not_depend_on_how_many_bodies_there_are(
    robot: RobotModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = tuple(
        Obstacle(
            f"post {k}", coal.Box(0.03, 0.03, 0.3), Pose([0.3 + 0.05 * (k % 8), 0.12 * (k // 8) - 0.4, 0.15])
        )
        for k in range(60)
    )
    rng = np.random.default_rng(0)
    q = rng.uniform(robot.lower, robot.upper, (300, robot.dimension))
    many = CollisionWorld(robot, posts, width_m=0.04)
    monkeypatch.setattr(collision_world, "_FEW_BODIES", 1000)
    few = CollisionWorld(robot, posts, width_m=0.04)
    assert type(many._manager) is not type(few._manager)
    assert (many.valid_many(q) == few.valid_many(q)).all()
    assert 0 < few.valid_many(q).sum() < len(q)
