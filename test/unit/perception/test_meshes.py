# SPDX-License-Identifier: Apache-2.0
"""Mesh files and primitives."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose, TriangleMesh
from spatialpin_ros.perception.meshes import decode_mesh, load_mesh, primitive_mesh, simplified

trimesh = pytest.importorskip("trimesh")


@pytest.mark.parametrize("suffix", ["glb", "obj", "ply", "stl", "off"])
def test_files_of_every_format_are_read(tmp_path, suffix):
    path = tmp_path / f"box.{suffix}"
    trimesh.creation.box((80.0, 50.0, 60.0)).export(path)
    mesh = load_mesh(path, unit_m=0.001)
    np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0), [0.08, 0.05, 0.06], atol=1e-6)
    assert len(mesh.triangles) == 12


def test_millimetres_taken_for_metres_are_noticed(tmp_path):
    path = tmp_path / "box.stl"
    trimesh.creation.box((80.0, 50.0, 60.0)).export(path)
    with pytest.raises(InvalidValueError, match=r"80 m large.*unit_m=0.001"):
        load_mesh(path)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.glb", b"glTFgarbage", "glb mesh"),
        ("a.obj", b"v 0 0 0\n", "triangles|readable"),
        ("a.ply", b"ply\nnot really", "ply mesh"),
        ("a.step", b"ISO-10303", "none of the mesh formats"),
    ],
)
def test_files_that_are_no_mesh_are_named(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InvalidValueError, match=message) as error:
        load_mesh(path)
    assert name in str(error.value)


def test_missing_files_and_bad_units_are_refused(tmp_path):
    with pytest.raises(InvalidValueError, match="cannot read"):
        load_mesh(tmp_path / "none.obj")
    with pytest.raises(InvalidValueError, match="unit_m"):
        load_mesh(tmp_path / "none.obj", unit_m=0.0)
    with pytest.raises(InvalidValueError, match="holds no triangles|not a readable"):
        decode_mesh(b"", "stl", "reply")


@pytest.mark.parametrize(
    ("shape", "volume"),
    [
        ("box", 0.08 * 0.06 * 0.1),
        ("cylinder", np.pi * 0.04 * 0.03 * 0.1),
        ("sphere", np.pi / 6 * 0.08 * 0.06 * 0.1),
    ],
)
def test_primitives_are_watertight_and_outward(shape, volume):
    box = OrientedBox(Pose.from_xyz_rpy((0.5, 0.1, 0.2), (0.3, -0.2, 1.0)), np.array([0.08, 0.06, 0.1]))
    mesh = primitive_mesh(box, shape)
    solid = trimesh.Trimesh(mesh.vertices, mesh.triangles, process=False)
    assert solid.is_watertight
    assert solid.volume == pytest.approx(volume, rel=0.02)
    np.testing.assert_allclose(solid.center_mass, box.centre, atol=1e-6)


def test_large_meshes_are_simplified_to_about_the_same_body():
    fine = trimesh.creation.icosphere(subdivisions=6, radius=0.05)
    mesh = TriangleMesh(np.array(fine.vertices), np.array(fine.faces, dtype=np.int32))
    small = simplified(mesh, 2000)
    assert 500 < len(small.triangles) <= 2000
    body = trimesh.Trimesh(small.vertices, small.triangles)
    assert body.is_watertight
    assert body.volume == pytest.approx(fine.volume, rel=0.03)
    assert simplified(small, 2000) is small


def test_a_subdivided_box_keeps_its_extents_when_simplified():
    fine = trimesh.creation.box(extents=(0.06, 0.05, 0.04))
    for _ in range(6):
        fine = fine.subdivide()
    mesh = TriangleMesh(np.array(fine.vertices), np.array(fine.faces, dtype=np.int32))
    small = simplified(mesh, 2000)
    np.testing.assert_allclose(np.ptp(small.vertices, axis=0), (0.06, 0.05, 0.04), rtol=0.05)
