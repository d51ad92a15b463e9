# SPDX-License-Identifier: Apache-2.0
"""Robot and camera descriptions read from config/*.yaml; unknown or missing keys fail loudly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from spatialpin_ros.arrays import FloatArray, read_only
from spatialpin_ros.config_files import build, locate, read_yaml, resolve_uri, share_directory
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose

__all__ = [
    "CameraConfig",
    "ControllerConfig",
    "GripperConfig",
    "ImageConfig",
    "JointLimits",
    "RobotConfig",
    "Workspace",
    "resolve_uri",
    "share_directory",
]


@dataclass(frozen=True, slots=True, eq=False)
class Workspace:
    """An axis-aligned region of the base frame [m]."""

    min: FloatArray
    max: FloatArray

    def __post_init__(self) -> None:
        low, high = read_only(self.min, "workspace min", (3,)), read_only(self.max, "workspace max", (3,))
        if (high <= low).any():
            raise InvalidValueError(
                f"workspace: max {high.tolist()} must exceed min {low.tolist()} on every axis"
            )
        object.__setattr__(self, "min", low)
        object.__setattr__(self, "max", high)


@dataclass(frozen=True, slots=True, eq=False)
class JointLimits:
    """(D,) velocity, acceleration and jerk bounds [rad/s, rad/s^2, rad/s^3] and their scaling, 0 < s <= 1."""

    velocity: FloatArray
    acceleration: FloatArray
    jerk: FloatArray
    velocity_scaling: float = 1.0
    acceleration_scaling: float = 1.0

    def __post_init__(self) -> None:
        for name in ("velocity", "acceleration", "jerk"):
            values = read_only(getattr(self, name), f"limits {name}", (None,))
            if (values <= 0).any():
                raise InvalidValueError(f"limits {name}: must be positive, got {values.tolist()}")
            object.__setattr__(self, name, values)
        for name in ("velocity_scaling", "acceleration_scaling"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise InvalidValueError(f"limits {name}: must lie in (0, 1], got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class GripperConfig:
    """A parallel gripper: its finger joints, links, opening between the pads [m] and force [N]."""

    joints: list[str]
    links: list[str]
    max_width_m: float
    min_width_m: float = 0.0
    max_force_n: float = 40.0
    finger_length_m: float = 0.045
    finger_thickness_m: float = 0.022
    joint_position_per_width: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_width_m < self.max_width_m:
            raise InvalidValueError(
                f"gripper: need 0 <= min_width_m < max_width_m, got {self.min_width_m}, {self.max_width_m}"
            )


@dataclass(frozen=True, slots=True)
class ControllerConfig:
    """Names of the ROS interfaces that ros2_control offers for the arm and the gripper."""

    arm_action: str
    gripper_action: str
    arm_topic: str = ""
    gripper_action_type: Literal["gripper_command", "parallel_gripper_command"] = "gripper_command"
    joint_states: str = "/joint_states"

    def __post_init__(self) -> None:
        if self.gripper_action_type not in ("gripper_command", "parallel_gripper_command"):
            raise InvalidValueError(
                f"controllers: gripper_action_type '{self.gripper_action_type}' is neither gripper_command nor "
                "parallel_gripper_command"
            )


@dataclass(frozen=True, slots=True, eq=False)
class RobotConfig:
    """What a URDF does not say about an arm: planning group, TCP, gripper, home, limits, controllers.

    Args:
        tip_frame: the TCP, between the finger pads, z pointing out of the hand, y along the closing direction.
        joints: D names of the planning group, from base to tip.
        home: (D,) resting position [rad].
        allowed_collisions: pairs of links never checked against each other, besides adjacent ones.
    """

    name: str
    urdf: str
    base_frame: str
    tip_frame: str
    joints: list[str]
    home: FloatArray
    limits: JointLimits
    workspace: Workspace
    gripper: GripperConfig
    controllers: ControllerConfig
    allowed_collisions: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = len(self.joints)
        object.__setattr__(self, "home", read_only(self.home, "home", (count,)))
        for name in ("velocity", "acceleration", "jerk"):
            read_only(getattr(self.limits, name), f"limits {name}", (count,))

    @classmethod
    def load(cls, name_or_path: str = "panda") -> RobotConfig:
        """Read config/robots/<name>.yaml, or the YAML file at a path.

        Raises:
            UnknownNameError: lists the robots that have a file.
            InvalidValueError: on unknown or missing keys and bad values, naming the file.
        """
        path = locate(name_or_path, "robots")
        document = read_yaml(path)
        parts = {
            "limits": JointLimits,
            "workspace": Workspace,
            "gripper": GripperConfig,
            "controllers": ControllerConfig,
        }
        try:
            for key, kind in parts.items():
                if key in document:
                    document[key] = build(kind, document[key], key)
            return build(cls, document, "robot")
        except InvalidValueError as error:
            raise InvalidValueError(f"{path}: {error}") from error


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What a simulated camera renders."""

    width: int = 640
    height: int = 480
    vertical_fov_deg: float = 42.0
    near_m: float = 0.1
    far_m: float = 3.0
    rate_hz: float = 5.0


