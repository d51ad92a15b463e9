# SPDX-License-Identifier: Apache-2.0
"""From Scene and Task to Plan: every stage of every pick and place, timed and checked, or the typed reason why not."""

from __future__ import annotations

import time

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.config import RobotConfig
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.job import Failed, Job
from spatialpin_ros.planning.motions import MotionMaker
from spatialpin_ros.planning.obstacles import Obstacle
from spatialpin_ros.planning.options import PlanOptions
from spatialpin_ros.planning.pick_and_stack import PickAndPlace
from spatialpin_ros.planning.revalidation import PlanConflict, Revalidation
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.task import Task


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
        job = Job(self.robot, scene, task, start, options or PlanOptions(), self.fixtures, began)
        try:
            return _run(job)
        except Failed as failed:
            elapsed = time.perf_counter() - began
            return PlanFailure(failed.reason, failed.stage, failed.message, failed.candidates, elapsed)


def _run(job: Job) -> Plan:
    _check_names(job)
    rng = np.random.default_rng(job.options.seed)
    width = job.robot.config.gripper.max_width_m
    world = CollisionWorld(job.robot, job.obstacles(), width_m=width, padding_m=job.options.padding_m)
    motions = MotionMaker(job.robot, job.options)
    _check_start(job, world)
    here = job.start
    steps, index = job.task.steps, 0
    while index < len(steps):
        pick = steps[index]
        place = steps[index + 1] if index + 1 < len(steps) else None
        last = index + 2 >= len(steps)
        pair = PickAndPlace(
            job, world, motions, rng, pick, place, index, here, home=last and place is not None
        )
        stages, here, candidate = pair.plan()
        job.stages += stages
        job.grasps[pick.object_id] = candidate.grasp.object_T_tcp
        job.alternatives += pair.alternatives
        job.count("candidates", pair.tried)
        if candidate.place is not None and place is not None:
            job.put_down(pick.object_id, place, candidate.place)
            world = world.derive(obstacles=job.obstacles())
        index += 2
    return _plan(job, world)


def _plan(job: Job, world: CollisionWorld) -> Plan:
    job.metrics["checked_states"] = float(world.counters.states)
    job.metrics["checked_edges"] = float(world.counters.edges)
    job.metrics["planning_s"] = time.perf_counter() - job.began
    job.metrics["duration_s"] = sum(stage.duration_s for stage in job.stages)
    return Plan(
        task=job.task,
        stages=tuple(job.stages),
        joint_names=job.robot.joint_names,
        base_frame=job.robot.config.base_frame,
        tip_frame=job.robot.config.tip_frame,
        object_T_tcp=job.grasps,
        expected_poses=job.ends,
        scene_stamp_s=job.scene.stamp_s,
        metrics=job.metrics,
        alternatives=tuple(job.alternatives),
    )


def _check_names(job: Job) -> None:
    surfaces = {surface.name for surface in job.scene.supports}
    for step in job.task.steps:
        try:
            job.scene.object(step.object_id)
            if step.action == "place_on":
                job.scene.object(step.target_id)
        except UnknownNameError as error:
            raise Failed("unknown_object", "", str(error)) from error
        if step.action == "place_in_area" and step.target_id not in surfaces:
            raise Failed(
                "unknown_object",
                "",
                f"no support called '{step.target_id}'; there is: {', '.join(sorted(surfaces))}",
            )


def _check_start(job: Job, world: CollisionWorld) -> None:
    violation = job.robot.limit_violation(job.start)
    if violation:
        raise Failed(
            "start_out_of_limits",
            "",
            f"the arm starts outside its limits: {violation}; move it back by hand",
        )
    bare = world.derive(padding_m=0.0)
    if not bare.valid(job.start):
        raise Failed(
            "start_in_collision",
            "",
            f"the arm starts in collision: {bare.explain(job.start)}; move it free first",
        )
