# SPDX-License-Identifier: Apache-2.0
"""Splitting regions of one colour by their level tops: stacked and touching objects of unlike height."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import BoolArray, Float32Array, FloatArray, Int32Array
from spatialpin_ros.perception.grid import TableGrid
from spatialpin_ros.perception.statistics import median

# Pixels over which the slope is measured, and the share of an upright face's slope below which a pixel looks up.
_REACH = 2
_LEVEL_SHARE = 0.45
_SAME_LEVEL_M = 0.006
_MIN_PIXELS = 24
_MIN_SHARE = 0.04
_SPREAD_M, _SURE_SPREAD_M, _SURE_NOISE = 0.0015, 0.0004, 1.15
# What may be a slope splits nothing: share of an upright face's slope.
_SURE_SHARE = 0.22


@dataclass(frozen=True, slots=True, eq=False)
class Plateau:
    """A level patch: its label in the plateau image, region, height above the table [m], size [px] and rectangle.

    Args:
        rectangle: (4, 2) corners in table x, y [m].
    """

    label: int
    region: int
    height_m: float
    area: int
    rectangle: FloatArray
    centre_px: tuple[float, float]


def _upright_climb_m(grid: TableGrid) -> float:
    """How much an upright face climbs per pixel: pixel / cos(elevation of the camera) [m]; a level one not at all."""
    elevation_cos = float(np.hypot(*grid.table_T_camera.axes[:2, 2]))
    return grid.pixel_m / max(elevation_cos, 0.5)


def level_pixels(grid: TableGrid, height: Float32Array, labels: Int32Array) -> BoolArray:
    """(h, w) pixels inside one region around which the surface is level.

    Args:
        grid: the points.
        height: (h, w) smoothed height above the table [m].
        labels: (h, w) regions.
    """
    mean = cv2.blur(height, (3, 3))
    limit = _LEVEL_SHARE * 2 * _REACH * _upright_climb_m(grid)
    level = labels > 0
    for axis in (0, 1):
        ahead, behind = np.roll(mean, -_REACH, axis), np.roll(mean, _REACH, axis)
        level &= np.abs(ahead - behind) < limit
        level &= (np.roll(labels, -1, axis) == labels) & (np.roll(labels, 1, axis) == labels)
    level[[0, 1, -1, -2]] = False
    level[:, [0, 1, -1, -2]] = False
    return level


def find_plateaus(
    grid: TableGrid, height: Float32Array, labels: Int32Array, level: BoolArray, noise_m: float = 0.002
) -> tuple[Int32Array, list[Plateau]]:
    """Label the connected level patches of every region.

    Args:
        grid: the points.
        height: (h, w) smoothed height above the table [m].
        labels: (h, w) regions.
        level: (h, w) pixels around which the surface is level.
        noise_m: standard deviation of heights [m]; what spreads more is a slope or round.

    Returns:
        (h, w) plateau labels (0: none) and the plateaus that are large enough to be the top of something.
    """
    # Between two heights or two regions no pixel is level, so that patches never touch.
    count, found_patches = cv2.connectedComponents(level.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    patches: Int32Array = np.asarray(found_patches, dtype=np.int32)
    region_areas = np.bincount(labels.ravel())
    depth = grid.camera.depth.ravel()
    usual_depth = median(depth[level.ravel()]) if level.any() else 1.0
    steepest = _SURE_SHARE * _upright_climb_m(grid)
    found: list[Plateau] = []
    doubtful: list[Plateau] = []
    for index in _members(patches, int(count) - 1):
        region, label = int(labels.ravel()[index[0]]), int(patches.ravel()[index[0]])
        if len(index) < _MIN_SHARE * region_areas[region]:
            continue
        z = grid.z.ravel()[index]
        # The smoothed image climbs slowly on slopes and round backs as well, but their heights spread more.
        spread, noise = float(z.std()), noise_m * (float(depth[index].mean()) / usual_depth) ** 2
        if spread > _SPREAD_M + noise:
            continue
        rows, columns = np.divmod(index, labels.shape[1])
        level_m = median(z)
        xy = grid.on_plane(columns.astype(np.float64), rows.astype(np.float64), level_m).astype(np.float32)
        corners = cv2.boxPoints(cv2.minAreaRect(xy.reshape(-1, 1, 2)))
        centre = float(rows.mean()), float(columns.mean())
        plateau = Plateau(label, region, level_m, len(index), corners.astype(np.float64), centre)
        even = spread < np.hypot(_SURE_SPREAD_M, _SURE_NOISE * noise)
        sure = even and _steepness(rows, columns, z, noise) < steepest
        (found if sure else doubtful).append(plateau)
    # A doubtful level is believed where there is no other; it splits nothing.
    settled = {plateau.region for plateau in found}
    highest = {p.region: p for p in sorted(doubtful, key=lambda p: p.height_m) if p.region not in settled}
    return patches, found + list(highest.values())


def _steepness(
    rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], z: Float32Array, noise_m: float
) -> float:
    """Slope of the plane through heights (N,) at pixels, plus its standard error [m per pixel]."""
    pixels = np.stack([rows - rows.mean(), columns - columns.mean()])
    covariance = np.linalg.inv(pixels @ pixels.T)
    slope = covariance @ (pixels @ (z - z.mean()))
    return float(np.hypot(*slope) + noise_m * np.sqrt(np.trace(covariance)))


def _members(patches: Int32Array, count: int) -> list[npt.NDArray[np.intp]]:
    """Flat indices of the pixels of every patch that is large enough."""
    index = np.flatnonzero(patches)
    label = patches.ravel()[index]
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(1, count + 2))
    large = np.flatnonzero(np.diff(bounds) >= _MIN_PIXELS)
    return [index[order[bounds[k] : bounds[k + 1]]] for k in large]


def split_regions(
    grid: TableGrid,
    height: Float32Array,
    count: int,
    labels: Int32Array,
    patches: Int32Array,
    plateaus: list[Plateau],
    margin_m: float,
) -> tuple[int, Int32Array, dict[int, float]]:
    """Split every region that has several tops into one region per top.

    Args:
        grid: the points.
        height: (h, w) smoothed height above the table [m].
        count: number of regions.
        labels: (h, w) regions.
        patches: (h, w) plateau labels.
        plateaus: tops, of all regions.
        margin_m: how far noise may lift a point above its top [m].

    Returns:
        Number of regions, (h, w) labels, and the height of the top of each region that has one [m].
    """
    result, tops = labels, {}
    for region in range(1, count + 1):
        groups = _same_tops(height, [p for p in plateaus if p.region == region])
        if len(groups) < 2:
            if groups:
                tops[region] = _level(groups[0])
            continue
        if result is labels:
            result = labels.copy()
        index = np.flatnonzero(labels.ravel() == region)
        owner = _nearest_top(grid.points(index), groups, margin_m)
        patch_owner = {p.label: k for k, group in enumerate(groups) for p in group}
        on_patch = patches.ravel()[index]
        for patch, group_index in patch_owner.items():
            owner[on_patch == patch] = group_index
        names = np.array([region, *range(count + 1, count + len(groups))], dtype=np.int32)
        result.ravel()[index] = names[owner]
        tops.update({int(name): _level(group) for name, group in zip(names, groups, strict=True)})
        count += len(groups) - 1
    return count, result, tops


def _level(group: list[Plateau]) -> float:
    return float(np.average([p.height_m for p in group], weights=[p.area for p in group]))


def _same_tops(height: Float32Array, plateaus: list[Plateau]) -> list[list[Plateau]]:
    """Group patches of one height with nothing lower between them: one top that something else stands on."""
    groups: list[list[Plateau]] = []
    for plateau in sorted(plateaus, key=lambda p: -p.area):
        for group in groups:
            if any(_joined(height, plateau, member) for member in group):
                group.append(plateau)
                break
        else:
            groups.append([plateau])
    return groups


def _joined(height: Float32Array, one: Plateau, other: Plateau) -> bool:
    if abs(one.height_m - other.height_m) > _SAME_LEVEL_M:
        return False
    line = np.linspace(one.centre_px, other.centre_px, 15).round().astype(int)
    return bool((height[line[:, 0], line[:, 1]] > min(one.height_m, other.height_m) - _SAME_LEVEL_M).all())


def _nearest_top(points: Float32Array, groups: list[list[Plateau]], margin_m: float) -> Int32Array:
    """Index of the top that each (N, 3) point hangs under: not below it, nearest in x, y, then lowest."""
    costs = []
    for group in groups:
        level = _level(group)
        corners = np.concatenate([p.rectangle for p in group]).astype(np.float32).reshape(-1, 1, 2)
        centre, size, angle = cv2.minAreaRect(corners)
        turn = np.deg2rad(angle)
        axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        outside = np.abs((points[:, :2] - np.asarray(centre)) @ axes) - 0.5 * np.asarray(size)
        distance = np.linalg.norm(np.maximum(outside, 0.0), axis=1)
        above = points[:, 2] - level
        costs.append(distance + 0.05 * np.abs(above) + np.where(above > margin_m, 1.0, 0.0))
    return np.asarray(np.argmin(costs, axis=0), dtype=np.int32)
