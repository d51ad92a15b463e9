# SPDX-License-Identifier: Apache-2.0
"""Where an object motion leads, and the plain way there, before anything is checked for collisions."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning.object_motion.motions import (
    ObjectMotion,
    RotateSelf,
    RotateWref,
    TranslateDirecAxis,
    TranslateTarObj,
)
from spatialpin_ros.planning.object_motion.se3 import pose_to_row
from spatialpin_ros.scene import Scene

_LEAST_DISTANCE_M = 1e-6
_KNOT_RAD = np.pi / 3.0


def goal_pose(motion: ObjectMotion, scene: Scene, object_id: str, current: Pose) -> Pose:
    """Pose of the object's box frame after the motion, in the scene's frame.

    Args:
        current: pose of the moved object now; the other objects are where the scene has them.

    Raises:
        UnknownNameError: when a reference is not in the scene.
        InvalidValueError: when the motion's direction or axis is not defined (coinciding centres).
    """
    if isinstance(motion, (RotateSelf, RotateWref)):
        axis, angle = turn_of(motion, scene, object_id, current)
        return _turned(current, axis, angle)
    return Pose(current.position + shift_of(motion, scene, object_id, current), current.quaternion)


def nominal_way(motion: ObjectMotion, scene: Scene, object_id: str, current: Pose) -> FloatArray:
    """(K, 7) poses of the plain way, K >= 2: a straight line, or a turn in place in steps of 60 degrees at most.

    Raises:
        UnknownNameError, InvalidValueError: as `goal_pose`.
    """
    if isinstance(motion, (RotateSelf, RotateWref)):
        axis, angle = turn_of(motion, scene, object_id, current)
        fractions = np.linspace(0.0, 1.0, max(2, int(np.ceil(abs(angle) / _KNOT_RAD)) + 1))
        return np.array([pose_to_row(_turned(current, axis, angle * part)) for part in fractions])
    return np.array([pose_to_row(current), pose_to_row(goal_pose(motion, scene, object_id, current))])


def turn_of(
    motion: RotateSelf | RotateWref, scene: Scene, object_id: str, current: Pose
) -> tuple[FloatArray, float]:
    """Unit axis in the scene's frame (3,) and signed angle [rad] of a rotation about the object's centre."""
    if isinstance(motion, RotateSelf):
        return current.axes[:, "xyz".index(motion.axis)], float(np.radians(motion.angle_deg))
    _refuse_itself(motion.reference_id, object_id, motion.kind)
    reference = scene.object(motion.reference_id)
    direction = _direction(current.position, reference.centre, f"from the object to '{reference.name}'")
    axis = _reference_axis(motion.axis, direction, reference.box.pose.axes[:, 2], reference.name)
    if motion.angle == "towards":
        return axis, _angle_towards(motion.axis, current, axis, direction)
    if motion.angle == "back":
        return axis, -_angle_towards(motion.axis, scene.object(object_id).box.pose, axis, direction)
    return axis, float(np.radians(motion.angle))


def shift_of(
    motion: TranslateTarObj | TranslateDirecAxis, scene: Scene, object_id: str, current: Pose
) -> FloatArray:
    """(3,) displacement of a translation in the scene's frame [m]."""
    if isinstance(motion, TranslateTarObj):
        _refuse_itself(motion.target_id, object_id, motion.kind)
        target = scene.object(motion.target_id).box.pose
        return target.transform(np.array(motion.offset_m)) - current.position
    first, second = (
        current.position if reference == object_id else scene.object(reference).centre
        for reference in motion.reference_ids
    )
    between = f"from '{motion.first_id}' to '{motion.second_id}'"
    return motion.distance_m * _direction(first, second, between)


def _reference_axis(name: str, direction: FloatArray, target_z: FloatArray, target: str) -> FloatArray:
    if name == "roll":
        return direction
    pitch = np.cross(target_z, direction)
    if np.linalg.norm(pitch) < 1e-3:
        raise InvalidValueError(
            f"rotate_wref: {name} is not defined, the object lies on the z axis of '{target}'; "
            "move it aside first or use roll or rotate_self"
        )
    pitch /= np.linalg.norm(pitch)
    return pitch if name == "pitch" else np.cross(pitch, direction)


def _angle_towards(name: str, pose: Pose, axis: FloatArray, direction: FloatArray) -> float:
    """Angle [rad] about `axis` that brings the object's z (pitch) or x (yaw) nearest to `direction`."""
    if name == "roll":
        return 2.0 * np.pi
    own = pose.axes[:, 2 if name == "pitch" else 0]
    own = own - axis * float(own @ axis)
    if np.linalg.norm(own) < 1e-6:
        return 0.0
    return float(np.arctan2(np.cross(own, direction) @ axis, own @ direction))


def _turned(pose: Pose, axis: FloatArray, angle_rad: float) -> Pose:
    return Pose(pose.position, (Rotation.from_rotvec(axis * angle_rad) * pose.rotation).as_quat())


def _direction(start: FloatArray, end: FloatArray, what: str) -> FloatArray:
    offset = end - start
    length = float(np.linalg.norm(offset))
    if length < _LEAST_DISTANCE_M:
        raise InvalidValueError(f"the direction {what} is not defined: the two centres coincide")
    return np.asarray(offset / length)


def _refuse_itself(reference_id: str, object_id: str, kind: str) -> None:
    if reference_id == object_id:
        raise InvalidValueError(f"{kind}: '{object_id}' cannot be its own reference; name another object")
