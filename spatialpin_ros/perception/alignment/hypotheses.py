# SPDX-License-Identifier: Apache-2.0
"""Render and compare: the orientations of a mesh whose silhouette and depth look most like the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.perception.alignment.observation import Observation
from spatialpin_ros.perception.alignment.surface import MeshSurface

_YAWS = 24
_SAMPLES = 700
_CELLS = 28
_MARGIN = 0.3
_STEPS = 3
_DEPTH_M = 0.008
_FAR = 1e3
_AXES = np.array([[0, 0, 1], [0, 0, -1], [0, 1, 0], [0, -1, 0], [1, 0, 0], [-1, 0, 0]], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where a mesh is in the camera frame: point = scale * rotation @ vertex + position."""

    rotation: FloatArray
    position: FloatArray
    scale: float = 1.0

    def apply(self, vertices: FloatArray) -> FloatArray:
        return np.asarray(self.scale * vertices @ self.rotation.T + self.position)

    def undo(self, points: FloatArray) -> FloatArray:
        """Points of the camera frame in the mesh's own frame and scale."""
        return np.asarray((points - self.position) @ self.rotation / self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A coarse grid over the object's part of the image: (C, C) mask share, depth [m] and occluders."""

    left: float
    top: float
    cell_px: float
    inside: BoolArray
    depth_m: FloatArray
    unknown: BoolArray


def best_placements(
    surface: MeshSurface, seen: Observation, count: int, *, known_scale: bool
) -> list[Placement]:
    """The `count` best of all resting orientations, every 15 degrees about the vertical.

    Args:
        surface: the mesh.
        seen: the object.
        count: how many to return, best first.
        known_scale: the mesh is in metres; otherwise its scale follows from the size of the mask.
    """
    rotations = orientations(surface, seen.up)
    step = max(1, len(surface.samples) // _SAMPLES)
    local = surface.samples[::step] - surface.centre
    turned = np.einsum("kij,nj->kni", rotations, local)
    window = _window(seen)
    rows, columns = np.nonzero(seen.mask)
    low = np.array([columns.min(), rows.min()], dtype=np.float64)
    high = np.array([columns.max(), rows.max()], dtype=np.float64)
    near = float(np.median(seen.points[:, 2]))
    scale = np.ones(len(rotations))
    depth = near + 0.25 * surface.diameter_m * np.ones(len(rotations))
    centre = np.repeat(0.5 * (low + high)[None], len(rotations), axis=0)
    position = _on_ray(seen, centre, depth)
    rendered = np.zeros((len(rotations), _CELLS, _CELLS))
    for _ in range(_STEPS):
        points = scale[:, None, None] * turned + position[:, None]
        pixels = seen.intrinsics.project(points)
        first, last = pixels.min(axis=1), pixels.max(axis=1)
        if not known_scale:
            scale *= np.linalg.norm(high - low) / np.maximum(np.linalg.norm(last - first, axis=1), 1.0)
        middle = seen.intrinsics.project(position)
        position = _on_ray(seen, middle + 0.5 * (low + high - first - last), position[:, 2])
        rendered = _render(scale[:, None, None] * turned + position[:, None], seen, window)
        both = (rendered < _FAR) & window.inside & (window.depth_m > 0)
        gap = np.where(both, window.depth_m - rendered, np.nan)
        position = _on_ray(seen, seen.intrinsics.project(position), position[:, 2] + _median(gap))
    rendered = _render(scale[:, None, None] * turned + position[:, None], seen, window)
    order = np.argsort(-_scores(rendered, window))[:count]
    return [
        Placement(rotations[k], position[k] - scale[k] * rotations[k] @ surface.centre, float(scale[k]))
        for k in order
    ]


def orientations(surface: MeshSurface, up: FloatArray) -> FloatArray:
    """(K, 3, 3) rotations that bring a resting direction of the mesh to `up`, at every yaw."""
    directions = np.concatenate([surface.resting_directions(), _AXES])
    kept: list[FloatArray] = []
    for direction in directions:
        if not any(direction @ other > 0.98 for other in kept):
            kept.append(direction)
    rotations = []
    for direction in kept:
        upright = Rotation.align_vectors(up[None], direction[None])[0]
        turns = Rotation.from_rotvec(np.outer(np.arange(_YAWS) * (2.0 * np.pi / _YAWS), up))
        rotations.extend((turns * upright).as_matrix())
    return np.asarray(rotations)


def _on_ray(seen: Observation, pixels: FloatArray, depth_m: FloatArray) -> FloatArray:
    """(K, 3) points of the camera frame on the rays of (K, 2) pixels with the given optical-axis components."""
    k = seen.intrinsics
    x, y = (pixels[:, 0] - k.cx) / k.fx, (pixels[:, 1] - k.cy) / k.fy
    return np.stack([x * depth_m, y * depth_m, depth_m], axis=1)


def _window(seen: Observation) -> Window:
    rows, columns = np.nonzero(seen.mask)
    extent = max(np.ptp(rows), np.ptp(columns)) + 1.0
    cell = (1.0 + 2.0 * _MARGIN) * extent / _CELLS
    left = 0.5 * (columns.min() + columns.max()) - 0.5 * cell * _CELLS
    top = 0.5 * (rows.min() + rows.max()) - 0.5 * cell * _CELLS
    index = np.arange(_CELLS) + 0.5
    u, v = np.meshgrid(left + cell * index, top + cell * index)
    height, width = seen.mask.shape
    within = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    at = np.clip(np.rint(v).astype(int), 0, height - 1), np.clip(np.rint(u).astype(int), 0, width - 1)
    inside = seen.mask[at] & within
    depth = np.where(inside, seen.depth_m[at], 0.0)
    nearest = float(np.quantile(seen.points[:, 2], 0.05))
    occluder = ~seen.mask[at] & (seen.depth_m[at] > 0) & (seen.depth_m[at] < nearest)
    return Window(float(left), float(top), float(cell), inside, depth.astype(np.float64), occluder | ~within)


def _render(points: FloatArray, seen: Observation, window: Window) -> FloatArray:
    """(K, C, C) depth of the nearest of each hypothesis' (K, N, 3) points in each cell; very far without any."""
    pixels = seen.intrinsics.project(points)
    column = np.floor((pixels[..., 0] - window.left) / window.cell_px)
    row = np.floor((pixels[..., 1] - window.top) / window.cell_px)
    good = (column >= 0) & (column < _CELLS) & (row >= 0) & (row < _CELLS)
    hypothesis = np.broadcast_to(np.arange(len(points))[:, None], good.shape)
    cell = (hypothesis[good] * _CELLS + row[good].astype(np.intp)) * _CELLS + column[good].astype(np.intp)
    depth = np.full(len(points) * _CELLS * _CELLS, _FAR)
    np.minimum.at(depth, cell, points[..., 2][good])
    return depth.reshape(len(points), _CELLS, _CELLS)


def _median(values: FloatArray) -> FloatArray:
    """(K,) median of the finite values of each (K, C, C) image; 0 without any."""
    flat = np.sort(values.reshape(len(values), -1), axis=1)
    count = np.isfinite(flat).sum(axis=1)
    middle = flat[np.arange(len(flat)), np.maximum(count // 2, 0).clip(max=flat.shape[1] - 1)]
    return np.where(count > 0, np.nan_to_num(middle), 0.0)


def _scores(rendered: FloatArray, window: Window) -> FloatArray:
    """(K,) overlap of silhouettes, weighted by how well depths agree inside; occluded cells count for nothing."""
    known = ~window.unknown
    shown = (rendered < _FAR) & known
    both = shown & window.inside
    union = np.count_nonzero(shown | (window.inside & known), axis=(1, 2))
    gap = np.abs(rendered - window.depth_m) / _DEPTH_M
    agreement = np.where(both & (window.depth_m > 0), np.exp(-np.minimum(gap, 50.0)), 0.0)
    overlap = np.count_nonzero(both, axis=(1, 2)) / np.maximum(union, 1)
    return np.asarray(overlap * 0.5 + agreement.sum(axis=(1, 2)) / np.maximum(union, 1))