_POSE_FORMS = ({"looking_from", "looking_at"}, {"xyz", "rpy"}, {"xyz", "quaternion"})


@dataclass(frozen=True, slots=True, eq=False)
class CameraConfig:
    """Topics, frames and pose of a camera.

    Args:
        base_frame: of the scenes made with it: the robot's base.
        topics: color; depth and camera_info where there are any. Without depth, perception needs a depth model.
        pose: of the optical frame in the parent frame, metres and radians: {looking_from, looking_at}, {xyz, rpy} or
            {xyz, quaternion} (xyzw), as hand-eye calibrations print it.
        workspace: region that perception looks at.
        parent_frame: link that carries the camera, such as the hand of an arm; empty: the base frame.
        noise: depth noise of the simulated camera: none or realsense_d435.
    """

    name: str
    base_frame: str
    optical_frame: str
    topics: dict[str, str]
    pose: dict[str, Any]
    workspace: Workspace
    parent_frame: str = ""
    image: ImageConfig = field(default_factory=ImageConfig)
    noise: Literal["none", "realsense_d435"] = "none"

    def __post_init__(self) -> None:
        known = {"color", "depth", "camera_info"}
        if "color" not in self.topics or set(self.topics) - known:
            raise InvalidValueError(
                f"topics: expected color and, unless the camera has none, depth and camera_info; "
                f"got {sorted(self.topics)}"
            )
        if self.noise not in ("none", "realsense_d435"):
            raise InvalidValueError(f"noise: '{self.noise}' is neither none nor realsense_d435")
        if set(self.pose) not in _POSE_FORMS:
            raise InvalidValueError(
                f"pose: needs looking_from and looking_at, xyz and rpy, or xyz and quaternion; got {sorted(self.pose)}"
            )
        object.__setattr__(self, "parent_frame", self.parent_frame or self.base_frame)

    @property
    def on_arm(self) -> bool:
        """Whether a link that may move carries the camera."""
        return self.parent_frame != self.base_frame

    @property
    def parent_T_camera(self) -> Pose:
        """Pose of the optical frame in the parent frame: the result of a calibration."""
        if "rpy" in self.pose:
            return Pose.from_xyz_rpy(self.pose["xyz"], self.pose["rpy"])
        if "quaternion" in self.pose:
            return Pose(self.pose["xyz"], self.pose["quaternion"])
        return Pose.looking_at(np.asarray(self.pose["looking_from"]), np.asarray(self.pose["looking_at"]))

    @property
    def base_T_camera(self) -> Pose:
        """Pose of the optical frame in the base frame.

        Raises:
            InvalidValueError: for a camera on the arm, whose pose is another one with every motion.
        """
        if self.on_arm:
            raise InvalidValueError(
                f"camera '{self.name}' moves with {self.parent_frame}: its pose in {self.base_frame} must be given"
            )
        return self.parent_T_camera

    @classmethod
    def load(cls, name_or_path: str = "simulation") -> CameraConfig:
        """Read config/cameras/<name>.yaml, or the YAML file at a path; raises as `RobotConfig.load`."""
        path = locate(name_or_path, "cameras")
        document = read_yaml(path)
        try:
            for key, kind in {"workspace": Workspace, "image": ImageConfig}.items():
                if key in document:
                    document[key] = build(kind, document[key], key)
            return build(cls, document, "camera")
        except InvalidValueError as error:
            raise InvalidValueError(f"{path}: {error}") from error
