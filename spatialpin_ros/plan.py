# SPDX-License-Identifier: Apache-2.0
"""Plan, the fourth noun of the flow: timed, collision-checked stages, or the typed reason why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from spatialpin_ros.arrays import FloatArray, array_from_json, array_to_json, read_only
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.task import Task

StageName = Literal["approach", "grasp", "lift", "transfer", "place", "release", "retreat", "home"]
FailureReason = Literal[
    "unknown_object",
    "no_grasp",
    "ik",
    "start_in_collision",
    "start_out_of_limits",
    "goal_in_collision",
    "no_path",
    "no_free_place",
    "unstable_stack",
    "limits",
    "stale_scene",
    "timeout",
    "cancelled",
    "worker_died",
]


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """A sampled joint-space trajectory.

    Args:
        joint_names: D names.
        times: (N,) seconds from its start, strictly increasing, first 0, N >= 2.
        positions, velocities, accelerations: (N, D) [rad or m, per s, per s^2].
    """

    joint_names: tuple[str, ...]
    times: FloatArray
    positions: FloatArray
    velocities: FloatArray
    accelerations: FloatArray

    def __post_init__(self) -> None:
        times = read_only(self.times, "trajectory times", (None,))
        if len(times) < 2 or times[0] != 0.0 or (np.diff(times) <= 0).any():
            raise InvalidValueError("trajectory times: need 2 or more, from 0, strictly increasing")
        object.__setattr__(self, "times", times)
        for name in ("positions", "velocities", "accelerations"):
            values = read_only(getattr(self, name), f"trajectory {name}", (len(times), len(self.joint_names)))
            object.__setattr__(self, name, values)

    @property
    def duration_s(self) -> float:
        return float(self.times[-1])

    def to_dict(self) -> dict[str, Any]:
        arrays = ("times", "positions", "velocities", "accelerations")
        encoded: dict[str, Any] = {name: array_to_json(getattr(self, name)) for name in arrays}
        return {"joint_names": list(self.joint_names), **encoded}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Trajectory:
        arrays = [
            array_from_json(document[name]) for name in ("times", "positions", "velocities", "accelerations")
        ]
        return cls(tuple(document["joint_names"]), *arrays)


@dataclass(frozen=True, slots=True, eq=False)
class PlanStage:
    """One stage: a motion of the arm (trajectory) or of the gripper (width), never both.

    Args:
        name: what the stage is for.
        step_index: index of the task step it belongs to.
        trajectory: the arm's motion, or None.
        gripper_width_m: opening to go to, or None. [m] between the finger pads.
        gripper_force_n: most force when closing [N].
        tcp_waypoints: (N, 7) poses of the tip along the motion in the base frame, x y z then xyzw.
        holding: id of the object held DURING the stage, empty when none.
        linear: True for a straight Cartesian motion of the tip.
        text: one readable sentence.
    """

    name: StageName
    step_index: int
    trajectory: Trajectory | None = None
    gripper_width_m: float | None = None
    gripper_force_n: float = 0.0
    tcp_waypoints: FloatArray = field(default_factory=lambda: np.zeros((0, 7)))
    holding: str = ""
    linear: bool = False
    text: str = ""

    def __post_init__(self) -> None:
        if self.name not in get_args(StageName):
            raise InvalidValueError(f"plan stage: name '{self.name}' is none of {get_args(StageName)}")
        if (self.trajectory is None) == (self.gripper_width_m is None):
            raise InvalidValueError(
                f"plan stage '{self.name}': needs a trajectory or a gripper width, not both"
            )
        waypoints = read_only(self.tcp_waypoints, f"waypoints of stage '{self.name}'", (None, 7))
        object.__setattr__(self, "tcp_waypoints", waypoints)

    @property
    def duration_s(self) -> float:
        """Duration of the motion; 0 for a gripper stage, whose duration is up to the gripper."""
        return self.trajectory.duration_s if self.trajectory else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "step_index": self.step_index,
            "trajectory": self.trajectory.to_dict() if self.trajectory else None,
            "gripper_width_m": self.gripper_width_m,
            "gripper_force_n": self.gripper_force_n,
            "tcp_waypoints": array_to_json(self.tcp_waypoints),
            "holding": self.holding,
            "linear": self.linear,
            "text": self.text,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> PlanStage:
        values = dict(document)
        if values["trajectory"] is not None:
            values["trajectory"] = Trajectory.from_dict(values["trajectory"])
        values["tcp_waypoints"] = array_from_json(values["tcp_waypoints"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way to carry out a pick and place, and why the plan's is better.

    Args:
        step_index: index of the pick in the task.
        candidate: the grasp, and the place pose if any.
        cost: estimated joint-space way that is left to plan, less what grasp and place are worth [rad], lower is
            better; None when it fell before it had one.
        detail: why it is ranked lower, or why it fails.
    """

    step_index: int
    candidate: str
    cost: float | None
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A whole, checked motion for a task; each motion starts where the one before it ended.

    Args:
        task: what it carries out.
        stages: in order.
        joint_names: names of the planning group's D joints.
        base_frame, tip_frame: frame of the waypoints, and the link they are poses of (the TCP).
        object_T_tcp: chosen grasp per moved object id: pose of the TCP in the object's box frame.
        expected_poses: where each moved object's box centre should end, by object id, in the base frame.
        scene_stamp_s: stamp of the scene it was planned in.
        metrics: numbers worth reporting: planning_s, candidates, checked_states, clearance_m ...
        alternatives: other ways that were considered, best first.
    """

    task: Task
    stages: tuple[PlanStage, ...]
    joint_names: tuple[str, ...]
    base_frame: str
    tip_frame: str
    object_T_tcp: Mapping[str, Pose] = field(default_factory=dict)
    expected_poses: Mapping[str, Pose] = field(default_factory=dict)
    scene_stamp_s: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()

    def __post_init__(self) -> None:
        if not self.stages:
            raise InvalidValueError("plan: has no stages; a failure is a PlanFailure, not an empty plan")
        previous: Trajectory | None = None
        for stage in self.stages:
            current = stage.trajectory
            if current is None:
                continue
            if current.joint_names != self.joint_names:
                raise InvalidValueError(
                    f"plan stage '{stage.name}': joints {current.joint_names} are not the plan's"
                )
            if previous is not None and np.abs(current.positions[0] - previous.positions[-1]).max() > 1e-4:
                raise InvalidValueError(
                    f"plan stage '{stage.name}': does not start where the stage before it ended"
                )
            previous = current
        if previous is None:
            raise InvalidValueError("plan: has no motion")

    @property
    def start_positions(self) -> FloatArray:
        """(D,) joint positions at which the plan starts."""
        return next(stage.trajectory.positions[0] for stage in self.stages if stage.trajectory is not None)

    @property
    def duration_s(self) -> float:
        """Time in motion [s], without the gripper's."""
        return sum(stage.duration_s for stage in self.stages)

    @property
    def waypoints(self) -> FloatArray:
        """(N, 7) waypoints of all stages."""
        return np.concatenate([stage.tcp_waypoints for stage in self.stages])

    def to_dict(self) -> dict[str, Any]:
        return {
            "task": self.task.to_dict(),
            "stages": [stage.to_dict() for stage in self.stages],
            "joint_names": list(self.joint_names),
            "base_frame": self.base_frame,
            "tip_frame": self.tip_frame,
            "object_T_tcp": {key: pose.to_dict() for key, pose in self.object_T_tcp.items()},
            "expected_poses": {key: pose.to_dict() for key, pose in self.expected_poses.items()},
            "scene_stamp_s": self.scene_stamp_s,
            "metrics": dict(self.metrics),
            "alternatives": [
                {name: getattr(item, name) for name in ("step_index", "candidate", "cost", "detail")}
                for item in self.alternatives
            ],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Plan:
        return cls(
            task=Task.from_dict(document["task"]),
            stages=tuple(PlanStage.from_dict(stage) for stage in document["stages"]),
            joint_names=tuple(document["joint_names"]),
            base_frame=document["base_frame"],
            tip_frame=document["tip_frame"],
            object_T_tcp={key: Pose.from_dict(pose) for key, pose in document["object_T_tcp"].items()},
            expected_poses={key: Pose.from_dict(pose) for key, pose in document["expected_poses"].items()},
            scene_stamp_s=float(document["scene_stamp_s"]),
            metrics=dict(document["metrics"]),
            alternatives=tuple(Alternative(**item) for item in document.get("alternatives", ())),
        )


@dataclass(frozen=True, slots=True)
class CandidateFailure:
    """Why one candidate (a grasp, a place pose, a path) was given up."""

    candidate: str
    stage: str
    reason: FailureReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PlanFailure:
    """Why a task could not be planned; never accompanied by a partial motion.

    Args:
        reason: what decided it.
        stage: the stage that could not be planned, or "" before the first.
        message: one or two sentences: what was wrong, what to do.
        candidates: every candidate tried and why it fell.
        elapsed_s: time spent [s].
    """

    reason: FailureReason
    stage: str
    message: str
    candidates: tuple[CandidateFailure, ...] = ()
    elapsed_s: float = 0.0

    def __post_init__(self) -> None:
        if self.reason not in get_args(FailureReason):
            raise InvalidValueError(
                f"plan failure: reason '{self.reason}' is none of {get_args(FailureReason)}"
            )

    def to_dict(self) -> dict[str, Any]:
        names = ("candidate", "stage", "reason", "detail")
        return {
            "reason": self.reason,
            "stage": self.stage,
            "message": self.message,
            "candidates": [{name: getattr(item, name) for name in names} for item in self.candidates],
            "elapsed_s": self.elapsed_s,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> PlanFailure:
        candidates = tuple(CandidateFailure(**item) for item in document["candidates"])
        return cls(**{**document, "candidates": candidates})
