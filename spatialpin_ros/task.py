# SPDX-License-Identifier: Apache-2.0
"""Task, the third noun of the flow: what is to be done with which object, and why it was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from spatialpin_ros.arrays import FloatArray, read_only
from spatialpin_ros.errors import InvalidValueError

Action = Literal["pick", "place_on", "place_in_area"]


@dataclass(frozen=True, slots=True, eq=False)
class TaskStep:
    """One step: take an object, put it on another, or put it somewhere on a support surface.

    Args:
        action: "pick", "place_on" (target is an object) or "place_in_area" (target is a support surface).
        object_id: the object that moves.
        target_id: the object or support that receives it; empty for "pick".
        area: (N, 2) counter-clockwise convex polygon in the base frame in which the object's centre is put
            down [m]; only for "place_in_area".
        closing_width_m, lift_height_m, drop_height_m: suggestions of a reasoner, checked by the planner; None
            leaves them to the planner.
        keep_upright: the object must not be tilted while it is held, as a full cup must not.
    """

    action: Action
    object_id: str
    target_id: str = ""
    area: FloatArray | None = None
    closing_width_m: float | None = None
    lift_height_m: float | None = None
    drop_height_m: float | None = None
    keep_upright: bool = False

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise InvalidValueError(f"task step: action '{self.action}' is none of {get_args(Action)}")
        if not self.object_id:
            raise InvalidValueError(f"task step '{self.action}': object_id must not be empty")
        if (self.action == "pick") != (self.target_id == ""):
            raise InvalidValueError(
                f"task step '{self.action}': target_id is needed for placing and only there"
            )
        if self.object_id == self.target_id:
            raise InvalidValueError(f"task step: '{self.object_id}' cannot be put on itself")
        if (self.action == "place_in_area") != (self.area is not None):
            raise InvalidValueError(
                f"task step '{self.action}': area is needed for place_in_area and only there"
            )
        if self.area is not None:
            area = read_only(np.array(self.area, dtype=np.float64), "task step area", (None, 2))
            if len(area) < 3:
                raise InvalidValueError(f"task step area: needs 3 points or more, got {len(area)}")
            object.__setattr__(self, "area", area)

    def to_dict(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "object_id": self.object_id,
            "target_id": self.target_id,
            "area": None if self.area is None else self.area.tolist(),
            "closing_width_m": self.closing_width_m,
            "lift_height_m": self.lift_height_m,
            "drop_height_m": self.drop_height_m,
            "keep_upright": self.keep_upright,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> TaskStep:
        return cls(**document)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A validated thing to do in one scene.

    Args:
        id: unique id of the task.
        description: one sentence that says what is done.
        steps: picks and places in order; every pick is followed by the place of the same object.
        request: the words that asked for it; empty when it was proposed.
        backend: name of the reasoning back end that made it.
        rationale: why it was chosen and what was checked.
        score: preference among proposals, higher is better.
    """

    id: str
    description: str
    steps: tuple[TaskStep, ...]
    request: str = ""
    backend: str = "symbolic"
    rationale: str = ""
    score: float = 0.0

    def __post_init__(self) -> None:
        if not self.id or not self.steps:
            raise InvalidValueError("task: needs an id and at least one step")
        held = ""
        for step in self.steps:
            if step.action == "pick":
                if held:
                    raise InvalidValueError(
                        f"task '{self.id}': picks '{step.object_id}' while holding '{held}'"
                    )
                held = step.object_id
            elif step.object_id != held:
                raise InvalidValueError(
                    f"task '{self.id}': places '{step.object_id}' without having picked it"
                )
            else:
                held = ""

    @property
    def object_ids(self) -> tuple[str, ...]:
        """Ids of the objects that move, in order, each once."""
        return tuple(dict.fromkeys(step.object_id for step in self.steps))

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "description": self.description,
            "steps": [step.to_dict() for step in self.steps],
            "request": self.request,
            "backend": self.backend,
            "rationale": self.rationale,
            "score": self.score,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Task:
        steps = tuple(TaskStep.from_dict(step) for step in document["steps"])
        return cls(**{**document, "steps": steps})
