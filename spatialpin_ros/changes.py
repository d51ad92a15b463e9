# SPDX-License-Identifier: Apache-2.0
"""What changed between two scenes of one table: objects that moved, turned, appeared or vanished."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from spatialpin_ros.angles import UndefinedAngleError, turn_between
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.matching import MatchOptions, match_objects
from spatialpin_ros.relations import centre_distance
from spatialpin_ros.scene import Scene, SceneObject

MOVED_M = 0.015
TURNED_RAD = float(np.deg2rad(8.0))
# Between two looks anything may have moved anywhere, so place says little and kind says more than for an arm's task.
MATCHING = MatchOptions(
    color_scale=0.08, size_scale_m=0.010, max_position_cost=1.2, shape_cost=1.5, max_cost=3.2
)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One object in both scenes: how far its box centre went [m] and how far it turned [rad].

    Args:
        turn_rad: None where a turn cannot be seen, as of an upright cylinder.
    """

    before: SceneObject
    after: SceneObject
    distance_m: float
    turn_rad: float | None

    @property
    def moved(self) -> bool:
        return self.distance_m > MOVED_M

    @property
    def turned(self) -> bool:
        return self.turn_rad is not None and self.turn_rad > TURNED_RAD


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """All that is in both scenes, what is new in the second, and what is gone from the first."""

    kept: tuple[Change, ...]
    appeared: tuple[SceneObject, ...]
    vanished: tuple[SceneObject, ...]

    def __bool__(self) -> bool:
        """Whether anything moved, turned, appeared or vanished."""
        return bool(self.appeared or self.vanished or self.moved or self.turned)

    @property
    def moved(self) -> tuple[Change, ...]:
        return tuple(change for change in self.kept if change.moved)

    @property
    def turned(self) -> tuple[Change, ...]:
        return tuple(change for change in self.kept if change.turned)


def compare(before: Scene, after: Scene, options: MatchOptions = MATCHING) -> Changes:
    """Match the objects of two scenes in the same base frame by colour, shape, size and place, and measure each."""
    found = match_objects(before, after, options=options)
    kept = tuple(
        Change(item, found[item.id], centre_distance(item, found[item.id]), _turn(item, found[item.id]))
        for item in before.objects
        if item.id in found
    )
    seen = {item.id for item in found.values()}
    return Changes(
        kept,
        tuple(item for item in after.objects if item.id not in seen),
        tuple(item for item in before.objects if item.id not in found),
    )


class SceneHistory:
    """Remembers how a table looked, so that "what moved?" has something to compare with.

    Args:
        most: scenes kept; the oldest is forgotten first.
    """

    def __init__(self, most: int = 16) -> None:
        self._scenes: deque[Scene] = deque(maxlen=most)
        self._images: deque[CameraFrame | None] = deque(maxlen=most)

    def remember(self, scene: Scene, image: CameraFrame | None = None) -> None:
        """Keep a scene and the image that it came from, unless nothing changed since the newest one."""
        if not self._scenes or compare(self._scenes[-1], scene):
            self._scenes.append(scene)
            self._images.append(image)

    def image_of(self, scene: Scene | None) -> CameraFrame | None:
        """The image that was kept with a remembered scene."""
        pairs = zip(self._scenes, self._images, strict=True)
        return next((image for kept, image in pairs if kept is scene), None)

    def before(self, scene: Scene) -> Scene | None:
        """The newest remembered scene that differs, else the oldest; None when nothing is remembered."""
        different = (earlier for earlier in reversed(self._scenes) if compare(earlier, scene))
        return next(different, self._scenes[0] if self._scenes else None)


def _turn(before: SceneObject, after: SceneObject) -> float | None:
    try:
        return turn_between(before, after)
    except UndefinedAngleError:
        return None
