# SPDX-License-Identifier: Apache-2.0
"""Finds what leans: objects that stand on an edge and rest against another, which upright primitives misjudge."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.camera import ImageMask, Intrinsics
from spatialpin_ros.geometry import Pose
from spatialpin_ros.obb import obb_distance
from spatialpin_ros.perception.naming import Description, noun, unique_names
from spatialpin_ros.perception.tilted import (
    Seen,
    Tilted,
    fit_tilted_box,
    fit_tilted_cylinder,
    in_base,
    look_at,
    surface_error,
)
from spatialpin_ros.scene import Scene, SceneObject

# A lean must be plain to see, must not be explained by noise, and must explain the points this much better.
_MIN_SLANTED = 0.15
_MIN_MISFIT, _MIN_MISFIT_M = 1.2, 0.0008
_ADVANTAGE = 0.7
_MIN_LEAN_RAD = np.deg2rad(8.0)
_ROUND_ADVANTAGE, _FLAT_ROUND_ADVANTAGE = 0.9, 0.75
_MIN_POINTS = 60
_QUICK_NORMALS, _QUICK_NEIGHBOURS = 48, 28
_TOUCH_M = 0.012
_HELD_M = 0.012
_FLAT_COS, _MIN_FLAT, _PLAINLY_FLAT = np.cos(np.deg2rad(15.0)), 0.5, 0.65
_SPARSE = 4
_FOOT_M = 0.015
_MOST_M = 0.4
_GOOD_ERROR_M = 0.003


@dataclass(frozen=True, slots=True, eq=False)
class _Leaning:
    """Objects of the scene that are pieces of one leaning thing, and that thing."""

    pieces: tuple[SceneObject, ...]
    found: Tilted


def settle_leaning(scene: Scene, suspects: Collection[str] | None = None) -> Scene:
    """Replace objects that lean by tilted boxes and cylinders; a scene in which nothing leans is returned as it is.

    A leaning object has a level axis, as what rests on an edge does. Pieces of one colour that touch are tried as one.

    Args:
        scene: upright things.
        suspects: ids of the objects that may lean; None: all may.
    """
    table = scene.table.pose
    groups = [
        group
        for group in _groups(scene.objects)
        if sum(len(item.points) for item in group) >= _MIN_POINTS
        and (suspects is None or any(item.id in suspects for item in group))
    ]
    eye = table.inverse().transform(scene.base_T_camera.position)
    fitted = [leaning for group in groups if (leaning := _leaning(group, table, eye)) is not None]
    found = [leaning for leaning in fitted if _is_held(leaning, scene)]
    return _replaced(scene, found) if found else scene


def _is_held(leaning: _Leaning, scene: Scene) -> bool:
    """Whether it touches something else: nothing leans on air."""
    box, own = in_base(leaning.found, scene.table.pose), {item.id for item in leaning.pieces}
    return any(obb_distance(box, other.box) < _HELD_M for other in scene.objects if other.id not in own)


def _groups(objects: Sequence[SceneObject]) -> list[tuple[SceneObject, ...]]:
    """Objects of one colour whose points touch, each object in one group."""
    groups: list[list[SceneObject]] = []
    for item in objects:
        touching = [group for group in groups if any(_touch(item, other) for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([item, *(other for group in touching for other in group)])
    return [tuple(group) for group in groups]


def _touch(one: SceneObject, other: SceneObject) -> bool:
    if one.color != other.color or not len(one.points) or not len(other.points):
        return False
    nearest, _ = cKDTree(one.points[::_SPARSE]).query(other.points[::_SPARSE], distance_upper_bound=_TOUCH_M)
    return bool(np.isfinite(nearest).any())


def _leaning(group: tuple[SceneObject, ...], table: Pose, eye: FloatArray) -> _Leaning | None:
    """The leaning thing that a group of objects is; without it, the first of them alone, if that leans."""
    inverse = table.inverse()
    clouds = [inverse.transform(item.points.astype(np.float64)) for item in group]
    points = np.concatenate(clouds)
    quick = look_at(points, eye, _QUICK_NORMALS, _QUICK_NEIGHBOURS)
    misfit = sum(
        surface_error(cloud, item.shape, inverse @ item.box.pose, item.size) * len(cloud)
        for item, cloud in zip(group, clouds, strict=True)
    ) / len(points)
    if quick.slanted < _MIN_SLANTED or misfit < max(_MIN_MISFIT * quick.roughness_m, _MIN_MISFIT_M):
        return None
    best = _best_fit(look_at(points, eye))
    if best is None:
        return None
    leans = _lean(best) > _MIN_LEAN_RAD and float(best.box.size.max()) < _MOST_M
    if leans and best.error_m < _ADVANTAGE * misfit:
        return _Leaning(group, best)
    return None


def _best_fit(seen: Seen) -> Tilted | None:
    """A tilted box, where the seen surface has flat sides along its axes, or a tilted cylinder; None for neither."""
    box = fit_tilted_box(seen)
    cylinder = fit_tilted_cylinder(seen, box)
    along = np.abs(seen.normals @ box.box.pose.axes).max(axis=1)
    flat = float(np.mean(along > _FLAT_COS))
    if cylinder is None:
        return box if flat > _MIN_FLAT else None
    advantage = (
        _FLAT_ROUND_ADVANTAGE if flat > _PLAINLY_FLAT else _ROUND_ADVANTAGE if flat > _MIN_FLAT else 1.0
    )
    if cylinder.error_m < advantage * box.error_m:
        return cylinder
    return box if flat > _MIN_FLAT else None


def _lean(found: Tilted) -> float:
    """Angle between the vertical and the nearest axis of the box; of a cylinder, from upright or from lying [rad]."""
    upright = np.arccos(min(1.0, float(np.abs(found.box.pose.axes[2]).max())))
    if found.shape != "cylinder":
        return float(upright)
    axis = float(np.arcsin(min(1.0, abs(float(found.box.pose.axes[2, 2])))))
    return min(axis, float(np.pi / 2.0) - axis)


def _replaced(scene: Scene, found: Sequence[_Leaning]) -> Scene:
    """The scene with each leaning thing in place of its pieces, ids and names made anew in the same order."""
    by_first = {leaning.pieces[0].id: leaning for leaning in found}
    dropped = {item.id for leaning in found for item in leaning.pieces[1:]}
    became = {item.id: leaning.pieces[0].id for leaning in found for item in leaning.pieces}
    kept = [
        _joined(by_first[item.id], scene) if item.id in by_first else item
        for item in scene.objects
        if item.id not in dropped
    ]
    ids = {item.id: f"o{i}" for i, item in enumerate(kept, 1)}
    names = unique_names([_description(item, scene) for item in kept])
    objects = []
    for item, name in zip(kept, names, strict=True):
        carrier = became.get(item.supported_by, item.supported_by)
        if item.id in by_first:
            carrier = _carrier(item, kept, scene)
        # What seems to stand on a leaning thing leans, or is carried, elsewhere.
        elif carrier in by_first:
            carrier = scene.table.name
        objects.append(replace(item, id=ids[item.id], name=name, supported_by=ids.get(carrier, carrier)))
    return replace(scene, objects=tuple(objects))


def _carrier(item: SceneObject, others: Sequence[SceneObject], scene: Scene) -> str:
    """The table, when the foot is on it; else the nearest object."""
    heights = (item.box.corners - scene.table.pose.position) @ scene.table.pose.axes[:, 2]
    rest = [other for other in others if other.id != item.id]
    if heights.min() < _FOOT_M or not rest:
        return scene.table.name
    return min(rest, key=lambda other: obb_distance(item.box, other.box)).id


def _description(item: SceneObject, scene: Scene) -> Description:
    seen = scene.base_T_camera.inverse().transform(item.centre)
    return Description(item.color, item.label, item.size, float(seen[0]), float(seen[2]))


def _joined(leaning: _Leaning, scene: Scene) -> SceneObject:
    first, found = leaning.pieces[0], leaning.found
    box = in_base(found, scene.table.pose)
    colors = [item.colors for item in leaning.pieces]
    return replace(
        first,
        label=noun(found.shape, box.size),
        shape=found.shape,
        box=box,
        fit_residual_m=found.error_m,
        points=np.concatenate([item.points for item in leaning.pieces]),
        colors=np.concatenate(colors) if all(map(len, colors)) else first.colors[:0],
        confidence=max(item.confidence for item in leaning.pieces)
        / (1.0 + (found.error_m / _GOOD_ERROR_M) ** 2),
        visibility=max(item.visibility for item in leaning.pieces),
        mask=_mask(leaning.pieces, scene.intrinsics),
        mesh=None,
    )


def _mask(pieces: Sequence[SceneObject], camera: Intrinsics | None) -> ImageMask | None:
    masks = [item.mask for item in pieces if item.mask is not None]
    if len(masks) < 2 or camera is None:
        return masks[0] if masks else None
    size = (camera.height, camera.width)
    return ImageMask.from_full(np.logical_or.reduce([mask.full(size) for mask in masks]))
