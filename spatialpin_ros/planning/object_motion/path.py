# SPDX-License-Identifier: Apache-2.0
"""The planned motion of one object: timed poses, and what became of each commanded motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import FloatArray, array_from_json, array_to_json, read_only
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning.object_motion.motions import ObjectMotion, motion_from_dict
from spatialpin_ros.planning.object_motion.se3 import row_to_pose


@dataclass(frozen=True, slots=True, eq=False)
class MotionSegment:
    """The part of a path that carries out one motion.

    Args:
        motion: what was commanded.
        first, last: indices of its first and last sample in the path; a segment starts at its predecessor's end.
        goal: pose that was commanded, in the scene's frame.
        relaxed: how and why the goal was relaxed, in words; empty when it was reached.
        shortfall_m, shortfall_deg: distance and angle from the commanded goal to where it ends.
        planner: "straight", "lifted", "rrt_connect" or "rrt_star": which part found it.
        cost_m: length in displacement of any point of the body [m].
        straight_cost_m: the same of the plain way, the lower bound.
        first_path_s: time until a first path to this goal was there [s].
        checked_states: poses checked against the obstacles.
        clearance_m: least distance over the samples to all that was not touched at the start [m].
    """

    motion: ObjectMotion
    first: int
    last: int
    goal: Pose
    relaxed: str
    shortfall_m: float
    shortfall_deg: float
    planner: str
    cost_m: float
    straight_cost_m: float
    first_path_s: float
    checked_states: int
    clearance_m: float

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in ("motion", "goal")}
        return {**plain, "motion": self.motion.to_dict(), "goal": self.goal.to_dict()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> MotionSegment:
        parsed = {"motion": motion_from_dict(document["motion"]), "goal": Pose.from_dict(document["goal"])}
        return cls(**{**document, **parsed})


@dataclass(frozen=True, slots=True, eq=False)
class ObjectPath:
    """A collision-checked, timed path of one object's box frame in the scene's frame.

    Args:
        object_id: what moves.
        times: (N,) seconds from its start, strictly increasing, first 0, N >= 2.
        poses: (N, 7) x y z [m] then quaternion xyzw; all were checked.
        segments: one for each commanded motion, in order.
        resolution_m, resolution_deg: most that any point of the body, and its orientation, moves between samples.
        touched: what was in touch at the start; the object stays in touch with it at most as deep as then.
        planning_s: time spent [s].
    """

    object_id: str
    times: FloatArray
    poses: FloatArray
    segments: tuple[MotionSegment, ...]
    resolution_m: float
    resolution_deg: float
    touched: tuple[str, ...] = ()
    planning_s: float = 0.0

    def __post_init__(self) -> None:
        times = read_only(self.times, "object path times", (None,))
        if len(times) < 2 or times[0] != 0.0 or (np.diff(times) <= 0).any():
            raise InvalidValueError("object path times: need 2 or more, from 0, strictly increasing")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "poses", read_only(self.poses, "object path poses", (len(times), 7)))
        if not self.segments:
            raise InvalidValueError("object path: has no segments; a failure is a PlanFailure")

    @property
    def duration_s(self) -> float:
        return float(self.times[-1])

    @property
    def end(self) -> Pose:
        return row_to_pose(self.poses[-1])

    @property
    def relaxed(self) -> str:
        """Every relaxation in words; empty when all goals were reached."""
        told = [
            f"motion {index + 1} ({segment.motion.kind}): {segment.relaxed}"
            for index, segment in enumerate(self.segments)
            if segment.relaxed
        ]
        return "; ".join(told)

    def pose_at(self, time_s: float) -> Pose:
        """Pose at a time, clamped to the path's ends; between samples by straight line and slerp."""
        at = float(np.clip(time_s, 0.0, self.times[-1]))
        index = int(np.clip(np.searchsorted(self.times, at, side="right") - 1, 0, len(self.times) - 2))
        part = (at - self.times[index]) / (self.times[index + 1] - self.times[index])
        first, last = Rotation.from_quat(self.poses[index, 3:]), Rotation.from_quat(self.poses[index + 1, 3:])
        turn = Rotation.from_rotvec((last * first.inv()).as_rotvec() * part)
        position = self.poses[index, :3] + part * (self.poses[index + 1, :3] - self.poses[index, :3])
        return Pose(position, (turn * first).as_quat())

    def to_dict(self) -> dict[str, Any]:
        return {
            "object_id": self.object_id,
            "times": array_to_json(self.times),
            "poses": array_to_json(self.poses),
            "segments": [segment.to_dict() for segment in self.segments],
            "resolution_m": self.resolution_m,
            "resolution_deg": self.resolution_deg,
            "touched": list(self.touched),
            "planning_s": self.planning_s,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ObjectPath:
        parsed = {
            "times": array_from_json(document["times"]),
            "poses": array_from_json(document["poses"]),
            "segments": tuple(MotionSegment.from_dict(item) for item in document["segments"]),
            "touched": tuple(document["touched"]),
        }
        return cls(**{**document, **parsed})
