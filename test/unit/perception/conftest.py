# SPDX-License-Identifier: Apache-2.0
"""Exact synthetic RGB-D frames by ray casting, so that perception is tested without a simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.config import Workspace
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception import PerceptionOptions

TABLE_RGB = (190, 170, 140)


@dataclass(frozen=True)
class Body:
    """A solid in the base frame: a box, a cylinder along its own z, a sphere (diameter in size), or convex parts.

    Args:
        planes: (K, 4) outward normals and offsets of the faces of each convex part, in the body's own frame.
    """

    shape: str
    size: tuple[float, float, float]
    pose: Pose
    rgb: tuple[int, int, int]
    planes: tuple[np.ndarray, ...] = ()

    def hit(self, origin: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ray parameter (inf: missed) and outward normal at the nearest hit; (N,), (N, 3)."""
        inverse = self.pose.inverse()
        o, d = inverse.transform(origin), rays @ inverse.axes.T
        half = 0.5 * np.array(self.size)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.planes:
                hits = [_hit_convex(o, d, part) for part in self.planes]
                t, normal = np.array([hit[0] for hit in hits]), np.array([hit[1] for hit in hits])
                nearest = t.argmin(axis=0), np.arange(len(d))
                return t[nearest], normal[nearest] @ self.pose.axes.T
            t, normal = {"box": _hit_box, "cylinder": _hit_cylinder, "sphere": _hit_sphere}[self.shape](
                o, d, half
            )
        return t, normal @ self.pose.axes.T


