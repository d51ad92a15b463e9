# SPDX-License-Identifier: Apache-2.0
"""Corrects small errors of camera poses between neighbouring views, by landmarks and by point-to-plane ICP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.fusion.landmarks import align_landmarks
from spatialpin_ros.perception.fusion.options import FusionOptions
from spatialpin_ros.perception.fusion.views import Shot, find_common_table, segment_view
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.timing import StepClock
from spatialpin_ros.scene import SupportSurface

_VOXEL_M = 0.005
_NEIGHBOURS = 16
_OBJECT_POINTS, _TABLE_POINTS = 2500, 700
_ABOVE_M = 0.012
# Reach of a match, from coarse to fine, and iterations at each [m].
_SCHEDULE = ((0.025, 8), (0.012, 8), (0.006, 12))
_ALIKE_COS = 0.75
_FLAT = 0.08
# The pose that was given is known to about this; many points of one face are no more than so many witnesses.
_PRIOR_SHIFT_M, _PRIOR_TURN_RAD = 0.01, 0.02
_NOISE_M, _WITNESSES = 0.002, 300.0
_JUDGED_M = 0.02
# Views with less in common than this agree as well with one correction as with another.
_LEAST_SHARED = 0.25
_GAIN = 0.85


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Points (N, 3) on flat surfaces and their unit normals (N, 3), in the base frame [m]."""

    points: FloatArray
    normals: FloatArray


def refine_poses(shots: Sequence[Shot], perception: PerceptionOptions, options: FusionOptions) -> list[Shot]:
    """Correct the poses of all shots but the last, each against its refined successor.

    Tilt and height come from the table's plane, place and heading from objects that both views see whole, or, where
    there are too few, from the surfaces that they share.

    Args:
        shots: in the order in which they were taken.
        perception, options: settings.
    """
    table, noise_m = find_common_table(shots[-1:], perception)
    refined = [shots[-1]]
    for shot in reversed(shots[:-1]):
        refined.insert(0, _refined(shot, refined[0], table, noise_m, perception, options))
    return refined


def _refined(
    shot: Shot,
    successor: Shot,
    table: SupportSurface,
    noise_m: float,
    perception: PerceptionOptions,
    options: FusionOptions,
) -> Shot:
    own, _ = find_common_table([shot], perception)
    levelling = table.pose @ own.pose.inverse()
    if not _small(levelling, options):
        return shot
    level = shot.moved_to(levelling @ shot.frame.base_T_camera)
    views = [segment_view(item, table, noise_m, perception, StepClock()) for item in (level, successor)]
    on_table = align_landmarks(views[0], views[1], options)
    if on_table is not None:
        correction = table.pose @ on_table @ table.pose.inverse()
    else:
        surfaces = [surface_of(item, table.height_z, perception) for item in (level, successor)]
        correction = align(surfaces[0], surfaces[1], options)
    return level.moved_to(correction @ level.frame.base_T_camera)


def _small(correction: Pose, options: FusionOptions) -> bool:
    shift, turn = correction.distance_to(Pose())
    return shift <= options.max_shift_m and turn <= options.max_turn_rad


def surface_of(shot: Shot, table_z_m: float, perception: PerceptionOptions) -> Surface:
    """Sample the surfaces in a shot's workspace, more of the objects than of the table."""
    grid = shot.grid
    if shot.ignored is not None:
        depth = np.where(shot.ignored, np.float32(0.0), grid.depth)
        rows, columns = np.nonzero(depth)
    else:
        depth = grid.depth
        rows, columns = np.nonzero(depth)
    pixels = np.column_stack([columns, rows, np.ones(len(rows))])
    points = shot.frame.base_T_camera.transform(
        (pixels @ grid.rays.T) * depth[rows, columns][:, None].astype(np.float64)
    )
    points = points[_inside(points, table_z_m, perception)]
    _, first = np.unique(np.floor(points / _VOXEL_M).astype(np.int64), axis=0, return_index=True)
    points = points[first]
    above = points[:, 2] > table_z_m + _ABOVE_M
    chosen = np.concatenate(
        [_thinned(np.flatnonzero(above), _OBJECT_POINTS), _thinned(np.flatnonzero(~above), _TABLE_POINTS)]
    )
    return _with_normals(points, chosen, shot.frame.base_T_camera.position)


def _inside(points: FloatArray, table_z_m: float, perception: PerceptionOptions) -> np.ndarray:
    if perception.workspace is None:
        return np.asarray(np.abs(points[:, 2] - table_z_m) < perception.max_height_m)
    low, high = perception.workspace.min - 0.05, perception.workspace.max + 0.05
    return np.asarray(((points > low) & (points < high)).all(axis=1))


