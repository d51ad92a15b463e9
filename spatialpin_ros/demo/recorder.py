# SPDX-License-Identifier: Apache-2.0
"""Collects what happens during an execution: joint states, camera images and stage changes on one clock."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from spatialpin_ros.arrays import FloatArray, UInt8Array
from spatialpin_ros.plan import Plan
from spatialpin_ros.report import JointRecording, StageEvent, VideoFrame

VERIFY = "verify"


class Recorder:
    """Takes reports from any thread; times are those of the run's clock [s].

    Args:
        image_gap_s: images nearer together than this are dropped.
    """

    def __init__(self, image_gap_s: float = 0.15) -> None:
        self._image_gap_s = image_gap_s
        self._lock = threading.Lock()
        self._plan: Plan | None = None
        self._running = False
        self._clear()

    def _clear(self) -> None:
        self._joints: list[tuple[float, FloatArray, FloatArray]] = []
        self._images: list[VideoFrame] = []
        self._stages: list[tuple[float, str, str]] = []
        self._ended_s = 0.0

    def begin(self, plan: Plan, time_s: float) -> None:
        """Forget what was recorded and record the execution of `plan` from now on."""
        with self._lock:
            self._clear()
            self._plan, self._running, self._ended_s = plan, True, time_s

    def end(self, time_s: float) -> None:
        with self._lock:
            self._running, self._ended_s = False, time_s

    @property
    def running(self) -> bool:
        return self._running

    def joints(
        self, time_s: float, names: Sequence[str], positions: Sequence[float], velocities: Sequence[float]
    ) -> None:
        """Add a joint state; joints that the plan does not move are left out, incomplete states are ignored."""
        with self._lock:
            if not self._running or self._plan is None:
                return
            index = {name: place for place, name in enumerate(names)}
            if not set(self._plan.joint_names) <= set(index) or len(positions) != len(names):
                return
            order = [index[name] for name in self._plan.joint_names]
            speeds = velocities if len(velocities) == len(names) else np.zeros(len(names))
            self._joints.append((time_s, np.asarray(positions)[order], np.asarray(speeds)[order]))

    def image(self, time_s: float, image: UInt8Array) -> None:
        with self._lock:
            recent = bool(self._images) and time_s - self._images[-1].time_s < self._image_gap_s
            if self._running and not recent:
                self._images.append(VideoFrame(time_s, image))

    def stage(self, time_s: float, name: str, text: str) -> bool:
        """Report the stage that runs; returns True when it is a new one."""
        with self._lock:
            if not self._running or (self._stages and self._stages[-1][1:] == (name, text)):
                return False
            if self._stages and name == VERIFY == self._stages[-1][1]:
                return False
            self._stages.append((time_s, name, text))
            return True

    @property
    def joint_recording(self) -> JointRecording | None:
        with self._lock:
            if self._plan is None or not self._joints:
                return None
            ordered = sorted(self._joints, key=lambda state: state[0])
            times, positions, velocities = (np.array(column) for column in zip(*ordered, strict=True))
            return JointRecording(self._plan.joint_names, times, positions, velocities)

    @property
    def video(self) -> tuple[VideoFrame, ...]:
        with self._lock:
            return tuple(self._images)

    @property
    def events(self) -> tuple[StageEvent, ...]:
        """The stages that ran, each ended by the next; matched with the plan's stages in order."""
        with self._lock:
            if not self._stages:
                return ()
            ends = [started for started, _, _ in self._stages[1:]] + [self._ended_s]
            events: list[StageEvent] = []
            after = -1
            for (started, name, text), ended in zip(self._stages, ends, strict=True):
                place = self._find(name, text, after)
                after = place if place >= 0 else after
                events.append(StageEvent(name, text, started, max(ended, started), place))
            return tuple(events)

    def _find(self, name: str, text: str, after: int) -> int:
        """Index of the plan's next stage with this name and text, or with this name, or -1."""
        later = list(enumerate(self._plan.stages))[after + 1 :] if self._plan is not None else []
        named = [index for index, stage in later if stage.name == name]
        exact = [index for index in named if self._plan and self._plan.stages[index].text == text]
        return next(iter(exact + named), -1)
