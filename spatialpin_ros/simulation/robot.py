# SPDX-License-Identifier: Apache-2.0
"""The simulated arm and gripper: position motors limited by the URDF's efforts, fingers coupled by a gear."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spatialpin_ros.arrays import FloatArray, read_only
from spatialpin_ros.config import RobotConfig
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.geometry import Pose

POSITION_GAIN, VELOCITY_GAIN = 0.4, 1.0
FINGER_SPEED_M_S = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class JointStates:
    """Measured joints: names, (D,) positions [rad or m], velocities [per s], efforts [N m or N]."""

    names: tuple[str, ...]
    positions: FloatArray
    velocities: FloatArray
    efforts: FloatArray


class SimulatedRobot:
    """Drives one articulated body by commanded joint positions and reports what is measured.

    Args:
        bullet, client: the pybullet module and physics client.
        config: which joints, home and gripper.
        urdf: the file to load.

    Raises:
        UnknownNameError: when the URDF lacks a joint or link that the configuration names.
    """

    def __init__(self, bullet: Any, client: int, config: RobotConfig, urdf: Path) -> None:
        self._bullet, self._client, self.config = bullet, client, config
        self.urdf_path = urdf
        self.body = int(
            bullet.loadURDF(
                str(urdf),
                useFixedBase=True,
                flags=bullet.URDF_ENABLE_CACHED_GRAPHICS_SHAPES | bullet.URDF_INITIALIZE_SAT_FEATURES,
                physicsClientId=client,
            )
        )
        self._joints: dict[str, int] = {}
        self._links: dict[str, int] = {}
        efforts: dict[str, float] = {}
        for index in range(bullet.getNumJoints(self.body, physicsClientId=client)):
            info = bullet.getJointInfo(self.body, index, physicsClientId=client)
            self._joints[info[1].decode()], self._links[info[12].decode()] = index, index
            efforts[info[1].decode()] = float(info[10])
            bullet.changeDynamics(
                self.body, index, linearDamping=0.0, angularDamping=0.0, physicsClientId=client
            )
        self._arm = [self._joint(name) for name in config.joints]
        self._fingers = [self._joint(name) for name in config.gripper.joints]
        self._tip = self._link(config.tip_frame)
        self._arm_efforts = [efforts[name] for name in config.joints]
        self.max_finger_force_n = min(efforts[name] for name in config.gripper.joints)
        self.target: FloatArray = config.home
        self._couple_fingers()
        self.go_home()

    def _joint(self, name: str) -> int:
        if name not in self._joints:
            raise UnknownNameError(name, list(self._joints), "joint of the URDF")
        return self._joints[name]

    def _link(self, name: str) -> int:
        if name not in self._links:
            raise UnknownNameError(name, list(self._links), "link of the URDF")
        return self._links[name]

    def _couple_fingers(self) -> None:
        """Make the fingers move as one, as the spindle of a real hand does; objects are held by friction alone."""
        if len(self._fingers) != 2:
            return
        first, second = self._fingers
        gear = self._bullet.createConstraint(
            self.body,
            first,
            self.body,
            second,
            jointType=self._bullet.JOINT_GEAR,
            jointAxis=[1, 0, 0],
            parentFramePosition=[0, 0, 0],
            childFramePosition=[0, 0, 0],
            physicsClientId=self._client,
        )
        self._bullet.changeConstraint(gear, gearRatio=-1, erp=0.1, maxForce=50, physicsClientId=self._client)

    def go_home(self) -> None:
        """Put the arm at its home position, at rest, with the gripper open; between scenes only."""
        gripper = self.config.gripper
        opening = gripper.max_width_m * gripper.joint_position_per_width
        for index, value in zip(self._arm, self.config.home, strict=True):
            self._bullet.resetJointState(self.body, index, float(value), 0.0, physicsClientId=self._client)
        for index in self._fingers:
            self._bullet.resetJointState(self.body, index, opening, 0.0, physicsClientId=self._client)
        self.command_arm(self.config.home)
        self.command_fingers(gripper.max_width_m, gripper.max_force_n)

    def command_arm(self, positions: FloatArray, velocities: FloatArray | None = None) -> None:
        """Set the (D,) joint positions [rad] and feed-forward velocities [rad/s] that the motors track.

        Raises:
            InvalidValueError: on a wrong shape or non-finite values.
        """
        target = read_only(positions, "arm command", (len(self._arm),))
        speed = (
            np.zeros(len(self._arm))
            if velocities is None
            else read_only(velocities, "arm speeds", (len(self._arm),))
        )
        self.target = target
        self._bullet.setJointMotorControlArray(
            self.body,
            self._arm,
            self._bullet.POSITION_CONTROL,
            targetPositions=target.tolist(),
            targetVelocities=speed.tolist(),
            forces=self._arm_efforts,
            positionGains=[POSITION_GAIN] * len(self._arm),
            velocityGains=[VELOCITY_GAIN] * len(self._arm),
            physicsClientId=self._client,
        )

    def command_fingers(self, width_m: float, force_n: float) -> None:
        """Drive the fingers towards an opening between the pads [m] with at most `force_n` per finger [N].

        Raises:
            InvalidValueError: on a non-finite width or a force that is not positive.
        """
        gripper = self.config.gripper
        if not (np.isfinite(width_m) and np.isfinite(force_n) and force_n > 0.0):
            raise InvalidValueError(
                f"gripper: needs a finite width and a positive force, got {width_m} m, {force_n} N"
            )
        width = float(np.clip(width_m, gripper.min_width_m, gripper.max_width_m))
        force = float(min(force_n, gripper.max_force_n))
        for index in self._fingers:
            self._bullet.setJointMotorControl2(
                self.body,
                index,
                self._bullet.POSITION_CONTROL,
                targetPosition=width * gripper.joint_position_per_width,
                force=force,
                maxVelocity=FINGER_SPEED_M_S,
                physicsClientId=self._client,
            )

    def _states(self, indices: list[int]) -> tuple[FloatArray, FloatArray, FloatArray]:
        states = self._bullet.getJointStates(self.body, indices, physicsClientId=self._client)
        values = np.array([(state[0], state[1], state[3]) for state in states])
        return values[:, 0], values[:, 1], values[:, 2]

    def arm_states(self) -> JointStates:
        """Measured joints of the planning group."""
        return JointStates(tuple(self.config.joints), *self._states(self._arm))

    def finger_states(self) -> JointStates:
        """Measured finger joints; effort is the motor force [N]."""
        return JointStates(tuple(self.config.gripper.joints), *self._states(self._fingers))

    def joint_states(self) -> JointStates:
        """Measured joints of arm and gripper."""
        names = (*self.config.joints, *self.config.gripper.joints)
        return JointStates(names, *self._states(self._arm + self._fingers))

    @property
    def width_m(self) -> float:
        """Measured opening between the finger pads [m]."""
        positions = self._states(self._fingers)[0]
        return float(positions.mean() / self.config.gripper.joint_position_per_width)

    def tip_pose(self) -> Pose:
        """Measured pose of the TCP in the base frame."""
        return self._frame_pose(self._tip)

    def link_pose(self, name: str) -> Pose:
        """Measured pose of the frame of a link in the base frame.

        Raises:
            UnknownNameError: when the URDF has no such link, or it is the base.
        """
        return self._frame_pose(self._link(name))

    def _frame_pose(self, index: int) -> Pose:
        state = self._bullet.getLinkState(
            self.body, index, computeForwardKinematics=1, physicsClientId=self._client
        )
        return Pose(np.array(state[4]), np.array(state[5]))

    def link_poses(self) -> dict[str, Pose]:
        """Measured poses of the frames of all links but the base, in the base frame, by name."""
        states = self._bullet.getLinkStates(
            self.body, list(self._links.values()), computeForwardKinematics=1, physicsClientId=self._client
        )
        poses = (Pose(np.array(state[4]), np.array(state[5])) for state in states)
        return dict(zip(self._links, poses, strict=True))