def _thinned(index: np.ndarray, count: int) -> np.ndarray:
    return index[:: max(1, -(-len(index) // count))]


def _with_normals(points: FloatArray, chosen: np.ndarray, eye: FloatArray) -> Surface:
    """Normals by principal components of the nearest neighbours; edges and corners are left out."""
    if len(points) < _NEIGHBOURS:
        return Surface(np.zeros((0, 3)), np.zeros((0, 3)))
    at = points[chosen]
    _, near = cKDTree(points).query(at, _NEIGHBOURS)
    patches = points[near] - points[near].mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(np.swapaxes(patches, 1, 2) @ patches)
    normals = vectors[:, :, 0]
    normals = normals * np.where(((eye - at) * normals).sum(axis=1) < 0.0, -1.0, 1.0)[:, None]
    flat = values[:, 0] < _FLAT * values[:, 1]
    return Surface(at[flat], normals[flat])


def align(moving: Surface, target: Surface, options: FusionOptions) -> Pose:
    """Find the correction (base frame to base frame) that lays one surface onto the other.

    Chen and Medioni, "Object modelling by registration of multiple range images", Image and Vision Computing 10,
    1992, with Tukey's weights and the given pose as a prior.

    Returns:
        The correction; the identity when the surfaces have little in common, or when it would be larger than the
        options allow or gains nothing.
    """
    if min(len(moving.points), len(target.points)) < 100:
        return Pose()
    tree = cKDTree(target.points)
    before, shared = _misfit(moving.points, moving.normals, target, tree)
    if shared < _LEAST_SHARED:
        return Pose()
    pivot = moving.points.mean(axis=0)
    turn, shift = Rotation.identity(), np.zeros(3)
    for reach, iterations in _SCHEDULE:
        for _ in range(iterations):
            points = turn.apply(moving.points - pivot) + pivot + shift
            step = _step(points, turn.apply(moving.normals), pivot, target, tree, reach, turn, shift)
            turn, shift = Rotation.from_rotvec(step[:3]) * turn, shift + step[3:]
            if np.abs(step).max() < 2e-5:
                break
    if np.linalg.norm(shift) > options.max_shift_m or turn.magnitude() > options.max_turn_rad:
        return Pose()
    moved = turn.apply(moving.points - pivot) + pivot + shift
    if _misfit(moved, turn.apply(moving.normals), target, tree)[0] > _GAIN * before:
        return Pose()
    return Pose(pivot + shift - turn.apply(pivot), turn.as_quat())


def _step(
    points: FloatArray,
    normals: FloatArray,
    pivot: FloatArray,
    target: Surface,
    tree: cKDTree,
    reach_m: float,
    turn: Rotation,
    shift: FloatArray,
) -> FloatArray:
    """(6,) rotation vector about the pivot and shift that lessen the distances to the target's tangent planes."""
    distance, near = tree.query(points, distance_upper_bound=reach_m)
    found = np.isfinite(distance)
    points, normals, near = points[found], normals[found], near[found]
    planes = target.normals[near]
    gap = ((target.points[near] - points) * planes).sum(axis=1)
    alike = (normals * planes).sum(axis=1) > _ALIKE_COS
    weight = np.where(alike, (1.0 - np.clip(gap / reach_m, -1.0, 1.0) ** 2) ** 2, 0.0)
    total = max(float(weight.sum()), 1e-9)
    weight *= _WITNESSES / total / _NOISE_M**2
    motion = np.hstack([np.cross(points - pivot, planes), planes])
    information = (motion * weight[:, None]).T @ motion
    pull = (motion * weight[:, None]).T @ gap
    trust = np.repeat([_PRIOR_TURN_RAD**-2.0, _PRIOR_SHIFT_M**-2.0], 3)
    prior = np.concatenate([turn.as_rotvec(), shift])
    return np.asarray(np.linalg.solve(information + np.diag(trust), pull - trust * prior))


def _misfit(points: FloatArray, normals: FloatArray, target: Surface, tree: cKDTree) -> tuple[float, float]:
    """Mean distance to the tangent planes of like neighbours, none counting more than its reach [m], and their share.

    The share is of the surface that has fewer points.
    """
    distance, near = tree.query(points, distance_upper_bound=_JUDGED_M)
    found = np.isfinite(distance)
    planes = target.normals[near[found]]
    gap = np.abs(((target.points[near[found]] - points[found]) * planes).sum(axis=1))
    alike = (normals[found] * planes).sum(axis=1) > _ALIKE_COS
    misfit = float(np.minimum(gap[alike], 0.005).mean()) if alike.any() else float("inf")
    return misfit, float(alike.sum()) / min(len(points), len(target.points))
