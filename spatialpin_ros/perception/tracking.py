# SPDX-License-Identifier: Apache-2.0
"""Keeps the identities of objects from scene to scene, and says what appeared, vanished and moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from spatialpin_ros.changes import MATCHING, Changes, compare
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.matching import MatchOptions, match_items
from spatialpin_ros.scene import Scene, SceneObject


@dataclass(frozen=True, slots=True)
class TrackedScene:
    """A scene whose ids mean the same objects as in the scenes before it.

    Args:
        scene: as perceived, but for its ids.
        changes: against the scene before it; the first one has only appearances.
        returned: ids of objects that had vanished earlier and are seen again; they count as appeared.
    """

    scene: Scene
    changes: Changes
    returned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Lost:
    item: SceneObject
    since_s: float


class SceneTracker:
    """Follows the objects of one table by geometry and appearance.

    What a camera that moves leaves out of view is neither gone nor new when it is seen again.
    An id is given once and never again to another object, so that a task that names it cannot mean something else.

    Args:
        options: weights of the match between scenes.
        forget_after_s: how long the id of an object that is not seen is kept for its return [s]; 0: not at all.
    """

    def __init__(self, options: MatchOptions = MATCHING, forget_after_s: float = 120.0) -> None:
        if not forget_after_s >= 0.0:
            raise InvalidValueError(f"tracker: forget_after_s must not be negative, got {forget_after_s}")
        self._options, self._forget_after_s = options, forget_after_s
        self._last: Scene | None = None
        self._lost: dict[str, _Lost] = {}
        self._away: dict[str, _Lost] = {}
        self._count = 0

    def reset(self) -> None:
        """Forget the objects; their ids are not given again."""
        self._last, self._lost, self._away = None, {}, {}

    def update(self, scene: Scene) -> TrackedScene:
        """Take the next scene and return it with the ids of the objects that are known already.

        A scene older than the last one, as after a restart of simulated time, starts anew.

        Raises:
            InvalidValueError: when it is in another base frame than the scenes before it.
        """
        before = self._last
        if before is not None and before.base_frame != scene.base_frame:
            raise InvalidValueError(
                f"tracker: scene in frame '{scene.base_frame}' after scenes in '{before.base_frame}'; "
                "call reset() when the base frame changes"
            )
        if before is not None and scene.stamp_s < before.stamp_s:
            self.reset()
            before = None
        changes = Changes((), scene.objects, ())
        if before is not None:
            away = [entry.item for entry in self._away.values()]
            changes = compare(before, scene, self._options, away)
        ids, returned = self._identify(changes, scene)
        tracked = _renamed(scene, ids)
        changes = _renamed_changes(changes, tracked, ids)
        vanished = {item.id for item in changes.vanished}
        still = {key: entry for key, entry in self._away.items() if key not in vanished}
        self._away = self._remembered(still, changes.out_of_view, tracked)
        self._lost = self._remembered(self._lost, changes.vanished, tracked)
        self._last = tracked
        return TrackedScene(tracked, changes, returned)

    def _identify(self, changes: Changes, scene: Scene) -> tuple[dict[str, str], frozenset[str]]:
        """New id by perceived id: of what was there before, then of what was lost, then fresh ones."""
        ids = {change.after.id: change.before.id for change in changes.kept}
        memory = [entry.item for entry in self._lost.values()]
        found = match_items(memory, changes.appeared, scene, options=self._options)
        ids |= {item.id: old for old, item in found.items()}
        for item in scene.objects:
            if item.id not in ids:
                self._count += 1
                ids[item.id] = f"o{self._count}"
        return ids, frozenset(found)

    def _remembered(
        self, before: Mapping[str, _Lost], gone: Iterable[SceneObject], scene: Scene
    ) -> dict[str, _Lost]:
        """What is not in a scene, but may be in one to come: what was so before, and what is gone now."""
        seen = {item.id for item in scene.objects}
        entries = {item.id: _Lost(item, scene.stamp_s) for item in gone} | dict(before)
        return {
            key: entry
            for key, entry in entries.items()
            if key not in seen and scene.stamp_s - entry.since_s < self._forget_after_s
        }


def describe_changes(changes: Changes) -> str:
    """One line for people: "moved: red cube by 0.12 m; appeared: blue box"; empty when nothing changed."""
    moved = [f"{change.after.name} by {change.distance_m:.2f} m" for change in changes.moved]
    parts = (
        ("moved", moved),
        ("appeared", [item.name for item in changes.appeared]),
        ("vanished", [item.name for item in changes.vanished]),
    )
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)


def _renamed(scene: Scene, ids: Mapping[str, str]) -> Scene:
    objects = tuple(
        replace(item, id=ids[item.id], supported_by=ids.get(item.supported_by, item.supported_by))
        for item in scene.objects
    )
    return replace(scene, objects=objects)


def _renamed_changes(changes: Changes, scene: Scene, ids: Mapping[str, str]) -> Changes:
    """The changes with the objects of the tracked scene in place of those as perceived."""
    items = {item.id: item for item in scene.objects}
    kept = tuple(replace(change, after=items[ids[change.after.id]]) for change in changes.kept)
    return replace(changes, kept=kept, appeared=tuple(items[ids[item.id]] for item in changes.appeared))
