# SPDX-License-Identifier: Apache-2.0
"""Scene node: turns camera frames into scenes, on request or at a rate."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import Image, PointCloud2
from spatialpin_interfaces.msg import Scene as SceneMsg
from spatialpin_interfaces.msg import SceneChanges
from spatialpin_interfaces.srv import CaptureScene
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.conversions import (
    color_to_msg,
    scene_to_cloud,
    scene_to_markers,
    scene_to_msg,
    transform_to_msg,
)
from spatialpin_ros.errors import SpatialPinError
from spatialpin_ros.nodes.camera_pose import SOURCES, CameraPose
from spatialpin_ros.nodes.frames import FrameSource, RawFrame
from spatialpin_ros.nodes.parameters import CAMERA, ROBOT, Parameter, declare
from spatialpin_ros.nodes.perceiver import Followed, Perceiver
from spatialpin_ros.nodes.qos import LATCHED, RELIABLE, SERVICE
from spatialpin_ros.nodes.robot_body import RobotBodySource
from spatialpin_ros.nodes.support import Worker, run
from spatialpin_ros.perception.annotate import annotate
from spatialpin_ros.perception.perceive import Perceived
from spatialpin_ros.scene import Scene

LEANING_DEG = 3.0
PARAMETERS = (
    CAMERA,
    ROBOT,
    Parameter(
        "perception",
        "geometric",
        "Name in config/perception, or path of a perception YAML: learned modules, models, ...",
    ),
    Parameter("preload", True, "Load the learned modules at the start instead of at their first use."),
    Parameter(
        "depth_wait_s",
        4.0,
        "How long a request waits for depth before an image without will do, where a depth model is configured [s].",
        0.0,
        60.0,
    ),
    Parameter(
        "slop_s",
        0.02,
        "Largest difference between the stamps of colour, depth and camera_info [s].",
        0.0,
        1.0,
    ),
    Parameter(
        "capture_timeout_s", 10.0, "Longest wait for a frame when a request names none [s].", 0.1, 600.0
    ),
    Parameter("rate_hz", 0.0, "Scenes per second without being asked; 0: only on ~/capture [Hz].", 0.0, 30.0),
    Parameter("rectified", False, "The images are rectified already: use P of camera_info and ignore D."),
    Parameter(
        "pose_source",
        "auto",
        "Where the camera's pose comes from; auto: TF, else its YAML, and joint states where the arm carries it.",
        choices=SOURCES,
    ),
    Parameter("reject_robot", True, "Leave the robot out of scenes by its model and joint states."),
    Parameter("robot_description_topic", "/robot_description", "URDF as a latched string.", is_name=True),
    Parameter(
        "views", 1, "Scenes are fused from so many newest frames, while nothing on the table moves.", 1, 6
    ),
    Parameter("track", True, "Keep the ids of objects from scene to scene.", read_only=False),
    Parameter(
        "forget_after_s", 120.0, "How long the id of an unseen object waits for its return [s].", 0.0, 1e6
    ),
    Parameter(
        "publish_image", True, "Publish the image with the objects drawn on it on ~/image.", read_only=False
    ),
)


class SceneNode(Node):
    """Serves ~/capture; publishes ~/scene, ~/changes, ~/points, ~/markers, ~/color, ~/image and objects on /tf."""

    def __init__(self) -> None:
        super().__init__("scene")
        values = declare(self, PARAMETERS)
        self._camera = CameraConfig.load(values["camera"])
        self._timeout_s: float = values["capture_timeout_s"]
        self._worker = Worker(self, "perception")
        robot = self._find_robot(values)
        pose = CameraPose(self, self._camera, values["pose_source"], robot)
        left_out = robot if values["reject_robot"] else None
        self._perceiver = Perceiver(self, self._camera, pose, values, left_out)
        if values["preload"]:
            self._perceiver.preload()
        self._busy = False
        self._period_s = 1.0 / values["rate_hz"] if values["rate_hz"] else 0.0
        self._next_s = 0.0
        self._scene_topic = self.create_publisher(SceneMsg, "~/scene", LATCHED)
        self._changes_topic = self.create_publisher(SceneChanges, "~/changes", LATCHED)
        self._points_topic = self.create_publisher(PointCloud2, "~/points", LATCHED)
        self._markers_topic = self.create_publisher(MarkerArray, "~/markers", LATCHED)
        self._color_topic = self.create_publisher(Image, "~/color", LATCHED)
        self._image_topic = self.create_publisher(Image, "~/image", LATCHED)
        self._tf_topic = self.create_publisher(TFMessage, "/tf", RELIABLE)
        self._frames = FrameSource(
            self,
            self._camera,
            values["slop_s"],
            self._watch,
            always=self._period_s > 0.0,
            color_alone_after_s=values["depth_wait_s"] if self._perceiver.without_depth else None,
        )
        self.create_service(
            CaptureScene,
            "~/capture",
            self._capture,
            qos_profile=SERVICE,
            callback_group=ReentrantCallbackGroup(),
        )
        self.get_logger().info(f"ready: camera '{self._camera.name}' on {self._camera.topics['color']}")

    def _find_robot(self, values: dict[str, Any]) -> RobotBodySource | None:
        if not values["reject_robot"] and not self._camera.on_arm:
            return None
        robot = RobotConfig.load(values["robot"])
        if robot.base_frame != self._camera.base_frame:
            self.get_logger().warning(
                f"the robot itself is not left out of scenes: its base frame is '{robot.base_frame}', the camera's "
                f"'{self._camera.base_frame}'"
            )
            return None
        source = RobotBodySource(self, robot, values["robot_description_topic"])
        self._worker.submit(source.prepare)
        return source

    async def _capture(self, request: Any, response: Any) -> Any:
        try:
            raw = await self._frames.next(request.timeout_s if request.timeout_s > 0.0 else self._timeout_s)
            followed, scene = await self._worker.run(lambda: self._reconstruct(raw, request.names))
        except SpatialPinError as error:
            self.get_logger().warning(f"capture failed: {error}")
            response.success, response.message = False, str(error)
            return response
        names, notes = followed.scene.names, followed.perceived.notes
        response.success, response.scene = True, scene
        response.notes, response.changes = list(notes), followed.changes
        response.message = "; ".join([f"{len(names)} objects: {', '.join(names) or 'none'}", *notes])
        return response

    def _watch(self, raw: RawFrame) -> None:
        """Rebuild the scene at the rate asked for; a frame that comes while one is in work is left out."""
        if self._busy or time.monotonic() < self._next_s:
            return
        self._busy, self._next_s = True, time.monotonic() + self._period_s

        def job() -> None:
            try:
                self._reconstruct(raw)
            except SpatialPinError as error:
                self.get_logger().warning(f"no scene: {error}", throttle_duration_sec=5.0)
            finally:
                self._busy = False

        self._worker.submit(job)

    def _reconstruct(self, raw: RawFrame, names: Sequence[str] = ()) -> tuple[Followed, SceneMsg]:
        """Rebuild and publish a scene, and return its message, too; runs on the worker's thread."""
        followed = self._perceiver.follow(raw, names, track=bool(self.get_parameter("track").value))
        self._check_table(followed.scene)
        message = scene_to_msg(followed.scene)
        self._scene_topic.publish(message)
        if followed.changes.changes:
            self._changes_topic.publish(followed.changes)
        self._worker.submit(lambda: self._show(followed.perceived))
        return followed, message

    def _check_table(self, scene: Scene) -> None:
        lean_deg = math.degrees(math.acos(min(1.0, float(scene.table.pose.axes[2, 2]))))
        if lean_deg > LEANING_DEG:
            self.get_logger().warning(
                f"the table leans by {lean_deg:.1f} degrees in {scene.base_frame}: are the camera's calibration "
                "(camera_info) and pose right?",
                throttle_duration_sec=30.0,
            )

    def _show(self, perceived: Perceived) -> None:
        """Publish what people look at, after what the other nodes wait for."""
        frame, scene = perceived.frame, perceived.scene
        self._color_topic.publish(color_to_msg(frame.color, frame.camera_frame, frame.stamp_s))
        self._points_topic.publish(scene_to_cloud(scene))
        self._markers_topic.publish(scene_to_markers(scene))
        transforms = [
            transform_to_msg(scene.base_frame, f"object_{item.id}", item.box.pose, scene.stamp_s)
            for item in scene.objects
        ]
        self._tf_topic.publish(TFMessage(transforms=transforms))
        if self.get_parameter("publish_image").value:
            self._image_topic.publish(
                color_to_msg(annotate(frame.color, scene), frame.camera_frame, frame.stamp_s)
            )

    def close(self) -> None:
        self._worker.close(timeout_s=2.0)


def main() -> None:
    run(SceneNode)


if __name__ == "__main__":
    main()
