# SPDX-License-Identifier: Apache-2.0
"""Outcome, the last noun of the flow: what really happened, judged from a fresh scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from spatialpin_ros.errors import InvalidValueError

Status = Literal["succeeded", "failed", "cancelled", "planned"]
Level = Literal["none", "picked", "contacted", "stacked", "placed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a task.

    Args:
        task_id: id of the task.
        status: "succeeded" only when the fresh scene shows the task's goal; "planned" in a dry run.
        level: how far it came: "picked", "contacted" (touched the target but is not on it), "stacked", or
            "placed" for a place on a support surface.
        reason: short code of the failure: a plan failure's reason, or grasp_missed, dropped, tolerance,
            not_on_target, object_lost, controller_lost, stale_joint_states, scene_unavailable, node_unavailable,
            path_blocked ...; empty on success.
        message: one or two sentences: what happened, what to do.
        stage: the stage it ended in.
        duration_s: from acceptance to verdict [s].
        measurements: numbers behind the verdict, such as horizontal_offset_m and height_error_m.
        object_ids: of the objects that the reason is about, where that is not the task's own.
    """

    task_id: str
    status: Status
    level: Level
    reason: str = ""
    message: str = ""
    stage: str = ""
    duration_s: float = 0.0
    measurements: Mapping[str, float] = field(default_factory=dict)
    object_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise InvalidValueError(f"outcome: status '{self.status}' is none of {get_args(Status)}")
        if self.level not in get_args(Level):
            raise InvalidValueError(f"outcome: level '{self.level}' is none of {get_args(Level)}")
        if (self.status == "failed") != bool(self.reason) and self.status != "cancelled":
            raise InvalidValueError(
                f"outcome: a failure, and only a failure, has a reason; got '{self.reason}'"
            )

    def to_dict(self) -> dict[str, Any]:
        names = ("task_id", "status", "level", "reason", "message", "stage", "duration_s")
        values = {name: getattr(self, name) for name in names}
        return {**values, "measurements": dict(self.measurements), "object_ids": list(self.object_ids)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Outcome:
        return cls(**{**document, "object_ids": tuple(document.get("object_ids", ()))})
