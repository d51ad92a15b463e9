# SPDX-License-Identifier: Apache-2.0
"""A second opinion on collisions: the same scene in PyBullet, sharing no geometry code with CollisionWorld."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pybullet

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import Plan, Trajectory
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.urdf import prepare_urdf
from spatialpin_ros.scene import Scene, SceneObject

_TABLE = "table"


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two bodies that overlap by `depth_m` at `time_s` of a stage."""

    first: str
    second: str
    depth_m: float
    stage: str = ""
    time_s: float = 0.0


@dataclass(slots=True, eq=False)
class BulletWorld:
    """Robot, table and objects of a scene in PyBullet; close it, or use it in a with statement.

    Args:
        robot: whose URDF is loaded, with its own meshes, and whose allowed pairs are left out.
        scene: the table becomes a large box, every object a box, cylinder or sphere.
    """

    robot: RobotModel
    scene: Scene
    client: int = field(init=False)
    bodies: dict[str, int] = field(default_factory=dict, init=False)
    _arm: int = field(init=False)
    _joints: dict[str, int] = field(default_factory=dict, init=False)
    _links: dict[int, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.client = pybullet.connect(pybullet.DIRECT)
        self._load_arm()
        top = self.scene.table.height_z
        self.bodies[_TABLE] = self._body(
            pybullet.GEOM_BOX, Pose(np.array([0.3, 0.0, top - 0.1])), halfExtents=[1.5, 1.5, 0.1]
        )
        for item in self.scene.objects:
            self.bodies[item.id] = self._object(item)

    def __enter__(self) -> BulletWorld:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        pybullet.disconnect(self.client)

    def place_arm(self, q: FloatArray, width_m: float) -> None:
        """Put the arm at (D,) positions with the fingers `width_m` apart."""
        for name, value in zip(self.robot.joint_names, q, strict=True):
            pybullet.resetJointState(self._arm, self._joints[name], float(value), physicsClientId=self.client)
        for name in self.robot.config.gripper.joints:
            value = width_m * self.robot.config.gripper.joint_position_per_width
            pybullet.resetJointState(self._arm, self._joints[name], value, physicsClientId=self.client)

    def place_body(self, name: str, pose: Pose) -> None:
        pybullet.resetBasePositionAndOrientation(
            self.bodies[name], pose.position.tolist(), pose.quaternion.tolist(), physicsClientId=self.client
        )

    def tip(self) -> Pose:
        """Pose of the tip frame, from PyBullet's own kinematics."""
        index = next(i for i, name in self._links.items() if name == self.robot.config.tip_frame)
        state = pybullet.getLinkState(
            self._arm, index, computeForwardKinematics=True, physicsClientId=self.client
        )
        return Pose(np.array(state[4]), np.array(state[5]))

    def least_distance(self, held: str = "", allowed: Iterable[tuple[str, str]] = ()) -> Overlap:
        """The pair of bodies nearest to each other; a negative depth is a distance, up to 5 cm.

        Args:
            held: name of the body in the hand: checked against everything but the gripper and the pairs allowed.
        """
        skip = {frozenset(pair) for pair in allowed}
        found = Overlap("", "", -0.05)
        fixed = {name for link, name in self._links.items() if link == -1}
        for name, body in self.bodies.items():
            for point in self._near(self._arm, body):
                link = self._links[point[3]]
                gripping = name == held and link in self.robot.gripper_links
                if link not in fixed and not gripping and frozenset((link, name)) not in skip:
                    found = _deeper(found, link, name, point[8])
        for name, body in self.bodies.items():
            if held and name != held and frozenset((held, name)) not in skip:
                for point in self._near(self.bodies[held], body):
                    found = _deeper(found, held, name, point[8])
        allowed_links = self.robot.allowed_pairs
        for point in self._near(self._arm, self._arm):
            pair = sorted((self._links[point[3]], self._links[point[4]]))
            if pair[0] != pair[1] and (pair[0], pair[1]) not in allowed_links:
                found = _deeper(found, pair[0], pair[1], point[8])
        return found

    def _near(self, first: int, second: int) -> list[tuple[int, ...]]:
        points = pybullet.getClosestPoints(first, second, 0.05, physicsClientId=self.client)
        return [point for point in points or () if point[3] in self._links]

    def _load_arm(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "robot.urdf"
            path.write_text(prepare_urdf(self.robot.urdf, self.robot.urdf_folder))
            flags = pybullet.URDF_USE_SELF_COLLISION
            self._arm = pybullet.loadURDF(
                str(path), useFixedBase=True, flags=flags, physicsClientId=self.client
            )
        base = pybullet.getBodyInfo(self._arm, physicsClientId=self.client)[0].decode()
        self._links[-1] = base
        for index in range(pybullet.getNumJoints(self._arm, physicsClientId=self.client)):
            info = pybullet.getJointInfo(self._arm, index, physicsClientId=self.client)
            self._joints[info[1].decode()] = index
            self._links[index] = info[12].decode()

    def _object(self, item: SceneObject) -> int:
        size = item.size
        if item.shape == "cylinder":
            radius = float(max(size[0], size[1]) / 2.0)
            return self._body(pybullet.GEOM_CYLINDER, item.box.pose, radius=radius, height=float(size[2]))
        if item.shape == "sphere":
            return self._body(pybullet.GEOM_SPHERE, item.box.pose, radius=float(size.max() / 2.0))
        return self._body(pybullet.GEOM_BOX, item.box.pose, halfExtents=(size / 2.0).tolist())

    def _body(self, kind: int, pose: Pose, **shape: object) -> int:
        collision = pybullet.createCollisionShape(kind, physicsClientId=self.client, **shape)
        return int(
            pybullet.createMultiBody(
                0.0,
                collision,
                -1,
                pose.position.tolist(),
                pose.quaternion.tolist(),
                physicsClientId=self.client,
            )
        )


def _deeper(found: Overlap, first: str, second: str, distance_m: float) -> Overlap:
    return Overlap(first, second, -distance_m) if -distance_m > found.depth_m else found


def resample(trajectory: Trajectory, step_s: float) -> tuple[FloatArray, FloatArray]:
    """Times (N,) and positions (N, D) every `step_s`, by cubic interpolation through positions and velocities."""
    from scipy.interpolate import CubicHermiteSpline

    times = np.append(np.arange(0.0, trajectory.duration_s, step_s), trajectory.duration_s)
    curve = CubicHermiteSpline(trajectory.times, trajectory.positions, trajectory.velocities)
    return times, np.asarray(curve(times))


def recheck(
    robot: RobotModel, scene: Scene, plan: Plan, step_s: float = 0.002, tolerance_m: float = 0.001
) -> list[Overlap]:
    """Follow a whole plan in PyBullet, moving held objects with the hand, and list every stage's deepest overlap.

    Held objects may touch what they are taken from and put on during lift and place; nothing else may
    overlap by more than the tolerance, which covers PyBullet's collision margins.
    """
    found: list[Overlap] = []
    width = robot.config.gripper.max_width_m
    with BulletWorld(robot, scene) as world:
        for stage in plan.stages:
            if stage.trajectory is None:
                width = _width_after(plan, stage.name, stage.gripper_width_m or 0.0, stage.step_index, scene)
                continue
            allowed = _touching(scene, plan, stage.name, stage.step_index)
            worst = Overlap("", "", -1.0)
            times, positions = resample(stage.trajectory, step_s)
            for time_s, q in zip(times, positions, strict=True):
                world.place_arm(q, width)
                if stage.holding:
                    world.place_body(stage.holding, world.tip() @ plan.object_T_tcp[stage.holding].inverse())
                overlap = world.least_distance(stage.holding, allowed)
                if overlap.depth_m > worst.depth_m:
                    worst = Overlap(overlap.first, overlap.second, overlap.depth_m, stage.name, float(time_s))
            if worst.depth_m > tolerance_m:
                found.append(worst)
    return found


def _width_after(plan: Plan, name: str, width_m: float, step_index: int, scene: Scene) -> float:
    """Opening of the hand after a gripper stage: closed on an object, it is the object's width."""
    if name != "grasp":
        return width_m
    held = plan.task.steps[step_index].object_id
    closing = plan.object_T_tcp[held].axes[:, 1]
    return float(np.abs(closing) @ scene.object(held).size)


def _touching(scene: Scene, plan: Plan, name: str, step_index: int) -> list[tuple[str, str]]:
    step = plan.task.steps[step_index]
    if name == "lift":
        return [(step.object_id, scene.object(step.object_id).supported_by)]
    if name == "place":
        return [(step.object_id, step.target_id)]
    return []
