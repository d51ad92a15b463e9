# SPDX-License-Identifier: Apache-2.0
"""Finds the objects of one scene again in another, whatever ids they have there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.scene import Scene, SceneObject

_UNMATCHABLE = 1e6


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """Weights of the matching cost; a pair whose cost exceeds `max_cost` is no match.

    Args:
        color_scale: colour distance (chromaticity and a little brightness, see `_color_features`) that costs 1.
        size_scale_m: difference of an extent that costs 1.
        position_scale_m: distance from the nearest place it may be that costs 1.
        max_position_cost: cost of any distance, so that an object that went astray is still found.
        shape_cost: cost of two different known shapes.
        unseen_reach_m: how far from its place an object may be found that the later scene's image does not show: what
            is out of view has most likely stayed [m].
    """

    color_scale: float = 0.15
    size_scale_m: float = 0.025
    position_scale_m: float = 0.05
    max_position_cost: float = 2.0
    shape_cost: float = 0.7
    max_cost: float = 4.0
    unseen_reach_m: float = float("inf")


def match_objects(
    before: Scene,
    after: Scene,
    places: Mapping[str, Sequence[FloatArray]] | None = None,
    options: MatchOptions | None = None,
) -> dict[str, SceneObject]:
    """Return, for each id of `before` that is seen again, the object of `after` that it is.

    The assignment minimises the summed cost of colour, shape, size and position over all objects (Hungarian
    algorithm), so that two like objects are told apart by where they stand.

    Args:
        before, after: the two scenes, in the same base frame.
        places: further positions (3,) at which an object may now be, by its id in `before` [m].
    """
    return match_items(before.objects, after.objects, after, places, options)


def match_items(
    before: Sequence[SceneObject],
    after: Sequence[SceneObject],
    seen: Scene,
    places: Mapping[str, Sequence[FloatArray]] | None = None,
    options: MatchOptions | None = None,
) -> dict[str, SceneObject]:
    """As `match_objects`, of any objects with ids of their own; `seen` is the scene that `after` is from."""
    settings = options or MatchOptions()
    if not before or not after:
        return {}
    costs = _costs(before, after, seen, places or {}, settings)
    rows, columns = linear_sum_assignment(np.where(costs > settings.max_cost, _UNMATCHABLE, costs))
    return {
        before[row].id: after[column]
        for row, column in zip(rows, columns, strict=True)
        if costs[row, column] <= settings.max_cost
    }


def in_view(scene: Scene, points: FloatArray) -> BoolArray:
    """Tell which of (..., 3) points of the base frame [m] are within a scene's image; all where it has none."""
    camera = scene.intrinsics
    if camera is None:
        return np.ones(points.shape[:-1], dtype=np.bool_)
    seen = scene.base_T_camera.inverse().transform(points)
    ahead = seen[..., 2] > 0.0
    pixels = camera.project(np.where(ahead[..., None], seen, 1.0))
    inside = (pixels >= 0.0) & (pixels <= (camera.width - 1, camera.height - 1))
    return np.asarray(ahead & inside.all(axis=-1))


def _costs(
    before: Sequence[SceneObject],
    after: Sequence[SceneObject],
    seen: Scene,
    places: Mapping[str, Sequence[FloatArray]],
    options: MatchOptions,
) -> FloatArray:
    """(B, A) cost of taking each object of `after` for each of `before`."""
    color = _pairwise(_color_features(before), _color_features(after)) / options.color_scale
    size = np.abs(_sizes(before)[:, None] - _sizes(after)[None]).mean(axis=2) / options.size_scale_m
    centres = np.array([item.centre for item in after])
    distance = np.array([_nearest(centres, (item.centre, *places.get(item.id, ()))) for item in before])
    position = np.minimum(distance / options.position_scale_m, options.max_position_cost)
    shape = np.array([[_shape_differs(one, other) for other in after] for one in before], dtype=np.float64)
    unseen = ~in_view(seen, np.array([item.centre for item in before]))
    beyond = unseen[:, None] & (distance > options.unseen_reach_m)
    return np.where(beyond, _UNMATCHABLE, color + size + position + options.shape_cost * shape)


def _nearest(centres: FloatArray, places: Sequence[FloatArray]) -> FloatArray:
    """(A,) distance of each centre from the nearest of the places [m]."""
    return np.asarray(np.linalg.norm(centres[:, None] - np.array(places)[None], axis=2).min(axis=1))


def _shape_differs(one: SceneObject, other: SceneObject) -> bool:
    return "unknown" not in (one.shape, other.shape) and one.shape != other.shape


def _color_features(objects: Sequence[SceneObject]) -> FloatArray:
    """(N, 4) shares of red, green and blue, which lighting changes little, and brightness at a fifth of its weight."""
    rgb = np.array([item.color_rgb for item in objects], dtype=np.float64) + 8.0
    total = rgb.sum(axis=1, keepdims=True)
    return np.hstack([rgb / total, total / (3.0 * 255.0) * 0.2])


def _sizes(objects: Sequence[SceneObject]) -> FloatArray:
    """(N, 3) extents in ascending order, so that a turned or tipped object keeps them [m]."""
    return np.sort(np.array([item.size for item in objects]), axis=1)


def _pairwise(one: FloatArray, other: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(one[:, None] - other[None], axis=2))
