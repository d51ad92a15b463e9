# SPDX-License-Identifier: Apache-2.0
"""Collision checks for one free-flying body among the obstacles of a scene, exact between the samples too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import coal
import numpy as np
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.config import Workspace
from spatialpin_ros.planning.object_motion.se3 import axes_of, displacements
from spatialpin_ros.planning.obstacles import Obstacle

_TOUCH_SLACK_M = 2e-4
_CONCAVE_ZONE_M = 0.010


@dataclass(slots=True)
class Counters:
    """Poses and edges checked so far."""

    states: int = 0
    edges: int = 0


class FreeBodyWorld:
    """A moving body and what it must keep `clearance_m` away from.

    What the body touches at its start (its support, something that leans on it) is treated by one rule: it may
    stay in touch, but never come deeper into it than at the start (plus 0.2 mm). Where one of the two is a
    concave mesh, whose depth is not defined, that pair is instead not checked within 10 mm of displacement
    from the start.

    Args:
        body: coal geometry in the moving frame.
        start: (7,) pose at the start.
        obstacles: what stands still.
        bounds: region that holds the body's origin.
        clearance_m: least distance to every obstacle that is not touched at the start [m].
    """

    def __init__(
        self,
        body: Any,
        start: FloatArray,
        obstacles: tuple[Obstacle, ...],
        bounds: Workspace,
        clearance_m: float,
    ) -> None:
        self.body, self.start, self.obstacles = body, start, obstacles
        self.clearance_m, self.counters = clearance_m, Counters()
        self.radius_m = bounding_radius(body)
        self._low, self._high = np.minimum(bounds.min, start[:3]), np.maximum(bounds.max, start[:3])
        self._shapes = [item.shape for item in obstacles]
        self._poses = [coal.Transform3s(item.pose.axes, item.pose.position) for item in obstacles]
        self._boxes_low, self._boxes_high = _boxes(obstacles)
        self._request = coal.DistanceRequest()
        self._request.enable_signed_distance = True
        self._result, self._placement = coal.DistanceResult(), coal.Transform3s()
        self._zone = np.zeros(len(obstacles), dtype=bool)
        self._allowed = np.full(len(obstacles), clearance_m)
        self.depth_at_start = self._tolerate_start()

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest position of the body's origin, (3,) each [m]."""
        return self._low, self._high

    @property
    def touched_at_start(self) -> tuple[str, ...]:
        return tuple(
            item.name
            for item, allowed, zone in zip(self.obstacles, self._allowed, self._zone, strict=True)
            if zone or allowed < self.clearance_m
        )

    def slack(self, row: FloatArray, horizon_m: float = np.inf) -> float:
        """How far [m] any point of the body may move from one (7,) pose before something is hit, at most `horizon_m`.

        Negative: the pose is not allowed, and no displacement smaller than the absolute value frees it.
        """
        return self._slack(row[:3], axes_of(row[None])[0], horizon_m)

    def free(self, row: FloatArray) -> bool:
        return self.slack(row, 0.0) >= 0.0

    def way_free(self, rows: FloatArray) -> bool:
        """Tell whether (N, 7) poses are all allowed, the first excepted.

        The slack of a pose proves the neighbours that lie within it, so that few need a query of their own.
        """
        self.counters.edges += 1
        travelled = np.concatenate([[0.0], np.cumsum(displacements(rows, self.radius_m))])
        axes = axes_of(rows)
        pending = [(1, len(rows) - 1), (len(rows) - 1, len(rows) - 1)]
        while pending:
            low, high = pending.pop()
            if low > high:
                continue
            middle = (low + high) // 2
            reach = max(travelled[middle] - travelled[low], travelled[high] - travelled[middle])
            slack = self._slack(rows[middle, :3], axes[middle], reach + 1e-6)
            if slack < 0.0:
                return False
            left = int(np.searchsorted(travelled, travelled[middle] - slack, side="left"))
            right = int(np.searchsorted(travelled, travelled[middle] + slack, side="right")) - 1
            pending += [(low, min(left, middle) - 1), (max(right, middle) + 1, high)]
        return True

    def last_free(self, rows: FloatArray) -> int:
        """Index of the last of (N, 7) poses that is reached without meeting one that is not allowed."""
        travelled = np.concatenate([[0.0], np.cumsum(displacements(rows, self.radius_m))])
        index = 0
        while index < len(rows) - 1:
            slack = self.slack(rows[index]) if index else 0.0
            if slack < 0.0:
                return index - 1
            index = max(
                index + 1, int(np.searchsorted(travelled, travelled[index] + slack, side="right")) - 1
            )
        return index if self.free(rows[index]) else index - 1

    def clearance(self, rows: FloatArray) -> float:
        """Least signed distance [m] over (N, 7) poses to obstacles that are not touched at the start."""
        axes = axes_of(rows)
        least = np.inf
        counted = (self._allowed >= self.clearance_m) & ~self._zone
        for row, turned in zip(rows, axes, strict=True):
            near = self._lower_bounds(row[:3])
            for index in np.flatnonzero(counted & (near < least)):
                least = min(least, self._distance(int(index), row[:3], turned))
        return float(least)

    def blockers(self, row: FloatArray) -> tuple[str, ...]:
        """Names of what makes a (7,) pose not allowed; "workspace" when it lies outside of it."""
        axes = axes_of(row[None])[0]
        found = [
            item.name for index, item in enumerate(self.obstacles) if self._margin(index, row[:3], axes) < 0.0
        ]
        return (*found, *(["workspace"] if self._inside(row[:3]) < 0.0 else []))

    def _slack(self, position: FloatArray, axes: FloatArray, horizon_m: float) -> float:
        self.counters.states += 1
        least = min(horizon_m, self._inside(position))
        bounds = self._lower_bounds(position) - self._allowed
        order = np.flatnonzero(bounds < least)
        for index in order[np.argsort(bounds[order])]:
            if bounds[index] < least:
                least = min(least, self._margin(int(index), position, axes))
            if least < 0.0 and horizon_m <= 0.0:
                break
        return float(least)

    def _margin(self, index: int, position: FloatArray, axes: FloatArray) -> float:
        margin = self._distance(index, position, axes) - float(self._allowed[index])
        if margin < 0.0 and self._zone[index]:
            turn = Rotation.from_matrix(axes) * Rotation.from_quat(self.start[3:]).inv()
            moved = np.linalg.norm(position - self.start[:3]) + self.radius_m * turn.magnitude()
            return max(margin, float(_CONCAVE_ZONE_M - moved))
        return margin

    def _distance(self, index: int, position: FloatArray, axes: FloatArray) -> float:
        self._placement.setTransform(axes, position)
        self._result.clear()
        return float(
            coal.distance(
                self.body,
                self._placement,
                self._shapes[index],
                self._poses[index],
                self._request,
                self._result,
            )
        )

    def _lower_bounds(self, position: FloatArray) -> FloatArray:
        gap = np.maximum(np.maximum(self._boxes_low - position, position - self._boxes_high), 0.0)
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", gap, gap)) - self.radius_m)

    def _inside(self, position: FloatArray) -> float:
        return float(min((position - self._low).min(), (self._high - position).min()))

    def _tolerate_start(self) -> dict[str, float]:
        """Loosen the demands on what is touched at the start; return depths [m] by name, positive inside."""
        position, axes = self.start[:3], axes_of(self.start[None])[0]
        depths: dict[str, float] = {}
        for index in np.flatnonzero(self._lower_bounds(position) < self.clearance_m):
            distance = self._distance(int(index), position, axes)
            if distance >= self.clearance_m:
                continue
            depths[self.obstacles[index].name] = -distance
            if is_concave(self.body) or is_concave(self._shapes[index]):
                self._zone[index] = True
            else:
                self._allowed[index] = distance - _TOUCH_SLACK_M
        return depths


