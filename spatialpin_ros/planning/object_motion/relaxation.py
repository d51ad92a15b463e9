# SPDX-License-Identifier: Apache-2.0
"""What to aim for instead of a commanded goal that is blocked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.planning.object_motion.motions import (
    ObjectMotion,
    RotateSelf,
    RotateWref,
    TranslateTarObj,
)
from spatialpin_ros.planning.object_motion.options import ObjectMotionOptions
from spatialpin_ros.planning.object_motion.se3 import densify, displacements, interpolate
from spatialpin_ros.planning.object_motion.world import FreeBodyWorld

_SCAN_M = 0.002
_EXACT_M = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class GoalCandidate:
    """A pose to aim for.

    Args:
        goal: (7,) pose.
        plain: (K, 7) plain way to it from the start, or the one to raise by `lift_m` first.
        rule: how it differs from the commanded goal, in words; empty for the commanded goal.
        shift_m: displacement of any point of the body from the commanded goal [m].
        lift_m: height by which the plain way has to be raised, 0 for the way as it is [m].
    """

    goal: FloatArray
    plain: FloatArray
    rule: str = ""
    shift_m: float = 0.0
    lift_m: float = 0.0


def relaxed_goals(
    motion: ObjectMotion, nominal: FloatArray, world: FreeBodyWorld, options: ObjectMotionOptions
) -> Iterator[GoalCandidate]:
    """Free goals near a blocked one, in the order in which they are to be tried.

    - translate_tar_obj: the nearest free poses on the line from the goal back to the object (stop at contact)
      and straight above the goal, nearer first.
    - translate_direc_axis: on the line alone: the direction is kept, the distance shortened. A direction that
      leads downwards may also be levelled: its goal raised at most to the height of the start (two centres at
      different heights would else drive an object into the table), and that line shortened.
    - rotations: the full turn, raised just as far as it needs room (at most `max_lift_m`); then a smaller turn
      in place, the largest that is free.
    - all: as far along the plain way as is free without leaving it.

    A goal that keeps less than `least_progress` of the commanded motion is not offered.

    Args:
        nominal: (K, 7) plain way from the current pose to the commanded goal.
    """
    if isinstance(motion, (RotateSelf, RotateWref)):
        found = [*_raised(nominal, world, options), *_turned_less(nominal, world, options)]
    else:
        found = list(_on_line(nominal, world, options))
        if isinstance(motion, TranslateTarObj):
            found += _above(nominal, world, options.max_lift_m)
        else:
            found += _levelled(nominal, world, options)
        found = sorted(found, key=lambda item: item.shift_m)
    yield from found
    yield from _as_far_as_free(nominal, world, options)


def _on_line(
    nominal: FloatArray, world: FreeBodyWorld, options: ObjectMotionOptions
) -> Iterator[GoalCandidate]:
    start, goal = nominal[0], nominal[-1]
    distance = float(np.linalg.norm(goal[:3] - start[:3]))
    most = (1.0 - options.least_progress) * distance
    back = (
        first_free(world, lambda at: _between(goal, start, at / distance), most) if distance > 0.0 else None
    )
    if back is not None:
        pose = _between(goal, start, back / distance)
        rule = f"stopped {_mm(back)} short on the line to the goal, at contact"
        yield GoalCandidate(pose, np.stack([start, pose]), rule, back)


def _above(nominal: FloatArray, world: FreeBodyWorld, most_m: float) -> Iterator[GoalCandidate]:
    start, goal = nominal[0], nominal[-1]
    up = first_free(world, lambda at: raised(goal, at), most_m)
    if up is not None:
        pose = raised(goal, up)
        yield GoalCandidate(pose, np.stack([start, pose]), f"stays {_mm(up)} above the goal, at contact", up)


def _levelled(
    nominal: FloatArray, world: FreeBodyWorld, options: ObjectMotionOptions
) -> Iterator[GoalCandidate]:
    sinks = float(nominal[0, 2] - nominal[-1, 2])
    if sinks <= 0.0:
        return
    level = np.stack([nominal[0], raised(nominal[-1], sinks)])
    for item in _on_line(level, world, options):
        rule = f"kept level, {_mm(sinks)} above the goal"
        if item.shift_m > _SCAN_M:
            rule = f"{rule}, and {item.rule}"
        yield GoalCandidate(item.goal, item.plain, rule, float(np.hypot(item.shift_m, sinks)))


def _raised(
    nominal: FloatArray, world: FreeBodyWorld, options: ObjectMotionOptions
) -> Iterator[GoalCandidate]:
    """Heights at which the goal is free, and higher ones, where there may be room for the way there too."""
    up = first_free(world, lambda at: raised(nominal[-1], at), options.max_lift_m)
    heights = [] if up is None else [up, *np.arange(up + 0.02, min(up + 0.1, options.max_lift_m), 0.02)]
    for height in heights:
        pose = raised(nominal[-1], height)
        if world.free(pose):
            rule = f"raised by {_mm(height)} to have room for the turn"
            yield GoalCandidate(pose, nominal, rule, float(height), float(height))


def _turned_less(
    nominal: FloatArray, world: FreeBodyWorld, options: ObjectMotionOptions
) -> Iterator[GoalCandidate]:
    way = densify(nominal, world.radius_m, options.resolution_m)
    last = len(way) - 1
    free = next((index for index in range(last, 0, -1) if world.free(way[index])), 0)
    yield from _prefix(way, free, world, options, "the largest free turn")


def _as_far_as_free(
    nominal: FloatArray, world: FreeBodyWorld, options: ObjectMotionOptions
) -> Iterator[GoalCandidate]:
    way = densify(nominal, world.radius_m, options.resolution_m)
    yield from _prefix(way, world.last_free(way), world, options, "as far as the plain way is free")


def _prefix(
    way: FloatArray, index: int, world: FreeBodyWorld, options: ObjectMotionOptions, why: str
) -> Iterator[GoalCandidate]:
    travelled = np.concatenate([[0.0], np.cumsum(displacements(way, world.radius_m))])
    if index < 1 or travelled[index] < options.least_progress * travelled[-1]:
        return
    share = travelled[index] / travelled[-1]
    rule = f"made {100.0 * share:.0f}% of the motion, {why}"
    yield GoalCandidate(way[index], way[: index + 1], rule, float(travelled[-1] - travelled[index]))


def first_free(world: FreeBodyWorld, pose: Callable[[float], FloatArray], most_m: float) -> float | None:
    """Least distance [m] along a line of poses at which the body is allowed, to 0.1 mm; None up to `most_m`.

    Args:
        pose: the (7,) pose after a distance; the body moves by no more than it.
    """
    at, blocked = 0.0, 0.0
    while at <= most_m:
        slack = world.slack(pose(at))
        if slack >= 0.0:
            return _bisected(world, pose, blocked, at)
        blocked, at = at, at + max(_SCAN_M, -slack)
    return None


def raised(row: FloatArray, height_m: float) -> FloatArray:
    """Shift (7,) or (N, 7) poses upwards."""
    moved = row.copy()
    moved[..., 2] += height_m
    return moved


def _bisected(
    world: FreeBodyWorld, pose: Callable[[float], FloatArray], blocked: float, free: float
) -> float:
    while free - blocked > _EXACT_M:
        middle = (blocked + free) / 2.0
        if world.free(pose(middle)):
            free = middle
        else:
            blocked = middle
    return free


def _between(start: FloatArray, end: FloatArray, fraction: float) -> FloatArray:
    return np.asarray(interpolate(start, end, np.array([fraction]))[0])


def _mm(length_m: float) -> str:
    return f"{1000.0 * length_m:.0f} mm" if length_m >= 0.001 else f"{1000.0 * length_m:.1f} mm"
