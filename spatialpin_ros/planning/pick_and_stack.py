# SPDX-License-Identifier: Apache-2.0
"""One pick and, usually, the place that follows: candidates in order, the stages of the first that works throughout."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.plan import Alternative, FailureReason, PlanStage
from spatialpin_ros.planning.alternatives import ranked_below
from spatialpin_ros.planning.candidates import Candidate, CandidateSearch, Failures, furthest
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.grasps import grasp_candidates, widest_graspable, widths_across
from spatialpin_ros.planning.job import Failed, Job
from spatialpin_ros.planning.motions import MotionMaker
from spatialpin_ros.planning.options import PlanOptions
from spatialpin_ros.planning.place import NoPlace, PlacePose, place_in_area, place_on_object
from spatialpin_ros.planning.rrt_star import PathResult
from spatialpin_ros.scene import SceneObject
from spatialpin_ros.task import TaskStep


@dataclass(slots=True, eq=False)
class PickAndPlace:
    """One pick and, usually, the place that follows."""

    job: Job
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
            raise Failed(
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
                raise Failed(
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
            raise Failed(found.reason, "place", found.detail)
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

    def _no_grasp(self, item: SceneObject, options: PlanOptions) -> Failed:
        widest = widest_graspable(self.job.robot, options.grasp) * 1000
        widths = " and ".join(f"{width * 1000:.0f}" for width in widths_across(item))
        return Failed(
            "no_grasp", "grasp",
            f"{item.name} cannot be grasped: it is {widths} mm across and {item.box.height * 1000:.0f} mm high, the "
            f"gripper takes up to {widest:.0f} mm; choose a narrower object",
        )  # fmt: skip

    def _failure(self, item: SceneObject) -> Failed:
        items = self.failures.listed()
        worst = furthest(items)
        if worst is None:
            return Failed("no_grasp", "grasp", f"no way to grasp {item.name} was found", items)
        reason: FailureReason = worst.reason
        if reason == "goal_in_collision":
            reason = "no_free_place" if worst.stage in ("place", "retreat") else "no_grasp"
        advice = _ADVICE.get(reason, "move what is in the way, or choose another object or target")
        return Failed(
            reason,
            worst.stage,
            f"{item.name}: {worst.stage} fails for all {len(items)} tries, mostly: {worst.detail}; {advice}",
            items,
        )


_ADVICE = {"ik": "bring the object nearer to the arm, or choose another one", "limits": "lower the speed"}
