# SPDX-License-Identifier: Apache-2.0
"""The views that are fused: each segmented in one table frame that all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.appearance import representative_color
from spatialpin_ros.perception.assemble import Candidate
from spatialpin_ros.perception.foreground import foreground, workspace_window
from spatialpin_ros.perception.grid import DepthGrid, TableGrid
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.reconstruct import find_regions, fit_regions, fit_table, table_sample
from spatialpin_ros.perception.self_filter import robot_mask
from spatialpin_ros.perception.timing import StepClock
from spatialpin_ros.robot_body import RobotBody
from spatialpin_ros.scene import TABLE, SupportSurface


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One frame before it is segmented, with the robot's pixels known.

    Args:
        frame: the observation; its pose may have been refined.
        grid: its thinned image.
        ignored: (h, w) pixels of the robot in the grid; None: no robot is known.
    """

    frame: CameraFrame
    grid: DepthGrid
    ignored: BoolArray | None

    @classmethod
    def of(cls, frame: CameraFrame, robot: RobotBody | None, options: PerceptionOptions) -> Shot:
        grid = DepthGrid.from_frame(frame, options.max_pixels)
        return cls(frame, grid, None if robot is None else grid.thinned(robot_mask(frame, robot)))

    def moved_to(self, base_T_camera: Pose) -> Shot:
        return replace(self, frame=replace(self.frame, base_T_camera=base_T_camera))


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One segmented frame.

    Args:
        candidates: its regions with the colours of their points.
        chroma: (C, 2) chromaticity of each.
        leftover: (h, w) foreground pixels of no candidate.
    """

    frame: CameraFrame
    grid: TableGrid
    candidates: tuple[Candidate, ...]
    chroma: FloatArray
    leftover: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class SeveralViews(TableGrid):
    """The grid of one view that also knows where the other views look freely through."""

    others: tuple[TableGrid, ...] = ()

    def sees_behind(self, points: FloatArray) -> BoolArray:
        """Tell for (N, 3) points of the table frame whether any camera sees something farther."""
        free = TableGrid.sees_behind(self, points)
        for other in self.others:
            free = free | other.sees_behind(points)
        return free


def several(views: Sequence[View], reference: int) -> SeveralViews:
    """The grid of the reference view, backed by all others."""
    own = views[reference].grid
    others = tuple(view.grid for k, view in enumerate(views) if k != reference)
    return SeveralViews(
        own.camera, own.whole, own.table_T_camera, own.x, own.y, own.z, own.valid, others=others
    )


def find_common_table(shots: Sequence[Shot], options: PerceptionOptions) -> tuple[SupportSurface, float]:
    """Fit one table to all views; return it and the noise of heights above it [m].

    Raises:
        PerceptionError: when no table is in view.
    """
    points = np.concatenate([table_sample(shot.grid, shot.frame.base_T_camera) for shot in shots])
    plane, outline, base_T_table = fit_table(points, options)
    return SupportSurface(TABLE, base_T_table, outline), plane.noise_m


def segment_view(
    shot: Shot, table: SupportSurface, noise_m: float, options: PerceptionOptions, clock: StepClock
) -> View:
    """Segment one view and fit a primitive to each of its regions, in the common table frame."""
    table_T_camera = table.pose.inverse() @ shot.frame.base_T_camera
    low, high = workspace_window(options, table.pose, table.outline)
    grid, inside, crossing = foreground(
        shot.grid, table_T_camera, low, high, table.outline, options, noise_m, shot.ignored
    )
    regions = find_regions(grid, inside, crossing, options, noise_m, clock)
    found = fit_regions(grid, regions, options, noise_m, clock)
    colors = grid.camera.color.reshape(-1, 3)
    candidates = tuple(replace(c, colors=colors[c.evidence.index]) for c in found)
    return View(shot.frame, grid, candidates, chromaticities(candidates), regions.leftover)


def chromaticities(candidates: Sequence[Candidate]) -> FloatArray:
    """(C, 2) shares of red and green in the colour of each candidate."""
    rgb = np.array(
        [representative_color(c.colors) for c in candidates if c.colors is not None], dtype=np.float64
    ).reshape(-1, 3)
    return np.asarray((rgb[:, :2] + 8.0) / (rgb.sum(axis=1, keepdims=True) + 24.0))
