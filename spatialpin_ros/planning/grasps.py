# SPDX-License-Identifier: Apache-2.0
"""Grasp candidates of a parallel gripper from an object's box or cylinder, best first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.scene import SceneObject

_CYLINDER_STEP_DEG = 15
_TILTS_DEG = (20.0, -20.0, 40.0, -40.0)
_SIDES_DEG = (80.0, -80.0)


@dataclass(frozen=True, slots=True)
class GraspOptions:
    """Clearances of a grasp.

    Args:
        opening_margin_m: room left on each side of the object when the fingers are opened for it.
        least_margin_m: least such room when the opening of the hand does not allow more.
        tip_clearance_m: least height of the finger tips above the object's underside: they must miss the
            support when the object is taken, and the target when it is put down.
        palm_clearance_m: least distance of the object's top from the palm.
        below_centre_m: how far below the object's centre the fingers close, if there is room.
    """

    opening_margin_m: float = 0.010
    least_margin_m: float = 0.003
    tip_clearance_m: float = 0.006
    palm_clearance_m: float = 0.004
    below_centre_m: float = 0.003


@dataclass(frozen=True, slots=True, eq=False)
class Grasp:
    """One way to hold an object.

    Args:
        name: readable, unique among an object's candidates.
        base_T_tcp: pose of the TCP at the grasp.
        object_T_tcp: the same in the object's box frame.
        width_m: extent of the object between the pads.
        opening_m: opening before closing and after release.
        tier: 0 straight from above, 1 tilted, 2 from the side; lower ones are tried first.
        score: preference within a tier, higher is better.
    """

    name: str
    base_T_tcp: Pose
    object_T_tcp: Pose
    width_m: float
    opening_m: float
    tier: int
    score: float


def widths_across(item: SceneObject) -> tuple[float, ...]:
    """Extents [m] across which fingers from above could close, narrowest first."""
    vertical = _vertical_axis(item)
    return tuple(sorted(float(item.size[k]) for k in range(3) if k != vertical))


def widest_graspable(robot: RobotModel, options: GraspOptions) -> float:
    """Widest extent that the gripper takes with the least margin on both sides [m]."""
    return robot.config.gripper.max_width_m - 2.0 * options.least_margin_m


def grasp_candidates(
    robot: RobotModel, item: SceneObject, options: GraspOptions | None = None
) -> Iterator[Grasp]:
    """All grasps that fit the gripper, best first; none when the object is too wide.

    Boxes are closed across each horizontal axis, both ways round; upright cylinders and spheres every 15
    degrees. Grasps from above come first, then tilted ones, then ones from the side.
    """
    options = options or GraspOptions()
    widest = widest_graspable(robot, options)
    directions = [(direction, width) for direction, width in _closing_directions(item) if width <= widest]
    for tier, tilts in enumerate(((0.0,), _TILTS_DEG, _SIDES_DEG)):
        tried = (_grasp(robot, item, *way, tilt, tier, options) for way in directions for tilt in tilts)
        yield from sorted((grasp for grasp in tried if grasp is not None), key=lambda grasp: -grasp.score)


def _vertical_axis(item: SceneObject) -> int:
    return int(np.argmax(np.abs(item.box.pose.axes[2])))


def _closing_directions(item: SceneObject) -> list[tuple[FloatArray, float]]:
    """Horizontal unit vectors in the base frame to close along, both senses, and the extent along each."""
    vertical = _vertical_axis(item)
    horizontal = [k for k in range(3) if k != vertical]
    axes, size = item.box.pose.axes, item.size
    if item.shape == "sphere" or (item.shape == "cylinder" and vertical == 2):
        first = _flat(axes[:, horizontal[0]])
        turns = np.deg2rad(np.arange(0, 360, _CYLINDER_STEP_DEG))
        diameter = float(size[horizontal].max())
        return [(np.asarray(Rotation.from_rotvec([0.0, 0.0, turn]).apply(first)), diameter) for turn in turns]
    return [(sign * _flat(axes[:, k]), float(size[k])) for k in horizontal for sign in (1.0, -1.0)]


def _flat(axis: FloatArray) -> FloatArray:
    level = np.array([axis[0], axis[1], 0.0])
    return np.asarray(level / np.linalg.norm(level))


def _grasp(
    robot: RobotModel,
    item: SceneObject,
    closing: FloatArray,
    width: float,
    tilt_deg: float,
    tier: int,
    options: GraspOptions,
) -> Grasp | None:
    """The grasp that closes along a direction, its approach tilted about that direction; None when nothing fits."""
    height = _grasp_height(robot, item, options, tilt_deg)
    if height is None:
        return None
    down = np.asarray(Rotation.from_rotvec(np.deg2rad(tilt_deg) * closing).apply([0.0, 0.0, -1.0]))
    axes = np.column_stack([np.cross(closing, down), closing, down])
    position = np.array([item.centre[0], item.centre[1], height])
    base_T_tcp = Pose(position, Rotation.from_matrix(axes).as_quat())
    limit = robot.config.gripper.max_width_m
    opening = min(limit, width + 2.0 * options.opening_margin_m)
    heading = float(np.rad2deg(np.arctan2(closing[1], closing[0])))
    kind = ("from above", f"tilted {tilt_deg:+.0f} deg", f"from the side {tilt_deg:+.0f} deg")[tier]
    score = 1.0 - width / limit - abs(tilt_deg) / 180.0
    name = f"{kind}, closing {width * 1000:.0f} mm along {heading:.0f} deg"
    return Grasp(name, base_T_tcp, item.box.pose.inverse() @ base_T_tcp, width, opening, tier, score)


def _grasp_height(
    robot: RobotModel, item: SceneObject, options: GraspOptions, tilt_deg: float
) -> float | None:
    """Height of the TCP: a little below the centre, tips clear of the support, palm clear of the top."""
    slope = float(np.cos(np.deg2rad(tilt_deg)))
    half_finger = robot.config.gripper.finger_thickness_m / 2.0
    tips_below = robot.tip_beyond_tcp_m * slope + half_finger * float(np.sin(np.deg2rad(abs(tilt_deg))))
    lowest = item.box.bottom_z + options.tip_clearance_m + tips_below
    wanted = float(item.centre[2]) - (0.0 if item.shape == "sphere" else options.below_centre_m)
    height = max(wanted, lowest)
    if abs(tilt_deg) < 60.0:
        # The object's upper corner must stay below the palm, a plane tilted with the hand.
        sideways = (
            float(
                item.size.max()
                if item.shape == "sphere"
                else np.delete(item.size, _vertical_axis(item)).max()
            )
            / 2.0
        )
        room = robot.palm_behind_tcp_m - options.palm_clearance_m
        room -= sideways * float(np.sin(np.deg2rad(abs(tilt_deg))))
        height = max(height, item.box.top_z - room / slope)
    return height if height < item.box.top_z - 0.004 else None