def _hit_box(o: np.ndarray, d: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    near, far = (-half * np.sign(d) - o) / d, (half * np.sign(d) - o) / d
    axis = near.argmax(axis=1)
    t = near.max(axis=1)
    normal = np.zeros_like(d)
    normal[np.arange(len(d)), axis] = -np.sign(d[np.arange(len(d)), axis])
    return np.where((t <= far.min(axis=1)) & (t > 0), t, np.inf), normal


def _hit_convex(o: np.ndarray, d: np.ndarray, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    slope, beyond = d @ planes[:, :3].T, planes[:, :3] @ o + planes[:, 3]
    at = -beyond / slope
    near, far = np.where(slope < 0, at, -np.inf), np.where(slope > 0, at, np.inf)
    t, face = near.max(axis=1), near.argmax(axis=1)
    hit = (t <= far.min(axis=1)) & (t > 0) & ~((slope == 0) & (beyond > 0)).any(axis=1)
    return np.where(hit, t, np.inf), planes[face, :3]


def _hit_sphere(o: np.ndarray, d: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b, c = (d * d).sum(1), d @ o, o @ o - half[0] ** 2
    root = b * b - a * c
    t = np.where(root >= 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    finite = np.where(np.isfinite(t), t, 0.0)
    return t, (o + finite[:, None] * d) / half[0]


def _hit_cylinder(o: np.ndarray, d: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b, c = (d[:, :2] ** 2).sum(1), d[:, :2] @ o[:2], o[:2] @ o[:2] - half[0] ** 2
    root = b * b - a * c
    side = np.where(root >= 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    z = o[2] + np.where(np.isfinite(side), side, 0.0) * d[:, 2]
    side = np.where(np.abs(z) <= half[2], side, np.inf)
    cap = (half[2] * np.sign(o[2]) - o[2]) / d[:, 2]
    at = o[:2] + np.where(np.isfinite(cap), cap, 0.0)[:, None] * d[:, :2]
    cap = np.where(((at**2).sum(1) <= half[0] ** 2) & (cap > 0), cap, np.inf)
    t = np.minimum(side, cap)
    finite = np.where(np.isfinite(t), t, 0.0)
    point = o + finite[:, None] * d
    normal = np.where((side <= cap)[:, None], point * [1, 1, 0] / half[0], [0, 0, np.sign(o[2])])
    return t, normal


def box(
    x: float, y: float, size: Sequence[float], rgb: tuple[int, int, int], yaw: float = 0.0, floor: float = 0.0
) -> Body:
    return Body("box", tuple(size), Pose.from_yaw(np.array([x, y, floor + size[2] / 2]), yaw), rgb)


def cylinder(
    x: float, y: float, diameter: float, height: float, rgb: tuple[int, int, int], floor: float = 0.0
) -> Body:
    return Body("cylinder", (diameter, diameter, height), Pose(np.array([x, y, floor + height / 2])), rgb)


def ball(x: float, y: float, diameter: float, rgb: tuple[int, int, int]) -> Body:
    return Body("sphere", (diameter,) * 3, Pose(np.array([x, y, diameter / 2])), rgb)


def lying(x: float, y: float, diameter: float, length: float, rgb: tuple[int, int, int], yaw: float) -> Body:
    pose = Pose.from_xyz_rpy((x, y, diameter / 2), (0.0, np.pi / 2, yaw))
    return Body("cylinder", (diameter, diameter, length), pose, rgb)


def roof(x: float, y: float, size: tuple[float, float, float], rgb: tuple[int, int, int], yaw: float) -> Body:
    """A prism that lies on one of its faces, its ridge along its x."""
    a, b, h = 0.5 * np.array(size)
    corners = [(sx * a, sy * b, -h) for sx in (-1, 1) for sy in (-1, 1)] + [(-a, 0.0, h), (a, 0.0, h)]
    pose = Pose.from_yaw(np.array([x, y, h]), yaw)
    return Body("roof", size, pose, rgb, (ConvexHull(np.array(corners)).equations,))


def bottle(x: float, y: float, diameter: float, height: float, rgb: tuple[int, int, int]) -> Body:
    """A wide cylinder, a cone, and a neck of less than half the width."""
    angle = np.linspace(0.0, 2 * np.pi, 48, endpoint=False)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    profile = [(0.5, -0.5), (0.5, 0.08), (0.22, 0.26), (0.22, 0.5)]
    rings = [np.column_stack([diameter * r * circle, np.full(48, height * z)]) for r, z in profile]
    parts = tuple(ConvexHull(np.concatenate(pair)).equations for pair in pairwise(rings))
    pose = Pose(np.array([x, y, 0.5 * height]))
    return Body("bottle", (diameter, diameter, height), pose, rgb, parts)


def cast(
    bodies: Sequence[Body],
    *,
    eye: tuple[float, float, float] = (1.25, 0.0, 0.70),
    target: tuple[float, float, float] = (0.48, 0.0, 0.03),
    up: tuple[float, float, float] = (0.0, 0.0, 1.0),
    size: tuple[int, int] = (640, 480),
    noise_m: float = 0.0,
    table: bool = True,
    table_z: float = 0.0,
) -> CameraFrame:
    """Render bodies on a 1 m x 1.2 m table top."""
    width, height = size
    camera = Intrinsics.from_vertical_fov(width, height, np.deg2rad(42.0))
    pose = Pose.looking_at(eye, target, up)
    v, u = np.mgrid[:height, :width]
    local = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1)
    rays = local.reshape(-1, 3) @ pose.axes.T
    depth, color = np.full(len(rays), np.inf), np.zeros((len(rays), 3))
    light = np.array([0.4, -0.3, 0.87])
    everything = list(bodies)
    if table:
        everything.insert(
            0, Body("box", (1.0, 1.2, 0.04), Pose(np.array([0.5, 0.0, table_z - 0.02])), TABLE_RGB)
        )
    for body in everything:
        t, normal = body.hit(pose.position, rays)
        nearer = t < depth
        depth[nearer] = t[nearer]
        shade = 0.55 + 0.45 * np.clip(normal @ light, 0.0, 1.0)
        color[nearer] = (np.array(body.rgb) * shade[:, None])[nearer]
    depth[~np.isfinite(depth)] = 0.0
    if noise_m:
        noise = np.random.default_rng(0).normal(0.0, noise_m, depth.shape)
        depth = np.where(depth > 0, depth + noise * depth**2, 0.0)
    return CameraFrame(
        color.reshape(height, width, 3).astype(np.uint8),
        depth.reshape(height, width).astype(np.float32),
        camera,
        pose,
    )


@pytest.fixture(name="bodies", scope="session")
def bodies_fixture() -> dict[str, Callable[..., Body]]:
    return {"box": box, "cylinder": cylinder, "ball": ball, "lying": lying, "roof": roof, "bottle": bottle}


@pytest.fixture(name="cast", scope="session")
def cast_fixture() -> Callable[..., CameraFrame]:
    return cast


@pytest.fixture(scope="session")
def options() -> PerceptionOptions:
    return PerceptionOptions(
        workspace=Workspace(np.array([0.22, -0.45, -0.02]), np.array([0.85, 0.45, 0.40]))
    )
