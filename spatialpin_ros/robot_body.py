# SPDX-License-Identifier: Apache-2.0
"""Where the robot itself is: convex bodies in the base frame, posed by the joint positions of one moment."""

from __future__ import annotations

from dataclasses import dataclass

from spatialpin_ros.arrays import FloatArray, read_only
from spatialpin_ros.errors import InvalidValueError


@dataclass(frozen=True, slots=True, eq=False)
class ConvexPart:
    """One convex body of a link: the points p with normals @ p <= offsets_m.

    Args:
        link: name of the link it belongs to.
        corners: (V, 3) corners in the base frame [m].
        normals: (F, 3) outward unit normals of its faces in the base frame.
        offsets_m: (F,) distances of the faces from the origin along their normals [m].
    """

    link: str
    corners: FloatArray
    normals: FloatArray
    offsets_m: FloatArray

    def __post_init__(self) -> None:
        corners = read_only(self.corners, f"corners of '{self.link}'", (None, 3))
        normals = read_only(self.normals, f"normals of '{self.link}'", (None, 3))
        if len(corners) < 4 or len(normals) < 4:
            raise InvalidValueError(
                f"body of link '{self.link}': needs 4 corners and 4 faces or more, got {len(corners)} and "
                f"{len(normals)}"
            )
        object.__setattr__(self, "corners", corners)
        object.__setattr__(self, "normals", normals)
        object.__setattr__(self, "offsets_m", read_only(self.offsets_m, "offsets", (len(normals),)))


@dataclass(frozen=True, slots=True)
class RobotBody:
    """All parts of a robot at one moment."""

    parts: tuple[ConvexPart, ...]
