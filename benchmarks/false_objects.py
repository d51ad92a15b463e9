# SPDX-License-Identifier: Apache-2.0
"""False objects on an empty table, with and without the arm over it: python benchmarks/false_objects.py [--frames 50].

Every frame has its own camera pose, depth noise and arm posture. Whatever is perceived is false.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np
from _machine import in_words, machine_line, write_result
from rich.console import Console
from rich.table import Table

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception import PerceptionOptions, reconstruct
from spatialpin_ros.perception.self_filter import robot_mask
from spatialpin_ros.planning.body import BodyPoser
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.simulation import World

WHITE_NOISE_M = 0.003


def camera_pose(rng: np.random.Generator) -> Pose:
    """Look at the middle of the table from 0.8 to 1.2 m, 30 to 60 degrees above it."""
    height, heading = np.deg2rad(rng.uniform(30.0, 60.0)), rng.uniform(-1.2, 1.2)
    level = np.array([np.cos(heading), np.sin(heading), 0.0]) * np.cos(height)
    target = np.array([0.5, 0.0, 0.02]) + rng.uniform(-0.05, 0.05, 3) * (1.0, 1.0, 0.0)
    return Pose.looking_at(
        target + rng.uniform(0.8, 1.2) * (level + np.array([0.0, 0.0, np.sin(height)])), target
    )


def arm_posture(rng: np.random.Generator, tip_z: float, robot: RobotModel) -> np.ndarray:
    """A posture whose hand hangs over the workspace and is no lower than `tip_z` above the table [m]."""
    home = np.array([0.0, 0.6, 0.0, -1.9, 0.0, 2.5, 0.785])
    spread = np.array([0.5, 0.3, 0.2, 0.3, 0.3, 0.3, 0.8])
    while True:
        posture = np.clip(home + spread * rng.uniform(-1.0, 1.0, 7), robot.lower, robot.upper)
        position = robot.tcp(posture).position
        if position[2] > tip_z and 0.3 < position[0] < 0.75 and abs(position[1]) < 0.35:
            return posture


def settle(world: World, posture: np.ndarray) -> dict[str, float]:
    world.robot.command_arm(posture)
    world.step(720)
    states = world.robot.joint_states()
    return dict(zip(states.names, states.positions.tolist(), strict=True))


def with_white_noise(frame: CameraFrame, rng: np.random.Generator) -> CameraFrame:
    noise = rng.normal(0.0, WHITE_NOISE_M, frame.depth_m.shape).astype(np.float32)
    return replace(frame, depth_m=np.where(frame.depth_m > 0.0, frame.depth_m + noise, np.float32(0.0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    camera, config = CameraConfig.load("simulation"), RobotConfig.load("panda")
    options, model = PerceptionOptions(workspace=camera.workspace), RobotModel(config)
    poser = BodyPoser(model)
    ways = ("table, camera noise", "table, white noise of 3 mm", "arm over it, unknown", "arm over it, known")
    false, obstacles = dict.fromkeys(ways, 0), dict.fromkeys(ways, 0)
    seconds: list[float] = []
    with World(config, camera) as world:
        for seed in range(arguments.frames):
            rng = np.random.default_rng([seed, 9])
            world.reset(seed=seed, objects=())
            world.view = replace(world.view, base_T_camera=camera_pose(rng))
            bare = world.render()
            positions = settle(world, arm_posture(rng, 0.06, model))
            covered, body = world.render(), poser.at(positions)
            started = time.perf_counter()
            robot_mask(covered, body)
            seconds.append(time.perf_counter() - started)
            scenes = (
                reconstruct(bare, options),
                reconstruct(with_white_noise(bare, rng), options),
                reconstruct(covered, options),
                reconstruct(covered, options, robot=body),
            )
            for way, scene in zip(ways, scenes, strict=True):
                false[way] += len(scene.objects)
                obstacles[way] += len(scene.unexplained)
    table = Table(title=f"{arguments.frames} frames of a table without objects")
    for column in ("frame", "false objects", "per frame", "obstacle points per frame"):
        table.add_column(column, justify="left" if column == "frame" else "right")
    for way in ways:
        count = false[way]
        table.add_row(
            way, str(count), f"{count / arguments.frames:.3f}", f"{obstacles[way] / arguments.frames:.0f}"
        )
    Console(width=110).print(table)
    print(f"finding the robot's pixels: {in_words(seconds)}")
    print(machine_line())
    figures = {way: {"false": false[way], "obstacle_points": obstacles[way]} for way in ways}
    write_result(arguments.output, "false_objects", {"frames": arguments.frames, "ways": figures})


if __name__ == "__main__":
    main()
