# SPDX-License-Identifier: Apache-2.0
"""Simulated workcell: physics, arm controllers, RGB-D camera and random scenes, without ROS."""

from spatialpin_ros.simulation.arm_controller import ArmController, ArmControllerOptions
from spatialpin_ros.simulation.arm_goal import Acceptance, ArmErrorCode, ArmGoal, ArmStatus, GoalState
from spatialpin_ros.simulation.depth_noise import REALSENSE_D435, DepthNoise, add_depth_noise
from spatialpin_ros.simulation.description import robot_description
from spatialpin_ros.simulation.generator import GeneratorOptions, generate_objects
from spatialpin_ros.simulation.gripper_controller import (
    GripperController,
    GripperControllerOptions,
    GripperStatus,
)
from spatialpin_ros.simulation.mesh_models import MESH_MODELS, ROUND_MODELS, mesh_parts
from spatialpin_ros.simulation.objects import PALETTE, ObjectSpec
from spatialpin_ros.simulation.pace import Pace
from spatialpin_ros.simulation.recording import RecordingCamera
from spatialpin_ros.simulation.robot import JointStates, SimulatedRobot
from spatialpin_ros.simulation.views import SNAPSHOT_VIEWS, View, snapshot_view
from spatialpin_ros.simulation.workcell import Workcell
from spatialpin_ros.simulation.world import PhysicsOptions, TrueObject, Truth, World

__all__ = [
    "MESH_MODELS",
    "PALETTE",
    "REALSENSE_D435",
    "ROUND_MODELS",
    "SNAPSHOT_VIEWS",
    "Acceptance",
    "ArmController",
    "ArmControllerOptions",
    "ArmErrorCode",
    "ArmGoal",
    "ArmStatus",
    "DepthNoise",
    "GeneratorOptions",
    "GoalState",
    "GripperController",
    "GripperControllerOptions",
    "GripperStatus",
    "JointStates",
    "ObjectSpec",
    "Pace",
    "PhysicsOptions",
    "RecordingCamera",
    "SimulatedRobot",
    "TrueObject",
    "Truth",
    "View",
    "Workcell",
    "World",
    "add_depth_noise",
    "generate_objects",
    "mesh_parts",
    "robot_description",
    "snapshot_view",
]
