# SPDX-License-Identifier: Apache-2.0
"""One scene from several views of a table on which nothing moves."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spatialpin_ros.arrays import Float32Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import InvalidValueError, PerceptionError
from spatialpin_ros.perception.assemble import assemble
from spatialpin_ros.perception.fusion.association import Member, associate
from spatialpin_ros.perception.fusion.joining import (
    contradicted,
    fragments,
    join,
    outdated,
    thin_points,
    with_visibility,
)
from spatialpin_ros.perception.fusion.options import FusionOptions
from spatialpin_ros.perception.fusion.registration import refine_poses
from spatialpin_ros.perception.fusion.views import Shot, View, find_common_table, segment_view, several
from spatialpin_ros.perception.hidden import settle
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.timing import StepClock
from spatialpin_ros.robot_body import RobotBody
from spatialpin_ros.scene import Scene, SupportSurface

_OBSTACLE_VOXEL_M = 0.008
_OBJECT_MARGIN_M = 0.01


def fuse(
    frames: Sequence[CameraFrame],
    options: PerceptionOptions | None = None,
    fusion: FusionOptions | None = None,
    robots: Sequence[RobotBody | None] | None = None,
    clock: StepClock | None = None,
) -> Scene:
    """Rebuild the scene from frames of one unmoved table, taken while the arm or the camera moved.

    What one view hides another may show, and the sides and edges that all views see go into one fit per object. A view
    that looks through what the last one shows was taken before something came, and is left out.

    Args:
        frames: in the order in which they were taken; the pose of each in the same base frame, good to about 1 cm.
            The last one's pose is trusted, and the scene's masks and stamp are those of the last one.
        options: settings of perception; None for the defaults.
        fusion: settings of fusing; None for the defaults.
        robots: where the robot was at each exposure.
        clock: notes the duration of each step.

    Raises:
        InvalidValueError: without frames, on different base frames, or when robots and frames differ in number.
        PerceptionError: when no table is in view.
    """
    options, fusion, clock = options or PerceptionOptions(), fusion or FusionOptions(), clock or StepClock()
    bodies = _checked(frames, robots)
    shots = [Shot.of(frame, body, options) for frame, body in zip(frames, bodies, strict=True)]
    clock.note("clean")
    table, noise_m = find_common_table(shots, options)
    if fusion.refine_poses and len(shots) > 1:
        shots = refine_poses(shots, options, fusion)
        table, noise_m = find_common_table(shots, options)
        clock.note("poses")
    views = [segment_view(shot, table, noise_m, options, clock) for shot in shots]
    return _scene_of_views(views, table, noise_m, options, fusion, clock)


def _checked(
    frames: Sequence[CameraFrame], robots: Sequence[RobotBody | None] | None
) -> Sequence[RobotBody | None]:
    if not frames:
        raise InvalidValueError("fusion: needs at least one frame")
    bases = sorted({frame.base_frame for frame in frames})
    if len(bases) > 1:
        raise InvalidValueError(f"fusion: all poses must be in one base frame, got {bases}")
    bodies = robots if robots is not None else [None] * len(frames)
    if len(bodies) != len(frames):
        raise InvalidValueError(f"fusion: {len(frames)} frames but {len(bodies)} robot bodies")
    return bodies


def _scene_of_views(
    views: Sequence[View],
    table: SupportSurface,
    noise_m: float,
    options: PerceptionOptions,
    fusion: FusionOptions,
    clock: StepClock,
) -> Scene:
    groups = associate(views, fusion)
    stale = outdated(views, groups, fusion)
    if stale:
        kept = [view for k, view in enumerate(views) if k not in stale]
        return _scene_of_views(kept, table, noise_m, options, fusion, clock)
    reference = len(views) - 1
    groups = [group for group in groups if not contradicted(views, group, fusion)]
    clock.note("associate")
    candidates = [join(views, group, reference, noise_m, options, fusion) for group in groups]
    pieces = fragments(candidates, fusion)
    groups = [group for i, group in enumerate(groups) if i not in pieces]
    candidates = [candidate for i, candidate in enumerate(candidates) if i not in pieces]
    clock.note("join")
    grid = several(views, reference)
    solids, evidence = [c.solid for c in candidates], [c.evidence for c in candidates]
    solids, supporters = settle(grid, solids, evidence, noise_m, options.prism_residual_m)
    candidates = [
        with_visibility(candidate, solid, views, group)
        for candidate, solid, group in zip(candidates, solids, groups, strict=True)
    ]
    clock.note("support")
    frame, leftover = views[reference].frame, views[reference].leftover
    scene = assemble(frame, grid, table, candidates, supporters, leftover, options)
    scene = replace(scene, unexplained=_obstacles(scene, views, groups, table, options))
    clock.note("assemble")
    return scene


def _obstacles(
    scene: Scene,
    views: Sequence[View],
    groups: Sequence[Sequence[Member]],
    table: SupportSurface,
    options: PerceptionOptions,
) -> Float32Array:
    """Points of all views that belong to no object and that no view looks through."""
    kept = {member for group in groups for member in group}
    parts = [scene.unexplained]
    for k, view in enumerate(views):
        dropped = [c.evidence.points for j, c in enumerate(view.candidates) if (k, j) not in kept]
        points = np.concatenate([view.grid.points(np.flatnonzero(view.leftover)), *dropped])
        for other in views:
            if other is not view and len(points):
                points = points[~other.grid.sees_behind(points.astype(np.float64))]
        parts.append(table.pose.transform(points).astype(np.float32))
    points = thin_points(np.concatenate(parts), _OBSTACLE_VOXEL_M)
    for item in scene.objects:
        points = points[~item.box.contains(points, _OBJECT_MARGIN_M)]
    return points[:: max(1, -(-len(points) // options.max_unexplained))]


class SceneFuser:
    """Gathers views of one table and fuses them.

    Args:
        options: settings of perception.
        fusion: settings of fusing; beyond `max_views` frames the oldest is given up.
    """

    def __init__(self, options: PerceptionOptions | None = None, fusion: FusionOptions | None = None) -> None:
        self._options, self._fusion = options or PerceptionOptions(), fusion or FusionOptions()
        self._frames: deque[CameraFrame] = deque(maxlen=self._fusion.max_views)
        self._robots: deque[RobotBody | None] = deque(maxlen=self._fusion.max_views)

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: CameraFrame, robot: RobotBody | None = None) -> None:
        """Take one more view; with `robot`, its pixels are left out."""
        self._frames.append(frame)
        self._robots.append(robot)

    def clear(self) -> None:
        """Forget all views, as when something on the table has moved."""
        self._frames.clear()
        self._robots.clear()

    def scene(self) -> Scene:
        """Fuse the views; see `fuse`.

        Raises:
            PerceptionError: when there is no view yet, or no table in view.
        """
        if not self._frames:
            raise PerceptionError("fusion: there is no view yet; add a frame first")
        return fuse(list(self._frames), self._options, self._fusion, list(self._robots))
