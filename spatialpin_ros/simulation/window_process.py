# SPDX-License-Identifier: Apache-2.0
"""The process that draws the simulator's window; started by `Window`, with the number of its pipe as argument."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from spatialpin_ros.simulation.window import Showing

CAMERA = (0.95, 20.0, -26.0, (0.55, -0.05, 0.15))
"""Distance [m], yaw and pitch [degrees] and target [m]."""
LIGHT = (1.2, -1.0, 3.0)
BACKGROUND = (0.87, 0.90, 0.93)


class Drawing:
    """What stands in the window: bodies by the numbers that the simulation gives them.

    Args:
        bullet, client: the pybullet module and the client that draws.
    """

    def __init__(self, bullet: Any, client: int) -> None:
        self._bullet, self._client = bullet, client
        self.bodies: dict[int, int] = {}
        self._joints: dict[int, dict[str, int]] = {}

    def apply(self, showing: Showing) -> None:
        """Draw what changed; what is new appears at once, not part by part."""
        if showing.added:
            self._draw(False)
        for number in showing.removed:
            self._remove(number)
        for number, urdf in showing.added.items():
            self._add(number, urdf)
        for number, (position, quaternion) in showing.placed.items():
            if number in self.bodies:
                self._bullet.resetBasePositionAndOrientation(
                    self.bodies[number], position, quaternion, physicsClientId=self._client
                )
        for number, joints in showing.joints.items():
            self._bend(number, joints)
        if showing.added:
            self._draw(True)

    def _draw(self, on: bool) -> None:
        self._bullet.configureDebugVisualizer(
            self._bullet.COV_ENABLE_RENDERING, int(on), physicsClientId=self._client
        )

    def _add(self, number: int, urdf: str) -> None:
        try:
            body = self._bullet.loadURDF(urdf, useFixedBase=True, physicsClientId=self._client)
        except self._bullet.error:
            # Taken off the table, and its file with it, before it was drawn.
            return
        self.bodies[number] = body
        self._joints[number] = {
            self._bullet.getJointInfo(body, i, physicsClientId=self._client)[1].decode(): i
            for i in range(self._bullet.getNumJoints(body, physicsClientId=self._client))
        }

    def _remove(self, number: int) -> None:
        if number in self.bodies:
            self._bullet.removeBody(self.bodies.pop(number), physicsClientId=self._client)
            del self._joints[number]

    def _bend(self, number: int, joints: Mapping[str, float]) -> None:
        known = self._joints.get(number, {})
        for name in known.keys() & joints.keys():
            self._bullet.resetJointState(
                self.bodies[number], known[name], joints[name], physicsClientId=self._client
            )


def main() -> None:
    channel = Connection(int(sys.argv[1]))
    _be_silent()
    import pybullet as bullet

    client = bullet.connect(bullet.GUI, options="--width=1280 --height=800")
    if client < 0:
        channel.send(False)
        return
    _arrange(bullet)
    channel.send(True)
    drawing = Drawing(bullet, client)
    try:
        while bullet.isConnected():
            if channel.poll(0.1):
                drawing.apply(channel.recv())
                channel.send(True)
    except (EOFError, OSError, bullet.error):
        # The simulation ended, or the window was closed.
        return


def _arrange(bullet: Any) -> None:
    for option in (bullet.COV_ENABLE_GUI, bullet.COV_ENABLE_MOUSE_PICKING):
        bullet.configureDebugVisualizer(option, 0)
    bullet.configureDebugVisualizer(lightPosition=LIGHT, rgbBackground=BACKGROUND)
    bullet.resetDebugVisualizerCamera(*CAMERA)


def _be_silent() -> None:
    """Keep what PyBullet prints about graphics out of the simulator's output."""
    with open(os.devnull, "w") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)


if __name__ == "__main__":
    main()
