# SPDX-License-Identifier: Apache-2.0
"""Objects that lean on another: seen as tilted boxes and cylinders, where upright primitives do not explain them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import make_object, make_scene
from scipy.spatial.transform import Rotation

from spatialpin_ros.angles import long_axis
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.perception.leaning import settle_leaning

PITCH_M = 0.0017


def seen_points(box: OrientedBox, shape: str, eye, rng) -> np.ndarray:
    """Points, 1.7 mm apart and 1 mm noisy along the ray, on what a camera sees of a primitive standing free."""
    half = 0.5 * box.size
    faces = []
    if shape == "cylinder":
        angle = np.arange(0.0, 2 * np.pi, PITCH_M / half[0])
        z = np.arange(-half[2], half[2], PITCH_M)
        a, z = (grid.ravel() for grid in np.meshgrid(angle, z))
        normal = np.column_stack([np.cos(a), np.sin(a), 0.0 * a])
        faces.append((normal * half[0] + np.column_stack([0 * a, 0 * a, z]), normal))
    else:
        for axis in range(3):
            u, v = (k for k in range(3) if k != axis)
            grid = np.meshgrid(np.arange(-half[u], half[u], PITCH_M), np.arange(-half[v], half[v], PITCH_M))
            for sign in (-1.0, 1.0):
                points = np.zeros((grid[0].size, 3))
                points[:, u], points[:, v], points[:, axis] = (
                    grid[0].ravel(),
                    grid[1].ravel(),
                    sign * half[axis],
                )
                faces.append((points, np.eye(3)[[axis]] * sign + 0.0 * points))
    points = box.pose.transform(np.concatenate([face for face, _ in faces]))
    normals = np.concatenate([normal for _, normal in faces]) @ box.pose.axes.T
    rays = points - eye
    visible = np.einsum("ij,ij->i", rays, normals) < -0.15 * np.linalg.norm(rays, axis=1)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    return (points + rays * rng.normal(0.0, 0.001, (len(points), 1)))[visible]


def leaning(shape: str, degrees: float, turn: float, fitted: bool = False):
    """A block and a thing that lies over its edge, given as an upright box around its points; and the true box."""
    angle = np.deg2rad(degrees)
    size = np.array([0.035, 0.035, 0.10]) if shape == "cylinder" else np.array([0.03, 0.042, 0.10])
    thick, height = size[0], 0.075 * np.sin(angle)
    rotation = Rotation.from_euler("y", np.pi / 2 - angle)
    centre = np.array([0.0, 0.0, 0.5 * (size[2] * np.sin(angle) + thick * np.cos(angle))])
    place = Pose(np.array([0.5, 0.0, 0.0]), Rotation.from_euler("z", turn).as_quat())
    true = OrientedBox(place @ Pose(centre, rotation.as_quat()), size)
    block = make_object("o2", "blue", "box", (0.05, 0.08, height), (0.0, 0.0))
    edge = 0.5 * size[2] * np.cos(angle) - 0.5 * thick * np.sin(angle)
    block_pose = place @ Pose.from_yaw((-edge + 0.075 * np.cos(angle) + 0.025, 0.0, 0.5 * height), 0.0)
    block = replace(block, box=OrientedBox(block_pose, block.size))
    scene = make_scene(block)
    points = seen_points(true, shape, scene.base_T_camera.position, np.random.default_rng(3))
    low, high = points.min(axis=0), points.max(axis=0)
    around = OrientedBox(Pose(0.5 * (low + high), np.array([0.0, 0.0, 0.0, 1.0])), high - low)
    red = make_object("o1", "red", "object", around.size)
    box, kind = (true, shape) if fitted else (around, "box")
    red = replace(red, box=box, shape=kind, points=points.astype(np.float32))
    return make_scene(red, block), true


@pytest.mark.parametrize("turn", [0.4, 2.0, -1.2])
@pytest.mark.parametrize("degrees", [20.0, 40.0, 60.0])
@pytest.mark.parametrize("shape", ["box", "cylinder"])
def test_the_inclination_is_found(shape, degrees, turn):
    scene, true = leaning(shape, degrees, turn)
    found = settle_leaning(scene).object("o1")
    assert found.shape == shape
    off = abs(float(long_axis(found) @ true.pose.axes[:, 2]))
    assert np.degrees(np.arccos(min(1.0, off))) < 3.0
    assert np.sort(found.size) == pytest.approx(np.sort(true.size), abs=0.008)
    assert found.centre == pytest.approx(true.centre, abs=0.006)
    assert found.supported_by == "table"
    assert found.box.bottom_z == pytest.approx(0.0, abs=0.008)


def test_pieces_of_one_colour_become_one():
    scene, _ = leaning("box", 45.0, 0.4)
    red = scene.object("o1")
    upper = red.points[:, 2] > np.median(red.points[:, 2])
    pieces = [
        replace(red, id=key, name=key, points=red.points[part])
        for key, part in (("o1", upper), ("o3", ~upper))
    ]
    found = settle_leaning(make_scene(*pieces, scene.object("o2")))
    assert sorted(found.names) == ["blue box", f"red {found.object('o1').label}"]
    assert len(found.object("o1").points) == len(red.points)


def test_nothing_leans_on_air():
    scene, _ = leaning("box", 40.0, 0.4)
    alone = make_scene(scene.object("o1"))
    assert settle_leaning(alone) is alone


def test_what_is_explained_is_left_alone():
    scene, _ = leaning("cylinder", 40.0, 0.4, fitted=True)
    assert settle_leaning(scene) is scene
    box = make_object("o1", "red", "box", (0.04, 0.06, 0.09), yaw_rad=0.5)
    points = seen_points(box.box, "box", make_scene().base_T_camera.position, np.random.default_rng(0))
    upright = make_scene(
        replace(box, points=points.astype(np.float32)), make_object("o2", "blue", at=(0.5, 0.06))
    )
    assert settle_leaning(upright) is upright


def test_a_scene_without_points_is_returned():
    scene = make_scene(make_object())
    assert settle_leaning(scene) is scene
