# SPDX-License-Identifier: Apache-2.0
"""Refinement of a placement: surface points on the mesh, silhouette inside the mask, foot on the support."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.perception.alignment.hypotheses import Placement
from spatialpin_ros.perception.alignment.observation import Observation
from spatialpin_ros.perception.alignment.surface import MeshSurface

_OUTLINE_SAMPLES = 500
_OUTLINE_WEIGHT = 2.0
_FOOT_WEIGHT = 0.3
_ROBUST_M = 0.004
_OUTLINE_ROBUST_M = 0.010
_CONVERGED_M = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """Weighted residuals (M,), and their derivatives (M, 7) by a turn, a shift and a change of scale."""

    values: FloatArray
    jacobian: FloatArray
    cost: float


class Refinement:
    """Levenberg-Marquardt on three kinds of residuals.

    Args:
        surface: the mesh.
        seen: the object.
        support_z: height of what carries it in the base frame [m]; None when unknown.
        known_scale: leave the scale alone.
    """

    def __init__(
        self, surface: MeshSurface, seen: Observation, support_z: float | None, *, known_scale: bool
    ) -> None:
        self._surface, self._seen = surface, seen
        self._outline = surface.samples[:: max(1, len(surface.samples) // _OUTLINE_SAMPLES)]
        self._support_z = support_z
        self._free = 6 if known_scale else 7
        outside = seen.outside_px
        self._slope = np.stack(
            [
                cv2.Sobel(outside, cv2.CV_32F, 1, 0, scale=0.125),
                cv2.Sobel(outside, cv2.CV_32F, 0, 1, scale=0.125),
            ],
            axis=-1,
        )

    def run(self, start: Placement, iterations: int) -> tuple[Placement, float]:
        """Improve a placement; return it with its cost [m^2]."""
        placement, damping = start, 1e-3
        now = self.residuals(placement)
        for _ in range(iterations):
            jacobian = now.jacobian[:, : self._free]
            normal = jacobian.T @ jacobian
            step = np.zeros(7)
            damped = normal + damping * np.diag(np.diag(normal) + 1e-9)
            step[: self._free] = np.linalg.solve(damped, -jacobian.T @ now.values)
            candidate = self._moved(placement, step)
            then = self.residuals(candidate)
            if then.cost < now.cost:
                gain = now.cost - then.cost
                placement, now, damping = candidate, then, max(damping / 5.0, 1e-9)
                if gain < 1e-5 * now.cost or float(np.abs(step[3:6]).max()) < _CONVERGED_M:
                    break
            else:
                damping *= 8.0
                if damping > 1e6:
                    break
        return placement, now.cost

    def _pivot(self, placement: Placement) -> FloatArray:
        return np.asarray(placement.apply(self._surface.centre[None])[0])

    def _moved(self, placement: Placement, step: FloatArray) -> Placement:
        """Turn about the mesh's middle by step[:3], shift by step[3:6], grow by step[6]."""
        turn = Rotation.from_rotvec(step[:3]).as_matrix()
        growth = float(np.clip(np.exp(step[6]), 0.5, 2.0))
        rotation, scale = turn @ placement.rotation, growth * placement.scale
        position = self._pivot(placement) + step[3:6] - scale * rotation @ self._surface.centre
        return Placement(rotation, position, scale)

    def residuals(self, placement: Placement) -> Residuals:
        """All residuals at a placement."""
        pivot = self._pivot(placement)
        parts = [self._of_points(placement, pivot), self._of_outline(placement, pivot)]
        if self._support_z is not None:
            parts.append(self._of_foot(placement, pivot, self._support_z))
        values, rows = (
            np.concatenate([part[0] for part in parts]),
            np.concatenate([part[1] for part in parts]),
        )
        return Residuals(values, rows, float(values @ values))

    def _of_points(self, placement: Placement, pivot: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Distances of the seen points from the surface."""
        nearest, direction = self._surface.closest(placement.undo(self._seen.points))
        at, out = placement.apply(nearest), direction @ placement.rotation.T
        distance = np.einsum("ij,ij->i", self._seen.points - at, out)
        weight = np.sqrt(_huber(distance, _ROBUST_M) / len(distance))
        return distance * weight, -_motion(at - pivot, out) * weight[:, None]

    def _of_outline(self, placement: Placement, pivot: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How far points of the mesh stand out of the mask, across the view, unless something may hide them."""
        points, k = placement.apply(self._outline), self._seen.intrinsics
        points = points[points[:, 2] > 0.05]
        pixels = k.project(points)
        count = len(self._outline)
        if not len(points):
            return np.zeros(0), np.zeros((0, 7))
        points, pixels = (part[~self._seen.hidden(pixels, points[:, 2])] for part in (points, pixels))
        columns, rows = np.rint(pixels).astype(np.intp).T
        reach = self._seen.outside_px[rows, columns].astype(np.float64)
        out = reach > 0.7
        points, reach = points[out], reach[out] - 0.5
        slope = self._slope[rows[out], columns[out]].astype(np.float64)
        metres = points[:, 2] / k.fx
        gap = reach * metres
        x, y, z = points.T
        direction = np.stack(
            [slope[:, 0], slope[:, 1] * k.fy / k.fx, -(slope[:, 0] * x + slope[:, 1] * y * k.fy / k.fx) / z],
            axis=1,
        )
        weight = np.sqrt(_OUTLINE_WEIGHT * _huber(gap, _OUTLINE_ROBUST_M) / count)
        return gap * weight, _motion(points - pivot, direction) * weight[:, None]

    def _of_foot(
        self, placement: Placement, pivot: FloatArray, support_z: float
    ) -> tuple[FloatArray, FloatArray]:
        """Height of the mesh's lowest point above what carries it."""
        points = placement.apply(self._surface.corners.reshape(-1, 3))
        up = self._seen.up
        heights = (points - self._seen.camera_T_base.position) @ up - support_z
        lowest = int(np.argmin(heights))
        weight = np.sqrt(_FOOT_WEIGHT)
        row = _motion(points[lowest][None] - pivot, up[None])
        return heights[lowest : lowest + 1] * weight, row * weight


def _motion(arm: FloatArray, direction: FloatArray) -> FloatArray:
    """(N, 7) derivative of direction . point by turn, shift and growth about the pivot; arm = point - pivot."""
    growth = np.einsum("ij,ij->i", arm, direction)[:, None]
    return np.concatenate([np.cross(arm, direction), direction, growth], axis=1)


def _huber(residual: FloatArray, scale: float) -> FloatArray:
    """Weights of Huber's loss: 1 up to `scale`, falling beyond."""
    return np.asarray(scale / np.maximum(np.abs(residual), scale))
