# SPDX-License-Identifier: Apache-2.0
"""Signed distances of an object's poses to the rest of a scene by PyBullet, independent of coal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pybullet

from spatialpin_ros.scene import Scene, SceneObject

_FAR_M = 10.0


@contextmanager
def client() -> Iterator[int]:
    handle = pybullet.connect(pybullet.DIRECT)
    try:
        yield handle
    finally:
        pybullet.disconnect(handle)


def _shape(item: SceneObject, handle: int) -> int:
    size = item.size
    if item.shape == "cylinder":
        kind = {"radius": float(size[0] / 2), "height": float(size[2])}
        return pybullet.createCollisionShape(pybullet.GEOM_CYLINDER, physicsClientId=handle, **kind)
    if item.shape == "sphere":
        return pybullet.createCollisionShape(
            pybullet.GEOM_SPHERE, radius=float(size[0] / 2), physicsClientId=handle
        )
    return pybullet.createCollisionShape(
        pybullet.GEOM_BOX, halfExtents=(size / 2).tolist(), physicsClientId=handle
    )


def least_distances(scene: Scene, object_id: str, poses: np.ndarray) -> dict[str, float]:
    """Least signed distance [m] over (N, 7) poses to each other object (by id) and to "table"."""
    with client() as handle:
        bodies = {}
        for item in scene.objects:
            position, turned = item.box.pose.position.tolist(), item.box.pose.quaternion.tolist()
            bodies[item.id] = pybullet.createMultiBody(
                0, _shape(item, handle), -1, position, turned, physicsClientId=handle
            )
        slab = pybullet.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=[2, 2, 0.5], physicsClientId=handle
        )
        at = [0, 0, scene.table.height_z - 0.5]
        bodies["table"] = pybullet.createMultiBody(0, slab, -1, at, physicsClientId=handle)
        moving, least = bodies.pop(object_id), dict.fromkeys(bodies, np.inf)
        for pose in poses:
            pybullet.resetBasePositionAndOrientation(
                moving, pose[:3].tolist(), pose[3:].tolist(), physicsClientId=handle
            )
            for name, body in bodies.items():
                points = pybullet.getClosestPoints(moving, body, _FAR_M, physicsClientId=handle)
                least[name] = min(least[name], min(point[8] for point in points))
        return least
