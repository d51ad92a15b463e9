# SPDX-License-Identifier: Apache-2.0
"""What changed between two scenes of one table: objects that moved, turned, appeared, vanished or are out of view."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spatialpin_ros.angles import UndefinedAngleError, turn_between
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.matching import MatchOptions, in_view, match_items
from spatialpin_ros.relations import centre_distance
from spatialpin_ros.scene import Scene, SceneObject

MOVED_M = 0.015
TURNED_RAD = float(np.deg2rad(8.0))
EDGE_PX = 4
# Between two looks anything may have moved anywhere, so place says little and kind says more than for an arm's task.
MATCHING = MatchOptions(
    color_scale=0.08,
    size_scale_m=0.010,
    max_position_cost=1.2,
    shape_cost=1.5,
    max_cost=3.2,
    unseen_reach_m=0.08,
)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One object in both scenes: how far its box centre went [m] and how far it turned [rad].

    Args:
        turn_rad: None where a turn cannot be seen, as of an upright cylinder.
        unsure_m: so much of the distance may be due to the edge of an image that cut a part of the object off [m].
    """

    before: SceneObject
    after: SceneObject
    distance_m: float
    turn_rad: float | None
    unsure_m: float = 0.0

    @property
    def moved(self) -> bool:
        return self.distance_m > MOVED_M + self.unsure_m

    @property
    def turned(self) -> bool:
        return self.turn_rad is not None and self.turn_rad > TURNED_RAD


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """All that is in both scenes, what is new in the second, and what is gone from the first.

    Args:
        out_of_view: what is not in the second scene, but stood where its image does not show all of it.
    """

    kept: tuple[Change, ...]
    appeared: tuple[SceneObject, ...]
    vanished: tuple[SceneObject, ...]
    out_of_view: tuple[SceneObject, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything moved, turned, appeared or vanished."""
        return bool(self.appeared or self.vanished or self.moved or self.turned)

    @property
    def moved(self) -> tuple[Change, ...]:
        return tuple(change for change in self.kept if change.moved)

    @property
    def turned(self) -> tuple[Change, ...]:
        return tuple(change for change in self.kept if change.turned)


def compare(
    before: Scene, after: Scene, options: MatchOptions = MATCHING, away: Sequence[SceneObject] = ()
) -> Changes:
    """Match the objects of two scenes in the same base frame by colour, shape, size and place, and measure each.

    Args:
        away: what was out of view in `before`; ids as there.
    """
    known = (*before.objects, *away)
    found = match_items(known, after.objects, after, options=options)
    cut = {item.id for item in before.objects if _cut_off(before, item)}
    cut_after = {item.id for item in after.objects if _cut_off(after, item)}
    kept = tuple(
        _change(item, found[item.id], item.id in cut or found[item.id].id in cut_after)
        for item in known
        if item.id in found
    )
    seen = {item.id for item in found.values()}
    missing = [item for item in known if item.id not in found]
    shown = [bool(in_view(after, item.box.corners).all()) for item in missing]
    return Changes(
        kept,
        tuple(item for item in after.objects if item.id not in seen),
        tuple(item for item, there in zip(missing, shown, strict=True) if there),
        tuple(item for item, there in zip(missing, shown, strict=True) if not there),
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


def _change(before: SceneObject, after: SceneObject, cut: bool) -> Change:
    distance_m = centre_distance(before, after)
    if not cut:
        return Change(before, after, distance_m, _turn(before, after))
    lost_m = float(np.linalg.norm(np.sort(before.size) - np.sort(after.size)))
    return Change(before, after, distance_m, None, lost_m / 2.0)


def _cut_off(scene: Scene, item: SceneObject) -> bool:
    """Whether the edge of an image may have cut a part of an object off; unknown of images before the scene's own."""
    if scene.intrinsics is None:
        return False
    if item.mask is None:
        return True
    (row, column), (height, width) = item.mask.offset, item.mask.bits.shape
    last = (scene.intrinsics.height - EDGE_PX, scene.intrinsics.width - EDGE_PX)
    return min(row, column) < EDGE_PX or row + height > last[0] or column + width > last[1]


def _turn(before: SceneObject, after: SceneObject) -> float | None:
    try:
        return turn_between(before, after)
    except UndefinedAngleError:
        return None
