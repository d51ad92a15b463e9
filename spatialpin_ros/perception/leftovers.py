# SPDX-License-Identifier: Apache-2.0
"""What stands above the table and belongs to no object, in words: it is an obstacle, and nobody can ask for it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spatialpin_ros.scene import Scene

_CELL_M = 0.015


def leftover_notes(scene: Scene, least_points: int) -> tuple[str, ...]:
    """One sentence for each thing that is in the way but could not be made an object.

    Args:
        scene: with its unexplained points.
        least_points: fewer in one place are crumbs along the edges of objects.
    """
    points = scene.unexplained[:, :2].astype(np.float64)
    if len(points) < least_points:
        return ()
    cells = np.floor((points - points.min(axis=0)) / _CELL_M).astype(np.intp)
    filled = np.zeros(cells.max(axis=0) + 1, dtype=np.bool_)
    filled[cells[:, 0], cells[:, 1]] = True
    places, count = ndimage.label(filled, np.ones((3, 3)))
    place = places[cells[:, 0], cells[:, 1]]
    sizes = np.bincount(place, minlength=count + 1)
    return tuple(
        "something at x {:.2f}, y {:.2f} m is an obstacle but no object: too little of it is seen, it is not seen to "
        "stand on anything, or the workspace cuts through it".format(*np.median(points[place == k], axis=0))
        for k in np.flatnonzero(sizes >= least_points)
    )