def is_concave(shape: Any) -> bool:
    return isinstance(shape, coal.BVHModelBase)


def bounding_radius(shape: Any) -> float:
    """Radius [m] of the sphere about the shape's origin that holds it."""
    if isinstance(shape, coal.Sphere):
        return float(shape.radius)
    if isinstance(shape, coal.Cylinder):
        return float(np.hypot(shape.radius, shape.halfLength))
    if isinstance(shape, coal.Box):
        return float(np.linalg.norm(shape.halfSide))
    shape.computeLocalAABB()
    box = shape.aabb_local
    return float(np.linalg.norm(np.maximum(np.abs(box.min_), np.abs(box.max_))))


def _boxes(obstacles: tuple[Obstacle, ...]) -> tuple[FloatArray, FloatArray]:
    """Axis-aligned boxes around the obstacles in the base frame, (M, 3) lowest and highest corners [m]."""
    lows, highs = np.zeros((len(obstacles), 3)), np.zeros((len(obstacles), 3))
    for index, item in enumerate(obstacles):
        item.shape.computeLocalAABB()
        local = item.shape.aabb_local
        centre = item.pose.transform((np.array(local.min_) + np.array(local.max_)) / 2.0)
        half = np.abs(item.pose.axes) @ ((np.array(local.max_) - np.array(local.min_)) / 2.0)
        lows[index], highs[index] = centre - half, centre + half
    return lows, highs
