# SPDX-License-Identifier: Apache-2.0
"""Distances to meshes."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose, TriangleMesh
from spatialpin_ros.perception.alignment.surface import MeshSurface, closest_on_triangles
from spatialpin_ros.perception.meshes import primitive_mesh
from spatialpin_ros.perception.solids import box_distance

BOX = OrientedBox(Pose(), np.array([0.08, 0.05, 0.06]))


def test_closest_points_on_a_triangle_by_brute_force():
    rng = np.random.default_rng(0)
    corners, points = rng.normal(size=(200, 3, 3)), rng.normal(size=(200, 3))
    found = np.linalg.norm(points - closest_on_triangles(points, corners), axis=1)
    grid = np.linspace(0, 1, 80)
    u, v = (a.ravel() for a in np.meshgrid(grid, grid))
    weights = np.stack([1 - u, u * (1 - v), u * v], axis=1)
    dense = np.einsum("wk,nkj->nwj", weights, corners)
    brute = np.linalg.norm(points[:, None] - dense, axis=2).min(axis=1)
    assert (found <= brute + 1e-9).all()
    np.testing.assert_allclose(found, brute, atol=0.03)


def test_distances_to_a_box_are_exact():
    surface = MeshSurface(primitive_mesh(BOX, "box"))
    points = np.random.default_rng(1).uniform(-0.08, 0.08, (500, 3))
    nearest, direction = surface.closest(points)
    distance = np.linalg.norm(points - nearest, axis=1)
    np.testing.assert_allclose(distance, box_distance(points, np.zeros(3), BOX.size, 0.0), atol=2e-4)
    np.testing.assert_allclose(nearest + distance[:, None] * direction, points, atol=1e-9)


def test_a_box_rests_on_six_faces_and_a_cylinder_on_its_ends():
    ups = MeshSurface(primitive_mesh(BOX, "box")).resting_directions()
    assert len(ups) == 6
    np.testing.assert_allclose(np.sort(np.abs(ups).max(axis=1)), 1.0, atol=0.01)
    can = MeshSurface(primitive_mesh(OrientedBox(Pose(), np.array([0.06, 0.06, 0.09])), "cylinder"))
    assert (np.abs(can.resting_directions()[:2, 2]) > 0.98).all()


def test_a_mesh_without_area_is_refused():
    flat = TriangleMesh(np.zeros((3, 3)), np.array([[0, 1, 2]], dtype=np.int32))
    with pytest.raises(InvalidValueError, match="without any area"):
        MeshSurface(flat)
