# SPDX-License-Identifier: Apache-2.0
"""Boxes and cylinders that lean on an edge, fitted to the seen points: one axis level, one inclined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.perception.robust_fit import minimise
from spatialpin_ros.scene import Shape

_NEIGHBOURS = 40
_PLANAR = 0.5
_NORMALS = 300
_DIRECTIONS = 100
_POINTS = 150
_FACE = np.cos(np.deg2rad(20.0))
_FEW = 8
_HEADINGS = np.deg2rad(np.arange(0.0, 360.0, 5.0))
_INCLINATIONS = np.deg2rad(np.arange(6.0, 86.0, 4.0))
_ALIGNED = 8.0
_SCALE_M = 0.002
_TRUST_SIZE = 0.2
_LEAST_M = 0.006
_WHOLE, _WIDEST = 0.55, 1.4
# The outermost pixels of a region are left out of its points.
_EDGE_M = 0.0015
_ON_TABLE_M = 0.004


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Points of one thing in the table frame (z up from the table), with normals at some of them.

    Args:
        points: (N, 3) [m].
        at: (M, 3) where normals were estimated [m].
        normals: (M, 3) unit, towards the eye.
        eye: (3,) position of the camera [m].
        roughness_m: typical distance of a point from the plane through its neighbours [m].
    """

    points: FloatArray
    at: FloatArray
    normals: FloatArray
    eye: FloatArray
    roughness_m: float

    @property
    def slanted(self) -> float:
        """Share of the normals that are neither level nor upright."""
        up = np.abs(self.normals[:, 2])
        return float(np.mean((up > 0.26) & (up < 0.966))) if len(up) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Tilted:
    """A leaning primitive in the table frame, and how far the points are from it: mean distance [m], 1 cm at most."""

    shape: Shape
    box: OrientedBox
    error_m: float


