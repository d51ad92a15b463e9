# SPDX-License-Identifier: Apache-2.0
"""Batched forward kinematics and Jacobians of one serial chain, in NumPy over all configurations at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A chain of D one-axis joints, each rewritten to turn about, or slide along, its own z axis.

    Args:
        offsets: (D, 4, 4) fixed transform from the previous joint's moved frame to this joint's frame.
        prismatic: (D,) True where the joint slides.
        tool: (4, 4) fixed transform from the last joint's moved frame to the TCP.
    """

    offsets: FloatArray
    prismatic: tuple[bool, ...]
    tool: FloatArray

    def forward(self, q: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return TCP rotations (B, 3, 3) and positions (B, 3), joint axes and origins (B, D, 3), for q (B, D)."""
        count, joints = q.shape
        rotation = np.broadcast_to(np.eye(3), (count, 3, 3)).copy()
        position = np.zeros((count, 3))
        axes, origins = np.empty((count, joints, 3)), np.empty((count, joints, 3))
        cosine, sine = np.cos(q), np.sin(q)
        for j in range(joints):
            rotation, position = _compose(rotation, position, self.offsets[j])
            axes[:, j], origins[:, j] = rotation[:, :, 2], position
            if self.prismatic[j]:
                position = position + rotation[:, :, 2] * q[:, j, None]
                continue
            x, y = rotation[:, :, 0].copy(), rotation[:, :, 1].copy()
            c, s = cosine[:, j, None], sine[:, j, None]
            rotation[:, :, 0] = c * x + s * y
            rotation[:, :, 1] = c * y - s * x
        rotation, position = _compose(rotation, position, self.tool)
        return rotation, position, axes, origins

    def jacobian(self, position: FloatArray, axes: FloatArray, origins: FloatArray) -> FloatArray:
        """(B, 6, D) geometric Jacobian in the base frame: linear rows first, then angular."""
        angular = axes.copy()
        linear = np.cross(axes, position[:, None, :] - origins)
        for j, slides in enumerate(self.prismatic):
            if slides:
                linear[:, j], angular[:, j] = axes[:, j], 0.0
        return np.concatenate([linear, angular], axis=2).transpose(0, 2, 1)


def _compose(rotation: FloatArray, position: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
    position = position + rotation.reshape(-1, 3).dot(offset[:3, 3]).reshape(-1, 3)
    return rotation.reshape(-1, 3).dot(offset[:3, :3]).reshape(-1, 3, 3), position


def rotation_error(current: FloatArray, target: FloatArray) -> FloatArray:
    """(B, 3) rotation vector in the base frame that turns `current` (B, 3, 3) into `target` (B, 3, 3) [rad]."""
    return np.asarray(Rotation.from_matrix(target @ current.transpose(0, 2, 1)).as_rotvec())


def chain_of(model: Any, joint_names: tuple[str, ...], tip_frame: str) -> Chain:
    """Build the chain of the named joints of a pinocchio model, ending at a frame; other joints stay at zero."""
    import pinocchio as pin

    data = model.createData()
    zero = pin.neutral(model)
    pin.framesForwardKinematics(model, data, zero)
    aligned: list[FloatArray] = []
    prismatic: list[bool] = []
    for name in joint_names:
        joint = model.getJointId(name)
        aligned.append(np.asarray(data.oMi[joint].homogeneous) @ _z_onto(_axis(model, joint)))
        prismatic.append("JointModelP" in model.joints[joint].shortname())
    tip = np.asarray(data.oMf[model.getFrameId(tip_frame)].homogeneous)
    inverses = [np.eye(4)] + [np.linalg.inv(frame) for frame in aligned]
    offsets = np.stack([inverse @ frame for inverse, frame in zip(inverses, aligned, strict=False)])
    return Chain(offsets, tuple(prismatic), inverses[-1] @ tip)


def _axis(model: Any, joint: int) -> FloatArray:
    import pinocchio as pin

    data = model.createData()
    columns = pin.computeJointJacobians(model, data, pin.neutral(model))
    local = np.asarray(data.oMi[joint].rotation).T
    column = columns[:, model.idx_vs[joint]]
    slides = "JointModelP" in model.joints[joint].shortname()
    return np.asarray(local @ (column[:3] if slides else column[3:]))


def _z_onto(axis: FloatArray) -> FloatArray:
    """(4, 4) rotation that takes z onto a unit axis."""
    helper = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = np.cross(helper, axis)
    x /= np.linalg.norm(x)
    transform = np.eye(4)
    transform[:3, :3] = np.column_stack([x, np.cross(axis, x), axis])
    return transform
