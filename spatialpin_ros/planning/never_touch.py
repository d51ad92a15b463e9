# SPDX-License-Identifier: Apache-2.0
"""Prove of pairs of links that they cannot touch within the joint limits, so that nothing need check them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import coal
import numpy as np
import pinocchio as pin

from spatialpin_ros.arrays import FloatArray

_MOST_JOINTS, _MOST_QUERIES = 2, 1500
_LEAST_GAP_M = 0.001


def never_touch(model: Any, first: Any, second: Any) -> bool:
    """Tell whether two bodies that one or two joints part are proven to stay at least 1 mm from each other.

    Boxes in the space of the joints between them are split until the distance in the middle of each exceeds what
    any point can move on the way to its edge. A pair with more joints between, on different branches, or whose
    proof would take too long is not proven.

    Args:
        model: pinocchio's, with bounded one-axis joints.
        first, second: its geometry objects.
    """
    near, far = sorted((first, second), key=lambda body: int(body.parentJoint))
    joints = _between(model, int(near.parentJoint), int(far.parentJoint))
    if joints is None:
        return False
    return _Pair(model, near, far, joints).proven()


def _between(model: Any, near: int, far: int) -> list[int] | None:
    """The joints from one joint's link out to another's, None when they are too many or not in one chain."""
    chain: list[int] = []
    while far > near:
        chain.insert(0, far)
        far = int(model.parents[far])
    one_axis = all(model.joints[joint].nq == 1 for joint in chain)
    return chain if far == near and one_axis and len(chain) <= _MOST_JOINTS else None


@dataclass(slots=True, eq=False)
class _Pair:
    """Two bodies and the joints between them."""

    model: Any
    near: Any
    far: Any
    joints: list[int]

    def proven(self) -> bool:
        indices = [int(self.model.idx_qs[joint]) for joint in self.joints]
        low, high = (
            np.array([limits[k] for k in indices])
            for limits in (self.model.lowerPositionLimit, self.model.upperPositionLimit)
        )
        if not np.isfinite(low).all() or not np.isfinite(high).all():
            return False
        reach = self._reach()
        boxes = [((low + high) / 2.0, (high - low) / 2.0)]
        for _ in range(_MOST_QUERIES):
            if not boxes:
                return True
            middle, half = boxes.pop()
            gap = self._distance(indices, middle) - _LEAST_GAP_M
            if gap <= 0.0:
                return False
            if gap <= float(reach @ half):
                boxes += _split(middle, half, int(np.argmax(reach * half)))
        return False

    def _reach(self) -> FloatArray:
        """How far one body's points move against the other per unit of each joint, at most [m per rad or m].

        What turns about the first joint is the near body as the far body's side sees it, and the far body about
        the last: of the distances of both from a single joint's axis the smaller one counts.
        """
        last = _arm_about(self.model, self.joints[-1], self.far, pin.SE3.Identity())
        first = _arm_about(
            self.model, self.joints[0], self.near, self.model.jointPlacements[self.joints[0]].inverse()
        )
        return np.array([min(first, last)] if len(self.joints) == 1 else [first, last])

    def _distance(self, indices: list[int], values: FloatArray) -> float:
        near_T_far = self.near.placement.inverse()
        for joint, index, value in zip(self.joints, indices, values, strict=True):
            joint_model, configuration = self.model.joints[joint], np.zeros(self.model.nq)
            configuration[index] = value
            data = joint_model.createData()
            joint_model.calc(data, configuration)
            near_T_far = near_T_far * self.model.jointPlacements[joint] * data.M
        near_T_far = near_T_far * self.far.placement
        result = coal.DistanceResult()
        return float(
            coal.distance(
                self.near.geometry,
                coal.Transform3s(),
                self.far.geometry,
                coal.Transform3s(near_T_far.rotation, near_T_far.translation),
                coal.DistanceRequest(),
                result,
            )
        )


def _split(middle: FloatArray, half: FloatArray, axis: int) -> list[tuple[FloatArray, FloatArray]]:
    smaller, offset = half.copy(), np.zeros(len(half))
    smaller[axis] /= 2.0
    offset[axis] = smaller[axis]
    return [(middle - offset, smaller), (middle + offset, smaller)]


def _arm_about(model: Any, joint: int, body: Any, joint_T_link: Any) -> float:
    """Largest distance of a body's points from a joint's axis [m]; 1 for a joint that slides."""
    data = model.joints[joint].createData()
    model.joints[joint].calc(data, np.zeros(model.nq))
    axis = np.asarray(data.S).ravel()[3:]
    if not axis.any():
        return 1.0
    placed = joint_T_link * body.placement
    points = _points(body.geometry) @ placed.rotation.T + placed.translation
    return float(np.linalg.norm(np.cross(points, axis), axis=1).max())


def _points(shape: Any) -> FloatArray:
    """(N, 3) points whose convex hull holds the shape."""
    if isinstance(shape, coal.ConvexBase):
        return np.array([shape.point(k) for k in range(shape.num_points)])
    shape.computeLocalAABB()
    low, high = shape.aabb_local.min_, shape.aabb_local.max_
    return np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )
