# SPDX-License-Identifier: Apache-2.0
"""Planners to compare on one query, each from obstacles to a cost curve."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import coal
import numpy as np
import pybullet
from _mbm_problems import Problem
from _restarts import Simplifier, corner_cuts, random_shortcuts, restarted

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.obstacles import Obstacle
from spatialpin_ros.planning.ompl_planners import run_ompl
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.rrt_star import PathFailure, PathOptions, plan_path
from spatialpin_ros.planning.shortcut import path_length, shortcut
from spatialpin_ros.planning.urdf import prepare_urdf

RANGE_RAD, STEP_RAD = 0.5, 0.05
CHECK_RAD = 0.02


@dataclass(frozen=True)
class Run:
    """One planner on one query.

    Args:
        curve: (seconds, path length [rad]) each time a shorter path was there; empty when none was found.
        won: which part of the planner gave the last one.
        free: whether the last path is free at 0.02 rad, by our own collision world; None without a path.
    """

    problem: str
    curve: tuple[tuple[float, float], ...]
    won: str = ""
    free: bool | None = None
    failure: str = ""
    states: int = 0

    @property
    def first_path_s(self) -> float:
        return self.curve[0][0] if self.curve else np.inf

    def cost_at(self, seconds: float) -> float:
        """Length of the best path after some time [rad]; infinite without one."""
        return min((cost for at, cost in self.curve if at <= seconds), default=np.inf)


@dataclass(frozen=True)
class Setting:
    """What all stacks share: the arm, the opening, time for a first path and in total [s], the seed."""

    robot: RobotModel
    width_m: float
    first_path_s: float
    time_s: float
    seed: int

    def world(self, problem: Problem) -> CollisionWorld:
        return CollisionWorld(
            self.robot, problem.obstacles, width_m=self.width_m, padding_m=0.0, step_rad=STEP_RAD
        )


Stack = Callable[[Setting, Problem], Run]


def ours(setting: Setting, problem: Problem) -> Run:
    """The project's planner with its improvement budget set by time alone."""
    world = setting.world(problem)
    options = PathOptions(
        first_path_s=setting.first_path_s,
        improve_s=setting.time_s,
        improve_edges=10**9,
        good_enough=1.001,
        seed=setting.seed,
    )
    result = plan_path(world, problem.start, problem.goals, options)
    if isinstance(result, PathFailure):
        return Run(problem.name, (), failure=f"{result.reason}: {result.detail}")
    free = world.path(result.path, CHECK_RAD)
    return Run(problem.name, result.cost_over_time, result.won, free, states=result.states)


def restarts(simplify: Simplifier, seed_offset: int = 0) -> Stack:
    """RRT-Connect and a simplifier, begun anew until the time is up: what ours is to be no worse than, ever."""

    def run(setting: Setting, problem: Problem) -> Run:
        world = setting.world(problem)
        history, path = restarted(
            world, problem.start, problem.goals, setting.time_s, setting.seed + seed_offset, simplify
        )
        if path is None:
            return Run(problem.name, (), failure=f"no path in {setting.time_s:g} s")
        return Run(problem.name, tuple(history), "restart", world.path(path, CHECK_RAD))

    return run


def ompl_rrt_connect(setting: Setting, problem: Problem) -> Run:
    """RRT-Connect of OMPL and shortcuts, once, with our collision world."""
    return _once(setting, problem, setting.world(problem), "rrt_connect", setting.first_path_s)


def ompl_rrt_star(setting: Setting, problem: Problem) -> Run:
    """RRT* of OMPL alone for the whole time, with our collision world, and shortcuts at the end."""
    return _once(setting, problem, setting.world(problem), "rrt_star", setting.time_s)


def bullet_rrt_connect(setting: Setting, problem: Problem) -> Run:
    """RRT-Connect of OMPL and shortcuts, once, with PyBullet's collision checks."""
    world = BulletChecker(setting, problem)
    try:
        return _once(setting, problem, world, "rrt_connect", setting.first_path_s)
    finally:
        world.close()


