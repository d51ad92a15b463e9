# SPDX-License-Identifier: Apache-2.0
"""Objects that are neither box nor cylinder, made of convex parts that fill a unit cube about its centre."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.geometry import TriangleMesh

_RING = 48
_CUP_WALLS = 16

Parts = tuple[TriangleMesh, ...]


def prism(outline: FloatArray, low_z: float, high_z: float) -> TriangleMesh:
    """Upright prism over a counter-clockwise convex (N, 2) outline."""
    return frustum(outline, outline, low_z, high_z)


def frustum(lower: FloatArray, upper: FloatArray, low_z: float, high_z: float) -> TriangleMesh:
    """Solid between two counter-clockwise convex outlines of (N, 2) corresponding corners at two heights."""
    return stack([lower, upper], [low_z, high_z])


def stack(outlines: Sequence[FloatArray], heights: Sequence[float]) -> TriangleMesh:
    """Closed solid through counter-clockwise convex outlines of (N, 2) corresponding corners at rising heights."""
    count, last = len(outlines[0]), len(outlines[0]) * (len(outlines) - 1)
    vertices = np.vstack([_at(outline, z) for outline, z in zip(outlines, heights, strict=True)])
    here, after = np.arange(count), (np.arange(count) + 1) % count
    fan = np.column_stack([np.zeros(count - 2, dtype=int), np.arange(1, count - 1), np.arange(2, count)])
    triangles = [fan[:, ::-1], last + fan]
    for low in range(0, last, count):
        high = low + count
        triangles.append(np.column_stack([low + here, low + after, high + after]))
        triangles.append(np.column_stack([low + here, high + after, high + here]))
    return TriangleMesh(vertices, np.vstack(triangles).astype(np.int32))


def _at(outline: FloatArray, z: float) -> FloatArray:
    return np.column_stack([outline, np.full(len(outline), z)])


def _rectangle(x0: float, x1: float, y0: float, y1: float) -> FloatArray:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _circle(radius: float, count: int = _RING) -> FloatArray:
    angle = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def _l_block() -> Parts:
    return (
        prism(_rectangle(-0.5, 0.5, -0.5, -0.1), -0.5, 0.5),
        prism(_rectangle(-0.5, -0.1, -0.1, 0.5), -0.5, 0.5),
    )


def _t_block() -> Parts:
    return (
        prism(_rectangle(-0.5, 0.5, 0.1, 0.5), -0.5, 0.5),
        prism(_rectangle(-0.2, 0.2, -0.5, 0.1), -0.5, 0.5),
    )


def _arch() -> Parts:
    return (
        prism(_rectangle(-0.5, -0.22, -0.5, 0.5), -0.5, 0.1),
        prism(_rectangle(0.22, 0.5, -0.5, 0.5), -0.5, 0.1),
        prism(_rectangle(-0.5, 0.5, -0.5, 0.5), 0.1, 0.5),
    )


def _stairs() -> Parts:
    return (
        prism(_rectangle(-0.5, 0.0, -0.5, 0.5), -0.5, 0.0),
        prism(_rectangle(0.0, 0.5, -0.5, 0.5), -0.5, 0.5),
    )


def _roof() -> Parts:
    ridge = _rectangle(-0.5, 0.5, -1e-4, 1e-4)
    return (frustum(_rectangle(-0.5, 0.5, -0.5, 0.5), ridge, -0.5, 0.5),)


def _hexagon() -> Parts:
    """Its corners are at +-x; the flats at +-y fill the cube as well."""
    corners = _circle(0.5, 6) * np.array([1.0, 2.0 / np.sqrt(3.0)])
    return (prism(corners, -0.5, 0.5),)


def _bucket() -> Parts:
    return (frustum(_circle(0.36), _circle(0.5), -0.5, 0.5),)


def _bottle() -> Parts:
    profile = [(0.5, -0.5), (0.5, 0.08), (0.22, 0.26), (0.22, 0.5)]
    return tuple(frustum(_circle(r0), _circle(r1), z0, z1) for (r0, z0), (r1, z1) in pairwise(profile))


def _cup() -> Parts:
    outer, inner = _circle(0.5, _CUP_WALLS), _circle(0.41, _CUP_WALLS)
    walls = []
    for k in range(_CUP_WALLS):
        after = (k + 1) % _CUP_WALLS
        walls.append(prism(np.array([outer[k], outer[after], inner[after], inner[k]]), -0.5, 0.5))
    return (*walls, prism(inner, -0.5, -0.4))


def _ball() -> Parts:
    """The sphere as the renderer sees it; in contacts it is exact."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, _RING // 2 + 1)
    radius = np.maximum(0.5 * np.cos(angle), 1e-4)
    return (stack([_circle(r) for r in radius], (0.5 * np.sin(angle)).tolist()),)


_MAKERS: dict[str, Callable[[], Parts]] = {
    "l_block": _l_block,
    "t_block": _t_block,
    "arch": _arch,
    "stairs": _stairs,
    "roof": _roof,
    "hexagon": _hexagon,
    "bucket": _bucket,
    "bottle": _bottle,
    "cup": _cup,
    "ball": _ball,
}
MESH_MODELS: tuple[str, ...] = tuple(name for name in _MAKERS if name != "ball")
"""Names of the models that an object of kind "mesh" may have."""
ROUND_MODELS = frozenset({"bucket", "bottle", "cup", "ball"})
"""Models that are round about z: they have no heading, and their x and y extents are one diameter."""


@cache
def mesh_parts(model: str) -> Parts:
    """Convex watertight parts of a model in a unit cube about its centre.

    Raises:
        UnknownNameError: lists the models that exist.
    """
    if model not in _MAKERS:
        raise UnknownNameError(model, list(_MAKERS), "mesh model")
    return _MAKERS[model]()


def write_parts(model: str, folder: Path) -> tuple[Path, ...]:
    """Write a model's parts as OBJ files that the physics engine reads, unless they are there; return their paths."""
    paths = []
    for number, part in enumerate(mesh_parts(model)):
        path = folder / f"{model}_{number}.obj"
        if not path.exists():
            path.write_text(_flat_shaded_obj(part))
        paths.append(path)
    return tuple(paths)


def _flat_shaded_obj(mesh: TriangleMesh) -> str:
    """OBJ text in which every triangle has its own normal, so that edges look sharp."""
    corners = mesh.vertices[mesh.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    lines = ["v {:.6f} {:.6f} {:.6f}".format(*vertex) for vertex in corners.reshape(-1, 3)]
    lines += ["vn {:.6f} {:.6f} {:.6f}".format(*normal) for normal in normals]
    for number in range(len(normals)):
        first, normal = 3 * number + 1, number + 1
        lines.append(f"f {first}//{normal} {first + 1}//{normal} {first + 2}//{normal}")
    return "\n".join(lines) + "\n"
