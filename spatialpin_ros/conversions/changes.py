# SPDX-License-Identifier: Apache-2.0
"""What changed between two scenes to a message."""

from __future__ import annotations

import math
from collections.abc import Collection

from geometry_msgs.msg import Pose as PoseMsg
from spatialpin_interfaces.msg import ObjectChange, SceneChanges

from spatialpin_ros.changes import Change, Changes
from spatialpin_ros.conversions.basics import header, pose_to_msg
from spatialpin_ros.scene import Scene, SceneObject


def changes_to_msg(
    changes: Changes, scene: Scene, text: str, returned: Collection[str] = frozenset()
) -> SceneChanges:
    """Convert what changed up to a scene; objects that stayed where they were are left out.

    Args:
        changes: against the scene before.
        scene: the newer one.
        text: the same for people.
        returned: ids of appeared objects that had been there before.
    """
    moved = [change for change in changes.kept if change.moved or change.turned]
    entries = [
        *(_entry(ObjectChange.VANISHED, item, before=item) for item in changes.vanished),
        *(
            _entry(ObjectChange.RETURNED if item.id in returned else ObjectChange.APPEARED, item, after=item)
            for item in changes.appeared
        ),
        *(_moved(change) for change in moved),
    ]
    return SceneChanges(header=header(scene.base_frame, scene.stamp_s), text=text, changes=entries)


def _entry(
    kind: int, item: SceneObject, before: SceneObject | None = None, after: SceneObject | None = None
) -> ObjectChange:
    return ObjectChange(
        kind=kind,
        id=item.id,
        name=item.name,
        before=PoseMsg() if before is None else pose_to_msg(before.box.pose),
        after=PoseMsg() if after is None else pose_to_msg(after.box.pose),
    )


def _moved(change: Change) -> ObjectChange:
    entry = _entry(ObjectChange.MOVED, change.after, change.before, change.after)
    entry.distance_m = float(change.distance_m)
    entry.turn_rad = math.nan if change.turn_rad is None else float(change.turn_rad)
    return entry