def roboplan_rrt(setting: Setting, problem: Problem) -> Run:
    """roboplan's own RRT-Connect and its shortcutter, once."""
    core, rrt = import_module("roboplan.core"), import_module("roboplan.rrt")
    scene = _roboplan_scene(core, setting, problem)
    options = rrt.RRTOptions(
        group_name="arm",
        max_nodes=10**6,
        max_connection_distance=RANGE_RAD,
        collision_check_step_size=STEP_RAD,
        max_planning_time=setting.first_path_s,
        rrt_connect=True,
    )
    planner = rrt.RRT(scene, options)
    planner.setRngSeed(setting.seed)
    names = list(setting.robot.joint_names)
    start, goal = (core.JointConfiguration(names, q) for q in (problem.start, problem.goals[0]))
    began = time.perf_counter()
    try:
        path = planner.plan(start, goal)
    except RuntimeError as error:
        return Run(problem.name, (), failure=str(error))
    curve = [(time.perf_counter() - began, path_length(np.array(path.positions)))]
    shorter = core.PathShortcutter(
        scene, core.PathShortcuttingOptions(group_name="arm", max_step_size=STEP_RAD)
    ).shortcut(path)
    rows = np.array(shorter.positions)
    curve.append((time.perf_counter() - began, path_length(rows)))
    return Run(problem.name, tuple(curve), "roboplan", setting.world(problem).path(rows, CHECK_RAD))


STACKS: dict[str, Stack] = {
    "ours": ours,
    "rrt_connect_restarts": restarts(random_shortcuts),
    "rrt_connect_corners": restarts(corner_cuts),
    "rrt_connect_corners_2": restarts(corner_cuts, 1_000_003),
    "ompl_rrt_connect": ompl_rrt_connect,
    "ompl_rrt_star": ompl_rrt_star,
    "pybullet_rrt_connect": bullet_rrt_connect,
    "roboplan_rrt": roboplan_rrt,
}


def _once(setting: Setting, problem: Problem, world: Any, planner: str, budget_s: float) -> Run:
    began = time.perf_counter()

    def stop() -> bool:
        return time.perf_counter() - began > budget_s

    path = run_ompl(planner, world, problem.start, problem.goals, stop, setting.seed)
    if path is None:
        return Run(problem.name, (), failure=f"no path in {budget_s:g} s")
    curve = [(time.perf_counter() - began, path_length(path))]
    path = shortcut(world, path, np.random.default_rng(setting.seed), step_rad=CHECK_RAD)
    curve.append((time.perf_counter() - began, path_length(path)))
    return Run(problem.name, tuple(curve), planner, setting.world(problem).path(path, CHECK_RAD))


