# SPDX-License-Identifier: Apache-2.0
"""Camera messages into scenes: with depth where there is any, else with estimated depth, identities kept."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rclpy.node import Node
from spatialpin_interfaces.msg import SceneChanges

from spatialpin_ros.config import CameraConfig
from spatialpin_ros.conversions import (
    camera_frame_from_msgs,
    changes_to_msg,
    color_view_from_msgs,
    seconds,
)
from spatialpin_ros.errors import CameraFrameError, NoDepthError
from spatialpin_ros.nodes.camera_pose import CameraPose
from spatialpin_ros.nodes.frames import RawFrame
from spatialpin_ros.nodes.robot_body import RobotBodySource
from spatialpin_ros.perception.configuration import PerceptionConfig
from spatialpin_ros.perception.perceive import ColorView, Perceived, Perception
from spatialpin_ros.perception.tracking import SceneTracker, describe_changes
from spatialpin_ros.reasoning.listing import ObjectLister
from spatialpin_ros.scene import Scene


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """What was perceived, with the ids of the scenes before, and what changed since."""

    perceived: Perceived
    changes: SceneChanges

    @property
    def scene(self) -> Scene:
        return self.perceived.scene


class Perceiver:
    """Makes scenes of raw frames; all but the constructor belongs to one worker's thread.

    Args:
        node: logs, and looks the camera's pose up.
        camera: its workspace and frames.
        pose: where it is.
        values: the scene node's parameters.
        robot: where the robot is; None: it is not left out.

    Raises:
        InvalidValueError: when the perception YAML makes no sense.
    """

    def __init__(
        self,
        node: Node,
        camera: CameraConfig,
        pose: CameraPose,
        values: dict[str, Any],
        robot: RobotBodySource | None,
    ) -> None:
        self._node, self._camera, self._pose, self._robot = node, camera, pose, robot
        self._rectified: bool = values["rectified"]
        config = PerceptionConfig.load(values["perception"])
        lister = None if config.lister is None else ObjectLister(config.lister)
        self._perception = Perception(config, camera.workspace, values["views"], lister)
        self._tracker = SceneTracker(forget_after_s=values["forget_after_s"])
        self._told: tuple[str, ...] = ()
        if "depth" not in camera.topics and not self._perception.without_depth:
            node.get_logger().error(
                f"camera '{camera.name}' has no depth topic and {config.source} names no depth model: captures will "
                "fail; see docs/perception.md"
            )

    @property
    def without_depth(self) -> bool:
        """Whether a colour image alone will do."""
        return self._perception.without_depth

    def preload(self) -> None:
        """Load the learned modules on a thread of their own, and tell at once which cannot be."""
        threading.Thread(target=self._preload, name="loading", daemon=True).start()

    def _preload(self) -> None:
        try:
            problems = self._perception.preload()
        except Exception as error:  # the thread's boundary: it must not end without a word
            self._node.get_logger().error(f"loading the modules of perception failed: {error!r}")
            return
        for problem in problems:
            self._node.get_logger().error(f"goes on without a learned module: {problem}")
        self._node.get_logger().info("all modules of perception that can be loaded are")

    def follow(self, raw: RawFrame, names: Sequence[str], *, track: bool) -> Followed:
        """Make the next scene.

        Args:
            raw: the messages of one moment.
            names: of objects to look for.
            track: keep the ids of the scenes before.

        Raises:
            CameraFrameError, PerceptionError, BackendError: when no scene can be made of them.
        """
        perceived = self._perceive(raw, names)
        self._tell(perceived.notes)
        scene = perceived.scene
        if not track:
            return Followed(perceived, SceneChanges())
        tracked = self._tracker.update(scene)
        text = describe_changes(tracked.changes)
        if text:
            self._node.get_logger().info(text)
        changes = changes_to_msg(tracked.changes, tracked.scene, text, tracked.returned)
        return Followed(replace(perceived, scene=tracked.scene), changes)

    def _perceive(self, raw: RawFrame, names: Sequence[str]) -> Perceived:
        base_T_camera = self._pose.lookup(raw.color.header)
        if raw.depth is None or raw.info is None:
            return self._colored(raw, names, self._missing(raw))
        try:
            frame = camera_frame_from_msgs(
                raw.color,
                raw.depth,
                raw.info,
                base_T_camera,
                self._camera.base_frame,
                rectified=self._rectified,
            )
        except NoDepthError as error:
            if not self.without_depth:
                raise
            return self._colored(raw, names, str(error))
        robot = None if self._robot is None else self._robot.at(frame.stamp_s)
        return self._perception.measured(frame, names, robot)

    def _missing(self, raw: RawFrame) -> str:
        if "depth" not in self._camera.topics:
            return "this camera has no depth"
        missing = [key for key, one in (("depth", raw.depth), ("camera_info", raw.info)) if one is None]
        topics = ", ".join(self._camera.topics.get(key, key) for key in missing)
        return f"nothing that fits the colour image arrived on {topics}"

    def _colored(self, raw: RawFrame, names: Sequence[str], why: str) -> Perceived:
        color, intrinsics = color_view_from_msgs(raw.color, raw.info, rectified=self._rectified)
        header = raw.color.header
        view = ColorView(
            color,
            intrinsics,
            self._pose.lookup(header),
            seconds(header.stamp),
            self._camera.base_frame,
            header.frame_id,
        )
        try:
            robot = None if self._robot is None else self._robot.at(view.stamp_s)
            perceived = self._perception.colored(view, names, robot)
        except CameraFrameError as error:
            raise CameraFrameError(f"{why}: {error}") from error
        return replace(perceived, notes=(f"seen without depth: {why}", *perceived.notes))

    def _tell(self, notes: tuple[str, ...]) -> None:
        """Log notes, but not those that the scene before had, too."""
        for note in notes:
            if note not in self._told:
                self._node.get_logger().warning(note)
        self._told = notes
