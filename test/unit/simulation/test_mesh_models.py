# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.simulation import MESH_MODELS, ROUND_MODELS, ObjectSpec, World, mesh_parts
from spatialpin_ros.simulation.mesh_models import write_parts


def spec(kind: str, model: str, size: tuple[float, float, float]) -> ObjectSpec:
    box = OrientedBox(Pose.from_yaw((0.5, 0.0, size[2] / 2.0), 0.4), np.array(size))
    return ObjectSpec("a", kind, "red", box, 0.1, model=model)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", [*MESH_MODELS, "ball"])
def test_parts_are_closed_convex_and_fill_the_unit_cube(model: str) -> None:
    for part in mesh_parts(model):
        solid = trimesh.Trimesh(part.vertices, part.triangles)
        assert solid.is_watertight
        assert solid.is_winding_consistent
        assert solid.volume > 0.0
        assert solid.volume == pytest.approx(solid.convex_hull.volume, rel=1e-6)
    vertices = np.vstack([part.vertices for part in mesh_parts(model)])
    np.testing.assert_allclose(
        [vertices.min(axis=0), vertices.max(axis=0)], [[-0.5] * 3, [0.5] * 3], atol=1e-9
    )


@pytest.mark.parametrize("model", MESH_MODELS)
def test_a_mesh_stands_and_is_rendered_at_its_true_size(world: World, model: str) -> None:
    size = (0.06, 0.06, 0.08) if model in ROUND_MODELS else (0.08, 0.06, 0.05)
    world.reset(objects=[spec("mesh", model, size)])
    points = world.render().points_base()
    truth = world.truth()
    seen = truth.objects[0].box.pose.inverse().transform(points[truth.labels == 0])
    assert truth.objects[0].spec.box.pose.distance_to(truth.objects[0].box.pose)[0] < 0.0005
    assert (np.abs(seen) < 0.5 * np.array(size) + 0.0005).all()
    assert seen[:, 2].max() > 0.5 * size[2] - 0.003


def test_a_sphere_is_round(world: World) -> None:
    world.reset(objects=[spec("sphere", "", (0.06, 0.06, 0.06))])
    points = world.render().points_base()
    truth = world.truth()
    distance = np.linalg.norm(points[truth.labels == 0] - truth.objects[0].box.centre, axis=1)
    assert np.abs(distance - 0.03).max() < 0.0006


def test_the_camera_moves_with_its_mast(world: World) -> None:
    home = world.view.base_T_camera
    world.reset(objects=[spec("mesh", "arch", (0.08, 0.06, 0.05))])
    world.move_camera(Pose.looking_at(np.array([0.5, 0.8, 0.6]), np.array([0.5, 0.0, 0.0])))
    frame = world.render()
    seen = frame.points_base()[world.truth().labels == 0]
    world.move_camera(home)
    assert frame.base_T_camera.position[1] == pytest.approx(0.8)
    assert seen[:, 2].max() == pytest.approx(0.05, abs=0.0005)


def test_parts_are_written_once(tmp_path: Path) -> None:
    first = write_parts("arch", tmp_path)
    times = [path.stat().st_mtime_ns for path in first]
    assert [path.stat().st_mtime_ns for path in write_parts("arch", tmp_path)] == times
    assert len(trimesh.load(first[0]).faces) == 12


def test_wrong_models_are_named() -> None:
    with pytest.raises(UnknownNameError, match="teapot"):
        spec("mesh", "teapot", (0.05, 0.05, 0.05))
    with pytest.raises(InvalidValueError, match="only a mesh has a model"):
        spec("box", "cup", (0.05, 0.05, 0.05))
    with pytest.raises(InvalidValueError, match="cup's x and y"):
        spec("mesh", "cup", (0.05, 0.06, 0.05))
    with pytest.raises(InvalidValueError, match="sphere's extents"):
        spec("sphere", "", (0.05, 0.05, 0.06))
    with pytest.raises(UnknownNameError, match="ball"):
        mesh_parts("bell")
