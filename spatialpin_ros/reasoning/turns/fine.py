# SPDX-License-Identifier: Apache-2.0
"""Fine 3D: the model sums up the drawn and measured scene; each relation that it states is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from spatialpin_ros import relations
from spatialpin_ros.reasoning.schemas import object_ids, strict
from spatialpin_ros.relations import ReferenceFrame, viewer_frame
from spatialpin_ros.scene import Scene, SceneObject

Test = Callable[[SceneObject, SceneObject, ReferenceFrame], bool]
_TESTS: dict[str, Test] = {
    "left of": relations.left_of,
    "right of": relations.right_of,
    "in front of": relations.in_front_of,
    "behind": relations.behind,
    "higher than": lambda a, b, _: relations.above(a, b),
    "lower than": lambda a, b, _: relations.below(a, b),
    "on": lambda a, b, _: relations.on(a, b),
}


@dataclass(frozen=True, slots=True)
class FineView:
    """What the model made of the fine 3D context.

    Args:
        summary: in its words.
        held: relations that it stated and that hold in the scene, one sentence each.
        wrong: relations that it stated and that do not.
    """

    summary: str
    held: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[str, ...]:
        return tuple(f"the model says that {sentence}; the scene says otherwise" for sentence in self.wrong)


def fine_schema(scene: Scene) -> dict[str, Any]:
    """A summary and relations between objects."""
    relation = strict(
        {"object_id": object_ids(scene), "relation": {"type": "string", "enum": list(_TESTS)},
         "reference_id": object_ids(scene)}
    )  # fmt: skip
    return strict({"summary": {"type": "string"}, "relations": {"type": "array", "items": relation}})


def check(scene: Scene, reply: Mapping[str, Any]) -> FineView:
    """Sort the stated relations into those that hold in the viewer's frame and those that do not."""
    frame = viewer_frame(scene.base_T_camera)
    sorted_by: dict[bool, dict[str, None]] = {True: {}, False: {}}
    for entry in reply["relations"]:
        a, b = scene.object(entry["object_id"]), scene.object(entry["reference_id"])
        sentence = f"{a.id} is {entry['relation']} {b.id}"
        sorted_by[a.id != b.id and _TESTS[entry["relation"]](a, b, frame)][sentence] = None
    return FineView(reply["summary"].strip(), tuple(sorted_by[True]), tuple(sorted_by[False]))
