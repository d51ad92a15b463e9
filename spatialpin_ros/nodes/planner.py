# SPDX-License-Identifier: Apache-2.0
"""Planner node: turns a task into a plan in a process of its own and shows it before anything moves."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from geometry_msgs.msg import PoseArray
from nav_msgs.msg import Path
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from spatialpin_interfaces.msg import Plan as PlanMsg
from spatialpin_interfaces.srv import CheckPlan, PlanTask
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.conversions import (
    plan_failure_to_msg,
    plan_from_msg,
    plan_to_markers,
    plan_to_msg,
    plan_to_path,
    plan_to_trajectory,
    seconds,
    task_from_msg,
    waypoints_to_msg,
)
from spatialpin_ros.doubts import doubts_about
from spatialpin_ros.errors import BackendError, ExecutionError, SpatialPinError
from spatialpin_ros.nodes.joint_states import JointStateMonitor
from spatialpin_ros.nodes.newest_scene import SAME_MOMENT_S, NewestScene, NoSceneError
from spatialpin_ros.nodes.parameters import ROBOT, Parameter, declare
from spatialpin_ros.nodes.qos import LATCHED, SERVICE
from spatialpin_ros.nodes.support import Worker, now_s, run
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.planning import PlanConflict, PlanningPool, PlanOptions
from spatialpin_ros.planning.changes import changed_scene, hand_at
from spatialpin_ros.planning.ompl_planners import OMPL_PLANNERS
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task

REMEMBERED_PLANS = 8
DESCRIPTION_SOURCES = ("auto", "topic", "config")
PARAMETERS = (
    ROBOT,
    Parameter("scene_topic", "/scene/scene", "Where the scenes come from.", is_name=True),
    Parameter("urdf_source", "auto", "auto: robot_description, else the robot's YAML.", choices=DESCRIPTION_SOURCES),
    Parameter("robot_description_topic", "/robot_description", "URDF as a latched string.", is_name=True),
    Parameter("robot_description_wait_s", 4.0, "How long auto waits for it before it takes the YAML's.", 0.0, 60.0),
    Parameter("joint_states_timeout_s", 2.0, "Joint states older than this are not planned from [s].", 0.1, 60.0),
    Parameter("scene_max_age_s", 120.0, "Scenes older than this are not planned in; 0: no limit [s].", 0.0, 1e6,
              read_only=False),
    Parameter("planner", "rrt_star", "Path planner.", choices=tuple(OMPL_PLANNERS), read_only=False),
    Parameter("time_limit_s", 10.0, "Most time for one plan [s].", 0.1, 300.0, read_only=False),
    Parameter("speed", 1.0, "Fraction of the joint velocity limits in free motions.", 0.01, 1.0, read_only=False),
    Parameter("linear_speed", 0.5, "The same in straight motions.", 0.01, 1.0, read_only=False),
    Parameter("seed", 0, "Of all random choices.", 0, 2**31 - 1, read_only=False),
    Parameter("workers", 2, "Planning processes; each tries a seed of its own. 1: the seed alone decides.", 1, 16),
)  # fmt: skip


class PlannerNode(Node):
    """Serves ~/plan_task, ~/check_plan, ~/cancel; publishes ~/plan, ~/waypoints, ~/path, ~/trajectory, ~/markers."""

    def __init__(self) -> None:
        super().__init__("planner")
        values = declare(self, PARAMETERS)
        self._robot = RobotConfig.load(values["robot"])
        self._scene = NewestScene(self, values["scene_topic"])
        self._cancels: list[threading.Event] = []
        self._planned_in: deque[Scene] = deque(maxlen=REMEMBERED_PLANS)
        self._planning: PlanningPool | None = None
        self._workers: int = values["workers"]
        self._urdf: str | None = None
        self._robot_known = threading.Event()
        self._robot_wait_s: float = values["robot_description_wait_s"] + 1.0
        self._worker = Worker(self, "planning")
        self._joints = JointStateMonitor(self, self._robot, values["joint_states_timeout_s"])
        self._plan_topic = self.create_publisher(PlanMsg, "~/plan", LATCHED)
        self._waypoints_topic = self.create_publisher(PoseArray, "~/waypoints", LATCHED)
        self._path_topic = self.create_publisher(Path, "~/path", LATCHED)
        self._trajectory_topic = self.create_publisher(JointTrajectory, "~/trajectory", LATCHED)
        self._markers_topic = self.create_publisher(MarkerArray, "~/markers", LATCHED)
        group = ReentrantCallbackGroup()
        self.create_service(
            PlanTask, "~/plan_task", self._plan_task, qos_profile=SERVICE, callback_group=group
        )
        self.create_service(
            CheckPlan, "~/check_plan", self._check_plan, qos_profile=SERVICE, callback_group=group
        )
        self.create_service(Trigger, "~/cancel", self._on_cancel, qos_profile=SERVICE, callback_group=group)
        self._find_robot(values, group)

    def _find_robot(self, values: dict[str, Any], group: ReentrantCallbackGroup) -> None:
        source = values["urdf_source"]
        if source == "config":
            self._start(None)
            return
        topic = values["robot_description_topic"]
        self.create_subscription(String, topic, lambda m: self._start(m.data), LATCHED, callback_group=group)
        if source == "auto":
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            wait_s = max(values["robot_description_wait_s"], 0.001)
            self._fallback = self.create_timer(wait_s, self._take_yaml, callback_group=group, clock=steady)

    def _take_yaml(self) -> None:
        self._fallback.cancel()
        if self._planning is None:
            self.get_logger().info(f"no robot_description: planning with {self._robot.urdf}")
            self._start(None)

    def _start(self, urdf: str | None) -> None:
        """Warm a planning process for a robot up; another description replaces the one before."""
        if self._planning is not None and urdf == self._urdf:
            return
        before, self._urdf = self._planning, urdf
        self._planning = PlanningPool(self._robot, urdf, workers=self._workers)
        if before is not None:
            before.close()
        self._robot_known.set()
        self.get_logger().info(f"planning for '{self._robot.name}'")

    def _on_cancel(self, _: Any, response: Any) -> Any:
        for cancel in self._cancels:
            cancel.set()
        response.success = True
        return response

    async def _plan_task(self, request: Any, response: Any) -> Any:
        cancel = threading.Event()
        self._cancels.append(cancel)
        try:
            result = await self._worker.run(lambda: self._plan(request, cancel))
        except SpatialPinError as error:
            self.get_logger().warning(f"cannot plan: {error}")
            response.message = str(error)
            response.failure.message = str(error)
            return response
        finally:
            self._cancels.remove(cancel)
        if isinstance(result, PlanFailure):
            self.get_logger().warning(f"no plan ({result.reason}): {result.message}")
            response.message, response.failure = result.message, plan_failure_to_msg(result)
            return response
        response.success, (response.plan, doubts) = True, result
        response.message = "; ".join([f"{len(response.plan.stages)} stages", *doubts])
        return response

    def _plan(self, request: Any, cancel: threading.Event) -> tuple[PlanMsg, tuple[str, ...]] | PlanFailure:
        """Plan and publish; also say why the scene is to be doubted. Runs on the worker's thread."""
        self._pool()
        try:
            scene, task = self._scene_for(request), task_from_msg(request.task)
        except NoSceneError as error:
            return PlanFailure("stale_scene", "", str(error))
        plan = self._stale(scene) or self._plan_in(scene, task, cancel)
        if isinstance(plan, PlanFailure):
            return plan
        self._planned_in.append(scene)
        doubts = doubts_about(scene, task)
        for doubt in doubts:
            self.get_logger().warning(doubt)
        return self._publish(plan), doubts

    def _pool(self) -> PlanningPool:
        if not self._robot_known.wait(self._robot_wait_s) or self._planning is None:
            raise ExecutionError("no robot_description came yet; publish it, or set urdf_source to config")
        return self._planning

    def _scene_for(self, request: Any) -> Scene:
        stamp_s = seconds(request.scene_stamp)
        return self._scene.at(stamp_s) if stamp_s else self._scene.get()

    def _plan_in(self, scene: Scene, task: Task, cancel: threading.Event) -> Plan | PlanFailure:
        """Plan, again where a robot_description that came meanwhile has replaced the planning processes."""
        while True:
            pool = self._pool()
            try:
                plan = pool.plan(scene, task, self._joints.positions(), self._plan_options(), cancel)
            except BackendError:
                if pool is self._planning:
                    raise
            else:
                if pool is self._planning or cancel.is_set():
                    return plan

    async def _check_plan(self, request: Any, response: Any) -> Any:
        try:
            conflict, scene = await self._worker.run(lambda: self._check(request))
        except SpatialPinError as error:
            response.message = str(error)
            return response
        response.success, response.holds = True, conflict is None
        if conflict is not None:
            names = {item.id: item.name for item in scene.objects}
            self.get_logger().warning(f"'{conflict.stage}' is blocked: {conflict.detail}")
            response.message, response.conflict_kind = conflict.detail, conflict.kind
            response.conflict_stage_index, response.conflict_stage = conflict.stage_index, conflict.stage
            response.conflict_time_s, response.object_ids = conflict.time_s, list(conflict.object_ids)
            response.object_names = [names.get(key, "") for key in conflict.object_ids]
        return response

    def _check(self, request: Any) -> tuple[PlanConflict | None, Scene]:
        """Check the rest of a plan against what has surely changed; runs on the worker's thread."""
        plan, stamp = plan_from_msg(request.plan), request.scene_stamp
        pool, before = self._pool(), self._scene_of(plan)
        hand = hand_at(plan, request.seen_stage_index, request.seen_stage_time_s)
        now = self._scene.at(seconds(stamp))
        scene = changed_scene(plan, before, now, hand=hand)
        if scene is None:
            return None, before
        conflict = pool.revalidate(
            plan, scene, from_stage=request.stage_index, from_time_s=request.stage_time_s
        )
        return conflict, scene

    def _scene_of(self, plan: Plan) -> Scene:
        """The scene that a plan was made in, which may be long forgotten elsewhere."""
        made = (
            scene
            for scene in reversed(self._planned_in)
            if abs(scene.stamp_s - plan.scene_stamp_s) < SAME_MOMENT_S
        )
        return next(made, None) or self._scene.at(plan.scene_stamp_s)

    def _stale(self, scene: Scene) -> PlanFailure | None:
        limit_s = float(self.get_parameter("scene_max_age_s").value or 0.0)
        age_s = now_s(self) - scene.stamp_s
        if limit_s == 0.0 or age_s <= limit_s:
            return None
        message = (
            f"the scene is {age_s:.0f} s old (allowed {limit_s:.0f}); capture it again, ids may have changed"
        )
        return PlanFailure("stale_scene", "", message)

    def _plan_options(self) -> PlanOptions:
        names = ("planner", "time_limit_s", "speed", "linear_speed", "seed")
        return PlanOptions(**{name: self.get_parameter(name).value for name in names})

    def _publish(self, plan: Plan) -> PlanMsg:
        stamp_s = now_s(self)
        message = plan_to_msg(plan, stamp_s)
        self._trajectory_topic.publish(plan_to_trajectory(plan, 0.0))
        self._waypoints_topic.publish(waypoints_to_msg(plan.waypoints, plan.base_frame, stamp_s))
        self._path_topic.publish(plan_to_path(plan, stamp_s))
        self._markers_topic.publish(plan_to_markers(plan, stamp_s))
        self._plan_topic.publish(message)
        return message

    def close(self) -> None:
        for cancel in tuple(self._cancels):
            cancel.set()
        if self._planning is not None:
            self._planning.close()
        self._worker.close(timeout_s=1.0)


def main() -> None:
    run(PlannerNode)


if __name__ == "__main__":
    main()
