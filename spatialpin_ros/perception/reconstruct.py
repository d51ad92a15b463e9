# SPDX-License-Identifier: Apache-2.0
"""The pipeline of perception: table, regions, evidence, primitives, supporters, names."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import BoolArray, Float32Array, FloatArray, Int32Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.assemble import Candidate, assemble
from spatialpin_ros.perception.divided import join_divided
from spatialpin_ros.perception.evidence import Evidence, find_borders, gather
from spatialpin_ros.perception.foreground import foreground, workspace_window
from spatialpin_ros.perception.grid import DepthGrid, TableGrid, smoothed
from spatialpin_ros.perception.hidden import settle
from spatialpin_ros.perception.merging import merge_under_riders
from spatialpin_ros.perception.models import fit_solid
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.parts import join_parts
from spatialpin_ros.perception.plane import Plane, fit_plane, outline, table_pose
from spatialpin_ros.perception.plateaus import find_plateaus, level_pixels, split_regions
from spatialpin_ros.perception.segmentation import doubtful_pixels, grow_by_color
from spatialpin_ros.perception.self_filter import robot_mask
from spatialpin_ros.perception.statistics import quantile
from spatialpin_ros.perception.texture import find_bodies
from spatialpin_ros.perception.timing import StepClock
from spatialpin_ros.robot_body import RobotBody
from spatialpin_ros.scene import TABLE, Scene, SupportSurface

_PLANE_SAMPLES = 5000
_COLOR_REACH = 4
_WINDOW_MARGIN_PX = 6
_RISES_M = 0.008


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Regions of the grid: labels 1..count, the height of their tops, whose pixels they are, and what was left over.

    Args:
        labels: (h, w), 0 for the background.
        tops: (count + 1,) heights above the table [m], entry 0 unused.
        certain: (h, w) pixels whose own depth belongs to their label.
        crossing: labels that go on outside the workspace.
        leftover: (h, w) foreground pixels of no region.
    """

    count: int
    labels: Int32Array
    tops: FloatArray
    depth: Float32Array
    height: Float32Array
    certain: BoolArray
    crossing: frozenset[int]
    leftover: BoolArray


def reconstruct(
    frame: CameraFrame,
    options: PerceptionOptions | None = None,
    clock: StepClock | None = None,
    robot: RobotBody | None = None,
) -> Scene:
    """Rebuild the scene on the table from one RGB-D frame.

    Args:
        frame: the observation; its base frame is roughly level (z against gravity).
        options: settings; None for the defaults.
        clock: notes the duration of each step.
        robot: where the robot was at the exposure; its pixels hide things, but are none.

    Returns:
        The scene in the frame's base frame; without objects when the table is empty.

    Raises:
        PerceptionError: when no table is in view.
    """
    options, clock = options or PerceptionOptions(), clock or StepClock()
    whole = DepthGrid.from_frame(frame, options.max_pixels)
    clock.note("clean")
    plane, table_outline, base_T_table = find_table(whole, frame.base_T_camera, options)
    clock.note("plane")
    table_T_camera = base_T_table.inverse() @ frame.base_T_camera
    low, high = workspace_window(options, base_T_table, table_outline)
    ignored = None if robot is None else whole.thinned(robot_mask(frame, robot))
    clock.note("robot")
    grid, inside, crossing = foreground(
        whole, table_T_camera, low, high, table_outline, options, plane.noise_m, ignored
    )
    clock.note("foreground")
    regions = find_regions(grid, inside, crossing, options, plane.noise_m, clock)
    table = SupportSurface(TABLE, base_T_table, table_outline)
    return scene_of_regions(frame, grid, regions, table, plane.noise_m, options, clock)


def scene_of_regions(
    frame: CameraFrame,
    grid: TableGrid,
    regions: Regions,
    table: SupportSurface,
    noise_m: float,
    options: PerceptionOptions,
    clock: StepClock,
) -> Scene:
    """Make the scene of segmented regions: fit primitives, find what carries them, complete and name them.

    Args:
        frame: the observation.
        grid: the working image that the regions are in.
        regions: one for each object.
        table: the support surface; its pose is the table frame of the grid.
        noise_m: standard deviation of depth [m].
        options: settings.
        clock: notes the duration of each step.
    """
    candidates = fit_regions(grid, regions, options, noise_m, clock)
    solids, evidence = [c.solid for c in candidates], [c.evidence for c in candidates]
    solids, supporters = settle(grid, solids, evidence, noise_m, options.prism_residual_m)
    candidates = [replace(c, solid=solid) for c, solid in zip(candidates, solids, strict=True)]
    clock.note("support")
    scene = assemble(frame, grid, table, candidates, supporters, regions.leftover, options, noise_m)
    clock.note("assemble")
    return scene


def find_table(
    grid: DepthGrid, base_T_camera: Pose, options: PerceptionOptions
) -> tuple[Plane, FloatArray, Pose]:
    """Fit the table plane to a sparse sample of the grid; return it, its outline and the pose of the table frame."""
    return fit_table(table_sample(grid, base_T_camera), options)


def table_sample(grid: DepthGrid, base_T_camera: Pose) -> FloatArray:
    """(N, 3) a sparse sample of the points of a grid in the base frame [m]."""
    step = max(1, round(np.sqrt(grid.depth.size / _PLANE_SAMPLES)))
    return base_T_camera.transform(grid.sample(step))


