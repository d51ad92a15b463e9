# SPDX-License-Identifier: Apache-2.0
"""Plans a sequence of object motions for one free-flying object of a scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.config import Workspace
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.plan import CandidateFailure, FailureReason, PlanFailure
from spatialpin_ros.planning.object_motion.bodies import exact_body, obstacles_around
from spatialpin_ros.planning.object_motion.goals import nominal_way
from spatialpin_ros.planning.object_motion.motions import ObjectMotion
from spatialpin_ros.planning.object_motion.options import ObjectMotionOptions
from spatialpin_ros.planning.object_motion.path import MotionSegment, ObjectPath
from spatialpin_ros.planning.object_motion.relaxation import GoalCandidate, raised, relaxed_goals
from spatialpin_ros.planning.object_motion.se3 import densify, length, pose_to_row, row_to_pose, steps
from spatialpin_ros.planning.object_motion.search import FoundWay, SE3Search
from spatialpin_ros.planning.object_motion.smoothing import TimedWay, joined, smooth
from spatialpin_ros.planning.object_motion.world import FreeBodyWorld
from spatialpin_ros.scene import Scene

_LIFTS_M = (0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.30)
_HALF_TURN_RAD = np.pi + 1e-6
_SAME_GOAL_M = 1e-6
_BLAME_STEP_M = 0.01
_SEARCH_SHARE = 0.9  # of the time; the rest is for candidates that need no search
_MARGIN_M, _HEADROOM_M = 0.25, 0.8


def workspace_around(scene: Scene) -> Workspace:
    """Region for an object's centre when none is given: the supports and objects, 0.25 m around, 0.8 m above."""
    points = np.concatenate(
        [*(surface.outline_base for surface in scene.supports), *(item.box.corners for item in scene.objects)]
    )
    low, high = points.min(axis=0) - _MARGIN_M, points.max(axis=0) + _MARGIN_M
    return Workspace(low, np.array([high[0], high[1], points[:, 2].max() + _HEADROOM_M]))


