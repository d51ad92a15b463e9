# SPDX-License-Identifier: Apache-2.0
"""Given models in images, against the truth; of a symmetric object every equal pose is right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from spatialpin_ros.errors import InvalidValueError, PerceptionError, UnknownNameError
from spatialpin_ros.geometry import OrientedBox, Pose, TriangleMesh
from spatialpin_ros.perception.alignment import AlignmentOptions, align_mesh, use_model
from spatialpin_ros.perception.alignment.align import upright_box
from spatialpin_ros.perception.alignment.surface import MeshSurface
from spatialpin_ros.perception.from_masks import reconstruct_masks
from spatialpin_ros.perception.meshes import primitive_mesh

RED, BLUE = (200, 30, 30), (30, 60, 200)


def surface_error_m(mesh: TriangleMesh, found, base_T_mesh: Pose, scale: float = 1.0) -> float:
    """Mean distance between the surface where it is and where it was found, regardless of which point is which."""
    samples = MeshSurface(mesh).samples
    there = found.base_T_mesh.transform(found.scale * samples)
    nearest, _ = cKDTree(there).query(base_T_mesh.transform(scale * samples))
    return float(np.mean(nearest))


@pytest.mark.parametrize("noise_m", [0.0, 0.002])
@pytest.mark.parametrize("yaw", [-2.1, 0.35, 1.5])
def test_a_bracket_is_found_at_any_heading(cast, bracket, place, mask_of, noise_m, yaw):
    mesh, _ = bracket
    base_T_mesh = Pose.from_yaw((0.5, 0.05, 0.0), yaw)
    bodies = place(base_T_mesh)
    mask = mask_of(cast(bodies), bodies)
    found = align_mesh(mesh, cast(bodies, noise_m=noise_m), mask, 0.0)
    position, angle = found.base_T_mesh.distance_to(base_T_mesh)
    assert position < 0.005
    assert np.degrees(angle) < 2.0
    assert found.overlap > 0.9


def test_a_bracket_lying_on_its_side_is_found(cast, bracket, place, mask_of):
    mesh, _ = bracket
    base_T_mesh = Pose.from_xyz_rpy((0.5, 0.0, 0.02), (np.pi / 2, 0.0, 0.7))
    bodies = place(base_T_mesh)
    found = align_mesh(mesh, cast(bodies), mask_of(cast(bodies), bodies), 0.0)
    assert surface_error_m(mesh, found, base_T_mesh) < 0.003


@pytest.mark.parametrize("shape", ["box", "cylinder"])
@pytest.mark.parametrize("noise_m", [0.0, 0.002])
def test_symmetric_models_are_found_up_to_their_symmetry(cast, bodies, mask_of, shape, noise_m):
    body = {
        "box": bodies["box"](0.5, 0.05, (0.08, 0.05, 0.06), RED, yaw=0.8),
        "cylinder": bodies["cylinder"](0.5, 0.0, 0.06, 0.09, RED),
    }[shape]
    mesh = primitive_mesh(OrientedBox(Pose(), np.array(body.size)), shape)
    found = align_mesh(mesh, cast([body], noise_m=noise_m), mask_of(cast([body]), [body]), 0.0)
    assert surface_error_m(mesh, found, body.pose) < 0.003
    assert np.linalg.norm(upright_box(found.mesh.vertices).centre - body.pose.position) < 0.003


def test_an_occluder_does_not_move_the_model(cast, bodies, mask_of):
    body = bodies["box"](0.5, 0.02, (0.08, 0.05, 0.06), RED, yaw=0.4)
    occluder = bodies["box"](0.59, 0.045, (0.03, 0.05, 0.08), BLUE)
    frame = cast([body, occluder])
    mask = mask_of(frame, [body])
    assert mask.sum() < 0.85 * (cast([body], table=False).depth_m > 0).sum()
    found = align_mesh(primitive_mesh(OrientedBox(Pose(), np.array(body.size)), "box"), frame, mask, 0.0)
    assert (
        surface_error_m(primitive_mesh(OrientedBox(Pose(), np.array(body.size)), "box"), found, body.pose)
        < 0.004
    )


@pytest.mark.parametrize("unit", [0.02, 25.0])
def test_the_scale_of_a_reconstructed_model_is_found(cast, bracket, place, mask_of, unit):
    mesh, _ = bracket
    base_T_mesh = Pose.from_yaw((0.5, -0.1, 0.0), 0.6)
    bodies = place(base_T_mesh)
    frame = cast(bodies)
    scaled = TriangleMesh(unit * mesh.vertices, mesh.triangles)
    found = align_mesh(scaled, frame, mask_of(frame, bodies), 0.0, AlignmentOptions(known_scale=False))
    assert found.scale == pytest.approx(1.0 / unit, rel=0.03)
    assert surface_error_m(scaled, found, base_T_mesh, 1.0 / unit) < 0.005


def test_without_a_known_support_the_surface_suffices(cast, bracket, place, mask_of):
    mesh, _ = bracket
    base_T_mesh = Pose.from_yaw((0.5, 0.0, 0.0), 2.5)
    bodies = place(base_T_mesh)
    found = align_mesh(mesh, cast(bodies), mask_of(cast(bodies), bodies))
    assert surface_error_m(mesh, found, base_T_mesh) < 0.003


def test_a_model_of_something_else_is_refused(cast, bodies, mask_of):
    body = bodies["box"](0.5, 0.0, (0.08, 0.05, 0.06), RED)
    frame = cast([body])
    plate = primitive_mesh(OrientedBox(Pose(), np.array([0.25, 0.2, 0.01])), "box")
    with pytest.raises(PerceptionError, match=r"does not fit.*in metres"):
        align_mesh(plate, frame, mask_of(frame, [body]), 0.0)


def test_too_little_seen_and_wrong_sizes_are_refused(cast, bodies, bracket):
    frame = cast([bodies["box"](0.5, 0.0, (0.08, 0.05, 0.06), RED)])
    with pytest.raises(PerceptionError, match="have depth"):
        align_mesh(bracket[0], frame, np.zeros(frame.size, dtype=bool))
    with pytest.raises(InvalidValueError, match="mask has size"):
        align_mesh(bracket[0], frame, np.zeros((10, 10), dtype=bool))
    with pytest.raises(InvalidValueError, match="candidates"):
        AlignmentOptions(candidates=0)


def test_a_model_replaces_the_box_in_the_scene(cast, bracket, place, mask_of, options):
    mesh, _ = bracket
    base_T_mesh = Pose.from_yaw((0.5, 0.05, 0.0), 0.35)
    bodies = place(base_T_mesh)
    frame = cast(bodies)
    scene = reconstruct_masks(frame, [mask_of(frame, bodies)], ["bracket"], options)
    bracket_id = scene.named("bracket").id
    changed = use_model(scene, bracket_id, mesh, frame).object(bracket_id)
    true = upright_box(base_T_mesh.transform(mesh.vertices))
    np.testing.assert_allclose(changed.centre, true.centre, atol=0.005)
    np.testing.assert_allclose(np.sort(changed.size), np.sort(true.size), atol=0.003)
    assert changed.mesh is not None
    assert changed.confidence > 0.8
    with pytest.raises(UnknownNameError):
        use_model(scene, "o99", mesh, frame)
