# SPDX-License-Identifier: Apache-2.0
"""What the arm must not hit, as named convex bodies: objects, supports, walls, the camera, unexplained points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import coal
import numpy as np
import pinocchio as pin
from scipy.spatial import ConvexHull, QhullError

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.config import Workspace
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.scene import Scene, SceneObject, SupportSurface

Kind = Literal["object", "support", "wall", "fixture", "points"]
CAMERA, UNEXPLAINED = "camera", "unexplained points"
_CAMERA_RADIUS_M = 0.10
_WALL_M = 0.5
_SLAB_M = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Obstacle:
    """A named body in the base frame.

    Args:
        name: id of the scene object, name of the support, or a fixture's name.
        shape: coal collision geometry in the obstacle's own frame.
        pose: pose of that frame in the base frame.
        label: what people call it; by default its name.
        kind: "wall" bodies only stop the gripper and what it holds.
    """

    name: str
    shape: Any
    pose: Pose
    kind: Kind = "object"
    label: str = ""
    placement: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "placement", se3(self.pose))
        object.__setattr__(self, "label", self.label or self.name)

    def moved_to(self, pose: Pose) -> Obstacle:
        return Obstacle(self.name, self.shape, pose, self.kind, self.label)


def se3(pose: Pose) -> Any:
    """The pose as pinocchio's SE3."""
    return pin.SE3(pin.Quaternion(np.array(pose.quaternion)), np.array(pose.position))


def body_of(item: SceneObject) -> Any:
    """Collision geometry of a scene object in its box frame: its primitive, or the convex hull of its mesh."""
    size = item.size
    if item.shape == "cylinder":
        return coal.Cylinder(float(max(size[0], size[1]) / 2.0), float(size[2]))
    if item.shape == "sphere":
        return coal.Sphere(float(size.max() / 2.0))
    if item.shape == "unknown" and item.mesh is not None and len(item.mesh.vertices) >= 4:
        hull = _convex_or_none(item.box.pose.inverse().transform(item.mesh.vertices))
        if hull is not None:
            return hull
    return coal.Box(*(float(extent) for extent in size))


def object_obstacle(item: SceneObject) -> Obstacle:
    return Obstacle(item.id, body_of(item), item.box.pose, label=item.name)


def scene_obstacles(
    scene: Scene,
    workspace: Workspace,
    *,
    fixtures: tuple[Obstacle, ...] = (),
    clear_of: tuple[OrientedBox, ...] = (),
    voxel_m: float = 0.015,
) -> tuple[Obstacle, ...]:
    """All obstacles of a scene: table, other supports, objects, camera, unexplained points, workspace walls.

    Args:
        clear_of: boxes near which unexplained points are dropped: they are leftovers of things that move.
        voxel_m: edge of the cells that stand for the unexplained points [m].
    """
    found = [_table(scene.table, workspace)]
    found += [_slab(surface) for surface in scene.supports[1:]]
    found += [object_obstacle(item) for item in scene.objects]
    found.append(
        Obstacle(CAMERA, coal.Sphere(_CAMERA_RADIUS_M), Pose(scene.base_T_camera.position), "fixture")
    )
    points = np.asarray(scene.unexplained, dtype=np.float64)
    for box in clear_of:
        points = points[~box.contains(points, 0.02)]
    if len(points):
        found.append(Obstacle(UNEXPLAINED, coal.makeOctree(points, voxel_m), Pose(), "points"))
    return (*found, *fixtures, *walls(workspace))


def walls(workspace: Workspace) -> tuple[Obstacle, ...]:
    """Six thick walls around the workspace."""
    low, high = workspace.min, workspace.max
    centre, extent = (low + high) / 2.0, high - low
    found = []
    for axis in range(3):
        for sign, bound in ((-1.0, low[axis]), (1.0, high[axis])):
            size, position = extent + 2.0 * _WALL_M, centre.copy()
            size[axis], position[axis] = _WALL_M, bound + sign * _WALL_M / 2.0
            name = f"workspace {'min' if sign < 0 else 'max'} {'xyz'[axis]}"
            found.append(Obstacle(name, coal.Box(*size), Pose(position), "wall"))
    return tuple(found)


def _table(surface: SupportSurface, workspace: Workspace) -> Obstacle:
    """The table reaches under the whole workspace: what the camera sees of it is only a part."""
    seen = surface.outline_base
    low = np.minimum(seen.min(axis=0), workspace.min)[:2] - 0.1
    high = np.maximum(seen.max(axis=0), workspace.max)[:2] + 0.1
    local = surface.pose.inverse().transform(
        np.array([[x, y, surface.height_z] for x in (low[0], high[0]) for y in (low[1], high[1])])
    )
    span = local.max(axis=0) - local.min(axis=0)
    middle = (local.max(axis=0) + local.min(axis=0)) / 2.0
    shape = coal.Box(float(span[0]), float(span[1]), _SLAB_M)
    return Obstacle(
        surface.name, shape, surface.pose @ Pose(np.array([middle[0], middle[1], -_SLAB_M / 2.0])), "support"
    )


def _slab(surface: SupportSurface) -> Obstacle:
    outline = surface.outline
    thickness = min(_SLAB_M, max(0.01, surface.height_z / 2.0))
    corners = np.concatenate(
        [np.column_stack([outline, np.full(len(outline), z)]) for z in (0.0, -thickness)]
    )
    return Obstacle(surface.name, convex(corners), surface.pose, "support")


def convex(points: FloatArray) -> Any:
    """Convex hull of (N, 3) points as a coal shape.

    Raises:
        InvalidValueError: when the points are flat.
    """
    hull = _convex_or_none(points)
    if hull is None:
        raise InvalidValueError(
            f"{len(points)} points span no volume; a convex body needs 4 or more that are not in a plane"
        )
    return hull


def _convex_or_none(points: FloatArray) -> Any | None:
    try:
        corners = points[ConvexHull(points).vertices]
    except QhullError:
        return None
    vertices = coal.StdVec_Vec3s()
    vertices.extend([np.asarray(corner, dtype=np.float64) for corner in corners])
    return coal.Convex.convexHull(vertices, True, "Qt")
