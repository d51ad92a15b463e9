# SPDX-License-Identifier: Apache-2.0
"""Bodies of scene objects for free-flying motion: as for the arm, but hollow meshes keep their hollow."""

from __future__ import annotations

from typing import Any

import coal
import numpy as np
from scipy.spatial import ConvexHull, QhullError

from spatialpin_ros.arrays import FloatArray, Int32Array
from spatialpin_ros.config import Workspace
from spatialpin_ros.planning.obstacles import Obstacle, body_of, scene_obstacles
from spatialpin_ros.scene import Scene, SceneObject

_HOLLOW_RATIO = 0.9


def exact_body(item: SceneObject) -> Any:
    """Collision geometry in the box frame: its primitive or convex hull, or the triangles of a closed concave mesh."""
    if item.mesh is None or len(item.mesh.vertices) < 4:
        return body_of(item)
    vertices, triangles = item.box.pose.inverse().transform(item.mesh.vertices), item.mesh.triangles
    if not _closed(triangles):
        return body_of(item)
    hull = _convex_volume(vertices)
    if hull <= 0.0 or abs(_volume(vertices, triangles)) > _HOLLOW_RATIO * hull:
        return body_of(item)
    return _triangles(vertices, triangles)


def obstacles_around(scene: Scene, object_id: str, workspace: Workspace) -> tuple[Obstacle, ...]:
    """Everything that the moving object must not hit; the workspace walls are bounds of its centre instead.

    Points that belong to no object are left out within 20 mm of the moving object: they are leftovers of it.
    """
    moving = scene.object(object_id)
    found = scene_obstacles(scene, workspace, clear_of=(moving.box,))
    exact = {item.id: item for item in scene.objects if item.mesh is not None}
    return tuple(
        Obstacle(item.name, exact_body(exact[item.name]), item.pose, item.kind)
        if item.kind == "object" and item.name in exact
        else item
        for item in found
        if item.kind != "wall" and item.name != object_id
    )


def _closed(triangles: Int32Array) -> bool:
    """Tell whether every edge is shared by exactly two triangles, once in each direction."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    forward = edges[:, 0].astype(np.int64) * (2**31) + edges[:, 1]
    backward = edges[:, 1].astype(np.int64) * (2**31) + edges[:, 0]
    return len(np.unique(forward)) == len(forward) and bool(np.isin(backward, forward).all())


def _volume(vertices: FloatArray, triangles: Int32Array) -> float:
    first, second, third = (vertices[triangles[:, corner]] for corner in range(3))
    return float(np.einsum("ij,ij->i", first, np.cross(second, third)).sum() / 6.0)


def _convex_volume(vertices: FloatArray) -> float:
    try:
        return float(ConvexHull(vertices).volume)
    except QhullError:
        return 0.0


def _triangles(vertices: FloatArray, triangles: Int32Array) -> Any:
    points, faces = coal.StdVec_Vec3s(), coal.StdVec_Triangle()
    points.extend(list(np.asarray(vertices, dtype=np.float64)))
    faces.extend([coal.Triangle(*(int(index) for index in triangle)) for triangle in triangles])
    model = coal.BVHModelOBBRSS()
    model.beginModel(len(triangles), len(vertices))
    model.addSubModel(points, faces)
    model.endModel()
    return model
