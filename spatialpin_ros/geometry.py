# SPDX-License-Identifier: Apache-2.0
"""Poses, oriented boxes and meshes; metres, radians, xyzw quaternions, right-handed frames (REP-103)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import FloatArray, Int32Array, array_from_json, array_to_json, read_only
from spatialpin_ros.errors import InvalidValueError


def _identity_quaternion() -> FloatArray:
    return np.array([0.0, 0.0, 0.0, 1.0])


def _rotation_rows(x: float, y: float, z: float, w: float) -> list[list[float]]:
    """Rows of the rotation matrix of a unit quaternion; scalars, because poses are made one by one in hot paths."""
    return [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]


def _quaternion_product(a: list[float], b: list[float]) -> list[float]:
    """Hamilton product a b of xyzw quaternions."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return [
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A rigid transform in SE(3); `a_T_b` maps points of frame b into frame a.

    Args:
        position: (3,) translation [m].
        quaternion: (4,) unit quaternion, xyzw; normalised on construction.

    Raises:
        InvalidValueError: on wrong shapes, non-finite values or a zero quaternion.
    """

    position: FloatArray = field(default_factory=lambda: np.zeros(3))
    quaternion: FloatArray = field(default_factory=_identity_quaternion)

    def __post_init__(self) -> None:
        position = read_only(np.array(self.position, dtype=np.float64), "pose position", (3,))
        quaternion = read_only(self.quaternion, "pose quaternion (xyzw)", (4,))
        norm = math.sqrt(float(quaternion @ quaternion))
        if norm < 1e-6:
            raise InvalidValueError("pose quaternion (xyzw): has zero length")
        unit = quaternion / norm
        unit.flags.writeable = False
        object.__setattr__(self, "position", position)
        object.__setattr__(self, "quaternion", unit)

    @classmethod
    def from_matrix(cls, matrix: npt.ArrayLike) -> Pose:
        """Make a pose from a (4, 4) homogeneous matrix."""
        values = read_only(matrix, "pose matrix", (4, 4))
        return cls(values[:3, 3], Rotation.from_matrix(values[:3, :3]).as_quat())

    @classmethod
    def from_xyz_rpy(cls, xyz: npt.ArrayLike, rpy_rad: npt.ArrayLike) -> Pose:
        """Make a pose from a position [m] and fixed-axis roll, pitch, yaw [rad] (URDF convention)."""
        return cls(np.asarray(xyz, dtype=np.float64), Rotation.from_euler("xyz", rpy_rad).as_quat())

    @classmethod
    def from_yaw(cls, position: npt.ArrayLike, yaw_rad: float) -> Pose:
        """Make a pose turned by `yaw_rad` about +z."""
        return cls.from_xyz_rpy(position, (0.0, 0.0, yaw_rad))

    @classmethod
    def looking_at(
        cls, eye: npt.ArrayLike, target: npt.ArrayLike, up: npt.ArrayLike = (0.0, 0.0, 1.0)
    ) -> Pose:
        """Pose of an optical frame (x right, y down, z forward) at `eye` that looks at `target` [m]."""
        eye_m, target_m = np.asarray(eye, dtype=np.float64), np.asarray(target, dtype=np.float64)
        forward = target_m - eye_m
        right = np.cross(forward, np.asarray(up, dtype=np.float64))
        if np.linalg.norm(forward) < 1e-9 or np.linalg.norm(right) < 1e-9:
            raise InvalidValueError("looking_at: eye and target coincide, or the view is along `up`")
        forward, right = forward / np.linalg.norm(forward), right / np.linalg.norm(right)
        rotation = np.column_stack([right, np.cross(forward, right), forward])
        return cls(eye_m, Rotation.from_matrix(rotation).as_quat())

    @property
    def rotation(self) -> Rotation:
        return Rotation.from_quat(self.quaternion)

    @property
    def axes(self) -> FloatArray:
        """(3, 3) rotation matrix; its columns are the frame's x, y and z axes."""
        return np.array(_rotation_rows(*self.quaternion.tolist()))

    @property
    def matrix(self) -> FloatArray:
        """(4, 4) homogeneous matrix."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.axes, self.position
        return matrix

    @property
    def yaw_rad(self) -> float:
        """Heading of the x axis about +z, in (-pi, pi]."""
        x_axis = self.axes[:, 0]
        return float(np.arctan2(x_axis[1], x_axis[0]))

    def transform(self, points: npt.ArrayLike) -> FloatArray:
        """Map (..., 3) points from the pose's frame to its parent frame."""
        return np.asarray(np.asarray(points, dtype=np.float64) @ self.axes.T + self.position)

    def inverse(self) -> Pose:
        x, y, z, w = self.quaternion
        return Pose(-(self.axes.T @ self.position), np.array([-x, -y, -z, w]))

    def __matmul__(self, other: Pose) -> Pose:
        """Compose: `a_T_b @ b_T_c` is `a_T_c`."""
        product = _quaternion_product(self.quaternion.tolist(), other.quaternion.tolist())
        return Pose(self.transform(other.position), np.array(product))

    def distance_to(self, other: Pose) -> tuple[float, float]:
        """Return the translation [m] and rotation angle [rad] between two poses."""
        angle = (self.rotation.inv() * other.rotation).magnitude()
        return float(np.linalg.norm(self.position - other.position)), float(angle)

    def to_dict(self) -> dict[str, Any]:
        return {"position": self.position.tolist(), "quaternion_xyzw": self.quaternion.tolist()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Pose:
        return cls(document["position"], document["quaternion_xyzw"])


@dataclass(frozen=True, slots=True, eq=False)
class OrientedBox:
    """An oriented bounding box (OBB).

    Args:
        pose: pose of the box centre in the scene's frame; the box axes are the pose's axes.
        size: (3,) full extents along the box's own x, y and z [m], all positive.

    Raises:
        InvalidValueError: when an extent is not positive.
    """

    pose: Pose
    size: FloatArray

    def __post_init__(self) -> None:
        size = read_only(np.array(self.size, dtype=np.float64), "box size", (3,))
        if (size <= 0.0).any():
            raise InvalidValueError(f"box size: extents must be positive, got {size.tolist()} m")
        object.__setattr__(self, "size", size)

    @property
    def centre(self) -> FloatArray:
        return self.pose.position

    @property
    def corners(self) -> FloatArray:
        """(8, 3) corners [m]."""
        signs = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
        return self.pose.transform(signs * self.size)

    @property
    def aabb(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest corner of the axis-aligned bounding box, (3,) each [m]."""
        half = np.abs(self.pose.axes) @ self.size * 0.5
        return self.centre - half, self.centre + half

    @property
    def bottom_z(self) -> float:
        return float(self.aabb[0][2])

    @property
    def top_z(self) -> float:
        return float(self.aabb[1][2])

    @property
    def height(self) -> float:
        """Vertical extent [m]."""
        return self.top_z - self.bottom_z

    @property
    def volume(self) -> float:
        return float(np.prod(self.size))

    @property
    def footprint(self) -> FloatArray:
        """(4, 2) counter-clockwise corners of the base rectangle in x, y, for a box upright about its z axis."""
        signs = np.array([[-0.5, -0.5, 0.0], [0.5, -0.5, 0.0], [0.5, 0.5, 0.0], [-0.5, 0.5, 0.0]])
        return self.pose.transform(signs * self.size)[:, :2]

    def contains(self, points: npt.ArrayLike, margin_m: float = 0.0) -> npt.NDArray[np.bool_]:
        """Tell which of (..., 3) points lie inside the box grown by `margin_m`."""
        local = self.pose.inverse().transform(points)
        return np.asarray((np.abs(local) <= self.size * 0.5 + margin_m).all(axis=-1))

    def to_dict(self) -> dict[str, Any]:
        return {"pose": self.pose.to_dict(), "size": self.size.tolist()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> OrientedBox:
        return cls(Pose.from_dict(document["pose"]), document["size"])


@dataclass(frozen=True, slots=True, eq=False)
class TriangleMesh:
    """A triangle mesh in the scene's frame.

    Args:
        vertices: (N, 3) [m].
        triangles: (M, 3) vertex indices, counter-clockwise seen from outside.
    """

    vertices: FloatArray
    triangles: Int32Array

    def __post_init__(self) -> None:
        vertices = read_only(self.vertices, "mesh vertices", (None, 3))
        triangles = read_only(self.triangles, "mesh triangles", (None, 3), np.int32)
        if triangles.size and (triangles.min() < 0 or triangles.max() >= len(vertices)):
            raise InvalidValueError(f"mesh triangles: indices must lie in 0..{len(vertices) - 1}")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "triangles", triangles)

    def to_dict(self) -> dict[str, Any]:
        return {"vertices": array_to_json(self.vertices), "triangles": array_to_json(self.triangles)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> TriangleMesh:
        return cls(array_from_json(document["vertices"]), array_from_json(document["triangles"]))
