# SPDX-License-Identifier: Apache-2.0
"""Cameras of the simulated world: exact pinhole matrices for PyBullet's renderer, and the views people look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spatialpin_ros.arrays import Float32Array, FloatArray, Int32Array, UInt8Array
from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.config import CameraConfig
from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.geometry import Pose


@dataclass(frozen=True, slots=True)
class Lighting:
    """Light of a rendering: direction towards the lamp, its parts, and whether it casts shadows."""

    direction: tuple[float, float, float] = (0.5, 0.7, 1.6)
    ambient: float = 0.62
    diffuse: float = 0.42
    specular: float = 0.05
    shadow: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A pinhole view: where it stands, its intrinsics, depth range [m] and light."""

    base_T_camera: Pose
    intrinsics: Intrinsics
    near_m: float = 0.1
    far_m: float = 3.0
    lighting: Lighting = Lighting()

    @classmethod
    def from_config(cls, camera: CameraConfig) -> View:
        """View of a configured camera in its parent frame, with the intrinsics that the renderer really has."""
        image = camera.image
        fov_rad = np.deg2rad(image.vertical_fov_deg)
        return cls(
            camera.parent_T_camera,
            renderer_intrinsics(image.width, image.height, fov_rad),
            image.near_m,
            image.far_m,
        )


def renderer_intrinsics(width: int, height: int, vertical_fov_rad: float) -> Intrinsics:
    """Intrinsics of PyBullet's TinyRenderer: cx = W / 2, cy = H / 2 - 1, pixel centres at whole numbers.

    Its viewport maps the middle of the clip space to (W / 2, H / 2) and its rows are counted from the bottom.
    """
    focal = height / (2.0 * np.tan(vertical_fov_rad / 2.0))
    return Intrinsics(width, height, focal, focal, width / 2.0, height / 2.0 - 1.0, "simulation")


SNAPSHOT_VIEWS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float], float]] = {
    "overview": ((0.95, -1.42, 0.90), (0.63, 0.0, 0.24), 44.0),
    "close": ((0.98, -0.80, 0.55), (0.50, 0.0, 0.13), 44.0),
    "top": ((0.53, 0.0, 1.45), (0.50, 0.0, 0.0), 42.0),
}
"""Views people look at: eye [m], target [m] and vertical field of view [degrees]."""


def snapshot_view(name: str, width: int = 480, height: int = 360) -> View:
    """Return a view of the workcell for people: warm light and shadows.

    Raises:
        UnknownNameError: lists the views that exist.
    """
    if name not in SNAPSHOT_VIEWS:
        raise UnknownNameError(name, sorted(SNAPSHOT_VIEWS), "view")
    eye, target, fov_deg = SNAPSHOT_VIEWS[name]
    lighting = Lighting((0.6, -0.5, 1.5), ambient=0.52, diffuse=0.50, specular=0.12, shadow=True)
    intrinsics = renderer_intrinsics(width, height, np.deg2rad(fov_deg))
    return View(Pose.looking_at(np.array(eye), np.array(target)), intrinsics, 0.05, 8.0, lighting)


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """What the renderer returns: (H, W, 3) colour, (H, W) z-depth [m] (0 beyond range), (H, W) body ids (-1: none)."""

    color: UInt8Array
    depth_m: Float32Array
    bodies: Int32Array


def with_backdrop(picture: Rendering, bodies: tuple[int, ...]) -> UInt8Array:
    """Return the (H, W, 3) colour with the given bodies (-1: the void) replaced by a soft studio backdrop."""
    height = len(picture.color)
    shade = np.linspace(0.0, 1.0, height)[:, None, None]
    top, bottom = np.array([247.0, 249.0, 251.0]), np.array([196.0, 204.0, 213.0])
    backdrop = (top * (1.0 - shade) + bottom * shade).astype(np.uint8)
    return np.where(np.isin(picture.bodies, bodies)[..., None], backdrop, picture.color)


def view_matrix(base_T_camera: Pose) -> list[float]:
    """OpenGL view matrix, column-major, of an optical frame (OpenGL looks along -z with y up)."""
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    matrix: FloatArray = flip @ base_T_camera.inverse().matrix
    return [float(value) for value in matrix.T.ravel()]


def projection_matrix(view: View) -> list[float]:
    """OpenGL projection matrix, column-major, of a symmetric frustum."""
    k, near, far = view.intrinsics, view.near_m, view.far_m
    matrix = np.zeros((4, 4))
    matrix[0, 0], matrix[1, 1] = 2.0 * k.fx / k.width, 2.0 * k.fy / k.height
    matrix[2, 2], matrix[2, 3] = -(far + near) / (far - near), -2.0 * far * near / (far - near)
    matrix[3, 2] = -1.0
    return [float(value) for value in matrix.T.ravel()]


def render(bullet: Any, client: int, view: View) -> Rendering:
    """Render one view with the software renderer (no display, no GPU)."""
    k, light = view.intrinsics, view.lighting
    width, height, rgba, buffer, bodies = bullet.getCameraImage(
        k.width,
        k.height,
        view_matrix(view.base_T_camera),
        projection_matrix(view),
        lightDirection=light.direction,
        lightDistance=3.0,
        shadow=int(light.shadow),
        lightAmbientCoeff=light.ambient,
        lightDiffuseCoeff=light.diffuse,
        lightSpecularCoeff=light.specular,
        renderer=bullet.ER_TINY_RENDERER,
        physicsClientId=client,
    )
    color = np.ascontiguousarray(np.asarray(rgba, dtype=np.uint8).reshape(height, width, 4)[..., :3])
    clip = np.asarray(buffer, dtype=np.float32).reshape(height, width)
    near, far = np.float32(view.near_m), np.float32(view.far_m)
    depth = far * near / (far - (far - near) * clip)
    depth[clip >= 1.0] = 0.0
    return Rendering(color, depth, np.asarray(bodies, dtype=np.int32).reshape(height, width))
