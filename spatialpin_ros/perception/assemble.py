# SPDX-License-Identifier: Apache-2.0
"""From fitted primitives to a Scene: boxes in the base frame, words, names, confidence and visibility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import ConvexHull, QhullError

from spatialpin_ros.arrays import BoolArray, Float32Array, FloatArray, UInt8Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.geometry import Pose, TriangleMesh
from spatialpin_ros.perception.appearance import color_word, representative_color
from spatialpin_ros.perception.evidence import Evidence
from spatialpin_ros.perception.grid import TableGrid
from spatialpin_ros.perception.leaning import settle_leaning
from spatialpin_ros.perception.models import Solid
from spatialpin_ros.perception.naming import Description, noun, unique_names
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.support import FLOATING, ON_TABLE
from spatialpin_ros.scene import TABLE, Scene, SceneObject, SupportSurface

_GOOD_RESIDUAL_M = 0.003
_LEAST_MISFIT_M, _LEAST_MISFIT, _LEAN_REACH_M = 0.00012, 0.75, 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A region with its evidence and primitive.

    Args:
        mask: (h, w) its pixels in the working grid; None when only other views show it.
        colors: (N, 3) uint8 RGB of its evidence's points; None: those of its pixels.
        visibility: 0..1 when it is known already, as from several views.
    """

    label: int
    evidence: Evidence
    solid: Solid
    mask: BoolArray | None
    colors: UInt8Array | None = None
    visibility: float | None = None


def assemble(
    frame: CameraFrame,
    grid: TableGrid,
    table: SupportSurface,
    candidates: Sequence[Candidate],
    supporters: Sequence[int],
    leftover: BoolArray,
    options: PerceptionOptions,
    noise_m: float = 0.0,
) -> Scene:
    """Make the scene.

    Args:
        frame: the observation.
        grid: the working image.
        table: the support surface; its pose is the table frame.
        candidates: fitted regions.
        supporters: index of what carries each, or `ON_TABLE` or `FLOATING`.
        leftover: (h, w) foreground pixels of no candidate.
        options: settings.
        noise_m: standard deviation of heights [m].
    """
    real = [i for i, c in enumerate(candidates) if _is_object(c, supporters[i], options)]
    leftover = leftover.copy()
    for i in set(range(len(candidates))) - set(real):
        leftover.ravel()[candidates[i].evidence.index] = True
    # Read left to right, far to near: ids follow the viewer's order.
    settled = {i: _settle(i, candidates, supporters, set(real)) for i in real}
    seen = {i: frame.base_T_camera.inverse().transform(table.pose.transform(settled[i].centre)) for i in real}
    real.sort(key=lambda i: float(seen[i][0]))
    ids = {i: f"o{rank + 1}" for rank, i in enumerate(real)}
    colors = {i: _color(grid, candidates[i]) for i in real}
    words = [
        Description(
            color_word(representative_color(colors[i])),
            noun(settled[i].shape, settled[i].size),
            settled[i].size,
            float(seen[i][0]),
            float(seen[i][2]),
        )
        for i in real
    ]
    objects = []
    for i, description, name in zip(real, words, unique_names(words), strict=True):
        carrier = ids.get(supporters[i], TABLE)
        objects.append(
            _object(
                ids[i],
                name,
                description,
                candidates[i],
                settled[i],
                carrier,
                colors[i],
                frame,
                grid,
                table.pose,
                options,
            )
        )
    unexplained = grid.points(_thin(np.flatnonzero(leftover), options.max_unexplained))
    scene = Scene(
        supports=(table,),
        objects=tuple(objects),
        base_T_camera=frame.base_T_camera,
        intrinsics=frame.intrinsics,
        stamp_s=frame.stamp_s,
        base_frame=frame.base_frame,
        unexplained=_to_base(unexplained, table.pose),
    )
    suspects = _suspects(objects, [settled[i].grounded for i in real], noise_m)
    return settle_leaning(scene, suspects) if suspects else scene


def _suspects(objects: Sequence[SceneObject], grounded: Sequence[bool], noise_m: float) -> list[str]:
    """Ids of what an upright primitive explains badly and what is close to something else that it may lean on."""
    limit = max(_LEAST_MISFIT_M, _LEAST_MISFIT * noise_m)
    odd = [k for k, item in enumerate(objects) if item.fit_residual_m > limit and not grounded[k]]
    if not odd or len(objects) < 2:
        return []
    low, high = (np.array([extreme(item.points, axis=0) for item in objects]) for extreme in (np.min, np.max))
    gaps = np.maximum(low[odd, None] - high, low - high[odd, None]).max(axis=2)
    gaps[np.arange(len(odd)), odd] = np.inf
    return [
        objects[k].id for k, nearest in zip(odd, gaps.min(axis=1), strict=True) if nearest < _LEAN_REACH_M
    ]


def _is_object(candidate: Candidate, supporter: int, options: PerceptionOptions) -> bool:
    large = candidate.solid.size.max() >= options.min_object_size_m
    tall = candidate.evidence.top_m >= options.min_height_m
    return supporter != FLOATING and bool(large) and tall


def _settle(i: int, candidates: Sequence[Candidate], supporters: Sequence[int], real: set[int]) -> Solid:
    """Extend a prism down to what carries it."""
    carrier = supporters[i]
    floor = candidates[carrier].solid.top_m if carrier != ON_TABLE and carrier in real else 0.0
    return candidates[i].solid.standing_on(floor)


