# SPDX-License-Identifier: Apache-2.0
"""The simulator's window follows the world, and neither its absence nor its end touches the simulation."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.errors import BackendError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.simulation import Workcell, World
from spatialpin_ros.simulation.bullet import connect
from spatialpin_ros.simulation.window import Body, Showing, Window, changes
from spatialpin_ros.simulation.window_process import Drawing

TURNED = (0.0, 0.0, 0.0, 1.0)


def make_world(*, gui: bool = False) -> World:
    return World(RobotConfig.load("panda"), CameraConfig.load("simulation"), gui=gui, seed=3)


class Follower:
    """Draws what a world would show, without a display."""

    def __init__(self) -> None:
        self.bullet, self.client = connect()
        self.drawing = Drawing(self.bullet, self.client)
        self._shown: dict[int, Body] = {}

    def follow(self, world: World) -> Showing:
        bodies = world.visible()
        showing = changes(self._shown, bodies)
        self.drawing.apply(showing)
        self._shown = bodies
        return showing

    def pose(self, number: int) -> Pose:
        body = self.drawing.bodies[number]
        position, quaternion = self.bullet.getBasePositionAndOrientation(body, physicsClientId=self.client)
        return Pose(np.array(position), np.array(quaternion))

    def joint(self, number: int, name: str) -> float:
        body = self.drawing.bodies[number]
        for index in range(self.bullet.getNumJoints(body, physicsClientId=self.client)):
            if self.bullet.getJointInfo(body, index, physicsClientId=self.client)[1].decode() == name:
                return float(self.bullet.getJointState(body, index, physicsClientId=self.client)[0])
        raise AssertionError(f"no joint {name}")

    def close(self) -> None:
        self.bullet.disconnect(self.client)


@pytest.fixture
def follower() -> Iterator[Follower]:
    made = Follower()
    yield made
    made.close()


def test_the_drawing_follows_objects_and_arm(follower: Follower) -> None:
    with make_world() as world:
        cell = Workcell(world)
        cell.reset(5, 4)
        first = follower.follow(world)
        assert len(first.added) == len(world.objects) + 3  # and table, mast, arm
        world.robot.command_arm(world.robot.config.home + 0.1)
        cell.run(0.3)
        second = follower.follow(world)
        assert not second.added
        assert not second.removed
        for number, body in world.visible().items():
            drawn = follower.pose(number)
            np.testing.assert_allclose(drawn.position, body.placement[0], atol=1e-9)
        states = world.robot.arm_states()
        for name, value in zip(states.names, states.positions, strict=True):
            assert follower.joint(world.robot.body, name) == pytest.approx(value, abs=1e-9)


def test_a_new_table_replaces_the_old_one(follower: Follower) -> None:
    with make_world() as world:
        world.reset(5, 4)
        follower.follow(world)
        world.reset(6, 2)
        showing = follower.follow(world)
        assert len(showing.removed) == 4
        assert len(showing.added) == 2
        assert set(follower.drawing.bodies) == set(world.visible())


def test_what_rests_is_not_told_again() -> None:
    resting, moving = Body(Path("a"), ((0.0, 0.0, 0.0), TURNED)), Body(Path("b"), ((0.0, 0.0, 0.0), TURNED))
    moved = Body(Path("b"), ((0.0, 0.0, 1.0), TURNED))
    showing = changes({1: resting, 2: moving}, {1: resting, 2: moved})
    assert dict(showing.placed) == {2: ((0.0, 0.0, 1.0), TURNED)}
    assert not showing.added
    assert not showing.joints


def test_an_object_gone_before_it_was_drawn_is_left_out(follower: Follower) -> None:
    showing = Showing({7: "/nowhere/gone.urdf"}, (), {7: ((0.0, 0.0, 0.0), TURNED)}, {7: {"a": 1.0}})
    follower.drawing.apply(showing)
    assert not follower.drawing.bodies
    follower.drawing.apply(Showing({}, (7,), {}, {}))


def test_no_display_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(BackendError, match="DISPLAY is not set"):
        make_world(gui=True)


def test_a_display_out_of_reach_is_an_error_not_the_end_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISPLAY", ":9871")
    with pytest.raises(BackendError, match=r"could not be opened on display ':9871'"):
        Window()


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("needs Xvfb")
    read, write = os.pipe()
    command = [program, "-displayfd", str(write), "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as told:
        monkeypatch.setenv("DISPLAY", f":{told.readline().strip()}")
    yield
    server.terminate()
    server.wait()


def settle(gui: bool, then: Any = lambda _: None) -> list[Pose]:
    with make_world(gui=gui) as world:
        cell = Workcell(world)
        cell.reset(5, 4)
        then(world)
        cell.run(0.5)
        return [item.box.pose for item in world.truth().objects]


@pytest.mark.usefixtures("display")
def test_a_window_changes_nothing_and_may_be_closed_at_any_time() -> None:
    seen: list[Window] = []

    def close_the_window(world: World) -> None:
        window = world._window
        assert window is not None
        deadline = time.monotonic() + 60.0
        while not window.due:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        window.show(world.visible())
        os.kill(window.process_id, signal.SIGKILL)
        os.waitid(os.P_PID, window.process_id, os.WEXITED | os.WNOWAIT)
        seen.append(window)

    watched, alone = settle(True, close_the_window), settle(False)
    assert not seen[0].open
    for one, other in zip(watched, alone, strict=True):
        np.testing.assert_array_equal(one.position, other.position)
        np.testing.assert_array_equal(one.quaternion, other.quaternion)
