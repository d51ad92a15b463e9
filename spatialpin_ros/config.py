# SPDX-License-Identifier: Apache-2.0
"""Robot and camera descriptions read from config/*.yaml; what is unknown, missing or implausible fails loudly."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from spatialpin_ros.arrays import FloatArray, read_only
from spatialpin_ros.config_files import load, resolve_uri, share_directory
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.poses import Point, pose_from
from spatialpin_ros.typed import Length, Within

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

_METRES = "metres, not millimetres?"
_RADIANS = "radians, not degrees?"
Scaling = Annotated[float, Within(0.0, 1.0, above=True)]
Width = Annotated[float, Within(0.0, 0.5, "m", _METRES)]
Extent = Annotated[float, Within(0.0, 0.5, "m", _METRES, above=True)]


@dataclass(frozen=True, slots=True, eq=False)
class Workspace:
    """An axis-aligned region of the base frame [m]."""

    min: Point
    max: Point

    def __post_init__(self) -> None:
        low, high = read_only(self.min, "min", (3,)), read_only(self.max, "max", (3,))
        if (high <= low).any():
            raise InvalidValueError(f"max {high.tolist()} must exceed min {low.tolist()} on every axis")
        object.__setattr__(self, "min", low)
        object.__setattr__(self, "max", high)


@dataclass(frozen=True, slots=True, eq=False)
class JointLimits:
    """(D,) velocity, acceleration and jerk bounds [rad/s, rad/s^2, rad/s^3] and their scaling, 0 < s <= 1."""

    velocity: Annotated[FloatArray, Within(0.0, 30.0, "rad/s", _RADIANS, above=True)]
    acceleration: Annotated[FloatArray, Within(0.0, 1e4, "rad/s^2", above=True)]
    jerk: Annotated[FloatArray, Within(0.0, 1e7, "rad/s^3", above=True)]
    velocity_scaling: Scaling = 1.0
    acceleration_scaling: Scaling = 1.0

    def __post_init__(self) -> None:
        for name in ("velocity", "acceleration", "jerk"):
            values = read_only(getattr(self, name), name, (None,))
            if (values <= 0).any():
                raise InvalidValueError(f"{name}: must be positive, got {values.tolist()}")
            object.__setattr__(self, name, values)
        for name in ("velocity_scaling", "acceleration_scaling"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise InvalidValueError(f"{name}: must lie in (0, 1], got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class GripperConfig:
    """A parallel gripper: its finger joints, links, opening between the pads [m] and force [N]."""

    joints: list[str]
    links: list[str]
    max_width_m: Extent
    min_width_m: Width = 0.0
    max_force_n: Annotated[float, Within(0.0, 2000.0, "N", above=True)] = 40.0
    finger_length_m: Extent = 0.045
    finger_thickness_m: Extent = 0.022
    joint_position_per_width: Annotated[float, Within(-1000.0, 1000.0)] = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_width_m < self.max_width_m:
            raise InvalidValueError(
                f"need 0 <= min_width_m < max_width_m, got {self.min_width_m}, {self.max_width_m}"
            )
        if self.joint_position_per_width == 0.0:
            raise InvalidValueError("joint_position_per_width must not be 0, for widths are divided by it")


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
                f"gripper_action_type '{self.gripper_action_type}' is neither gripper_command nor "
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
    home: Annotated[FloatArray, Within(-4.0 * math.pi, 4.0 * math.pi, "rad", _RADIANS)]
    limits: JointLimits
    workspace: Workspace
    gripper: GripperConfig
    controllers: ControllerConfig
    allowed_collisions: list[Annotated[list[str], Length(2)]] = field(default_factory=list)

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
        return load(cls, name_or_path, "robots")


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What a simulated camera renders."""

    width: Annotated[int, Within(16, 8192, "px")] = 640
    height: Annotated[int, Within(16, 8192, "px")] = 480
    vertical_fov_deg: Annotated[float, Within(5.0, 170.0, "degrees")] = 42.0
    near_m: Annotated[float, Within(0.0, 10.0, "m", _METRES, above=True)] = 0.1
    far_m: Annotated[float, Within(0.0, 100.0, "m", _METRES, above=True)] = 3.0
    rate_hz: Annotated[float, Within(0.01, 1000.0, "Hz")] = 5.0

    def __post_init__(self) -> None:
        if self.near_m >= self.far_m:
            raise InvalidValueError(f"need near_m < far_m, got {self.near_m}, {self.far_m}")


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
        pose_from(self.pose, "pose")
        object.__setattr__(self, "parent_frame", self.parent_frame or self.base_frame)

    @property
    def on_arm(self) -> bool:
        """Whether a link that may move carries the camera."""
        return self.parent_frame != self.base_frame

    @property
    def parent_T_camera(self) -> Pose:
        """Pose of the optical frame in the parent frame: the result of a calibration."""
        return pose_from(self.pose, "pose")

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
        return load(cls, name_or_path, "cameras")
