# SPDX-License-Identifier: Apache-2.0
"""LocalWorkcell: the whole flow in one process against the simulated world, without ROS."""

from __future__ import annotations

import threading
from collections.abc import Callable

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.demo.recorder import Recorder
from spatialpin_ros.demo.workcell import Answered, Progress, Proposed
from spatialpin_ros.errors import PerceptionError
from spatialpin_ros.execution import Feedback, run_plan
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.perception import PerceptionOptions, reconstruct
from spatialpin_ros.perception.tracking import SceneTracker
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.planning import Planner
from spatialpin_ros.planning.body import BodyPoser
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.reasoning import Abilities, Backend, create_backend
from spatialpin_ros.scene import Scene
from spatialpin_ros.simulation import Pace, World, robot_description
from spatialpin_ros.simulation.adapters import SimulatedArm, SimulatedGripper
from spatialpin_ros.task import Task

JOINT_GAP_S = 0.02
IMAGE_GAP_S = 0.25


class LocalWorkcell:
    """A simulated workcell in this process.

    Args:
        robot, camera: what stands at the table.
        backend: the reasoning back end, or its name.
        gui: open the simulator's window, and move no faster than in real time.
        film: record a picture of the execution every IMAGE_GAP_S; costs time.
        seed: of whatever the back end draws.
    """

    def __init__(
        self,
        robot: RobotConfig,
        camera: CameraConfig,
        *,
        backend: Backend | str = "symbolic",
        gui: bool = False,
        film: bool = True,
        seed: int = 0,
    ) -> None:
        self.world = World(robot, camera, gui=gui, seed=seed)
        self.recorder = Recorder()
        self._film, self._seed = film, seed
        self._perception = PerceptionOptions(workspace=camera.workspace)
        self._abilities = Abilities.from_robot(robot)
        self._backend = create_backend(backend) if isinstance(backend, str) else backend
        description = robot_description(robot, camera)
        self._planner = Planner(robot, description)
        self._body, self._tracker = BodyPoser(RobotModel(robot, description)), SceneTracker()
        self._arm = SimulatedArm(self.world, self._record)
        self._gripper = SimulatedGripper(self.world, self._record)
        self._frame: CameraFrame | None = None
        self._scene: Scene | None = None
        self._joints_s = self._image_s = -1.0
        self._pace = Pace(1.0 if gui else 0.0)

    @property
    def transport(self) -> str:
        return "one process, no ROS"

    def randomize(self, seed: int, objects: int) -> tuple[str, ...]:
        self._scene = self._frame = None
        return tuple(spec.name for spec in self.world.reset(seed, objects or None))

    def capture(self) -> Scene:
        self._frame = self.world.render()
        joints = self.world.robot.joint_states()
        body = self._body.at(dict(zip(joints.names, joints.positions.tolist(), strict=True)))
        seen = reconstruct(self._frame, self._perception, robot=body)
        self._scene = self._tracker.update(seen).scene
        return self._scene

    def image(self) -> UInt8Array | None:
        return None if self._frame is None else self._frame.color

    def newest_scene(self) -> Scene | None:
        return self._scene

    def _current_scene(self) -> Scene:
        if self._scene is None:
            raise PerceptionError("there is no scene yet; capture one first")
        return self._scene

    def propose(self, max_tasks: int) -> Proposed:
        found = self._backend.propose(
            self._current_scene(), self._abilities, max_tasks=max_tasks, seed=self._seed, image=self._frame
        )
        return Proposed(found.tasks, tuple(str(item) for item in found.rejected))

    def describe(self, request: str) -> Task:
        return self._backend.describe(self._current_scene(), self._abilities, request, self._frame)

    def answer(self, question: str) -> Answered:
        found = self._backend.answer(self._current_scene(), question, self._frame)
        return Answered(
            found.text, found.value, found.unit, tuple(found.object_ids), found.program, found.frame
        )

    def plan(self, task: Task) -> Plan | PlanFailure:
        return self._planner.plan(self._current_scene(), task, self._arm.joint_positions())

    def execute(
        self, task: Task, plan: Plan, on_progress: Callable[[Progress], None], cancel: threading.Event
    ) -> Outcome:
        def tell(feedback: Feedback) -> None:
            self.recorder.stage(self.world.time_s, feedback.stage, feedback.text)
            on_progress(Progress(feedback.stage, feedback.progress, feedback.text, self.world.time_s))

        self._joints_s = self._image_s = -1.0
        self.recorder.begin(plan, self.world.time_s)
        try:
            return run_plan(plan, self._current_scene(), self._arm, self._gripper, self.capture, tell, cancel)
        finally:
            self.recorder.end(self.world.time_s)

    def _record(self) -> None:
        """Keep what a camera and an encoder would have seen after one physics step, at the pace of who watches."""
        now_s = self.world.time_s
        if now_s - self._joints_s >= JOINT_GAP_S:
            states = self.world.robot.arm_states()
            self.recorder.joints(now_s, states.names, states.positions.tolist(), states.velocities.tolist())
            self._joints_s = now_s
        if self._film and now_s - self._image_s >= IMAGE_GAP_S:
            self.recorder.image(now_s, self.world.snapshot("overview", 480, 360))
            self._image_s = now_s
        self._pace.keep(self.world.physics.step_s)

    def close(self) -> None:
        self._backend.close()
        self.world.close()
