# SPDX-License-Identifier: Apache-2.0
"""Simulated workcell: physics, arm controllers, RGB-D camera and random scenes, without ROS."""

from spatialpin_ros.simulation.depth_noise import REALSENSE_D435, DepthNoise, add_depth_noise
from spatialpin_ros.simulation.generator import GeneratorOptions, generate_objects
from spatialpin_ros.simulation.objects import PALETTE, ObjectSpec
from spatialpin_ros.simulation.robot import JointStates, SimulatedRobot
from spatialpin_ros.simulation.views import SNAPSHOT_VIEWS, View, snapshot_view
from spatialpin_ros.simulation.world import PhysicsOptions, TrueObject, Truth, World

__all__ = [
    "PALETTE",
    "REALSENSE_D435",
    "SNAPSHOT_VIEWS",
    "DepthNoise",
    "GeneratorOptions",
    "JointStates",
    "ObjectSpec",
    "PhysicsOptions",
    "SimulatedRobot",
    "TrueObject",
    "Truth",
    "View",
    "World",
    "add_depth_noise",
    "generate_objects",
    "snapshot_view",
]
