# SPDX-License-Identifier: Apache-2.0
"""Distances to the surface of a triangle mesh, exact and vectorised."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError, cKDTree

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import TriangleMesh

_SAMPLES = 4000
_CANDIDATES = 6


class MeshSurface:
    """A mesh prepared for closest-point queries, in its own frame.

    Args:
        mesh: triangles with a finite surface.
        seed: of the surface samples.

    Raises:
        InvalidValueError: when the mesh has no surface.
    """

    def __init__(self, mesh: TriangleMesh, seed: int = 0) -> None:
        self.corners = mesh.vertices[mesh.triangles]
        cross = np.cross(self.corners[:, 1] - self.corners[:, 0], self.corners[:, 2] - self.corners[:, 0])
        area = 0.5 * np.linalg.norm(cross, axis=1)
        if not area.sum() > 0.0:
            raise InvalidValueError(
                f"mesh: {len(mesh.triangles)} triangles without any area cannot be aligned"
            )
        kept = area > 1e-9 * area.max()
        self.corners, area = self.corners[kept], area[kept]
        self.normals = cross[kept] / (2.0 * area[:, None])
        rng = np.random.default_rng(seed)
        self.owner: npt.NDArray[np.intp] = rng.choice(len(area), _SAMPLES, p=area / area.sum())
        self.samples = _inside(self.corners[self.owner], rng)
        self.centre = np.asarray(0.5 * (self.samples.min(axis=0) + self.samples.max(axis=0)))
        self.diameter_m = float(np.linalg.norm(np.ptp(self.samples, axis=0)))
        self._tree = cKDTree(self.samples)

    def closest(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(N, 3) nearest points of the surface and (N, 3) unit directions from it to (N, 3) `points`.

        Only the triangles of the nearest samples are measured, each exactly.
        """
        _, near = self._tree.query(points, k=_CANDIDATES)
        triangles = self.owner[near]
        found = closest_on_triangles(np.repeat(points[:, None], _CANDIDATES, axis=1), self.corners[triangles])
        gap = points[:, None] - found
        distance = np.linalg.norm(gap, axis=2)
        rows, best = np.arange(len(points)), distance.argmin(axis=1)
        length = distance[rows, best][:, None]
        normal = self.normals[triangles[rows, best]]
        direction = np.where(length > 1e-7, gap[rows, best] / np.maximum(length, 1e-12), normal)
        return found[rows, best], direction

    def resting_directions(self, least_share: float = 0.02) -> FloatArray:
        """(K, 3) directions of the mesh that point up when it rests stably on a facet of its convex hull.

        A facet is stable when the centre of the hull lies above it; facets of less than `least_share` of the hull's
        surface are left out.
        """
        try:
            hull = ConvexHull(self.samples)
        except QhullError:
            return np.zeros((0, 3))
        corners = hull.points[hull.simplices]
        area = 0.5 * np.linalg.norm(
            np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
        )
        middle = np.average(corners.mean(axis=1), axis=0, weights=area)
        normals = hull.equations[:, :3]
        kept: list[FloatArray] = []
        for index in np.argsort(-area):
            down = normals[index]
            facet = normals @ down > 0.995
            if area[facet].sum() < least_share * area.sum() or any(-down @ up > 0.98 for up in kept):
                continue
            points = corners[facet].reshape(-1, 3)
            foot = middle - ((middle - points[0]) @ down) * down
            if _inside_facet(points, foot, down):
                kept.append(-down)
        return np.array(kept).reshape(-1, 3)


def _inside(corners: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One uniform point in each of (N, 3, 3) triangles."""
    root, other = np.sqrt(rng.random(len(corners))), rng.random(len(corners))
    weights = np.column_stack([1.0 - root, root * (1.0 - other), root * other])
    return np.asarray(np.einsum("ni,nij->nj", weights, corners))


def _inside_facet(points: FloatArray, foot: FloatArray, normal: FloatArray) -> bool:
    across = np.cross(normal, [1.0, 0.0, 0.0] if abs(normal[0]) < 0.8 else [0.0, 1.0, 0.0])
    across /= np.linalg.norm(across)
    axes = np.column_stack([across, np.cross(normal, across)])
    flat, at = points @ axes, foot @ axes
    try:
        planes = ConvexHull(flat).equations
    except QhullError:
        return False
    return bool((planes[:, :2] @ at + planes[:, 2] <= 1e-6).all())


def closest_on_triangles(points: FloatArray, corners: FloatArray) -> FloatArray:
    """(..., 3) nearest point of each of (..., 3, 3) triangles to each of (..., 3) points.

    By the regions of Ericson, Real-Time Collision Detection, 5.1.5.
    """
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    ab, ac, ap, bp, cp = b - a, c - a, points - a, points - b, points - c
    d1, d2 = _dot(ab, ap), _dot(ac, ap)
    d3, d4 = _dot(ab, bp), _dot(ac, bp)
    d5, d6 = _dot(ab, cp), _dot(ac, cp)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    total = np.maximum(va + vb + vc, 1e-30)
    face = a + (vb / total)[..., None] * ab + (vc / total)[..., None] * ac
    on_ab = a + _ratio(d1, d1 - d3)[..., None] * ab
    on_ac = a + _ratio(d2, d2 - d6)[..., None] * ac
    on_bc = b + _ratio(d4 - d3, (d4 - d3) + (d5 - d6))[..., None] * (c - b)
    conditions = [
        (d1 <= 0) & (d2 <= 0),
        (d3 >= 0) & (d4 <= d3),
        (d6 >= 0) & (d5 <= d6),
        (vc <= 0) & (d1 >= 0) & (d3 <= 0),
        (vb <= 0) & (d2 >= 0) & (d6 <= 0),
        (va <= 0) & (d4 >= d3) & (d5 >= d6),
    ]
    choices = [a, b, c, on_ab, on_ac, on_bc]
    return np.asarray(np.select([item[..., None] for item in conditions], choices, face))


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("...i,...i->...", a, b))


def _ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.clip(a / np.where(np.abs(b) > 1e-30, b, 1.0), 0.0, 1.0)
