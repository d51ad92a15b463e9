# SPDX-License-Identifier: Apache-2.0
"""Simulator node: PyBullet behind the interfaces of a real arm and a real camera."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from spatialpin_interfaces.srv import RandomizeScene
from std_msgs.msg import String
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.conversions import (
    color_to_msg,
    depth_to_msg,
    floats,
    header,
    intrinsics_to_msg,
    time_to_msg,
    transform_to_msg,
)
from spatialpin_ros.errors import SpatialPinError
from spatialpin_ros.nodes.parameters import CAMERA, ROBOT, Parameter, declare
from spatialpin_ros.nodes.physics import PhysicsThread
from spatialpin_ros.nodes.qos import LATCHED, RELIABLE, SERVICE
from spatialpin_ros.nodes.simulated_controllers import ArmServer, GripperServer
from spatialpin_ros.nodes.support import run
from spatialpin_ros.simulation import ObjectSpec, RecordingCamera, Workcell, World, robot_description

PARAMETERS = (
    ROBOT,
    CAMERA,
    Parameter("gui", False, "Open PyBullet's window."),
    Parameter("seed", 0, "Of the scenes and of the depth noise.", 0, 2**31 - 1),
    Parameter("objects", 0, "Objects at the start; 0: an empty table, until ~/randomize.", 0, 8),
    Parameter("real_time_factor", 1.0, "Simulated over wall time; 0: as fast as it goes.", 0.0, 100.0),
    Parameter(
        "joint_states_hz", 60.0, "Rate of joint states and /clock [Hz of simulated time].", 10.0, 240.0
    ),
    Parameter("tf_hz", 20.0, "Rate of the links' transforms [Hz of simulated time].", 1.0, 60.0),
    Parameter("depth_encoding", "32FC1", "Of the depth images.", choices=("32FC1", "16UC1")),
    Parameter("record_folder", "", "Folder for PNG frames of every motion; empty: none."),
    Parameter("record_hz", 5.0, "Rate of those frames and of ~/overview [Hz of simulated time].", 0.5, 30.0),
)
AFTER_MOTION_S = 0.5


class SimulatorNode(Node):
    """Offers /clock, joint states, robot_description, camera, TF, controllers, ~/overview, ~/reset, ~/randomize."""

    def __init__(self) -> None:
        super().__init__("simulator")
        values = declare(self, PARAMETERS)
        self._values = values
        self._robot, self._camera = RobotConfig.load(values["robot"]), CameraConfig.load(values["camera"])
        self._clock_topic = self.create_publisher(Clock, "/clock", RELIABLE)
        self._joints_topic = self.create_publisher(JointState, self._robot.controllers.joint_states, RELIABLE)
        self._tf_topic = self.create_publisher(TFMessage, "/tf", RELIABLE)
        self._static_topic = self.create_publisher(TFMessage, "/tf_static", LATCHED)
        self._overview_topic = self.create_publisher(Image, "~/overview", RELIABLE)
        topics = self._camera.topics
        self._camera_topics = (
            self.create_publisher(Image, topics["color"], RELIABLE),
            self.create_publisher(Image, topics.get("depth", "~/unseen_depth"), RELIABLE),
            self.create_publisher(CameraInfo, topics.get("camera_info", "~/unseen_camera_info"), RELIABLE),
        )
        self._due_s = {"camera": 0.0, "overview": 0.0, "tf": 0.0}
        self._recording: RecordingCamera | None = None
        self._moved_s = -AFTER_MOTION_S
        rate_hz, factor = values["joint_states_hz"], values["real_time_factor"]
        self._physics = PhysicsThread(self, self._make, self._tick, 1.0 / rate_hz, factor)
        self._arm = ArmServer(self, self._physics, self._robot)
        self._gripper = GripperServer(self, self._physics, self._robot)
        group = ReentrantCallbackGroup()
        self.create_service(Trigger, "~/reset", self._reset, qos_profile=SERVICE, callback_group=group)
        self.create_service(
            RandomizeScene, "~/randomize", self._randomize, qos_profile=SERVICE, callback_group=group
        )
        self.create_service(Trigger, "~/truth", self._truth, qos_profile=SERVICE, callback_group=group)
        self._describe()
        self._physics.start()

    def _describe(self) -> None:
        """Publish what latecomers need: the robot's description and where the camera is."""
        self._description_topic = self.create_publisher(String, "/robot_description", LATCHED)
        self._description_topic.publish(String(data=robot_description(self._robot, self._camera)))
        camera = self._camera
        pose = transform_to_msg(camera.parent_frame, camera.optical_frame, camera.parent_T_camera)
        self._static_topic.publish(TFMessage(transforms=[pose]))

    def _make(self) -> Workcell:
        values = self._values
        cell = Workcell(World(self._robot, self._camera, gui=values["gui"], seed=values["seed"]))
        if values["objects"]:
            cell.reset(values["seed"], values["objects"])
        if values["record_folder"]:
            folder = Path(values["record_folder"]).expanduser()
            self._recording = RecordingCamera(cell.world, folder, rate_hz=values["record_hz"])
        self.get_logger().info(f"simulating '{self._robot.name}' with camera '{self._camera.name}'")
        return cell

    def _tick(self, cell: Workcell) -> None:
        """Publish what is due; on the physics thread. Simulated time stands still while a picture is rendered."""
        now_s = cell.world.time_s
        self._clock_topic.publish(Clock(clock=time_to_msg(now_s)))
        self._publish_joints(cell, now_s)
        self._arm.tick(cell)
        self._gripper.tick(cell)
        self._record(cell, now_s)
        if self._due("tf", now_s, self._values["tf_hz"]):
            self._publish_tf(cell, now_s)
        watched = any(topic.get_subscription_count() for topic in self._camera_topics)
        if watched and self._due("camera", now_s, self._camera.image.rate_hz):
            self._publish_camera(cell)
        if self._overview_topic.get_subscription_count() and self._due(
            "overview", now_s, self._values["record_hz"]
        ):
            picture = cell.world.snapshot("overview")
            self._overview_topic.publish(color_to_msg(picture, "overview", now_s))

    def _due(self, what: str, now_s: float, rate_hz: float) -> bool:
        if now_s < self._due_s[what]:
            return False
        self._due_s[what] = now_s + 1.0 / rate_hz
        return True

    def _publish_joints(self, cell: Workcell, now_s: float) -> None:
        states = cell.world.robot.joint_states()
        message = JointState(
            header=header("", now_s),
            name=list(states.names),
            position=floats(states.positions),
            velocity=floats(states.velocities),
            effort=floats(states.efforts),
        )
        self._joints_topic.publish(message)

    def _publish_tf(self, cell: Workcell, now_s: float) -> None:
        base = self._robot.base_frame
        transforms: list[TransformStamped] = [
            transform_to_msg(base, name, pose, now_s) for name, pose in cell.world.robot.link_poses().items()
        ]
        self._tf_topic.publish(TFMessage(transforms=transforms))

    def _publish_camera(self, cell: Workcell) -> None:
        color, depth_m = cell.world.expose()
        where = (self._camera.optical_frame, cell.world.time_s)
        messages = (
            color_to_msg(color, *where),
            depth_to_msg(depth_m, *where, self._values["depth_encoding"]),
            intrinsics_to_msg(cell.world.view.intrinsics, *where),
        )
        for topic, message in zip(self._camera_topics, messages, strict=True):
            topic.publish(message)

    def _record(self, cell: Workcell, now_s: float) -> None:
        if self._recording is None:
            return
        if cell.arm.busy or cell.gripper.busy:
            self._moved_s = now_s
        cell.recording = self._recording if now_s - self._moved_s < AFTER_MOTION_S else None

    async def _reset(self, _: Any, response: Any) -> Any:
        """Put everything back as it was at the start of this scene."""

        def reset(cell: Workcell) -> None:
            objects = cell.world.objects
            cell.world.reset(objects=objects)
            cell.arm.reset()
            cell.gripper.reset()

        try:
            await self._physics.ask(reset)
        except SpatialPinError as error:
            response.message = str(error)
            return response
        response.success, response.message = True, "the arm is home and the objects are where they were put"
        return response

    async def _randomize(self, request: Any, response: Any) -> Any:
        def randomize(cell: Workcell) -> tuple[ObjectSpec, ...]:
            return cell.reset(int(request.seed), int(request.objects) or None)

        try:
            objects = await self._physics.ask(randomize)
        except SpatialPinError as error:
            response.message = str(error)
            return response
        response.success, response.objects_placed = True, [item.name for item in objects]
        response.message = f"{len(objects)} objects"
        return response

    async def _truth(self, _: Any, response: Any) -> Any:
        """Tell where every object really is, as JSON {id: box}: for benchmarks, which nothing of the flow reads."""
        truth = await self._physics.ask(lambda cell: cell.world.truth())
        response.success = True
        response.message = json.dumps({item.spec.id: item.box.to_dict() for item in truth.objects})
        return response

    def close(self) -> None:
        self._physics.close()


def main() -> None:
    run(SimulatorNode)


if __name__ == "__main__":
    main()
