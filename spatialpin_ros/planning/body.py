# SPDX-License-Identifier: Apache-2.0
"""Poses the collision bodies and links of a robot for whoever must know where it is, such as perception."""

from __future__ import annotations

from collections.abc import Mapping

import coal
import numpy as np
import pinocchio as pin
from scipy.spatial import ConvexHull

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.robot_body import ConvexPart, RobotBody

_CIRCLE = 24


class BodyPoser:
    """Gives the `RobotBody` and the links of joint positions; not thread-safe.

    Args:
        robot: the arm; mimic and fixed joints are taken from its URDF.

    Raises:
        InvalidValueError: when a collision shape is of a kind that has no convex outline.
    """

    def __init__(self, robot: RobotModel) -> None:
        self._model, self._geometry = robot.model, robot.geometry
        self._links = robot.geometry_links
        self._names = (*robot.joint_names, *robot.config.gripper.joints)
        self._index = {name: int(self._model.idx_qs[self._model.getJointId(name)]) for name in self._names}
        self._arm = robot.joint_names
        self._open = robot.full(np.asarray(robot.config.home), robot.config.gripper.max_width_m)
        self._data, self._placed = self._model.createData(), self._geometry.createData()
        self._hulls = [ConvexHull(_corners(item.geometry)) for item in self._geometry.geometryObjects]

    def at(self, positions: Mapping[str, float]) -> RobotBody:
        """Pose every collision body.

        Args:
            positions: by joint name [rad or m]; a finger that is not named is taken to be open.

        Raises:
            InvalidValueError: when a joint of the arm is missing.
        """
        pin.updateGeometryPlacements(
            self._model, self._data, self._geometry, self._placed, self._full(positions)
        )
        return RobotBody(
            tuple(
                _posed(link, hull, placement.rotation, placement.translation)
                for link, hull, placement in zip(self._links, self._hulls, self._placed.oMg, strict=True)
            )
        )

    def link(self, name: str, positions: Mapping[str, float]) -> Pose:
        """Pose of a link's frame in the base frame; positions as of `at`.

        Raises:
            UnknownNameError: when the robot has no such link.
            InvalidValueError: when a joint of the arm is missing.
        """
        if not self._model.existFrame(name):
            raise UnknownNameError(name, [frame.name for frame in self._model.frames], "link of the robot")
        pin.framesForwardKinematics(self._model, self._data, self._full(positions))
        placed = self._data.oMf[self._model.getFrameId(name)]
        return Pose.from_matrix(placed.homogeneous)

    def _full(self, positions: Mapping[str, float]) -> FloatArray:
        missing = [name for name in self._arm if name not in positions]
        if missing:
            raise InvalidValueError(f"joint positions: {missing} missing; given are {sorted(positions)}")
        full = self._open.copy()
        for name in self._names:
            if name in positions:
                full[self._index[name]] = positions[name]
        return full


def _posed(link: str, hull: ConvexHull, rotation: FloatArray, position: FloatArray) -> ConvexPart:
    normals = hull.equations[:, :3] @ rotation.T
    corners = hull.points[hull.vertices] @ rotation.T + position
    return ConvexPart(link, corners, normals, normals @ position - hull.equations[:, 3])


def _corners(shape: object) -> FloatArray:
    """(V, 3) points whose convex hull holds the shape [m]."""
    if isinstance(shape, coal.ConvexBase):
        return np.asarray(shape.points(), dtype=np.float64)
    if isinstance(shape, coal.Box):
        return _box(np.asarray(shape.halfSide, dtype=np.float64))
    if isinstance(shape, coal.Cylinder):
        angle = np.linspace(0.0, 2.0 * np.pi, _CIRCLE, endpoint=False)
        radius = shape.radius / np.cos(np.pi / _CIRCLE)
        ring = radius * np.column_stack([np.cos(angle), np.sin(angle)])
        return np.concatenate(
            [np.column_stack([ring, np.full(_CIRCLE, z)]) for z in (-shape.halfLength, shape.halfLength)]
        )
    if isinstance(shape, coal.Sphere | coal.Capsule):
        height = shape.halfLength if isinstance(shape, coal.Capsule) else 0.0
        return _box(np.array([shape.radius, shape.radius, shape.radius + height]))
    raise InvalidValueError(f"robot body: a collision shape of kind {type(shape).__name__} is not supported")


def _box(half: FloatArray) -> FloatArray:
    signs = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
    return np.asarray(signs * half)
