# SPDX-License-Identifier: Apache-2.0
"""One candidate of all views of an object: their evidence together, and the primitive that explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import BoolArray, Float32Array, FloatArray, UInt8Array
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.assemble import Candidate, visible_share
from spatialpin_ros.perception.evidence import join_evidence
from spatialpin_ros.perception.fusion.association import Member
from spatialpin_ros.perception.fusion.options import FusionOptions
from spatialpin_ros.perception.fusion.views import View, chromaticities
from spatialpin_ros.perception.models import Solid, fit_solid
from spatialpin_ros.perception.options import PerceptionOptions

_CHECKED_POINTS = 150
_FRAGMENT_MARGIN_M, _FRAGMENT_SHARE = 0.005, 0.7


def join(
    views: Sequence[View],
    group: Sequence[Member],
    reference: int,
    noise_m: float,
    perception: PerceptionOptions,
    options: FusionOptions,
) -> Candidate:
    """Make one candidate of the members of a group.

    Args:
        views: all views.
        group: members of one object.
        reference: the view whose image the scene's masks refer to.
        noise_m: standard deviation of heights [m].
        perception, options: settings.
    """
    members = [views[k].candidates[j] for k, j in group]
    own = [c for (k, _), c in zip(group, members, strict=True) if k == reference]
    mask = _union(own)
    index = np.concatenate([c.evidence.index for c in own]) if own else np.zeros(0, dtype=np.intp)
    if len(members) == 1:
        alone = members[0]
        return replace(alone, mask=mask, evidence=replace(alone.evidence, index=index))
    points, colors = _merge_points(
        np.concatenate([c.evidence.points for c in members]),
        np.concatenate([_colors(c) for c in members]),
        options.voxel_m,
    )
    evidence = join_evidence([c.evidence for c in members], points, index, noise_m)
    solid = fit_solid(evidence, noise_m, perception.prism_residual_m)
    return Candidate(members[0].label, evidence, solid, mask, colors)


def with_visibility(
    candidate: Candidate, solid: Solid, views: Sequence[View], group: Sequence[Member]
) -> Candidate:
    """The candidate with its final solid, and as visible as in the view that shows most of it."""
    shares = [
        visible_share(views[k].grid, solid, mask)
        for k, j in group
        if (mask := views[k].candidates[j].mask) is not None
    ]
    return replace(candidate, solid=solid, visibility=max(shares, default=0.0))


def contradicted(views: Sequence[View], group: Sequence[Member], options: FusionOptions) -> bool:
    """Whether a view that does not show an object looks through where others saw it."""
    return bool(_looking_through(views, group, options))


def outdated(views: Sequence[View], groups: Sequence[Sequence[Member]], options: FusionOptions) -> set[int]:
    """Indices of views that look through what the last one shows: it came since."""
    last = len(views) - 1
    shown = [group for group in groups if any(k == last for k, _ in group)]
    return {k for group in shown for k in _looking_through(views, group, options)}


def _looking_through(views: Sequence[View], group: Sequence[Member], options: FusionOptions) -> list[int]:
    """Indices of the views that do not show an object and look through where others saw it."""
    showing = {k for k, _ in group}
    points = np.concatenate([views[k].candidates[j].evidence.points for k, j in group]).astype(np.float64)
    points = points[:: max(1, len(points) // _CHECKED_POINTS)]
    return [
        k
        for k, view in enumerate(views)
        if k not in showing and float(view.grid.sees_behind(points).mean()) > options.see_through
    ]


def fragments(candidates: Sequence[Candidate], options: FusionOptions) -> set[int]:
    """Indices of candidates that lie inside a larger one of their colour: pieces of it that a view split off."""
    chroma = chromaticities(candidates)
    boxes = [c.solid.box(Pose()) for c in candidates]
    found: set[int] = set()
    for i, piece in enumerate(candidates):
        points = piece.evidence.points[:: max(1, len(piece.evidence.points) // _CHECKED_POINTS)]
        for j, box in enumerate(boxes):
            if j == i or j in found or box.volume <= boxes[i].volume:
                continue
            alike = np.abs(chroma[i] - chroma[j]).max() <= options.max_chroma
            if alike and float(box.contains(points, _FRAGMENT_MARGIN_M).mean()) > _FRAGMENT_SHARE:
                found.add(i)
                break
    return found


def _merge_points(
    points: Float32Array, colors: UInt8Array, voxel_m: float
) -> tuple[Float32Array, UInt8Array]:
    """Mean point and colour of each occupied voxel."""
    cells = np.floor(points / voxel_m).astype(np.int64)
    cells -= cells.min(axis=0)
    spans = cells.max(axis=0) + 1
    keys = (cells[:, 0] * spans[1] + cells[:, 1]) * spans[2] + cells[:, 2]
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    mean_point = _mean_by(points[order], starts)
    mean_color = _mean_by(colors[order], starts)
    return mean_point.astype(np.float32), np.rint(mean_color).astype(np.uint8)


def _mean_by(values: Float32Array | UInt8Array, starts: npt.NDArray[np.intp]) -> FloatArray:
    """(G, 3) mean of each run of rows of (N, 3) values, which begin at (G,) `starts`."""
    sums = np.add.reduceat(values.astype(np.float64), starts, axis=0)
    return np.asarray(sums / np.diff(starts, append=len(values))[:, None])


def _union(candidates: Sequence[Candidate]) -> BoolArray | None:
    masks = [c.mask for c in candidates if c.mask is not None]
    return np.asarray(np.logical_or.reduce(masks)) if masks else None


def _colors(candidate: Candidate) -> UInt8Array:
    if candidate.colors is None:
        return np.zeros((len(candidate.evidence.points), 3), dtype=np.uint8)
    return candidate.colors


def thin_points(points: FloatArray | Float32Array, voxel_m: float) -> Float32Array:
    """One point per occupied voxel."""
    if not len(points):
        return np.zeros((0, 3), dtype=np.float32)
    values = points.astype(np.float32)
    cells = np.floor(values / np.float32(voxel_m)).astype(np.int64)
    _, first = np.unique(cells, axis=0, return_index=True)
    return np.asarray(values[np.sort(first)])
