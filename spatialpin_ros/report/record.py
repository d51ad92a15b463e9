# SPDX-License-Identifier: Apache-2.0
"""RunRecord: all that one run of the flow leaves behind, ready to be written as a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spatialpin_ros.arrays import FloatArray, UInt8Array, read_only
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one part of the flow took on the wall clock [s]."""

    name: str
    seconds: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class StageEvent:
    """One executed stage on the run's clock [s] (simulated time where there is a simulator).

    Args:
        name: name of the plan's stage.
        text: one readable line.
        started_s, ended_s: when it ran; `ended_s` >= `started_s`.
        plan_index: index of the stage in the plan, or -1 when it is none of the plan's.
    """

    name: str
    text: str
    started_s: float
    ended_s: float
    plan_index: int = -1

    @property
    def duration_s(self) -> float:
        return self.ended_s - self.started_s


@dataclass(frozen=True, slots=True, eq=False)
class JointRecording:
    """Measured joint states on the run's clock.

    Args:
        names: D joint names.
        times: (N,) seconds, not decreasing.
        positions, velocities: (N, D) [rad, rad/s].
    """

    names: tuple[str, ...]
    times: FloatArray
    positions: FloatArray
    velocities: FloatArray

    def __post_init__(self) -> None:
        times = read_only(self.times, "recording times", (None,))
        if (np.diff(times) < 0.0).any():
            raise InvalidValueError("recording times: must not decrease")
        object.__setattr__(self, "times", times)
        for name in ("positions", "velocities"):
            values = read_only(getattr(self, name), f"recorded {name}", (len(times), len(self.names)))
            object.__setattr__(self, name, values)


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One (H, W, 3) uint8 RGB image of the execution on the run's clock [s]."""

    time_s: float
    image: UInt8Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", read_only(self.image, "video frame", (None, None, 3), np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class RunRecord:
    """One run: what was seen, chosen, planned, done and found.

    Every noun is None when the run did not get that far; `error` then says why in one sentence.

    Args:
        title: heading of the report.
        started_at: local time as ISO 8601.
        seed: of the simulated scene; None on a real table.
        request: the words that asked for the task; empty when a proposal was picked.
        backend: name of the reasoning back end.
        transport: what carried the flow, such as "ROS 2 kilted, domain 71" or "one process, no ROS".
        image, image_after: (H, W, 3) RGB camera images of the scene before and after.
        rejected: ideas that the back end dropped, and why.
        timings: wall-clock times of the parts of the flow, in order.
        events: executed stages in order.
        machine: facts about the computer, such as cpu, memory, python.
        logs: log files of the nodes by node name; copied into the folder.
        error: why the run ended early; empty otherwise.
    """

    title: str
    started_at: str
    seed: int | None = None
    request: str = ""
    backend: str = "symbolic"
    transport: str = ""
    image: UInt8Array | None = None
    image_after: UInt8Array | None = None
    scene: Scene | None = None
    scene_after: Scene | None = None
    proposals: tuple[Task, ...] = ()
    rejected: tuple[str, ...] = ()
    task: Task | None = None
    plan: Plan | None = None
    plan_failure: PlanFailure | None = None
    outcome: Outcome | None = None
    timings: tuple[Timing, ...] = ()
    events: tuple[StageEvent, ...] = ()
    joints: JointRecording | None = None
    video: tuple[VideoFrame, ...] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[str, Path] = field(default_factory=dict)
    error: str = ""

    @property
    def succeeded(self) -> bool:
        return self.outcome is not None and self.outcome.status == "succeeded"

    @property
    def verdict(self) -> str:
        """One word or two for the badge: the outcome's level on success, else what stopped the run."""
        if self.outcome is not None:
            return (
                self.outcome.level
                if self.succeeded
                else f"{self.outcome.status}: {self.outcome.reason}".rstrip(": ")
            )
        if self.plan_failure is not None:
            return f"not planned: {self.plan_failure.reason}"
        return "stopped early"

    @property
    def explanation(self) -> str:
        """The sentence that explains the verdict."""
        if self.outcome is not None:
            return self.outcome.message
        return self.plan_failure.message if self.plan_failure is not None else self.error.partition("\n")[0]

    @property
    def detail(self) -> str:
        """What follows the sentence of an error, such as the end of a log."""
        return self.error.partition("\n")[2]
