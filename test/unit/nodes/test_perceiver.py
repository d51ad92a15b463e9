# SPDX-License-Identifier: Apache-2.0
"""Loading the modules of perception beside the scenes: whatever goes wrong is told."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

from spatialpin_ros.config import CameraConfig
from spatialpin_ros.nodes.perceiver import Perceiver

VALUES = {"rectified": False, "perception": "geometric", "views": 1, "forget_after_s": 60.0}


class OddError(Exception):
    """An error that no boundary knows."""


@pytest.fixture
def node():
    """Stands in for the scene node, and keeps what it logs by level."""
    said = []
    told = threading.Event()

    def log(level):
        def one(text):
            said.append((level, text))
            told.set()

        return one

    logger = SimpleNamespace(**{level: log(level) for level in ("info", "warning", "error")})
    return SimpleNamespace(get_logger=lambda: logger, said=said, told=told)


def preloading(node, preload):
    perceiver = Perceiver(node, CameraConfig.load("simulation"), None, VALUES, None)
    perceiver._perception = SimpleNamespace(preload=preload)
    perceiver.preload()
    assert node.told.wait(30.0)
    return node.said


def test_each_module_that_cannot_be_loaded_is_an_error_in_the_log(node):
    said = preloading(node, lambda: ("namer: no weights",))
    assert said[0] == ("error", "goes on without a learned module: namer: no weights")


def test_loading_does_not_end_without_a_word(node):
    def odd():
        raise OddError("no such thing")

    ((level, text),) = preloading(node, odd)
    assert level == "error"
    assert "OddError('no such thing')" in text
