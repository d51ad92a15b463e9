# SPDX-License-Identifier: Apache-2.0
"""Meshes from files and bytes, and the meshes of primitives."""

from __future__ import annotations

import importlib
import importlib.util
import io
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.geometry import OrientedBox, TriangleMesh
from spatialpin_ros.scene import Shape

FORMATS = ("glb", "gltf", "obj", "off", "ply", "stl")
_RING = 32
_LARGEST_M = 5.0
_FEWEST_CELLS = 4


def load_mesh(path: str | PathLike[str], unit_m: float = 1.0) -> TriangleMesh:
    """Read a mesh file.

    Args:
        path: GLB, glTF, OBJ, OFF, PLY or STL.
        unit_m: metres per unit of the file: 0.001 for millimetres.

    Raises:
        InvalidValueError: when the file cannot be read, holds no triangles or is larger than 5 m.
        BackendError: when trimesh is not installed.
    """
    file = Path(path).expanduser()
    if not unit_m > 0.0:
        raise InvalidValueError(f"{file}: unit_m must be positive, got {unit_m}")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidValueError(f"cannot read the mesh {file}: {error}") from error
    mesh = decode_mesh(data, file.suffix.lstrip(".").lower(), str(file))
    scaled = TriangleMesh(unit_m * mesh.vertices, mesh.triangles)
    extent = float(np.ptp(scaled.vertices, axis=0).max())
    if extent > _LARGEST_M:
        raise InvalidValueError(
            f"{file}: is {extent:.0f} m large; is it in millimetres? Then give unit_m=0.001"
        )
    return scaled


def decode_mesh(data: bytes, format_name: str, source: str) -> TriangleMesh:
    """Decode a mesh file's bytes; raises as `load_mesh`, naming `source`."""
    if importlib.util.find_spec("trimesh") is None:
        raise BackendError("mesh files need trimesh; install with: pip install 'spatialpin_ros[perception]'")
    if format_name not in FORMATS:
        raise InvalidValueError(f"{source}: '{format_name}' is none of the mesh formats {', '.join(FORMATS)}")
    trimesh: Any = importlib.import_module("trimesh")
    try:
        loaded = trimesh.load(io.BytesIO(data), file_type=format_name, force="mesh", process=True)
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        OSError,
        EOFError,
        RuntimeError,
    ) as error:
        raise InvalidValueError(f"{source}: not a readable {format_name} mesh: {error}") from error
    faces = np.asarray(getattr(loaded, "faces", ()))
    if not len(faces):
        raise InvalidValueError(f"{source}: holds no triangles")
    return TriangleMesh(np.array(loaded.vertices, dtype=np.float64), faces.astype(np.int32))


def primitive_mesh(box: OrientedBox, shape: Shape) -> TriangleMesh:
    """Watertight mesh of the primitive in a box, in the box's parent frame; a box for "unknown"."""
    if shape == "cylinder":
        profile = np.array([[1.0, -1.0], [1.0, 1.0]])
    elif shape == "sphere":
        angle = np.linspace(-np.pi / 2, np.pi / 2, _RING // 2 + 1)[1:-1]
        profile = np.column_stack([np.cos(angle), np.sin(angle)])
    else:
        corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
        quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
        triangles = [[q[0], q[i], q[i + 1]] for q in quads for i in (1, 2)]
        return TriangleMesh(box.pose.transform(0.5 * corners * box.size), np.array(triangles, dtype=np.int32))
    vertices, triangles_of = _revolved(profile)
    return TriangleMesh(box.pose.transform(0.5 * vertices * box.size), triangles_of)


def _revolved(profile: FloatArray) -> tuple[FloatArray, np.ndarray]:
    """Unit solid of revolution about z of a (P, 2) profile of radius and height, closed by poles at -1 and 1."""
    angle = np.linspace(0.0, 2.0 * np.pi, _RING, endpoint=False)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    rings = [np.column_stack([radius * circle, np.full(_RING, height)]) for radius, height in profile]
    vertices = np.concatenate([*rings, [[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]]])
    here = np.arange(_RING)
    after = (here + 1) % _RING
    faces = []
    for ring in range(len(profile) - 1):
        low, high = ring * _RING, (ring + 1) * _RING
        faces.append(np.column_stack([low + here, low + after, high + after]))
        faces.append(np.column_stack([low + here, high + after, high + here]))
    bottom, top, last = len(vertices) - 2, len(vertices) - 1, (len(profile) - 1) * _RING
    faces.append(np.column_stack([np.full(_RING, bottom), after, here]))
    faces.append(np.column_stack([np.full(_RING, top), last + here, last + after]))
    return vertices, np.concatenate(faces).astype(np.int32)


def simplified(mesh: TriangleMesh, most_triangles: int = 2000) -> TriangleMesh:
    """The mesh with at most so many triangles, by merging the vertices in each cell of a grid.

    The finest of the grids tried is taken; a mesh that is small enough stays as it is. Rossignac and Borrel,
    Multi-resolution 3D approximations for rendering complex scenes (1993).
    """
    if len(mesh.triangles) <= most_triangles:
        return mesh
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    cells = round(np.sqrt(most_triangles))
    while cells > _FEWEST_CELLS:
        merged = _clustered(mesh, extent / cells)
        if len(merged.triangles) <= most_triangles:
            return merged
        cells = int(cells * 0.8)
    return _clustered(mesh, extent / _FEWEST_CELLS)


def _clustered(mesh: TriangleMesh, cell_m: float) -> TriangleMesh:
    """Each vertex moved to the mean of its cell; triangles that collapse or double are dropped."""
    keys = np.floor((mesh.vertices - mesh.vertices.min(axis=0)) / cell_m).astype(np.int64)
    _, owner = np.unique(keys, axis=0, return_inverse=True)
    owner = owner.ravel()
    counts = np.bincount(owner).astype(np.float64)
    means = np.stack([np.bincount(owner, mesh.vertices[:, k]) / counts for k in range(3)], axis=1)
    triangles = owner[mesh.triangles]
    a, b, c = triangles.T
    triangles = triangles[(a != b) & (b != c) & (c != a)]
    # Equal faces count once, and a face and its back, left of a thin part, not at all.
    corners, which = np.unique(np.sort(triangles, axis=1), axis=0, return_inverse=True)
    sign = np.where(_is_even(triangles), 1, -1)
    balance = np.bincount(which.ravel(), sign, minlength=len(corners))
    kept = np.where((balance < 0)[:, None], corners[:, ::-1], corners)[balance != 0]
    return TriangleMesh(means, kept.astype(np.int32))


def _is_even(triangles: np.ndarray) -> np.ndarray:
    """(N,) whether the indices of each face ascend when it is turned to start with the smallest."""
    first = triangles.argmin(axis=1)
    rows = np.arange(len(triangles))
    return np.asarray(triangles[rows, (first + 1) % 3] < triangles[rows, (first + 2) % 3])