def _thin(index: np.ndarray, count: int) -> np.ndarray:
    return index[:: max(1, -(-len(index) // count))]


def _to_base(points: Float32Array, base_T_table: Pose) -> Float32Array:
    return base_T_table.transform(points).astype(np.float32)


def _color(grid: TableGrid, candidate: Candidate) -> np.ndarray:
    if candidate.colors is not None:
        return candidate.colors
    return np.asarray(grid.camera.color.reshape(-1, 3)[candidate.evidence.index])


def _object(
    object_id: str,
    name: str,
    description: Description,
    candidate: Candidate,
    solid: Solid,
    carrier: str,
    colors: np.ndarray,
    frame: CameraFrame,
    grid: TableGrid,
    base_T_table: Pose,
    options: PerceptionOptions,
) -> SceneObject:
    evidence = candidate.evidence
    chosen = _thin(np.arange(len(evidence.points)), options.max_points)
    points = _to_base(evidence.points[chosen], base_T_table)
    visibility = candidate.visibility
    if visibility is None:
        visibility = 0.0 if candidate.mask is None else visible_share(grid, solid, candidate.mask)
    return SceneObject(
        id=object_id,
        name=name,
        label=description.label,
        color=description.color,
        color_rgb=representative_color(colors),
        shape=solid.shape,
        box=solid.box(base_T_table),
        fit_residual_m=solid.residual_m,
        points=points,
        colors=colors[chosen],
        supported_by=carrier,
        confidence=_confidence(solid, evidence, visibility),
        visibility=visibility,
        mask=None if candidate.mask is None else grid.image_mask(candidate.mask, frame.size),
        mesh=_shadow_hull(evidence, solid, base_T_table) if solid.shape == "unknown" else None,
    )


def visible_share(grid: TableGrid, solid: Solid, mask: BoolArray) -> float:
    """Seen pixels over the pixels of the primitive's silhouette, as if nothing stood before it or beyond the image."""
    outline = solid.polygon
    if solid.shape == "sphere" or solid.lying:
        rings = [_shrunk(outline, share, solid) for share in (-1.0, -0.7, 0.0, 0.7, 1.0)]
    else:
        rings = [np.column_stack([outline, np.full(len(outline), z)]) for z in (solid.bottom_m, solid.top_m)]
    seen = grid.table_T_camera.inverse().transform(np.concatenate(rings))
    if (seen[:, 2] <= 0.05).any():
        return 0.0
    pixels = ((seen @ np.linalg.inv(grid.camera.rays).T) / seen[:, 2:])[:, :2].astype(np.float32)
    silhouette = cv2.contourArea(cv2.convexHull(pixels.reshape(-1, 1, 2)))
    return float(np.clip(np.count_nonzero(mask) / max(silhouette, 1.0), 0.0, 1.0))


def _shrunk(outline: FloatArray, share: float, solid: Solid) -> FloatArray:
    """Cross-section of a round solid at `share` of its half height (-1..1), across its roundness."""
    scale = np.sqrt(max(1.0 - share**2, 0.0))
    axis = np.array([np.cos(solid.yaw_rad), np.sin(solid.yaw_rad)])
    offset = outline - solid.centre[:2]
    kept = np.outer(offset @ axis, axis) if solid.lying else np.zeros_like(offset)
    xy = solid.centre[:2] + kept + (offset - kept) * scale
    return np.column_stack([xy, np.full(len(xy), solid.centre[2] + share * 0.5 * solid.size[0])])


def _confidence(solid: Solid, evidence: Evidence, visibility: float) -> float:
    """Product of how well the primitive fits, how much is seen of its outline, and whether the image cuts it off."""
    fit = 1.0 / (1.0 + (solid.residual_m / _GOOD_RESIDUAL_M) ** 2)
    covered = 0.6 + 0.4 * min(1.0, solid.seen / 0.75)
    seen = 0.5 + 0.5 * min(1.0, visibility / 0.8)
    cut = 0.6 if evidence.cut_by_image > 0.02 else 1.0
    return float(np.clip(fit * covered * seen * cut, 0.0, 1.0))


def _shadow_hull(evidence: Evidence, solid: Solid, base_T_table: Pose) -> TriangleMesh | None:
    """A safe body for something of no simple shape: convex hull of what is seen, its shadow and the foot of its box."""
    points = evidence.points[_thin(np.arange(len(evidence.points)), 400)].astype(np.float64)
    shadow = points.copy()
    shadow[:, 2] = solid.bottom_m
    foot = np.column_stack([solid.polygon, np.full(len(solid.polygon), solid.bottom_m)])
    both = np.concatenate([points, shadow, foot])
    try:
        hull = ConvexHull(both)
    except QhullError:
        return None
    used, triangles = np.unique(hull.simplices, return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    corners = both[used]
    inward = np.einsum("ij,ij->i", _normals(corners, triangles), hull.equations[:, :3]) < 0.0
    triangles[inward] = triangles[inward][:, ::-1]
    return TriangleMesh(base_T_table.transform(corners), triangles.astype(np.int32))


def _normals(corners: FloatArray, triangles: np.ndarray) -> FloatArray:
    a, b, c = (corners[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a)
