# SPDX-License-Identifier: Apache-2.0
"""Angles of objects against the table, the viewer and each other, each defined once, modulo their symmetry [rad]."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import ReasoningError
from spatialpin_ros.geometry import OrientedBox
from spatialpin_ros.relations import UP, ReferenceFrame
from spatialpin_ros.scene import Scene, SceneObject, Shape

LONG_RATIO = 1.12
ALIKE_SHARE = 0.15
PARALLEL_RAD = float(np.deg2rad(10.0))
LEVEL_RAD = float(np.deg2rad(30.0))
UPRIGHT_RAD = float(np.deg2rad(60.0))
LEANING_RAD = float(np.deg2rad(10.0))


class UndefinedAngleError(ReasoningError):
    """The angle asked for does not exist for this object: it has no such axis, or is round about it."""


def has_long_axis(item: SceneObject) -> bool:
    """Whether one direction of an object stands out: a cylinder's axis, or a box's clearly longest side."""
    if item.shape == "cylinder":
        return True
    ordered = np.sort(item.size)
    return item.shape != "sphere" and bool(ordered[2] > LONG_RATIO * ordered[1])


def long_axis(item: SceneObject) -> FloatArray:
    """(3,) unit direction, without a sign, of a cylinder's axis or a box's longest side, in the base frame.

    Raises:
        UndefinedAngleError: for a sphere, and a box whose two longest sides are alike.
    """
    if not has_long_axis(item):
        why = "it is a ball" if item.shape == "sphere" else "its two longest sides are alike"
        raise UndefinedAngleError(f"the {item.name} has no long axis: {why}")
    index = 2 if item.shape == "cylinder" else int(np.argmax(item.size))
    return np.asarray(item.box.pose.axes[:, index])


def elevation(item: SceneObject, scene: Scene) -> float:
    """Angle between the object's long axis and the table plane, 0 (lies) to pi/2 (stands)."""
    normal = scene.table.pose.axes[:, 2]
    return float(np.arcsin(min(1.0, abs(float(long_axis(item) @ normal)))))


def tilt(item: SceneObject, scene: Scene) -> float:
    """Angle by which an object leans on the table: 0 when a side lies flat on it, or a cylinder lies or stands."""
    return lean(item.shape, OrientedBox(scene.table.pose.inverse() @ item.box.pose, item.size))


def rests_flat(item: SceneObject) -> bool:
    """Whether a side lies level, to 10 degrees (gravity); of a cylinder, whether it stands or lies."""
    return lean(item.shape, item.box) < LEANING_RAD


def lean(shape: Shape, box: OrientedBox) -> float:
    """Angle by which a box leans from the nearest pose on a side, a cylinder from standing or lying [rad]."""
    up = np.abs(box.pose.axes[2])
    nearest = max(float(up[2]), float(np.hypot(up[0], up[1]))) if shape == "cylinder" else float(up.max())
    return 0.0 if shape == "sphere" else float(np.arccos(min(1.0, nearest)))


def axis_angle(a: SceneObject, b: SceneObject) -> float:
    """Angle between the two long axes as lines in space, 0 to pi/2."""
    return float(np.arccos(min(1.0, abs(float(long_axis(a) @ long_axis(b))))))


def axis_heading(item: SceneObject, frame: ReferenceFrame) -> float:
    """Angle between the horizontal part of the long axis and the frame's left-right direction, 0 to pi/2.

    Raises:
        UndefinedAngleError: when the axis stands upright, or the frame has no left and right.
    """
    if not frame.horizontal:
        raise UndefinedAngleError(f"the {frame.name} frame has no left and right")
    right, front, up = frame.components(long_axis(item))
    if abs(up) > np.sin(UPRIGHT_RAD):
        raise UndefinedAngleError(f"the {item.name} has no heading: its long axis stands upright")
    return float(np.arctan2(abs(front), abs(right)))


def side_turn(a: SceneObject, b: SceneObject) -> float:
    """Smallest turn about the vertical that makes a's sides parallel to b's, 0 to pi/4.

    Raises:
        UndefinedAngleError: when one of them is round seen from above.
    """
    difference = (side_heading(a) - side_heading(b)) % (np.pi / 2)
    return float(min(difference, np.pi / 2 - difference))


def side_heading(item: SceneObject) -> float:
    """Heading of the object's horizontal sides in the base frame, modulo a quarter turn.

    Raises:
        UndefinedAngleError: for a sphere and an upright cylinder.
    """
    axes = item.box.pose.axes
    vertical = int(np.argmax(np.abs(axes[2])))
    if item.shape == "sphere" or (item.shape == "cylinder" and vertical == 2):
        raise UndefinedAngleError(f"the {item.name} has no sides to turn: it is round seen from above")
    side = axes[:, 2 if vertical != 2 else 0]
    return float(np.arctan2(side[1], side[0]) % (np.pi / 2))


def lies(item: SceneObject) -> bool:
    """Whether the long axis is within 30 degrees of level (gravity)."""
    return bool(abs(float(long_axis(item) @ UP)) < np.sin(LEVEL_RAD))


def stands(item: SceneObject) -> bool:
    """Whether the long axis is more than 60 degrees above level (gravity)."""
    return bool(abs(float(long_axis(item) @ UP)) > np.sin(UPRIGHT_RAD))


def turn_between(before: SceneObject, after: SceneObject) -> float:
    """Smallest rotation that takes one pose of an object to the other, modulo the symmetry of its shape, 0 to pi.

    Sides within 15% of each other count as alike, so a cube's turn is at most an eighth about the vertical and a
    square bar's a quarter about its axis. Of a cylinder only the axis is compared.

    Raises:
        UndefinedAngleError: for a sphere and a cylinder that stands upright in both: their turn cannot be seen.
    """
    if before.shape == "sphere" or after.shape == "sphere":
        raise UndefinedAngleError(f"a turn of the {before.name} cannot be seen: it is a ball")
    if "cylinder" in (before.shape, after.shape):
        if stands(before) and stands(after):
            raise UndefinedAngleError(
                f"a turn of the {before.name} cannot be seen: it is round and stands upright"
            )
        return axis_angle(before, after)
    return _smallest_rotation(before.box, after.box)


def _smallest_rotation(before: OrientedBox, after: OrientedBox) -> float:
    cosines = []
    first, second = before.pose.axes, after.pose.axes
    for order in permutations(range(3)):
        if not _alike(before.size, after.size[list(order)]):
            continue
        for signs in product((1.0, -1.0), repeat=3):
            axes = second[:, list(order)] * np.array(signs)
            if np.linalg.det(axes) > 0.0:
                cosines.append(0.5 * (float(np.einsum("ij,ij->", first, axes)) - 1.0))
    return float(np.arccos(np.clip(max(cosines), -1.0, 1.0)))


def _alike(size: FloatArray, other: FloatArray) -> bool:
    """Whether the sides may be the same ones; an equal ascending order always fits, or noise would match nothing."""
    if bool((np.argsort(size) == np.argsort(other)).all()):
        return True
    return bool((np.abs(size - other) <= ALIKE_SHARE * np.maximum(size, other)).all())
