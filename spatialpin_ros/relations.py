# SPDX-License-Identifier: Apache-2.0
"""Geometric relations between objects, each defined once, in a named frame: viewer, gravity or an object's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import FloatArray, read_only
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.obb import obb_distance
from spatialpin_ros.scene import Scene, SceneObject

Direction = Literal["left_of", "right_of", "in_front_of", "behind", "above", "below"]
UP = read_only(np.array([0.0, 0.0, 1.0]), "up", (3,))
DIRECTION_MARGIN_M = 0.005
CONTACT_TOLERANCE_M = 0.01

_AXIS_AND_SIGN: dict[str, tuple[int, float]] = {
    "left_of": (0, -1.0),
    "right_of": (0, 1.0),
    "in_front_of": (1, 1.0),
    "behind": (1, -1.0),
    "above": (2, 1.0),
    "below": (2, -1.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceFrame:
    """Directions that spatial words refer to.

    Args:
        name: "viewer", "gravity" or "object:<id>".
        axes: (3, 3) rows are the unit vectors right, front and up in the base frame; front points to where
            "in front of" is: towards the viewer in the viewer's frame, along +x in an object's own.
        horizontal: False when only up is defined (gravity).
    """

    name: str
    axes: FloatArray
    horizontal: bool = True

    def components(self, vectors: npt.ArrayLike) -> FloatArray:
        """(..., 3) base-frame vectors as (..., 3) right, front and up components."""
        return np.asarray(np.asarray(vectors, dtype=np.float64) @ self.axes.T)

    def vector(self, right: float = 0.0, front: float = 0.0, up: float = 0.0) -> FloatArray:
        """(3,) base-frame vector with the given components."""
        return np.asarray(np.array([right, front, up]) @ self.axes)


def viewer_frame(base_T_camera: Pose) -> ReferenceFrame:
    """Frame of whoever looks through the camera: right is the image's right made horizontal, up is against gravity.

    Raises:
        InvalidValueError: when the camera is rolled on its side, so that image right is vertical.
    """
    right = base_T_camera.axes[:, 0] * np.array([1.0, 1.0, 0.0])
    length = float(np.linalg.norm(right))
    if length < 0.2:
        raise InvalidValueError(
            "viewer frame: the camera is rolled by about 90 degrees, left and right are undefined"
        )
    right = right / length
    return ReferenceFrame("viewer", np.vstack([right, np.cross(right, UP), UP]))


def gravity_frame() -> ReferenceFrame:
    """Frame in which only up and down are defined."""
    return ReferenceFrame("gravity", np.vstack([np.zeros((2, 3)), UP]), horizontal=False)


def object_frame(item: SceneObject) -> ReferenceFrame:
    """An object's own frame (REP-103): front is its x axis, right its -y axis, up its z axis."""
    axes = item.box.pose.axes
    return ReferenceFrame(f"object:{item.id}", np.vstack([-axes[:, 1], axes[:, 0], axes[:, 2]]))


def offset(a: SceneObject, b: SceneObject, frame: ReferenceFrame) -> FloatArray:
    """(3,) right, front and up components of a's centre seen from b's centre [m]."""
    return frame.components(a.centre - b.centre)


def offsets(objects: Sequence[SceneObject], frame: ReferenceFrame) -> FloatArray:
    """(N, N, 3) components of centre i seen from centre j [m]; antisymmetric in i, j."""
    centres = np.array([item.centre for item in objects]).reshape(-1, 3)
    return frame.components(centres[:, None] - centres[None])


def holds(
    direction: Direction,
    a: SceneObject,
    b: SceneObject,
    frame: ReferenceFrame,
    margin_m: float = DIRECTION_MARGIN_M,
) -> bool:
    """Tell whether a's centre lies in the given direction of b's centre by more than `margin_m`.

    Raises:
        InvalidValueError: on an unknown direction, or a horizontal one in the gravity frame.
    """
    if direction not in _AXIS_AND_SIGN:
        raise InvalidValueError(f"direction '{direction}' is none of {get_args(Direction)}")
    axis, sign = _AXIS_AND_SIGN[direction]
    if axis < 2 and not frame.horizontal:
        raise InvalidValueError(
            f"'{direction}' has no meaning in the {frame.name} frame; use the viewer's or an object's"
        )
    return bool(sign * offset(a, b, frame)[axis] > margin_m)


def directional_offset(direction: Direction, a: SceneObject, b: SceneObject, frame: ReferenceFrame) -> float:
    """How far a's centre lies from b's in a direction, negative on the other side [m].

    Raises:
        InvalidValueError: on a horizontal direction in the gravity frame.
    """
    axis, sign = _AXIS_AND_SIGN[direction]
    if axis < 2 and not frame.horizontal:
        raise InvalidValueError(f"'{direction}' has no meaning in the {frame.name} frame")
    return sign * float(offset(a, b, frame)[axis])


def left_of(
    a: SceneObject, b: SceneObject, frame: ReferenceFrame, margin_m: float = DIRECTION_MARGIN_M
) -> bool:
    return holds("left_of", a, b, frame, margin_m)


def right_of(
    a: SceneObject, b: SceneObject, frame: ReferenceFrame, margin_m: float = DIRECTION_MARGIN_M
) -> bool:
    return holds("right_of", a, b, frame, margin_m)