class BulletChecker:
    """The same robot, meshes and obstacles in PyBullet, as far as `run_ompl` and `shortcut` ask for them."""

    def __init__(self, setting: Setting, problem: Problem) -> None:
        self.robot = setting.robot
        self._client = pybullet.connect(pybullet.DIRECT)
        self._arm = pybullet.loadURDF(
            str(setting.robot.config.urdf), useFixedBase=True, physicsClientId=self._client
        )
        self._obstacles = [_bullet_body(item, self._client) for item in problem.obstacles]
        joints = {}
        self._links = {"": -1}
        for k in range(pybullet.getNumJoints(self._arm, physicsClientId=self._client)):
            info = pybullet.getJointInfo(self._arm, k, physicsClientId=self._client)
            joints[info[1].decode()] = k
            self._links[info[12].decode()] = k
        self._joints = [joints[name] for name in setting.robot.joint_names]
        for name in setting.robot.config.gripper.joints:
            pybullet.resetJointState(
                self._arm, joints[name], setting.width_m / 2.0, physicsClientId=self._client
            )
        checked = setting.robot.collision_matrix
        names = setting.robot.geometry_links
        pairs = [(names[i], names[j]) for i, j in zip(*np.nonzero(checked), strict=True)]
        self._own = sorted({(self._links.get(a, -1), self._links.get(b, -1)) for a, b in pairs})
        self._moving = {self._links[name] for name in set(names) - _fixed_links(setting.robot)}

    def valid(self, q: FloatArray) -> bool:
        inside = (q >= self.robot.lower - 1e-6).all() and (q <= self.robot.upper + 1e-6).all()
        return bool(inside) and not self._touches(q)

    def motion(self, start: FloatArray, end: FloatArray, *, start_is_free: bool = False) -> bool:
        return self.edge(start, end, start_is_free=start_is_free)

    def edge(
        self, start: FloatArray, end: FloatArray, step_rad: float | None = None, *, start_is_free: bool = True
    ) -> bool:
        steps = max(1, int(np.ceil(np.linalg.norm(end - start) / (step_rad or STEP_RAD))))
        last = 1 if start_is_free else 0
        return all(self.valid(start + (end - start) * k / steps) for k in range(steps, last - 1, -1))

    def close(self) -> None:
        pybullet.disconnect(self._client)

    def _touches(self, q: FloatArray) -> bool:
        pybullet.resetJointStatesMultiDof(
            self._arm, self._joints, [[value] for value in q], physicsClientId=self._client
        )
        pybullet.performCollisionDetection(physicsClientId=self._client)
        for body in self._obstacles:
            contacts = pybullet.getContactPoints(self._arm, body, physicsClientId=self._client)
            if any(contact[3] in self._moving and contact[8] < 0.0 for contact in contacts):
                return True
        return any(
            pybullet.getClosestPoints(self._arm, self._arm, 0.0, a, b, physicsClientId=self._client)
            for a, b in self._own
        )


def _bullet_body(item: Any, client: int) -> int:
    shape, how = item.shape, {"physicsClientId": client}
    if isinstance(shape, coal.Box):
        made = pybullet.createCollisionShape(pybullet.GEOM_BOX, halfExtents=list(shape.halfSide), **how)
    elif isinstance(shape, coal.Cylinder):
        height = 2.0 * shape.halfLength
        made = pybullet.createCollisionShape(
            pybullet.GEOM_CYLINDER, radius=shape.radius, height=height, **how
        )
    else:
        made = pybullet.createCollisionShape(pybullet.GEOM_SPHERE, radius=shape.radius, **how)
    position, turned = item.pose.position.tolist(), item.pose.quaternion.tolist()
    return pybullet.createMultiBody(0.0, made, -1, position, turned, **how)


def _fixed_links(robot: RobotModel) -> set[str]:
    return {name for name, moves in zip(robot.geometry_links, robot.moving_bodies, strict=True) if not moves}


def _roboplan_scene(core: Any, setting: Setting, problem: Problem) -> Any:
    robot = setting.robot
    text = prepare_urdf(robot.urdf, Path(robot.config.urdf).parent)
    scene = core.Scene("mbm", core.loadUrdfSceneDescriptionFromXml(text))
    scene.importSrdf(robot.srdf)
    full = np.array(scene.getCurrentJointPositions())
    if robot.config.gripper.joints:
        full[scene.getJointPositionIndices(list(robot.config.gripper.joints))] = setting.width_m / 2.0
    scene.setJointPositions(full)
    for item in problem.obstacles:
        _add_to_roboplan(core, scene, item)
    names = [item.name for item in problem.obstacles]
    apart = [(a, b) for k, a in enumerate(names) for b in names[k + 1 :]]
    apart += [(link, name) for link in _fixed_links(robot) for name in names]
    scene.setCollisions(apart, False)
    return scene


def _add_to_roboplan(core: Any, scene: Any, item: Obstacle) -> None:
    shape, place = item.shape, ("universe", np.asfortranarray(item.pose.matrix), np.ones(4))
    if isinstance(shape, coal.Box):
        scene.addBoxGeometry(item.name, place[0], core.Box(*(2.0 * shape.halfSide)), *place[1:])
    elif isinstance(shape, coal.Cylinder):
        body = core.Cylinder(shape.radius, 2.0 * shape.halfLength)
        scene.addCylinderGeometry(item.name, place[0], body, *place[1:])
    else:
        scene.addSphereGeometry(item.name, place[0], core.Sphere(shape.radius), *place[1:])
