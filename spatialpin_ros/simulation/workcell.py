# SPDX-License-Identifier: Apache-2.0
"""World and controllers stepped together: what the simulator node runs."""

from __future__ import annotations

from collections.abc import Callable

from spatialpin_ros.simulation.arm_controller import ArmController, ArmControllerOptions
from spatialpin_ros.simulation.gripper_controller import GripperController, GripperControllerOptions
from spatialpin_ros.simulation.objects import ObjectSpec
from spatialpin_ros.simulation.recording import RecordingCamera
from spatialpin_ros.simulation.world import World


class Workcell:
    """Steps controllers, physics and recording in the right order. Not thread-safe.

    Args:
        world: the physics.
        arm_options, gripper_options: of the controllers.
    """

    def __init__(
        self,
        world: World,
        arm_options: ArmControllerOptions | None = None,
        gripper_options: GripperControllerOptions | None = None,
    ) -> None:
        self.world = world
        self.arm = ArmController(world.robot, arm_options)
        self.gripper = GripperController(world.robot, gripper_options)
        self.recording: RecordingCamera | None = None

    def step(self, count: int = 1) -> None:
        """Advance controllers and physics by `count` steps."""
        for _ in range(count):
            self.arm.update(self.world.physics.step_s)
            self.gripper.update(self.world.physics.step_s)
            self.world.step()
            if self.recording is not None:
                self.recording.update()

    def run(self, duration_s: float) -> None:
        """Advance by a simulated duration [s]."""
        self.step(round(duration_s / self.world.physics.step_s))

    def run_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Advance until `done()`; False when the simulated time is up first."""
        for _ in range(round(timeout_s / self.world.physics.step_s)):
            if done():
                return True
            self.step()
        return done()

    def reset(self, seed: int | None = None, count: int | None = None) -> tuple[ObjectSpec, ...]:
        """Abort goals, put the arm home and draw a new scene; see `World.reset`."""
        objects = self.world.reset(seed, count)
        self.arm.reset()
        self.gripper.reset()
        return objects
