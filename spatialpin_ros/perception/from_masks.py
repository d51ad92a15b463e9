# SPDX-License-Identifier: Apache-2.0
"""A scene from an RGB-D frame whose objects somebody else has already segmented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from spatialpin_ros.arrays import BoolArray, FloatArray, Int32Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.perception.grid import DepthGrid, TableGrid, smoothed
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.plateaus import find_plateaus, level_pixels
from spatialpin_ros.perception.reconstruct import Regions, find_table, scene_of_regions
from spatialpin_ros.perception.segmentation import doubtful_pixels
from spatialpin_ros.perception.timing import StepClock
from spatialpin_ros.scene import TABLE, Scene, SupportSurface

_BORDER_REACH = 3
_TOP_QUANTILE = 0.97


def reconstruct_masks(
    frame: CameraFrame,
    masks: Sequence[BoolArray],
    names: Sequence[str] | None = None,
    options: PerceptionOptions | None = None,
    clock: StepClock | None = None,
) -> Scene:
    """Rebuild the scene from masks instead of by segmenting it.

    Args:
        frame: the observation; its base frame is roughly level.
        masks: (H, W) pixels of each object; where they overlap, the smaller one has the pixel.
        names: of each mask; None: names are made from colour and shape. Equal names are numbered.
        options: settings; None for the defaults.
        clock: notes the duration of each step.

    Returns:
        The scene; a mask that holds no object above the table has none in it.

    Raises:
        PerceptionError: when no table is in view.
        InvalidValueError: when a mask has another size than the frame, or names and masks differ in number.
    """
    if names is not None and len(names) != len(masks):
        raise InvalidValueError(f"masks: {len(masks)} masks but {len(names)} names")
    for index, mask in enumerate(masks):
        if mask.shape != frame.size:
            raise InvalidValueError(f"mask {index}: has size {mask.shape}, the frame has {frame.size}")
    options, clock = options or PerceptionOptions(), clock or StepClock()
    whole = DepthGrid.from_frame(frame, options.max_pixels)
    plane, table_outline, base_T_table = find_table(whole, frame.base_T_camera, options)
    clock.note("plane")
    grid = TableGrid.from_depth(
        whole, whole=whole, table_T_camera=base_T_table.inverse() @ frame.base_T_camera
    )
    labels = _labels(masks, whole)
    regions = _regions(grid, labels, len(masks), options, plane.noise_m)
    clock.note("masks")
    table = SupportSurface(TABLE, base_T_table, table_outline)
    scene = scene_of_regions(frame, grid, regions, table, plane.noise_m, options, clock)
    return scene if names is None else with_names(scene, masks, names)


def _labels(masks: Sequence[BoolArray], grid: DepthGrid) -> Int32Array:
    labels = np.zeros(grid.depth.shape, dtype=np.int32)
    for index in sorted(range(len(masks)), key=lambda i: -int(masks[i].sum())):
        labels[masks[index][:: grid.stride, :: grid.stride]] = index + 1
    return labels


def _regions(
    grid: TableGrid, labels: Int32Array, count: int, options: PerceptionOptions, noise_m: float
) -> Regions:
    """Regions of given labels: depth near their borders is taken from farther inside."""
    depth, height = smoothed(grid.camera.depth, grid.valid), smoothed(grid.z, grid.valid)
    step = max(options.depth_step_m, 2.5 * grid.pixel_m) + 3.0 * noise_m
    unsure = doubtful_pixels(labels, grid.camera.depth, 2.0 * step, _BORDER_REACH) | ~grid.valid
    certain = ~unsure & (labels > 0)
    source = _nearest_certain(labels, certain, count)
    depth, height = depth.ravel()[source], height.ravel()[source]
    return Regions(
        count=count,
        labels=labels,
        tops=_tops(grid, height, labels, certain, count),
        depth=depth,
        height=height,
        certain=certain,
        crossing=frozenset(),
        leftover=np.zeros(labels.shape, dtype=np.bool_),
    )


def _nearest_certain(labels: Int32Array, certain: BoolArray, count: int) -> Int32Array:
    """(h, w) flat index of the nearest certain pixel of the same object; elsewhere the pixel itself."""
    source = np.arange(labels.size, dtype=np.int32).reshape(labels.shape)
    boxes = ndimage.find_objects(labels, count)
    for label, box in enumerate(boxes, start=1):
        if box is None:
            continue
        inside = labels[box] == label
        good = inside & certain[box]
        if not good.any():
            continue
        rows, columns = ndimage.distance_transform_edt(~good, return_distances=False, return_indices=True)
        source[box] = np.where(inside, source[box][rows, columns], source[box])
    return source


def _tops(
    grid: TableGrid, height: np.ndarray, labels: Int32Array, certain: BoolArray, count: int
) -> FloatArray:
    """(count + 1,) height of each object's highest level patch, else of its highest points [m]."""
    level = level_pixels(grid, height, labels)
    _, plateaus = find_plateaus(grid, height, labels, level)
    tops = np.zeros(count + 1)
    for label in range(1, count + 1):
        z = grid.z[certain & (labels == label)]
        high = float(np.quantile(z, _TOP_QUANTILE)) if len(z) else 0.0
        levels = [p.height_m for p in plateaus if p.region == label and p.height_m > 0.6 * high]
        tops[label] = max(levels, default=high)
    return tops


def matching_masks(scene: Scene, masks: Sequence[BoolArray]) -> list[int | None]:
    """For each mask the index of the object whose pixels it covers most; None where there is none."""
    size = masks[0].shape if masks else (0, 0)
    owners: dict[int, tuple[int, int]] = {}
    for index, item in enumerate(scene.objects):
        if item.mask is None:
            continue
        full = item.mask.full((size[0], size[1]))
        shared = [int(np.count_nonzero(full & mask)) for mask in masks]
        best = int(np.argmax(shared)) if shared else -1
        if best >= 0 and shared[best] > owners.get(best, (0, -1))[0]:
            owners[best] = (shared[best], index)
    return [owners[k][1] if k in owners else None for k in range(len(masks))]


def with_names(scene: Scene, masks: Sequence[BoolArray], names: Sequence[str]) -> Scene:
    """Give each object the name of its mask; equal names are numbered from left to right."""
    owner = matching_masks(scene, masks)
    given = {index: names[k] for k, index in enumerate(owner) if index is not None}
    counts = Counter(given.values())
    seen: Counter[str] = Counter()
    objects = []
    for index, item in enumerate(scene.objects):
        name = given.get(index)
        if name is None:
            objects.append(item)
            continue
        seen[name] += 1
        unique = name if counts[name] == 1 else f"{name} {seen[name]}"
        objects.append(replace(item, name=unique))
    taken = Counter(item.name for item in objects)
    return replace(
        scene,
        objects=tuple(
            replace(item, name=f"{item.name} ({item.id})") if taken[item.name] > 1 else item
            for item in objects
        ),
    )
