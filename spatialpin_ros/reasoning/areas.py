# SPDX-License-Identifier: Apache-2.0
"""Where an object may be put down: convex areas of the table that are within reach and have a free place."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import InfeasibleTaskError
from spatialpin_ros.reasoning import polygons
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.relations import ReferenceFrame
from spatialpin_ros.scene import Scene, SceneObject

GRID_M = 0.015
CLEARANCE_M = 0.015
SIDE_SHARE = 0.4
BESIDE_M = (0.02, 0.14)
SHIFT_M = (0.08, 0.22)
EXACT_M = 0.012
SPOT_M = 0.03

SIDES = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "front": (0.0, 1.0), "back": (0.0, -1.0)}


def radius(item: SceneObject) -> float:
    """Radius of the circle about the centre that holds the object's footprint [m]."""
    return float(np.linalg.norm(polygons.footprint(item) - item.centre[:2], axis=1).max())


def reachable(scene: Scene, item: SceneObject, abilities: Abilities) -> FloatArray:
    """Where on the table the object's centre may be, within reach and fully on the table; may be empty."""
    polygon = polygons.shrink(polygons.convex_hull(scene.table.outline_base[:, :2]), radius(item))
    if abilities.workspace is not None:
        low, high = abilities.workspace.min[:2], abilities.workspace.max[:2]
        polygon = polygons.intersect(polygon, np.array([low, [high[0], low[1]], high, [low[0], high[1]]]))
    polygon = polygons.intersect(polygon, polygons.circle((0.0, 0.0), abilities.reach_max_m))
    if len(polygon):
        middle = polygons.centroid(polygon)
        direction = middle / max(float(np.linalg.norm(middle)), 1e-9)
        polygon = polygons.clip_half_plane(polygon, -direction, -abilities.reach_min_m)
    return polygon


def free_places(scene: Scene, item: SceneObject, area: FloatArray) -> FloatArray:
    """(N, 2) grid points of the area where the object would stand clear of every other object."""
    if len(area) < 3:
        return polygons.EMPTY
    low, high = area.min(axis=0), area.max(axis=0)
    counts = np.maximum(np.ceil((high - low) / GRID_M).astype(int), 2)
    x, y = (np.linspace(low[i], high[i], counts[i] + 1) for i in (0, 1))
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    points = points[polygons.depth_inside(area, points) >= -1e-9]
    for other in scene.objects:
        if other.id != item.id and len(points):
            gap = polygons.distance_outside(polygons.footprint(other), points)
            points = points[gap >= radius(item) + CLEARANCE_M]
    return points


def _direction(frame: ReferenceFrame, side: str) -> FloatArray:
    right, front = SIDES[side]
    vector = frame.vector(right, front)[:2]
    return np.asarray(vector / np.linalg.norm(vector))


def _checked(scene: Scene, item: SceneObject, area: FloatArray, where: str) -> FloatArray:
    if not len(free_places(scene, item, area)):
        raise InfeasibleTaskError(
            f"there is no free place within reach {where} for the {item.name}", "no_free_place"
        )
    return area


def side_of_table(
    scene: Scene, item: SceneObject, side: str, abilities: Abilities, frame: ReferenceFrame
) -> FloatArray:
    """The left, right, front, back or middle part of the table within reach.

    Raises:
        InfeasibleTaskError: no free place there.
    """
    area = reachable(scene, item, abilities)
    if len(area) and side == "middle":
        area = polygons.intersect(area, polygons.circle(polygons.centroid(area), 0.08))
    elif len(area) and side:
        direction = _direction(frame, side)
        across = area @ direction
        area = polygons.clip_half_plane(area, -direction, -(across.max() - SIDE_SHARE * np.ptp(across)))
    return _checked(scene, item, area, f"on the {side} side of the table" if side else "on the table")


def beside(
    scene: Scene,
    item: SceneObject,
    reference: SceneObject,
    sides: Iterable[str],
    abilities: Abilities,
    frame: ReferenceFrame,
    gap_m: float | None = None,
) -> tuple[FloatArray, str]:
    """An area next to the reference on the first of the sides that has a free place, and that side.

    With `gap_m` the two outlines are that far apart, else a little.

    Raises:
        InfeasibleTaskError: none of the sides has a free place within reach.
    """
    tried = []
    within = reachable(scene, item, abilities)
    for side in sides:
        direction = _direction(frame, side)
        edge = float(((polygons.footprint(reference) - reference.centre[:2]) @ direction).max())
        gaps = BESIDE_M if gap_m is None else (max(gap_m - EXACT_M, 0.0), gap_m + EXACT_M)
        near, far = (edge + radius(item) + gap for gap in gaps)
        middle = reference.centre[:2] + direction * 0.5 * (near + far)
        strip = polygons.rectangle(middle, direction, 0.5 * (far - near), max(0.03, 0.5 * edge))
        area = polygons.intersect(within, strip)
        if len(free_places(scene, item, area)):
            return area, side
        tried.append(side)
    where = f"{' or '.join(tried)} of the {reference.name}"
    raise InfeasibleTaskError(
        f"there is no free place within reach {where} for the {item.name}", "no_free_place"
    )


def shifted(
    scene: Scene,
    item: SceneObject,
    direction: FloatArray,
    distance_m: float | None,
    abilities: Abilities,
    where: str,
) -> FloatArray:
    """An area in the given direction (2,) from where the object is; at a distance, or some way off.

    Raises:
        InfeasibleTaskError: no free place there.
    """
    near, far = SHIFT_M if distance_m is None else (distance_m - EXACT_M, distance_m + EXACT_M)
    half_width = 0.05 if distance_m is None else EXACT_M
    middle = item.centre[:2] + direction * 0.5 * (near + far)
    strip = polygons.rectangle(middle, direction, 0.5 * (far - near), half_width)
    return _checked(scene, item, polygons.intersect(reachable(scene, item, abilities), strip), where)


def around(
    scene: Scene, item: SceneObject, point: FloatArray, abilities: Abilities, where: str
) -> FloatArray:
    """A small area about a point (2,).

    Raises:
        InfeasibleTaskError: the point is out of reach or not free.
    """
    square = polygons.rectangle(point, (1.0, 0.0), SPOT_M, SPOT_M)
    return _checked(scene, item, polygons.intersect(reachable(scene, item, abilities), square), where)


def out_of_the_way(scene: Scene, item: SceneObject, abilities: Abilities) -> FloatArray:
    """A small area at the free place nearest to the object that is well clear of where it is now.

    Raises:
        InfeasibleTaskError: the table has no free place within reach.
    """
    within = reachable(scene, item, abilities)
    places = free_places(scene, item, within)
    if not len(places):
        raise InfeasibleTaskError(
            f"there is no free place within reach on the table for the {item.name}", "no_free_place"
        )
    moved = np.linalg.norm(places - item.centre[:2], axis=1)
    away = np.abs(moved - max(0.15, 2.0 * radius(item)))
    spot = places[int(np.argmin(away))]
    return polygons.intersect(within, polygons.rectangle(spot, (1.0, 0.0), SPOT_M, SPOT_M))
