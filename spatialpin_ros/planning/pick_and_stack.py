# SPDX-License-Identifier: Apache-2.0
"""One pick and, usually, the place that follows: candidates in order, the stages of the first that works throughout."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.plan import Alternative, FailureReason, PlanStage, StageName
from spatialpin_ros.planning.alternatives import ranked_below
from spatialpin_ros.planning.candidates import Candidate, CandidateSearch, Failures, furthest, in_the_way
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.grasps import grasp_candidates, widest_graspable, widths_across
from spatialpin_ros.planning.job import Failed, Job
from spatialpin_ros.planning.motions import Motion, MotionMaker
from spatialpin_ros.planning.options import PlanOptions
from spatialpin_ros.planning.place import NoPlace, PlacePose, place_in_area, place_on_object
from spatialpin_ros.planning.rrt_star import PathResult
from spatialpin_ros.scene import SceneObject
from spatialpin_ros.task import TaskStep


@dataclass(frozen=True, slots=True, eq=False)
class _Leg:
    """What becomes one stage: a free motion between two ends, a straight one along a path, or a gripper width."""

    name: StageName
    text: str
    world: CollisionWorld | None = None
    ends: tuple[FloatArray, FloatArray] | None = None
    path: FloatArray | None = None
    width_m: float | None = None
    holding: str = ""


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
        legs = self._taking(search, candidate, item)
        if candidate.place is not None:
            legs += self._placing(search, candidate, candidate.place, item)
        made: dict[int, PlanStage] = {}
        searches: list[PathResult] = []
        # Free motions are the ones that may fail, so they are planned before any straight one is timed.
        for k in sorted(range(len(legs)), key=lambda k: legs[k].ends is None):
            leg = legs[k]
            self.job.check_time(leg.name, self.failures.listed)
            if leg.world is None:
                made[k] = self._grip(leg)
                continue
            motion = self._motion(leg, leg.world)
            if not motion.trajectory:
                self.failures.add(candidate.name, leg.name, motion.reason, motion.detail)
                if leg.name == "approach":
                    self.dead.append(candidate.approach)
                return None
            searches += [motion.search] if motion.search is not None else []
            made[k] = self.motions.stage(leg.name, self._step_of(leg.name), motion, leg.holding, leg.text)
        for found in searches:
            self._count(found)
        stages = [made[k] for k in range(len(legs))]
        end = next(stage.trajectory.positions[-1] for stage in reversed(stages) if stage.trajectory)
        return stages, end

    def _taking(self, search: CandidateSearch, candidate: Candidate, item: SceneObject) -> list[_Leg]:
        grasp = candidate.grasp
        opened = search.touch_world(grasp.opening_m, candidate.padding_m)
        free = opened.derive(padding_m=search.options.padding_m, near={})
        gripping = search.held_world(grasp, candidate.padding_m, search.support)
        above, down = (self.start, candidate.approach[0]), candidate.approach
        return [
            _Leg("approach", f"open the gripper for {item.name}", width_m=grasp.opening_m),
            _Leg("approach", f"move above {item.name}", free, ends=above),
            _Leg("approach", f"go down to {item.name}", opened, path=down),
            _Leg("grasp", f"close on {item.name}", width_m=self._closing(grasp.width_m)),
            _Leg("lift", f"lift {item.name}", gripping, path=candidate.lift, holding=item.id),
        ]

    def _placing(
        self, search: CandidateSearch, candidate: Candidate, place: PlacePose, item: SceneObject
    ) -> list[_Leg]:
        if candidate.lower is None or candidate.retreat is None:
            raise ValueError(f"candidate '{candidate.name}': has a place but no motions to it")
        grasp, options, on = candidate.grasp, search.options, self._name_of(search.target)
        carrying = search.held_world(grasp, options.padding_m)
        lowering = search.held_world(grasp, candidate.padding_m, search.target)
        released = search.placed_world(place.object_pose, grasp.opening_m, candidate.padding_m)
        over, key = (candidate.lift[-1], candidate.lower[0]), item.id
        legs = [
            _Leg("transfer", f"carry {item.name} over {on}", carrying, ends=over, holding=key),
            _Leg("place", f"lower {item.name} onto {on}", lowering, path=candidate.lower, holding=key),
            _Leg("release", f"let go of {item.name}", width_m=grasp.opening_m),
            _Leg("retreat", f"draw back from {item.name}", released, path=candidate.retreat),
        ]
        if self.home and options.return_home:
            free = released.derive(padding_m=options.padding_m, near={})
            back = (candidate.retreat[-1], self.job.robot.config.home)
            legs.append(_Leg("home", "return home", free, ends=back))
        return legs

    def _motion(self, leg: _Leg, world: CollisionWorld) -> Motion:
        if leg.ends is not None:
            return self.motions.free(world, *leg.ends)
        if leg.path is None:
            raise ValueError(f"stage '{leg.name}': has neither a path nor ends")
        return self.motions.straight(world, leg.path)

    def _count(self, search: PathResult) -> None:
        """Report how a free motion was found: which part won, when first, how long at first and in the end."""
        self.job.count(f"won_{search.won}", 1.0)
        self.job.count("first_paths_s", search.first_path_s)
        self.job.count("first_paths_rad", search.cost_over_time[0][1])
        self.job.count("paths_rad", search.cost)

    def _step_of(self, name: str) -> int:
        return self.index if name in ("approach", "grasp", "lift") else self.index + 1

    def _grip(self, leg: _Leg) -> PlanStage:
        force, step = self.job.robot.config.gripper.max_force_n, self._step_of(leg.name)
        return PlanStage(leg.name, step, gripper_width_m=leg.width_m, gripper_force_n=force, text=leg.text)

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
        if reason == "ik" and worst.stage in ("place", "retreat"):
            advice = "choose a place nearer to the arm, or lower"
        blockers = in_the_way(items, [other.name for other in self.job.scene.objects if other.id != item.id])
        counted = ", ".join(f"{name} ({count} of {len(items)} tries)" for name, count in blockers[:_NAMED])
        blame = f"; in the way: {counted}" if counted and reason not in _ADVICE else ""
        return Failed(
            reason,
            worst.stage,
            f"{item.name}: {worst.stage} fails for all {len(items)} tries, mostly: {worst.detail}{blame}; {advice}",
            items,
        )


_ADVICE = {"ik": "bring the object nearer to the arm, or choose another one", "limits": "lower the speed"}
_NAMED = 3