def look_at(points: FloatArray, eye: FloatArray, most: int = _NORMALS, neighbours: int = _NEIGHBOURS) -> Seen:
    """Estimate normals by the plane through the neighbours of a sample of (N, 3) points."""
    at = points[:: max(1, len(points) // most)]
    _, index = cKDTree(points).query(at, k=min(neighbours, len(points)))
    near = points[index] - points[index].mean(axis=1, keepdims=True)
    spread, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", near, near))
    normals = axes[:, :, 0]
    normals = normals * np.where(np.einsum("ij,ij->i", normals, eye - at) < 0.0, -1.0, 1.0)[:, None]
    planar = spread[:, 0] < _PLANAR**2 * spread[:, 1]
    rough = float(np.median(np.sqrt(np.maximum(spread[:, 0], 0.0) / index.shape[1])))
    return Seen(points, at[planar], normals[planar], eye, rough)


def fit_tilted_box(seen: Seen) -> Tilted:
    """The box with a level axis that the points lie on; what is hidden reaches down to the table."""
    heading, inclination = _box_direction(seen.normals[:: max(1, len(seen.normals) // _DIRECTIONS)])
    axes = _axes(np.array(heading), np.array(inclination))
    low, high = _extents(seen, axes)
    start = np.concatenate([[heading, inclination], 0.5 * (low + high) @ axes.T, np.log(high - low)])
    points = _thin(seen.points)

    def residuals(values: FloatArray) -> FloatArray:
        size = np.exp(values[:, 5:])
        local = (points - values[:, None, 2:5]) @ _axes(values[:, 0], values[:, 1])
        pull = _TRUST_SIZE * (values[:, 5:] - start[5:]) * np.exp(start[5:])
        return np.concatenate([_box_distance(local, size[:, None]), pull * np.sqrt(len(points))], axis=1)

    found = minimise(residuals, start, _SCALE_M)
    axes, size = _axes(found[0], found[1]), np.exp(found[5:])
    centre, size = _down_to_table(seen, found[2:5], axes, size)
    error = _capped(_box_distance((points - centre) @ axes, size))
    return Tilted("box", OrientedBox(Pose(centre, Rotation.from_matrix(axes).as_quat()), size), error)


def fit_tilted_cylinder(seen: Seen, box: Tilted) -> Tilted | None:
    """The cylinder along an axis of a fitted box, or across most normals; None where the points form no arc."""
    points = _thin(seen.points)
    axes, size = box.box.pose.axes, box.box.size
    round_about = np.linalg.eigh(seen.normals.T @ seen.normals)[1][:, 0]
    candidates = [round_about, *(axes[:, k] for k in dict.fromkeys((0, int(np.argmax(size)))))]
    fits = [_cylinder_along(seen, points, axis) for axis in candidates]
    return min((fit for fit in fits if fit is not None), key=lambda fit: fit.error_m, default=None)


def _cylinder_along(seen: Seen, points: FloatArray, axis: FloatArray) -> Tilted | None:
    side = np.abs(seen.normals @ axis) < 0.5
    if np.count_nonzero(side) < 3 * _FEW:
        return None
    turn = Rotation.align_vectors([[0.0, 0.0, 1.0]], [axis])[0]
    flat = turn.apply(seen.at[side])[:, :2]
    solved = np.linalg.lstsq(
        np.column_stack([2.0 * flat, np.ones(len(flat))]), (flat**2).sum(axis=1), rcond=None
    )[0]
    fitted = float(np.sqrt(max(solved[2] + solved[:2] @ solved[:2], 1e-6)))
    along = seen.points @ axis
    low, high = np.quantile(along, (0.005, 0.995)) + np.array([-_EDGE_M, _EDGE_M])
    across = seen.points - np.outer(along, axis)
    width = 2.0 * float(np.quantile(np.linalg.norm(across - np.median(across, axis=0), axis=1), 0.98))
    # Of a cylinder nearly the whole width is seen; noise on a short arc, or a slight bend, makes it seem larger.
    radius = min(fitted, _WHOLE * width)
    if fitted > 2.0 * width or high - low < _LEAST_M:
        return None
    nearest = flat.mean(axis=0)
    middle = turn.inv().apply([*(nearest + (solved[:2] - nearest) * radius / fitted), 0.0])
    centre = middle + (0.5 * (low + high) - middle @ axis) * axis
    start = np.array([*axis, *centre, np.log(radius), np.log(high - low)])

    def residuals(values: FloatArray) -> FloatArray:
        direction = values[:, :3] / _length(values[:, :3])[:, None]
        pull = _TRUST_SIZE * (values[:, 6:] - start[6:]) * np.exp(start[6:]) * np.sqrt(len(points))
        size = np.exp(values[:, 6:, None])
        distance = _cylinder_distance(points - values[:, None, 3:6], direction, size[:, 0], size[:, 1])
        return np.concatenate([distance, pull], axis=1)

    found = minimise(residuals, start, _SCALE_M)
    axis, centre, (radius, length) = found[:3] / np.linalg.norm(found[:3]), found[3:6], np.exp(found[6:])
    if 2.0 * radius > _WIDEST * width:
        return None
    axis = axis if axis[2] > 0.0 else -axis
    drop = float(np.sqrt(max(1.0 - axis[2] ** 2, 0.0))) * radius
    hidden = (centre - 0.5 * length * axis)[2] - drop
    if hidden > _ON_TABLE_M and axis[2] > 0.1:
        length, centre = length + hidden / axis[2], centre - 0.5 * hidden / axis[2] * axis
    error = _capped(_cylinder_distance(points - centre, axis, radius, length))
    pose = Pose(centre, Rotation.align_vectors([axis], [[0.0, 0.0, 1.0]])[0].as_quat())
    return Tilted("cylinder", OrientedBox(pose, np.array([2 * radius, 2 * radius, length])), error)


def _axes(heading: FloatArray, inclination: FloatArray) -> FloatArray:
    """(..., 3, 3) columns: the inclined axis, the level one, and their normal."""
    c, s, cos, sin = np.cos(heading), np.sin(heading), np.cos(inclination), np.sin(inclination)
    level = np.zeros_like(c)
    rows = [[c * cos, -s, -c * sin], [s * cos, c, -s * sin], [sin, level, cos]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _length(vectors: FloatArray) -> FloatArray:
    """(...) length of (..., d) vectors."""
    return np.asarray(np.sqrt(np.einsum("...i,...i->...", vectors, vectors)))


def _box_direction(normals: FloatArray) -> tuple[float, float]:
    """Heading and inclination whose axes most normals are along."""
    c, s = np.cos(_HEADINGS)[:, None], np.sin(_HEADINGS)[:, None]
    cos, sin = np.cos(_INCLINATIONS)[None], np.sin(_INCLINATIONS)[None]
    level = -s * normals[:, 0, None, None] + c * normals[:, 1, None, None]
    ahead = c * normals[:, 0, None, None] + s * normals[:, 1, None, None]
    up = normals[:, 2, None, None]
    best = np.maximum(np.maximum((ahead * cos + up * sin) ** 2, (up * cos - ahead * sin) ** 2), level**2)
    score = np.exp(_ALIGNED * (best - 1.0)).sum(axis=0)
    i, k = np.unravel_index(int(np.argmax(score)), score.shape)
    return float(_HEADINGS[i]), float(_INCLINATIONS[k])


def _extents(seen: Seen, axes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(3,) lowest and highest coordinates along the axes: of seen faces where there are, else of the points."""
    local, at, along = seen.points @ axes, seen.at @ axes, seen.normals @ axes
    low, high = np.quantile(local, 0.005, axis=0), np.quantile(local, 0.995, axis=0)
    for k in range(3):
        for sign, ends in ((1.0, high), (-1.0, low)):
            face = sign * along[:, k] > _FACE
            if np.count_nonzero(face) >= _FEW:
                ends[k] = float(np.median(at[face, k]))
            else:
                ends[k] += sign * _EDGE_M
    low, high = np.minimum(low, high), np.maximum(low, high)
    thin = np.maximum(_LEAST_M - (high - low), 0.0)
    return low - 0.5 * thin, high + 0.5 * thin


def _down_to_table(
    seen: Seen, centre: FloatArray, axes: FloatArray, size: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Extend the box on its hidden side so that its lowest corner is on the table."""
    lowest = float(centre[2] - 0.5 * np.abs(axes[2]) @ size)
    if lowest < _ON_TABLE_M:
        return centre, size
    faces = [np.count_nonzero(np.abs(seen.normals @ axes[:, k]) > _FACE) for k in range(3)]
    # The thickness is hidden when one face alone is seen; otherwise it is the lower end.
    normal = int(np.argmax(faces))
    alone = faces[normal] > 0.85 * max(sum(faces), 1)
    k = normal if alone and abs(axes[2, normal]) > 0.2 else 0 if abs(axes[2, 0]) > abs(axes[2, 2]) else 2
    extra = lowest / abs(float(axes[2, k]))
    down = -np.sign(axes[2, k]) * axes[:, k]
    grown = size.copy()
    grown[k] += extra
    return centre + 0.5 * extra * down, grown


def _box_distance(local: FloatArray, size: FloatArray) -> FloatArray:
    """(..., N) distance of points in a box's frame from its surface [m]."""
    away = np.abs(local) - 0.5 * size
    return np.asarray(_length(np.maximum(away, 0.0)) + np.abs(np.minimum(away.max(axis=-1), 0.0)))


def _cylinder_distance(
    from_centre: FloatArray, axis: FloatArray, radius: FloatArray | float, length: FloatArray | float
) -> FloatArray:
    """(..., N) distance of points from a cylinder's surface [m]; `axis` is (..., 3)."""
    along = np.asarray((from_centre @ axis[..., None])[..., 0])
    across = np.sqrt(np.maximum(np.einsum("...i,...i->...", from_centre, from_centre) - along**2, 0.0))
    beside, beyond = across - radius, np.abs(along) - 0.5 * length
    outside = np.hypot(np.maximum(beside, 0.0), np.maximum(beyond, 0.0))
    return np.asarray(outside + np.abs(np.minimum(np.maximum(beside, beyond), 0.0)))


def surface_error(points: FloatArray, shape: Shape, pose: Pose, size: FloatArray) -> float:
    """Mean distance of (N, 3) points from a primitive's surface, 1 cm at most each [m]."""
    local = pose.inverse().transform(_thin(points))
    if shape == "sphere":
        return _capped(np.abs(np.linalg.norm(local, axis=1) - 0.5 * size[0]))
    if shape == "cylinder":
        return _capped(_cylinder_distance(local, np.array([0.0, 0.0, 1.0]), 0.5 * size[0], size[2]))
    return _capped(_box_distance(local, size))


def _capped(distances: FloatArray) -> float:
    return float(np.minimum(np.abs(distances), 0.01).mean())


def _thin(points: FloatArray) -> FloatArray:
    return points[:: max(1, len(points) // _POINTS)]


def in_base(found: Tilted, base_T_table: Pose) -> OrientedBox:
    """The primitive's box in the base frame."""
    return OrientedBox(base_T_table @ found.box.pose, found.box.size)
