# SPDX-License-Identifier: Apache-2.0
"""From Scene and Task to Plan: every stage of every pick and place, timed and checked, or the typed reason why not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.config import RobotConfig
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.plan import Alternative, CandidateFailure, FailureReason, Plan, PlanFailure, PlanStage
from spatialpin_ros.planning.alternatives import ranked_below
from spatialpin_ros.planning.candidates import Candidate, CandidateSearch, Failures, furthest
from spatialpin_ros.planning.collision_world import CollisionWorld, without_own_camera
from spatialpin_ros.planning.grasps import grasp_candidates, widest_graspable, widths_across
from spatialpin_ros.planning.motions import MotionMaker
from spatialpin_ros.planning.obstacles import Obstacle, scene_obstacles
from spatialpin_ros.planning.options import PlanOptions
from spatialpin_ros.planning.place import NoPlace, PlacePose, place_in_area, place_on_object
from spatialpin_ros.planning.revalidation import PlanConflict, Revalidation
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.rrt_star import PathResult
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.task import Task, TaskStep


class _Failed(Exception):
    """Ends the planning of a task; carries what becomes the PlanFailure."""

    def __init__(
        self, reason: FailureReason, stage: str, message: str, candidates: tuple[CandidateFailure, ...] = ()
    ) -> None:
        super().__init__(message)
        self.reason, self.stage, self.message, self.candidates = reason, stage, message, candidates


class Planner:
    """Plans tasks for one arm; building it takes about 0.1 s, so keep it.

    Args:
        robot: of the arm.
        urdf: XML text; by default the file that `robot.urdf` names.
        fixtures: further bodies that are always there, such as a camera mast.

    Raises:
        InvalidValueError: when the URDF is broken or does not fit the config.
    """

    def __init__(
        self, robot: RobotConfig, urdf: str | None = None, fixtures: tuple[Obstacle, ...] = ()
    ) -> None:
        self.robot = RobotModel(robot, urdf)
        self.fixtures = fixtures

    def revalidate(
        self,
        plan: Plan,
        scene: Scene,
        *,
        held: SceneObject | None = None,
        from_stage: int = 0,
        from_time_s: float = 0.0,
    ) -> PlanConflict | None:
        """Check the rest of a plan against a scene that has changed since; takes some 30 ms.

        Args:
            held: the object in the hand, when the scene lacks it.
            from_stage, from_time_s: how far the plan has been carried out: index of a stage, time in it [s].

        Returns:
            The first stage that would touch something or find an object gone, or None when the plan still holds.
        """
        return Revalidation(
            self.robot, scene, held, from_stage, from_time_s, fixtures=self.fixtures
        ).conflict(plan)

    def plan(
        self, scene: Scene, task: Task, start: FloatArray, options: PlanOptions | None = None
    ) -> Plan | PlanFailure:
        """Plan all stages of a task.

        Args:
            scene: what is on the table.
            task: picks and places, in order.
            start: (D,) joint positions the arm is at.

        Returns:
            A plan whose every sample has been checked, or why there is none.

        Raises:
            InvalidValueError: when `start` does not have one finite value per joint.
        """
        began = time.perf_counter()
        start = np.array(start, dtype=np.float64)
        if start.shape != (self.robot.dimension,) or not np.isfinite(start).all():
            raise InvalidValueError(
                f"start: expected {self.robot.dimension} finite joint positions, got {start!r:.80}"
            )
        job = _Job(self.robot, scene, task, start, options or PlanOptions(), self.fixtures, began)
        try:
            return job.run()
        except _Failed as failed:
            elapsed = time.perf_counter() - began
            return PlanFailure(failed.reason, failed.stage, failed.message, failed.candidates, elapsed)


@dataclass(slots=True, eq=False)
class _Job:
    """One call of Planner.plan: where the arm and the objects are as the plan grows."""

    robot: RobotModel
    scene: Scene
    task: Task
    start: FloatArray
    options: PlanOptions
    fixtures: tuple[Obstacle, ...]
    began: float
    stages: list[PlanStage] = field(default_factory=list)
    grasps: dict[str, Pose] = field(default_factory=dict)
    ends: dict[str, Pose] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    alternatives: list[Alternative] = field(default_factory=list)

    def run(self) -> Plan:
        self._check_names()
        rng = np.random.default_rng(self.options.seed)
        width = self.robot.config.gripper.max_width_m
        world = CollisionWorld(self.robot, self._obstacles(), width_m=width, padding_m=self.options.padding_m)
        motions = MotionMaker(self.robot, self.options)
        self._check_start(world)
        here = self.start
        steps, index = self.task.steps, 0
        while index < len(steps):
            pick = steps[index]
            place = steps[index + 1] if index + 1 < len(steps) else None
            last = index + 2 >= len(steps)
            pair = _Pair(self, world, motions, rng, pick, place, index, here, home=last and place is not None)
            stages, here, candidate = pair.plan()
            self.stages += stages
            self.grasps[pick.object_id] = candidate.grasp.object_T_tcp
            self.alternatives += pair.alternatives
            self.count("candidates", pair.tried)
            if candidate.place is not None and place is not None:
                self._put_down(pick.object_id, place, candidate.place)
                world = world.derive(obstacles=self._obstacles())
            index += 2
        return self._plan(world)

    def count(self, metric: str, amount: float) -> None:
        """Add to a metric."""
        self.metrics[metric] = self.metrics.get(metric, 0.0) + amount

    def stopped(self) -> bool:
        return self.options.cancelled() or time.perf_counter() - self.began > self.options.time_limit_s

    def check_time(self, stage: str, candidates: Callable[[], tuple[CandidateFailure, ...]] = tuple) -> None:
        """Raise _Failed when the caller has cancelled or the time is up."""
        if self.options.cancelled():
            raise _Failed("cancelled", stage, "planning was cancelled", candidates())
        if time.perf_counter() - self.began > self.options.time_limit_s:
            raise _Failed(
                "timeout",
                stage,
                f"no plan within {self.options.time_limit_s:.1f} s; allow more time or simplify the task",
                candidates(),
            )

    def _plan(self, world: CollisionWorld) -> Plan:
        self.metrics["checked_states"] = float(world.counters.states)
        self.metrics["checked_edges"] = float(world.counters.edges)
        self.metrics["planning_s"] = time.perf_counter() - self.began
        self.metrics["duration_s"] = sum(stage.duration_s for stage in self.stages)
        return Plan(
            task=self.task,
            stages=tuple(self.stages),
            joint_names=self.robot.joint_names,
            base_frame=self.robot.config.base_frame,
            tip_frame=self.robot.config.tip_frame,
            object_T_tcp=self.grasps,
            expected_poses=self.ends,
            scene_stamp_s=self.scene.stamp_s,
            metrics=self.metrics,
            alternatives=tuple(self.alternatives),
        )

    def _check_names(self) -> None:
        surfaces = {surface.name for surface in self.scene.supports}
        for step in self.task.steps:
            try:
                self.scene.object(step.object_id)
                if step.action == "place_on":
                    self.scene.object(step.target_id)
            except UnknownNameError as error:
                raise _Failed("unknown_object", "", str(error)) from error
            if step.action == "place_in_area" and step.target_id not in surfaces:
                raise _Failed(
                    "unknown_object",
                    "",
                    f"no support called '{step.target_id}'; there is: {', '.join(sorted(surfaces))}",
                )

    def _check_start(self, world: CollisionWorld) -> None:
        violation = self.robot.limit_violation(self.start)
        if violation:
            raise _Failed(
                "start_out_of_limits",
                "",
                f"the arm starts outside its limits: {violation}; move it back by hand",
            )
        bare = world.derive(padding_m=0.0)
        if not bare.valid(self.start):
            raise _Failed(
                "start_in_collision",
                "",
                f"the arm starts in collision: {bare.explain(self.start)}; move it free first",
            )

    def _obstacles(self) -> tuple[Obstacle, ...]:
        moved = {step.object_id for step in self.task.steps} | {step.target_id for step in self.task.steps}
        clear_of = tuple(item.box for item in self.scene.objects if item.id in moved)
        found = scene_obstacles(
            self.scene, self.robot.config.workspace, fixtures=self.fixtures, clear_of=clear_of
        )
        return without_own_camera(self.robot, found, self.start)

    def _put_down(self, object_id: str, place: TaskStep, pose: PlacePose) -> None:
        self.ends[object_id] = pose.object_pose
        objects = tuple(
            replace(
                item, box=OrientedBox(pose.object_pose, item.size), supported_by=place.target_id, mesh=None
            )
            if item.id == object_id
            else item
            for item in self.scene.objects
        )
        self.scene = replace(self.scene, objects=objects)


@dataclass(slots=True, eq=False)
class _Pair:
    """One pick and, usually, the place that follows."""

    job: _Job
    world: CollisionWorld
    motions: MotionMaker
    rng: np.random.Generator
    pick: TaskStep
    place: TaskStep | None
    index: int
    start: FloatArray
    home: bool
    failures: Failures = field(default_factory=Failures)
    dead: list[FloatArray] = field(default_factory=list)
    tried: int = 0
    alternatives: tuple[Alternative, ...] = ()

    def plan(self) -> tuple[list[PlanStage], FloatArray, Candidate]:
        """Stages, the joint positions at their end, and the candidate that was chosen."""
        job, scene = self.job, self.job.scene
        item = scene.object(self.pick.object_id)
        carried = scene.carried_by(item.id)
        if carried:
            raise _Failed(
                "no_grasp",
                "grasp",
                f"{item.name} carries {', '.join(o.name for o in carried)}; move that first",
            )
        options = self._hinted()
        search = CandidateSearch(
            job.robot, self.world.obstacles, item, item.supported_by, self.place.target_id if self.place else "",
            self.start, options, self.rng, self.failures, self.world, job.stopped,
        )  # fmt: skip
        grasps = grasp_candidates(job.robot, item, options.grasp)
        first = next(grasps, None)
        if first is None:
            raise self._no_grasp(item, options)
        places = self._places(item, options) if self.place else None
        for candidate in search.search(chain([first], grasps), places):
            job.check_time("transfer", self.failures.listed)
            if any(candidate.approach is approach for approach in self.dead):
                continue
            self.tried += 1
            made = self._stages(search, candidate, item)
            if made is not None:
                self.alternatives = ranked_below(candidate, search.reachable, self.failures, self.index)
                return (*made, candidate)
            if self.tried == options.most_combinations:
                break
        job.check_time("grasp", self.failures.listed)
        raise self._failure(item)

    def _hinted(self) -> PlanOptions:
        """The options with the reasoner's hints, kept within what is sensible."""
        options = self.job.options
        lift = self.pick.lift_height_m or (self.place.lift_height_m if self.place else None)
        drop = self.place.drop_height_m if self.place else None
        if self.pick.keep_upright or (self.place is not None and self.place.keep_upright):
            options = replace(options, keep_upright=True)
        if lift is not None:
            options = replace(options, lift_m=float(np.clip(lift, 0.03, 0.25)))
        if drop is not None:
            options = replace(options, place=replace(options.place, drop_m=float(np.clip(drop, 0.001, 0.01))))
        return options

    def _places(self, item: SceneObject, options: PlanOptions) -> list[PlacePose]:
        place, scene = self.place, self.job.scene
        if place is None:
            return []
        if place.action == "place_on":
            target = scene.object(place.target_id)
            on_top = [other.name for other in scene.carried_by(target.id) if other.id != item.id]
            if on_top:
                raise _Failed(
                    "no_free_place",
                    "place",
                    f"{target.name} already carries {', '.join(on_top)}; clear it first or choose another target",
                )
            found = place_on_object(item, target, options.place)
        else:
            support = next(surface for surface in scene.supports if surface.name == place.target_id)
            area = place.area if place.area is not None else support.outline_base[:, :2]
            found = place_in_area(item, scene, support, area, options.place, self.rng)
        if isinstance(found, NoPlace):
            raise _Failed(found.reason, "place", found.detail)
        return found

    def _stages(
        self, search: CandidateSearch, candidate: Candidate, item: SceneObject
    ) -> tuple[list[PlanStage], FloatArray] | None:
        """Plan and time every motion of a candidate; None when one fails, with the reason noted."""
        options = search.options
        grasp, place = candidate.grasp, candidate.place
        opened = search.touch_world(grasp.opening_m, candidate.padding_m)
        free = opened.derive(padding_m=options.padding_m, near={})
        gripping = search.held_world(grasp, candidate.padding_m, search.support)
        stages = [self._grip("approach", grasp.opening_m, f"open the gripper for {item.name}")]
        plan: list[Any] = [
            ("approach", free, (self.start, candidate.approach[0]), "", f"move above {item.name}"),
            ("approach", opened, candidate.approach, "", f"go down to {item.name}"),
            ("grasp", None, self._closing(grasp.width_m), "", f"close on {item.name}"),
            ("lift", gripping, candidate.lift, item.id, f"lift {item.name}"),
        ]
        if place is not None and candidate.lower is not None and candidate.retreat is not None:
            on = self._name_of(search.target)
            carrying = search.held_world(grasp, options.padding_m)
            lowering = search.held_world(grasp, candidate.padding_m, search.target)
            released = search.placed_world(place.object_pose, grasp.opening_m, candidate.padding_m)
            plan += [
                (
                    "transfer",
                    carrying,
                    (candidate.lift[-1], candidate.lower[0]),
                    item.id,
                    f"carry {item.name} over {on}",
                ),
                ("place", lowering, candidate.lower, item.id, f"lower {item.name} onto {on}"),
                ("release", None, grasp.opening_m, "", f"let go of {item.name}"),
                ("retreat", released, candidate.retreat, "", f"draw back from {item.name}"),
            ]
            if self.home and options.return_home:
                ahead = (candidate.retreat[-1], self.job.robot.config.home)
                plan.append(
                    ("home", released.derive(padding_m=options.padding_m, near={}), ahead, "", "return home")
                )
        return self._make(plan, stages, candidate)

    def _make(
        self, plan: list[Any], stages: list[PlanStage], candidate: Candidate
    ) -> tuple[list[PlanStage], FloatArray] | None:
        # Free motions are the ones that may fail, so they are planned before any straight one is timed.
        made: dict[int, PlanStage] = {}
        searches: list[PathResult] = []
        order = sorted(range(len(plan)), key=lambda k: not isinstance(plan[k][2], tuple))
        for k in order:
            name, world, what, holding, text = plan[k]
            self.job.check_time(name, self.failures.listed)
            if world is None:
                made[k] = self._grip(name, what, text)
                continue
            result = (
                self.motions.free(world, *what)
                if isinstance(what, tuple)
                else self.motions.straight(world, what)
            )
            if not result.trajectory:
                self.failures.add(candidate.name, name, result.reason, result.detail)
                if name == "approach":
                    self.dead.append(candidate.approach)
                return None
            if result.search is not None:
                searches.append(result.search)
            made[k] = self.motions.stage(name, self._step_of(name), result, holding, text)
        for search in searches:
            self._count(search)
        stages += [made[k] for k in range(len(plan))]
        end = next(stage.trajectory.positions[-1] for stage in reversed(stages) if stage.trajectory)
        return stages, end

    def _count(self, search: PathResult) -> None:
        """Report how a free motion was found: which part won, when first, how long at first and in the end."""
        self.job.count(f"won_{search.won}", 1.0)
        self.job.count("first_paths_s", search.first_path_s)
        self.job.count("first_paths_rad", search.cost_over_time[0][1])
        self.job.count("paths_rad", search.cost)

    def _step_of(self, name: str) -> int:
        return self.index if name in ("approach", "grasp", "lift") else self.index + 1

    def _grip(self, name: Any, width_m: float, text: str) -> PlanStage:
        force = self.job.robot.config.gripper.max_force_n
        return PlanStage(name, self._step_of(name), gripper_width_m=width_m, gripper_force_n=force, text=text)

    def _closing(self, width_m: float) -> float:
        """Width to close to: well under the object's, so that the pads press, yet telling when it was missed."""
        gripper = self.job.robot.config.gripper
        wanted = width_m - 0.015 if self.pick.closing_width_m is None else self.pick.closing_width_m
        return float(np.clip(wanted, gripper.min_width_m, max(gripper.min_width_m, width_m - 0.005)))

    def _name_of(self, support: str) -> str:
        named = {item.id: item.name for item in self.job.scene.objects}
        return named.get(support, support)

    def _no_grasp(self, item: SceneObject, options: PlanOptions) -> _Failed:
        widest = widest_graspable(self.job.robot, options.grasp) * 1000
        widths = " and ".join(f"{width * 1000:.0f}" for width in widths_across(item))
        return _Failed(
            "no_grasp", "grasp",
            f"{item.name} cannot be grasped: it is {widths} mm across and {item.box.height * 1000:.0f} mm high, the "
            f"gripper takes up to {widest:.0f} mm; choose a narrower object",
        )  # fmt: skip

    def _failure(self, item: SceneObject) -> _Failed:
        items = self.failures.listed()
        worst = furthest(items)
        if worst is None:
            return _Failed("no_grasp", "grasp", f"no way to grasp {item.name} was found", items)
        reason: FailureReason = worst.reason
        if reason == "goal_in_collision":
            reason = "no_free_place" if worst.stage in ("place", "retreat") else "no_grasp"
        advice = _ADVICE.get(reason, "move what is in the way, or choose another object or target")
        return _Failed(
            reason,
            worst.stage,
            f"{item.name}: {worst.stage} fails for all {len(items)} tries, mostly: {worst.detail}; {advice}",
            items,
        )


_ADVICE = {"ik": "bring the object nearer to the arm, or choose another one", "limits": "lower the speed"}