class ObjectMotionPlanner:
    """Plans `ObjectMotion`s with the body of the object itself; all else in the scene stands still.

    Args:
        workspace: region that the object's centre stays in; `workspace_around` the scene when None.
    """

    def __init__(self, workspace: Workspace | None = None) -> None:
        self._workspace = workspace

    def plan(
        self,
        scene: Scene,
        object_id: str,
        motions: Sequence[ObjectMotion],
        options: ObjectMotionOptions | None = None,
        *,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> ObjectPath | PlanFailure:
        """Plan the motions one after the other, each from where the one before it ended.

        Returns a failure, never a part of the sequence, when one of them cannot be made.
        """
        began = time.monotonic()
        chosen = options or ObjectMotionOptions()
        refused = _refused(scene, object_id, motions)
        if refused is not None:
            return refused
        workspace = self._workspace or workspace_around(scene)
        moving = scene.object(object_id)
        world = FreeBodyWorld(
            exact_body(moving),
            pose_to_row(moving.box.pose),
            obstacles_around(scene, object_id, workspace),
            workspace,
            chosen.clearance_m,
        )
        sequence = _Sequence(scene, object_id, world, chosen, began, cancelled)
        result = sequence.run(tuple(motions))
        if isinstance(result, PlanFailure):
            return replace(result, elapsed_s=time.monotonic() - began)
        return result


class _Sequence:
    """One call of `plan`."""

    def __init__(
        self,
        scene: Scene,
        object_id: str,
        world: FreeBodyWorld,
        options: ObjectMotionOptions,
        began: float,
        cancelled: Callable[[], bool],
    ) -> None:
        self._scene, self._object_id, self._world, self._options = scene, object_id, world, options
        self._began, self._cancelled = began, cancelled
        self._search = SE3Search(world, options, began + _SEARCH_SHARE * options.max_time_s, cancelled)
        self._fallen: list[CandidateFailure] = []

    def run(self, motions: tuple[ObjectMotion, ...]) -> ObjectPath | PlanFailure:
        deep = {n: d for n, d in self._world.depth_at_start.items() if d > self._options.touch_depth_m}
        if deep:
            told = ", ".join(f"{self._name(name)} by {1000 * depth:.0f} mm" for name, depth in deep.items())
            message = f"'{self._name(self._object_id)}' overlaps {told} where it stands; look again"
            return PlanFailure("start_in_collision", "", message)
        row = self._world.start
        ways: list[TimedWay] = []
        segments: list[MotionSegment] = []
        for index, motion in enumerate(motions):
            stage = f"motion {index + 1} ({motion.kind})"
            planned = self._one(motion, row, stage)
            if isinstance(planned, PlanFailure):
                return planned
            way, segment = planned
            first = segments[-1].last if segments else 0
            segments.append(replace(segment, first=first, last=first + len(way.times) - 1))
            ways.append(way)
            row = way.rows[-1]
        timed = joined(ways)
        return ObjectPath(
            object_id=self._object_id,
            times=timed.times,
            poses=timed.rows,
            segments=tuple(segments),
            resolution_m=self._options.resolution_m,
            resolution_deg=self._options.resolution_deg,
            touched=self._world.touched_at_start,
            planning_s=time.monotonic() - self._began,
        )

    def _one(
        self, motion: ObjectMotion, row: FloatArray, stage: str
    ) -> tuple[TimedWay, MotionSegment] | PlanFailure:
        began, states = time.perf_counter(), self._world.counters.states
        self._fallen.clear()
        try:
            nominal = nominal_way(motion, self._scene, self._object_id, row_to_pose(row))
        except InvalidValueError as error:
            return PlanFailure("no_path", stage, str(error))
        for candidate in self._candidates(motion, nominal):
            if self._cancelled():
                break
            found = self._way_to(row, candidate, stage, began)
            timed = smooth(self._world, found.rows, self._options) if found else None
            if found and timed:
                segment = self._segment(motion, nominal, candidate, found, timed, states)
                return timed, segment
        return self._failure(nominal, stage)

    def _candidates(self, motion: ObjectMotion, nominal: FloatArray) -> Iterator[GoalCandidate]:
        if self._world.free(nominal[-1]):
            yield GoalCandidate(nominal[-1], nominal)
            why = "no way to the goal was found"
        else:
            blockers = self._blockers(nominal[-1:])
            self._fall("commanded goal", motion.kind, "goal_in_collision", blockers)
            why = f"the goal is blocked by {blockers}"
        for candidate in relaxed_goals(motion, nominal, self._world, self._options):
            if candidate.shift_m < _SAME_GOAL_M:
                continue
            small = candidate.shift_m <= self._options.goal_tolerance_m
            if not small and not self._options.allow_relaxed:
                continue
            yield replace(candidate, rule="" if small else f"{candidate.rule}: {why}")

    def _way_to(
        self, start: FloatArray, candidate: GoalCandidate, stage: str, began: float
    ) -> FoundWay | None:
        """The plain way; else the cheapest of raising it, RRT-Connect and RRT*."""
        if candidate.lift_m == 0.0 and self._free(candidate.plain):
            return self._as_found(candidate.plain, "straight", began)
        best = self._lifted(start, candidate, began)
        if _turn_rad(candidate.plain) <= _HALF_TURN_RAD:
            if best is None:
                found = self._search.connect(start, candidate.goal)
                best = found and replace(found, first_path_s=time.perf_counter() - began)
            if best is not None:
                best = self._search.improve(start, candidate.goal, best)
        if best is None:
            detail = (
                f"no way within the budget; the plain way is blocked by {self._blockers(candidate.plain)}"
            )
            self._fall(candidate.rule or "commanded goal", stage, "no_path", detail)
        return best

    def _lifted(self, start: FloatArray, candidate: GoalCandidate, began: float) -> FoundWay | None:
        """Up, the plain way, down: a turn keeps its full sweep, a move its direction."""
        heights = [candidate.lift_m] if candidate.lift_m else [*_LIFTS_M]
        for height in heights:
            rows = np.concatenate([start[None], raised(candidate.plain, height), candidate.goal[None]])
            if self._free(rows):
                return self._as_found(rows, "lifted", began)
        return None

    def _as_found(self, rows: FloatArray, planner: str, began: float) -> FoundWay:
        return FoundWay(rows, planner, length(rows, self._world.radius_m), time.perf_counter() - began)

    def _segment(
        self,
        motion: ObjectMotion,
        nominal: FloatArray,
        candidate: GoalCandidate,
        found: FoundWay,
        timed: TimedWay,
        states: int,
    ) -> MotionSegment:
        checked = self._world.counters.states - states
        goal = row_to_pose(nominal[-1])
        short_m, short_rad = row_to_pose(timed.rows[-1]).distance_to(goal)
        return MotionSegment(
            motion=motion,
            first=0,
            last=len(timed.times) - 1,
            goal=goal,
            relaxed=candidate.rule,
            shortfall_m=short_m,
            shortfall_deg=float(np.degrees(short_rad)),
            planner=found.planner,
            cost_m=found.cost_m,
            straight_cost_m=length(candidate.plain, self._world.radius_m),
            first_path_s=found.first_path_s,
            checked_states=checked,
            clearance_m=self._world.clearance(timed.rows),
        )

    def _failure(self, nominal: FloatArray, stage: str) -> PlanFailure:
        reason: FailureReason = "no_path"
        if self._cancelled():
            reason = "cancelled"
        elif self._stopped():
            reason = "timeout"
        elif not self._world.free(nominal[-1]):
            reason = "goal_in_collision"
        message = (
            f"'{self._name(self._object_id)}' cannot make {stage}: the plain way is blocked by "
            f"{self._blockers(nominal)}, and neither a way around nor a goal nearby was found; "
            "move what is in the way or command less"
        )
        if reason == "cancelled":
            message = f"planning {stage} was cancelled"
        return PlanFailure(reason, stage, message, tuple(self._fallen))

    def _free(self, rows: FloatArray) -> bool:
        return self._world.way_free(densify(rows, self._world.radius_m, self._options.resolution_m))

    def _blockers(self, rows: FloatArray) -> str:
        """Names of all that is in the way along (K, 7) poses."""
        way = densify(rows, self._world.radius_m, _BLAME_STEP_M)
        keys = dict.fromkeys(key for row in way for key in self._world.blockers(row))
        return ", ".join(self._name(key) for key in keys) or "nothing"

    def _name(self, key: str) -> str:
        return next((item.name for item in self._scene.objects if item.id == key), key)

    def _fall(self, candidate: str, stage: str, reason: FailureReason, detail: str) -> None:
        self._fallen.append(CandidateFailure(candidate, stage, reason, detail))

    def _stopped(self) -> bool:
        return self._cancelled() or time.monotonic() - self._began > self._options.max_time_s


def _refused(scene: Scene, object_id: str, motions: Sequence[ObjectMotion]) -> PlanFailure | None:
    """A failure when the request names what is not there, or nothing to do."""
    if not motions:
        raise InvalidValueError("object motions: the sequence is empty, nothing to plan")
    for stage, wanted in [("", (object_id,)), *((motion.kind, motion.reference_ids) for motion in motions)]:
        for key in wanted:
            try:
                scene.object(key)
            except UnknownNameError as error:
                return PlanFailure("unknown_object", stage, str(error))
    return None


def _turn_rad(rows: FloatArray) -> float:
    return float(steps(rows)[1].sum())
