# SPDX-License-Identifier: Apache-2.0
"""One question answered in many ways: does the arm, with what it holds, touch anything?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pinocchio as pin

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning.obstacles import CAMERA, Obstacle, se3
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.upright import Upright

_NAMED = 3
# Up to some dozens of bodies, comparing all boxes beats keeping a tree of them up to date.
_FEW_BODIES = 64
_FewClass = pin.BroadPhaseManager_NaiveCollisionManager
_ManyClass = pin.BroadPhaseManager_DynamicAABBTreeCollisionManager


@dataclass(slots=True)
class Counters:
    """States and edges checked so far; shared by the worlds derived from one another."""

    states: int = 0
    edges: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """An object that moves with the hand: part of the robot, not of the world."""

    name: str
    shape: Any
    tcp_T_object: Pose
    label: str = ""


class CollisionWorld:
    """Robot, held object and obstacles; immutable, cheap (about 1 ms) to make anew when anything changes.

    Args:
        robot: the arm.
        obstacles: what must not be touched.
        width_m: opening of the gripper.
        held: what the hand holds.
        padding_m: least distance of robot and held object to every obstacle but the workspace walls.
        near: other least distances, by obstacle name [m].
        allowed: pairs of names (link, obstacle or held object) that may touch.
        upright: bound on the tilt of what is held; positions beyond it count as not valid.
        counters: to count into.
        step_rad: resolution of `motion` and `path`, Euclidean joint distance between checked states [rad].
    """

    def __init__(
        self,
        robot: RobotModel,
        obstacles: tuple[Obstacle, ...],
        *,
        width_m: float,
        held: Held | None = None,
        padding_m: float = 0.005,
        near: Mapping[str, float] | None = None,
        allowed: Iterable[tuple[str, str]] = (),
        upright: Upright | None = None,
        counters: Counters | None = None,
        step_rad: float = 0.05,
    ) -> None:
        self.robot, self.obstacles, self.held, self.upright = robot, obstacles, held, upright
        self.width_m, self.padding_m, self.step_rad = width_m, padding_m, step_rad
        self.near = dict(near or {})
        self.allowed = frozenset(tuple(sorted(pair)) for pair in allowed)
        self.counters = counters or Counters()
        self.names = (
            *robot.geometry_links,
            *([held.name] if held else []),
            *(item.name for item in obstacles),
        )
        self._geometry = self._build_geometry()
        self._data, self._placed = robot.model.createData(), self._geometry.createData()
        self._placed.setSecurityMargins(self._geometry, self._margin_matrix(), True, True)
        # New placements are whatever was in the memory, of which no bounding volume can be made.
        pin.updateGeometryPlacements(
            robot.model, self._data, self._geometry, self._placed, pin.neutral(robot.model)
        )
        manager = _FewClass if len(self.names) <= _FEW_BODIES else _ManyClass
        self._manager = manager(robot.model, self._geometry, self._placed)
        self._manager.update(True)

    def derive(self, **changes: Any) -> CollisionWorld:
        """A world with some constructor arguments changed; counts into the same counters."""
        kept: dict[str, Any] = {
            "width_m": self.width_m,
            "held": self.held,
            "padding_m": self.padding_m,
            "near": self.near,
            "allowed": self.allowed,
            "upright": self.upright,
            "counters": self.counters,
            "step_rad": self.step_rad,
        }
        obstacles = changes.pop("obstacles", self.obstacles)
        return CollisionWorld(self.robot, obstacles, **{**kept, **changes})

    def attach(self, name: str, tcp_T_object: Pose, **changes: Any) -> CollisionWorld:
        """Move an obstacle into the hand."""
        body = next(item for item in self.obstacles if item.name == name)
        rest = tuple(item for item in self.obstacles if item.name != name)
        return self.derive(obstacles=rest, held=Held(name, body.shape, tcp_T_object, body.label), **changes)

    def valid(self, q: FloatArray) -> bool:
        """Tell whether one (D,) position is within limits and touches nothing."""
        return bool(self.valid_many(np.asarray(q, dtype=np.float64)[None])[0])

    def valid_many(self, q: FloatArray) -> BoolArray:
        """Tell which of (N, D) positions are within limits and touch nothing."""
        free = self._admissible(q)
        self.counters.states += int(free.sum())
        free[free] = [not touches for touches in self._touches(q[free])]
        return free

    def motion(
        self,
        start: FloatArray,
        end: FloatArray,
        step_rad: float | None = None,
        *,
        start_is_free: bool = False,
    ) -> bool:
        """Tell whether the straight joint motion between two (D,) positions is free, ends included.

        Args:
            start_is_free: `start` was checked before and is left out.
        """
        if not self.robot.within_limits(end if start_is_free else np.stack((start, end))).all():
            self.counters.edges += 1
            return False
        return self.edge(start, end, step_rad, start_is_free=start_is_free)

    def edge(
        self,
        start: FloatArray,
        end: FloatArray,
        step_rad: float | None = None,
        *,
        start_is_free: bool = True,
    ) -> bool:
        """`motion` for two positions that are known to be within the joint limits: what searches ask most."""
        self.counters.edges += 1
        change = end - start
        steps = max(1, math.ceil(math.sqrt(float(change @ change)) / (step_rad or self.step_rad)))
        fractions = _fractions(steps)[:-1] if start_is_free else _fractions(steps)
        return self._free(start + change * fractions)

    def path(self, waypoints: FloatArray, step_rad: float | None = None) -> bool:
        """Tell whether the polyline through (N, D) waypoints is free."""
        dense = densify(waypoints, step_rad or self.step_rad)
        return bool(self.robot.within_limits(waypoints).all()) and self._free(dense)

    def first_invalid(self, q: FloatArray) -> int | None:
        """Index of the first of (N, D) positions that is not valid, or None."""
        bad = np.flatnonzero(~self.valid_many(q))
        return int(bad[0]) if len(bad) else None

    def contacts(self, q: FloatArray) -> tuple[tuple[str, str], ...]:
        """Pairs of names that touch (closer than their padding) at one (D,) position."""
        self.counters.states += 1
        placed = self._placed
        pin.computeCollisions(self.robot.model, self._data, self._geometry, placed, self._full(q), False)
        pairs = self._geometry.collisionPairs
        found = [pairs[k] for k, result in enumerate(placed.collisionResults) if result.isCollision()]
        return tuple(dict.fromkeys((self.names[pair.first], self.names[pair.second]) for pair in found))

    def distance(self, q: FloatArray) -> float:
        """Least distance [m] between two bodies that are checked, negative when they overlap; without padding."""
        pin.computeDistances(self.robot.model, self._data, self._geometry, self._placed, self._full(q))
        return min((float(result.min_distance) for result in self._placed.distanceResults), default=np.inf)

    def explain(self, q: FloatArray) -> str:
        """Say why one (D,) position is not valid; empty when it is."""
        violation = self.robot.limit_violation(q) or self._tilted(q)
        if violation:
            return violation
        labels = {item.name: item.label for item in self.obstacles}
        if self.held is not None:
            labels[self.held.name] = self.held.label or self.held.name
        called = [
            (labels.get(first, first), labels.get(second, second)) for first, second in self.contacts(q)
        ]
        touching = [f"{first} touches {second}" for first, second in called]
        more = [f"and {len(touching) - _NAMED} more"] if len(touching) > _NAMED else []
        return ", ".join(touching[:_NAMED] + more)

    def _full(self, q: FloatArray) -> FloatArray:
        return self.robot.full(np.asarray(q, dtype=np.float64), self.width_m)

    def _free(self, q: FloatArray) -> bool:
        """Tell whether (N, D) positions within the limits are all upright enough and free, in the given order."""
        self.counters.states += len(q)
        upright = self.upright
        if upright is not None and (upright.tilt(self.robot, q) > upright.tolerance_rad).any():
            return False
        return not any(self._touches(q))

    def _touches(self, q: FloatArray) -> Iterator[bool]:
        """Which of (N, D) positions touch something, one by one as they are asked for."""
        check, model, data, manager = pin.computeCollisions, self.robot.model, self._data, self._manager
        return (check(model, data, manager, full, True) for full in self._full(q))

    def _admissible(self, q: FloatArray) -> BoolArray:
        """Which of (N, D) positions keep the joint limits and the bound on the tilt."""
        inside = self.robot.within_limits(q)
        if self.upright is not None:
            inside &= self.upright.tilt(self.robot, q) <= self.upright.tolerance_rad
        return inside

    def _tilted(self, q: FloatArray) -> str:
        if self.upright is None:
            return ""
        tilt = float(self.upright.tilt(self.robot, np.asarray(q, dtype=np.float64)[None])[0])
        if tilt <= self.upright.tolerance_rad:
            return ""
        held = self.held.label if self.held is not None else "the hand"
        allowed = np.rad2deg(self.upright.tolerance_rad)
        return f"{held} is tilted by {np.rad2deg(tilt):.0f} degrees, more than the {allowed:.0f} allowed"

    def _build_geometry(self) -> Any:
        robot = self.robot
        geometry = robot.geometry.copy()
        if self.held is not None:
            tip = robot.tip_offset * se3(self.held.tcp_T_object)
            name = f"held:{self.held.name}"
            body = pin.GeometryObject(name, robot.tip_joint, robot.tip_frame, tip, self.held.shape)
            geometry.addGeometryObject(body)
        for item in self.obstacles:
            body = pin.GeometryObject(f"world:{item.name}", 0, 0, item.placement, item.shape)
            geometry.addGeometryObject(body)
        geometry.setCollisionPairs(self._pair_matrix())
        return geometry

    def _pair_matrix(self) -> BoolArray:
        """Which bodies are checked against each other, upper-triangular."""
        links, total = len(self.robot.geometry_links), len(self.names)
        first = total - len(self.obstacles)
        matrix = np.zeros((total, total), dtype=bool)
        matrix[:links, :links] = self.robot.collision_matrix
        moving, grips = self.robot.moving_bodies, self.robot.gripper_bodies
        walls = np.array([item.kind == "wall" for item in self.obstacles], dtype=bool)
        matrix[:links, first:] = moving[:, None] & (grips[:, None] | ~walls[None, :])
        if self.held is not None:
            matrix[:links, links] = ~grips
            matrix[links, first:] = True
        names = np.array(self.names)
        for a, b in self.allowed:
            both = np.ix_(names == a, names == b)
            matrix[both] = False
            matrix.T[both] = False
        return matrix

    def _margin_matrix(self) -> FloatArray:
        """Least distance of each pair of bodies [m]; none between links, nor to walls."""
        total, first = len(self.names), len(self.names) - len(self.obstacles)
        margins = np.zeros((total, total))
        margins[:first, first:] = [
            0.0 if item.kind == "wall" else self.near.get(item.name, self.padding_m)
            for item in self.obstacles
        ]
        return margins


def without_own_camera(
    robot: RobotModel, obstacles: tuple[Obstacle, ...], start: FloatArray
) -> tuple[Obstacle, ...]:
    """Leave out the camera when it is where the arm is: it is mounted on the arm then, and moves with it."""
    width_m = robot.config.gripper.max_width_m
    contacts = CollisionWorld(robot, obstacles, width_m=width_m, padding_m=0.0).contacts(start)
    if not any(CAMERA in pair for pair in contacts):
        return obstacles
    return tuple(item for item in obstacles if item.name != CAMERA)


def densify(waypoints: FloatArray, step_rad: float) -> FloatArray:
    """Sample the polyline through (N, D) waypoints so that neighbours are at most `step_rad` apart; keeps them all."""
    lengths = np.linalg.norm(np.diff(waypoints, axis=0), axis=1)
    counts = np.maximum(1, np.ceil(lengths / step_rad).astype(int))
    segment = np.repeat(np.arange(len(counts)), counts)
    start = np.concatenate([[0], np.cumsum(counts)[:-1]])
    fraction = (np.arange(len(segment)) - start[segment]) / counts[segment]
    dense = waypoints[segment] + (waypoints[segment + 1] - waypoints[segment]) * fraction[:, None]
    return np.concatenate([dense, waypoints[-1:]])


@lru_cache(maxsize=512)
def _fractions(steps: int) -> FloatArray:
    """(steps + 1, 1) fractions: the end, then by bisection so that a collision is met early, the start last."""
    order, spans = [steps], [(0, steps)]
    for low, high in spans:
        middle = (low + high) // 2
        if middle > low:
            order.append(middle)
            spans += [(low, middle), (middle, high)]
    return np.array([*order, 0])[:, None] / steps
