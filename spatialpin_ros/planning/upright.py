# SPDX-License-Identifier: Apache-2.0
"""Keep what is carried upright: how far it is tilted, and the nearest positions of the arm at which it is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatialpin_ros.arrays import FloatArray, read_only
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning.robot_model import RobotModel

_ITERATIONS, _MOST_STEP_RAD, _DAMPING = 12, 0.3, 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Upright:
    """A bound on the tilt of what the hand holds; turns about the vertical are free.

    Args:
        axis: (3,) unit vector in the tip frame that is to point up.
        tolerance_rad: largest angle between it and the vertical.
    """

    axis: FloatArray
    tolerance_rad: float

    def __post_init__(self) -> None:
        axis = np.array(self.axis, dtype=np.float64)
        if not 0.0 < self.tolerance_rad < np.pi or abs(np.linalg.norm(axis) - 1.0) > 1e-6:
            raise InvalidValueError(
                f"upright: expected a unit axis and a tolerance in (0, pi), got {axis!r} and {self.tolerance_rad}"
            )
        object.__setattr__(self, "axis", read_only(axis, "upright axis", (3,)))

    @classmethod
    def as_grasped(cls, base_T_tcp: Pose, tolerance_rad: float) -> Upright:
        """Up in the hand is what is up when it takes the object."""
        return cls(base_T_tcp.axes[2], tolerance_rad)

    def tilt(self, robot: RobotModel, q: FloatArray) -> FloatArray:
        """(N,) angles between the held axis and the vertical for (N, D) positions [rad]."""
        rotations, _ = robot.tcp_batch(q)
        return np.asarray(np.arccos(np.clip(rotations[:, 2] @ self.axis, -1.0, 1.0)))

    def project(self, robot: RobotModel, q: FloatArray) -> FloatArray | None:
        """The (D,) position near a given one at which the tilt is at most a fifth of the tolerance, or None.

        Damped Gauss-Newton on the two angular rows of the Jacobian that tilt (Berenson et al., CBiRRT, 2009).
        """
        q = np.clip(q, robot.lower, robot.upper)
        for _ in range(_ITERATIONS):
            rotation, position, axes, origins = robot.chain.forward(q[None])
            held = rotation[0] @ self.axis
            if held[2] >= np.cos(self.tolerance_rad / 5.0):
                return np.asarray(q)
            wanted = np.array([held[1], -held[0]])
            wanted *= np.arccos(np.clip(held[2], -1.0, 1.0)) / max(float(np.linalg.norm(wanted)), 1e-9)
            rows = robot.chain.jacobian(position, axes, origins)[0, 3:5]
            step = rows.T @ np.linalg.solve(rows @ rows.T + _DAMPING * np.eye(2), wanted)
            step *= min(1.0, _MOST_STEP_RAD / max(float(np.abs(step).max()), 1e-12))
            q = np.clip(q + step, robot.lower, robot.upper)
        return None
