# SPDX-License-Identifier: Apache-2.0
"""One simulated world per test module; each test puts the scene it needs into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from spatialpin_ros.config import CameraConfig, RobotConfig

pytest.importorskip("pybullet")

from spatialpin_ros.simulation import Workcell, World


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    camera = replace(CameraConfig.load("simulation"), noise="none")
    with World(RobotConfig.load("panda"), camera) as world:
        yield world


@pytest.fixture
def world(shared_world: World) -> World:
    shared_world.reset(objects=())
    return shared_world


@pytest.fixture
def workcell(world: World) -> Workcell:
    return Workcell(world)
