# SPDX-License-Identifier: Apache-2.0
"""Models and their ray-cast bodies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.geometry import OrientedBox, Pose, TriangleMesh
from spatialpin_ros.perception.meshes import primitive_mesh


def join(meshes: Sequence[TriangleMesh]) -> TriangleMesh:
    """One mesh of several."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    triangles = [mesh.triangles + offset for mesh, offset in zip(meshes, offsets, strict=False)]
    return TriangleMesh(
        np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(triangles).astype(np.int32)
    )


@pytest.fixture(scope="session")
def mask_of(cast) -> Callable[..., np.ndarray]:
    """Make `mask_of(frame, bodies)`: the pixels of a noise-free frame that show these bodies."""

    def make(frame: object, bodies: Sequence[object]) -> np.ndarray:
        shown = np.zeros(frame.depth_m.shape, dtype=bool)
        for body in bodies:
            alone = cast([body], table=False).depth_m
            shown |= (alone > 0) & (np.abs(alone - frame.depth_m) < 1e-5)
        return shown

    return make


@pytest.fixture(scope="session")
def bracket() -> tuple[TriangleMesh, list[tuple[tuple[float, float, float], Pose]]]:
    """An L without any symmetry but one mirror: its mesh, and the size and pose of its two boxes."""
    parts = [
        ((0.10, 0.04, 0.04), Pose(np.array([0.0, 0.0, 0.02]))),
        ((0.04, 0.04, 0.05), Pose(np.array([-0.03, 0.0, 0.065]))),
    ]
    return join([primitive_mesh(OrientedBox(pose, np.array(size)), "box") for size, pose in parts]), parts


@pytest.fixture(scope="session")
def place(bracket, bodies) -> Callable[[Pose], list[object]]:
    """Make `place(base_T_mesh)`: the bodies of the bracket there."""
    template = bodies["box"](0.0, 0.0, (1.0, 1.0, 1.0), (200, 30, 30))

    def make(base_T_mesh: Pose) -> list[object]:
        return [replace(template, size=size, pose=base_T_mesh @ pose) for size, pose in bracket[1]]

    return make
