# SPDX-License-Identifier: Apache-2.0
"""Does the rest of a plan still hold in a scene that has changed since it was made?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import Plan, PlanStage, StageName
from spatialpin_ros.planning.collision_world import CollisionWorld, densify, without_own_camera
from spatialpin_ros.planning.joining import with_objects
from spatialpin_ros.planning.obstacles import Obstacle, scene_obstacles
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.walk import Moving, motions
from spatialpin_ros.scene import Scene, SceneObject

_CHECK_RAD = 0.02
ConflictKind = Literal["touches", "moved", "gone"]


@dataclass(frozen=True, slots=True)
class PlanConflict:
    """Where the rest of a plan fails in a scene.

    Args:
        stage_index, stage: the first stage that fails.
        time_s: when, from that stage's start [s].
        detail: what touches what, or which object is no longer where the plan takes or expects it.
        kind: whether something would be touched, or an object that the plan needs has moved or is gone.
        object_ids: which objects of the scene that is about; empty when it is a support or a fixture.
    """

    stage_index: int
    stage: StageName
    time_s: float
    detail: str
    kind: ConflictKind = "touches"
    object_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Revalidation:
    """The rest of a plan against a scene.

    Args:
        robot: the plan's.
        scene: as it is now; what the hand holds may be missing from it.
        held: the object in the hand, when the scene lacks it.
        from_stage, from_time_s: how far the plan has been carried out [s].
        padding_m: least distance to everything; 0 tells only what would touch.
        moved_m: how far an object may be from where the plan has it [m].
        fixtures: further bodies that are always there.
    """

    robot: RobotModel
    scene: Scene
    held: SceneObject | None = None
    from_stage: int = 0
    from_time_s: float = 0.0
    padding_m: float = 0.0
    moved_m: float = 0.01
    fixtures: tuple[Obstacle, ...] = ()

    def conflict(self, plan: Plan) -> PlanConflict | None:
        """The first conflict, or None when the rest of the plan still holds."""
        scene = self._whole_scene()
        obstacles = self._obstacles(plan, scene)
        for moving in motions(plan, scene, self.robot.config.gripper.max_width_m):
            if moving.index < self.from_stage:
                continue
            found = self._displaced(plan, scene, moving) or self._touched(plan, obstacles, moving)
            if found is not None:
                return found
        return None

    def _whole_scene(self) -> Scene:
        """The scene with what is in the hand."""
        if self.held is None or any(item.id == self.held.id for item in self.scene.objects):
            return self.scene
        return with_objects(self.scene, [self.held])

    def _displaced(self, plan: Plan, scene: Scene, moving: Moving) -> PlanConflict | None:
        """Whether an object that a straight motion goes to is gone or has moved."""
        stage, step = moving.stage, plan.task.steps[moving.stage.step_index]
        objects = {item.id: item for item in scene.objects}
        if stage.name == "approach" and stage.linear:
            planned = self._grasped_pose(plan, moving, step.object_id).position
            return self._apart(moving, step.object_id, objects.get(step.object_id), planned, "taken")
        if stage.name == "place" and step.action == "place_on" and step.target_id not in plan.object_T_tcp:
            target, item = objects.get(step.target_id), objects.get(step.object_id)
            below = plan.expected_poses[step.object_id].position.copy()
            if target is not None and item is not None:
                below[2] -= (item.box.height + target.box.height) / 2.0
            elif target is not None:
                below[2] = target.centre[2]
            return self._apart(moving, step.target_id, target, below, "built on")
        return None

    def _apart(
        self, moving: Moving, key: str, item: SceneObject | None, planned: FloatArray, verb: str
    ) -> PlanConflict | None:
        if item is None:
            gone = f"{key} is no longer in the scene"
            return PlanConflict(moving.index, moving.stage.name, 0.0, gone, "gone", (key,))
        apart = float(np.linalg.norm(item.centre - planned))
        if apart <= self.moved_m:
            return None
        where = f"{item.name} is {apart * 1000:.0f} mm from where it is to be {verb}"
        return PlanConflict(moving.index, moving.stage.name, 0.0, where, "moved", (key,))

    def _grasped_pose(self, plan: Plan, moving: Moving, key: str) -> Pose:
        return self.robot.tcp(moving.trajectory.positions[-1]) @ plan.object_T_tcp[key].inverse()

    def _touched(self, plan: Plan, obstacles: tuple[Obstacle, ...], moving: Moving) -> PlanConflict | None:
        positions, times = moving.trajectory.positions, moving.trajectory.times
        if moving.index == self.from_stage and self.from_time_s > 0.0:
            first = min(int(np.searchsorted(times, self.from_time_s)), len(times) - 2)
            positions, times = positions[first:], times[first:]
        world = self._world(plan, obstacles, moving)
        if world.path(positions, _CHECK_RAD):
            return None
        dense = densify(positions, _CHECK_RAD)
        bad = dense[world.first_invalid(dense) or 0]
        nearest = int(np.argmin(np.linalg.norm(positions - bad, axis=1)))
        kinds = {body.name: body.kind for body in obstacles}
        touched = dict.fromkeys(name for pair in world.contacts(bad) for name in pair)
        held = moving.stage.holding
        ids = tuple(name for name in touched if kinds.get(name) == "object" and name != held)
        time_s, why = float(times[nearest]), world.explain(bad)
        return PlanConflict(moving.index, moving.stage.name, time_s, why, "touches", ids)

    def _world(self, plan: Plan, obstacles: tuple[Obstacle, ...], moving: Moving) -> CollisionWorld:
        """What the arm meets during one motion: objects put down before stand at their places."""
        put = _put_down(plan, moving.stage)
        placed = tuple(body.moved_to(put[body.name]) if body.name in put else body for body in obstacles)
        world = CollisionWorld(
            self.robot, placed, width_m=moving.width_m, padding_m=self.padding_m, allowed=moving.allowed
        )
        holding = moving.stage.holding
        if holding not in {body.name for body in placed}:
            return world
        return world.attach(holding, plan.object_T_tcp[holding].inverse())

    def _obstacles(self, plan: Plan, scene: Scene) -> tuple[Obstacle, ...]:
        involved = {key for step in plan.task.steps for key in (step.object_id, step.target_id)}
        clear_of = tuple(item.box for item in scene.objects if item.id in involved)
        found = scene_obstacles(scene, self.robot.config.workspace, fixtures=self.fixtures, clear_of=clear_of)
        return without_own_camera(self.robot, found, plan.start_positions)


def _put_down(plan: Plan, stage: PlanStage) -> dict[str, Pose]:
    """Where the objects stand that were placed before a stage, or are while it draws back."""
    before = stage.step_index + (1 if stage.name in ("retreat", "home") else 0)
    placed = [step.object_id for step in plan.task.steps[:before] if step.action != "pick"]
    return {key: plan.expected_poses[key] for key in placed if key in plan.expected_poses}