def fit_table(points: FloatArray, options: PerceptionOptions) -> tuple[Plane, FloatArray, Pose]:
    """Fit the table plane to (N, 3) points of the base frame; see `find_table`."""
    considered = points
    if options.workspace is not None:
        low, high = options.workspace.min, options.workspace.max
        considered = points[((points[:, :2] > low[:2]) & (points[:, :2] < high[:2])).all(axis=1)]
        considered = considered[(considered[:, 2] > low[2] - 0.05) & (considered[:, 2] < high[2])]
    up = np.array([0.0, 0.0, 1.0])
    plane = fit_plane(considered, up, options.max_tilt_rad, options.min_table_share, options.seed)
    base_T_table = table_pose(plane)
    on_table = points[np.abs(plane.heights(points)) < max(0.006, 3.5 * plane.noise_m)]
    return plane, outline(base_T_table.inverse().transform(on_table)[:, :2]), base_T_table


def find_regions(
    grid: TableGrid,
    inside: BoolArray,
    crossing: BoolArray,
    options: PerceptionOptions,
    noise_m: float,
    clock: StepClock,
) -> Regions:
    """Segment the foreground, split regions with several tops, and settle their borders by colour."""
    if not inside.any():
        nothing = np.zeros(grid.shape, dtype=np.int32)
        return Regions(
            0, nothing, np.zeros(1), grid.camera.depth, grid.z, nothing > 0, frozenset(), nothing > 0
        )
    depth, height = smoothed(grid.camera.depth, grid.valid), smoothed(grid.z, grid.valid)
    step = max(options.depth_step_m, 2.5 * grid.pixel_m) + 3.0 * noise_m
    count, labels = find_bodies(
        inside, depth, grid.camera.color, step, options.chroma_step, options.min_object_pixels
    )
    clock.note("segment")
    level = level_pixels(grid, height, labels)
    patches, plateaus = find_plateaus(grid, height, labels, level, noise_m)
    count, labels, tops = split_regions(grid, height, count, labels, patches, plateaus, 0.003 + 2.0 * noise_m)
    count, labels, tops = merge_under_riders(labels, height, grid.camera.color, count, tops, noise_m)
    clock.note("plateaus")
    doubtful = doubtful_pixels(labels, grid.camera.depth, 2.0 * step, _COLOR_REACH)
    doubtful |= _feet(labels, grid, options.min_height_m + 4.0 * noise_m)
    grown, source = grow_by_color(labels, grid.camera.color, doubtful, _COLOR_REACH)
    certain = ~doubtful & grid.valid & (grown > 0)
    sizes = np.bincount(grown[certain], minlength=count + 1)
    heights = _tops(grid, grown, certain, count, tops, noise_m)
    crossed = np.bincount(grown[crossing], minlength=count + 1)
    over_border = frozenset(int(k) for k in np.flatnonzero(crossed > np.maximum(4, 0.01 * sizes)) if k > 0)
    clock.note("borders")
    return Regions(
        count,
        grown,
        heights,
        depth.ravel()[source],
        height.ravel()[source],
        certain,
        over_border,
        inside & (grown == 0),
    )


def _feet(labels: Int32Array, grid: TableGrid, height_m: float) -> BoolArray:
    """Pixels before the foot of a region that are too low to be told from the table by height: colour decides."""
    window = np.ones((2 * _COLOR_REACH + 1,) * 2, dtype=np.uint8)
    farthest = cv2.dilate(np.where(labels > 0, grid.camera.depth, np.float32(0.0)), window)
    low = grid.valid & (labels == 0) & (np.abs(grid.z) < height_m)
    return np.asarray(low & (grid.camera.depth < farthest + height_m))


def _tops(
    grid: TableGrid,
    labels: Int32Array,
    certain: BoolArray,
    count: int,
    tops: dict[int, float],
    noise_m: float,
) -> FloatArray:
    """(count + 1,) height of the top of each label: its level patch, unless more stands above it [m]."""
    heights = np.zeros(count + 1)
    rises = max(_RISES_M, 4.0 * noise_m)
    for label, index in enumerate(pixels_by_label(labels, certain, count)):
        if label == 0 or not len(index):
            continue
        high = quantile(grid.z.ravel()[index], 0.97)
        heights[label] = tops[label] if high < tops.get(label, -np.inf) + rises else high
    return heights


def fit_regions(
    grid: TableGrid, regions: Regions, options: PerceptionOptions, noise_m: float, clock: StepClock
) -> list[Candidate]:
    """Fit a primitive to every region that can be an object; add the pixels of the others to the leftovers."""
    borders = find_borders(regions.labels, regions.depth, regions.height)
    by_label = pixels_by_label(regions.labels, regions.certain, regions.count)
    clock.note("evidence")
    step = max(options.depth_step_m, 2.5 * grid.pixel_m) + 3.0 * noise_m
    found = []
    for label in range(1, regions.count + 1):
        index = by_label[label]
        if label in regions.crossing or len(index) < options.min_object_pixels // 2:
            regions.leftover.ravel()[index] = True
            continue
        evidence: Evidence = gather(grid, label, index, borders, regions.tops, step, noise_m)
        solid = fit_solid(evidence, noise_m, options.prism_residual_m)
        found.append(Candidate(label, evidence, solid, regions.labels == label))
    found = join_parts(found, grid.camera.color, noise_m)
    found = join_divided(found, grid, regions.labels, noise_m, options.prism_residual_m)
    clock.note("fit")
    return found


def pixels_by_label(labels: Int32Array, certain: BoolArray, count: int) -> list[npt.NDArray[np.intp]]:
    """Flat indices of the certain pixels of every label 0..count."""
    index = np.flatnonzero(certain)
    label = labels.ravel()[index]
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(count + 2))
    return [index[order[bounds[k] : bounds[k + 1]]] for k in range(count + 1)]
