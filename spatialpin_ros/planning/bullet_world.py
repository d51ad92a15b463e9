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
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.urdf import prepare_urdf
from spatialpin_ros.scene import Scene, SceneObject

_TABLE = "table"
# Bullet never looks at two bodies without mass, which a held object and the table would be; nothing is simulated.
_MASS_KG = 1.0


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
    _fixed: set[str] = field(default_factory=set, init=False)
    _driven: list[int] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.client = pybullet.connect(pybullet.DIRECT)
        self._load_arm()
        top = self.scene.table.height_z
        self.bodies[_TABLE] = self._body(
            pybullet.GEOM_BOX, Pose(np.array([0.3, 0.0, top - 0.1])), 0.0, halfExtents=[1.5, 1.5, 0.1]
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
        gripper = self.robot.config.gripper
        fingers = [width_m * gripper.joint_position_per_width] * len(gripper.joints)
        values = [[value] for value in (*q.tolist(), *fingers)]
        pybullet.resetJointStatesMultiDof(self._arm, self._driven, values, physicsClientId=self.client)

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

    def check_only(self, held: str = "", allowed: Iterable[tuple[str, str]] = ()) -> None:
        """Choose the pairs that `overlaps` looks at: those of `least_distance` with the same arguments."""
        skip = {frozenset(pair) for pair in allowed}
        for i, link in self._links.items():
            for j in (j for j in self._links if j > i):
                pair = (min(link, self._links[j]), max(link, self._links[j]))
                self._filter(self._arm, self._arm, i, j, pair not in self.robot.allowed_pairs)
            for name, body in self.bodies.items():
                gripping = name == held and link in self.robot.gripper_links
                checked = link not in self._fixed and not gripping and frozenset((link, name)) not in skip
                self._filter(self._arm, body, i, -1, checked)
        for name, body in self.bodies.items():
            for other, other_body in self.bodies.items():
                if name < other:
                    checked = held in (name, other) and frozenset((name, other)) not in skip
                    self._filter(body, other_body, -1, -1, checked)

    def overlaps(self, depth_m: float) -> bool:
        """Tell whether any pair chosen by `check_only` overlaps by more than a depth, from a collision step.

        Some ten times as fast as `least_distance`. Bullet keeps contact points between calls, so that a depth may
        be overstated after a motion along a surface; `least_distance` then has the last word.
        """
        pybullet.performCollisionDetection(physicsClientId=self.client)
        points = pybullet.getContactPoints(physicsClientId=self.client)
        return any(point[8] < -depth_m for point in points or ())

    def _filter(self, first: int, second: int, link: int, other: int, checked: bool) -> None:
        pybullet.setCollisionFilterPair(first, second, link, other, int(checked), physicsClientId=self.client)

    def least_distance(self, held: str = "", allowed: Iterable[tuple[str, str]] = ()) -> Overlap:
        """The pair of bodies nearest to each other; a negative depth is a distance, up to 5 cm.

        Args:
            held: name of the body in the hand: checked against everything but the gripper and the pairs allowed.
        """
        skip = {frozenset(pair) for pair in allowed}
        found = Overlap("", "", -0.05)
        for name, body in self.bodies.items():
            for point in self._near(self._arm, body):
                link = self._links[point[3]]
                gripping = name == held and link in self.robot.gripper_links
                if link not in self._fixed and not gripping and frozenset((link, name)) not in skip:
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
        self._fixed.add(base)
        for index in range(pybullet.getNumJoints(self._arm, physicsClientId=self.client)):
            info = pybullet.getJointInfo(self._arm, index, physicsClientId=self.client)
            self._joints[info[1].decode()] = index
            self._links[index] = info[12].decode()
            if info[2] == pybullet.JOINT_FIXED and self._links[info[16]] in self._fixed:
                self._fixed.add(self._links[index])
        names = (*self.robot.joint_names, *self.robot.config.gripper.joints)
        self._driven = [self._joints[name] for name in names]

    def _object(self, item: SceneObject) -> int:
        size = item.size
        if item.shape == "cylinder":
            radius = float(max(size[0], size[1]) / 2.0)
            return self._body(
                pybullet.GEOM_CYLINDER, item.box.pose, _MASS_KG, radius=radius, height=float(size[2])
            )
        if item.shape == "sphere":
            return self._body(pybullet.GEOM_SPHERE, item.box.pose, _MASS_KG, radius=float(size.max() / 2.0))
        return self._body(pybullet.GEOM_BOX, item.box.pose, _MASS_KG, halfExtents=(size / 2.0).tolist())

    def _body(self, kind: int, pose: Pose, mass_kg: float, **shape: object) -> int:
        collision = pybullet.createCollisionShape(kind, physicsClientId=self.client, **shape)
        return int(
            pybullet.createMultiBody(
                mass_kg,
                collision,
                -1,
                pose.position.tolist(),
                pose.quaternion.tolist(),
                physicsClientId=self.client,
            )
        )


def _deeper(found: Overlap, first: str, second: str, distance_m: float) -> Overlap:
    return Overlap(first, second, -distance_m) if -distance_m > found.depth_m else found