def in_front_of(
    a: SceneObject, b: SceneObject, frame: ReferenceFrame, margin_m: float = DIRECTION_MARGIN_M
) -> bool:
    return holds("in_front_of", a, b, frame, margin_m)


def behind(
    a: SceneObject, b: SceneObject, frame: ReferenceFrame, margin_m: float = DIRECTION_MARGIN_M
) -> bool:
    return holds("behind", a, b, frame, margin_m)


def above(a: SceneObject, b: SceneObject, margin_m: float = DIRECTION_MARGIN_M) -> bool:
    """Tell whether a's centre is higher than b's (gravity frame), wherever they stand."""
    return holds("above", a, b, gravity_frame(), margin_m)


def below(a: SceneObject, b: SceneObject, margin_m: float = DIRECTION_MARGIN_M) -> bool:
    """Tell whether a's centre is lower than b's (gravity frame), wherever they stand."""
    return holds("below", a, b, gravity_frame(), margin_m)


def dominant_direction(a: SceneObject, b: SceneObject, frame: ReferenceFrame) -> Direction:
    """Name the axis direction in which a lies most from b."""
    components = offset(a, b, frame)
    axis = int(np.argmax(np.abs(components)))
    sign = 1.0 if components[axis] >= 0.0 else -1.0
    names = [name for name in get_args(Direction) if _AXIS_AND_SIGN[name] == (axis, sign)]
    return names[0]  # type: ignore[no-any-return]


def centre_distance(a: SceneObject, b: SceneObject) -> float:
    """Distance between the box centres [m]."""
    return float(np.linalg.norm(a.centre - b.centre))


def horizontal_distance(a: SceneObject, b: SceneObject) -> float:
    """Horizontal distance between the box centres [m]."""
    return float(np.linalg.norm((a.centre - b.centre)[:2]))


def height_difference(a: SceneObject, b: SceneObject) -> float:
    """How much higher a's centre is than b's [m]."""
    return float(a.centre[2] - b.centre[2])


def surface_gap(a: SceneObject, b: SceneObject) -> float:
    """Smallest distance between the two objects' boxes, 0 when they touch or overlap [m]; a sphere counts as one.

    A sphere's centre is measured to the other box, less its radius.
    """
    radii = [float(item.size.min()) / 2.0 if item.shape == "sphere" else 0.0 for item in (a, b)]
    boxes = [
        OrientedBox(item.box.pose, np.full(3, 1e-9)) if item.shape == "sphere" else item.box
        for item in (a, b)
    ]
    return max(0.0, obb_distance(boxes[0], boxes[1]) - sum(radii))


def near(a: SceneObject, b: SceneObject) -> bool:
    """Tell whether the gap between a and b is at most the mean of their longest sides."""
    return surface_gap(a, b) <= 0.5 * (float(a.size.max()) + float(b.size.max()))


def rests_on(a: SceneObject, b: SceneObject, tolerance_m: float = CONTACT_TOLERANCE_M) -> bool:
    """Tell from the boxes alone whether a's bottom is at b's top and a's centre stands over b's box."""
    over = OrientedBox(b.box.pose, b.size + 2.0 * tolerance_m).contains(
        np.array([*a.centre[:2], min(a.box.bottom_z, b.box.top_z)])
    )
    return abs(a.box.bottom_z - b.box.top_z) <= tolerance_m and bool(over)


def on(a: SceneObject, b: SceneObject) -> bool:
    """Tell whether the scene says that b carries a directly."""
    return a.supported_by == b.id


def all_carried_by(scene: Scene, carrier_id: str) -> tuple[SceneObject, ...]:
    """Everything that stands on the carrier, directly or on something it carries, lowest first."""
    found: list[SceneObject] = []
    level = [carrier_id]
    while level:
        found += (
            layer := [item for item in scene.objects if item.supported_by in level and item not in found]
        )
        level = [item.id for item in layer]
    return tuple(found)


def vertical_axis(box: OrientedBox) -> tuple[int, float]:
    """Index of the box axis nearest to vertical, and its tilt from vertical [rad]."""
    alignment = np.abs(box.pose.axes[2])
    index = int(np.argmax(alignment))
    return index, float(np.arccos(min(1.0, float(alignment[index]))))


def horizontal_sides(item: SceneObject) -> tuple[float, float]:
    """The two sides of the box that are not vertical, longer first [m]."""
    index, _ = vertical_axis(item.box)
    sides = np.sort(np.delete(item.size, index))
    return float(sides[1]), float(sides[0])


def height(item: SceneObject) -> float:
    """Side of the box that is nearest to vertical [m]."""
    return float(item.size[vertical_axis(item.box)[0]])


def width(item: SceneObject) -> float:
    """Longer horizontal side [m]."""
    return horizontal_sides(item)[0]


def depth(item: SceneObject) -> float:
    """Shorter horizontal side [m]."""
    return horizontal_sides(item)[1]


def volume(item: SceneObject) -> float:
    """Volume of the solid: the box, or the cylinder or sphere inscribed in it [m^3]."""
    share = {"cylinder": np.pi / 4.0, "sphere": np.pi / 6.0}.get(item.shape, 1.0)
    return item.box.volume * float(share)


MEASURES = {"size": volume, "height": height, "width": width, "depth": depth}
