# SPDX-License-Identifier: Apache-2.0
"""The whole simulated graph with a camera that has no depth: seen, thought about, planned, and not moved unasked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from sensor_msgs.msg import Image
from spatialpin_interfaces.msg import Outcome, TaskProgress

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.conversions import depth_from_msg
from spatialpin_ros.nodes.qos import RELIABLE

pytestmark = pytest.mark.slow
CAMERA, ROBOT = CameraConfig.load("simulation"), RobotConfig.load("panda")


@pytest.fixture
def color_only(graph_of, tmp_path, monkeypatch):
    """All nodes; the depth that the simulator keeps to itself stands for what a network would estimate."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
    document = {
        "name": "webcam",
        "base_frame": CAMERA.base_frame,
        "optical_frame": CAMERA.optical_frame,
        "topics": {key: CAMERA.topics[key] for key in ("color", "camera_info")},
        "pose": CAMERA.pose,
        "workspace": {"min": CAMERA.workspace.min.tolist(), "max": CAMERA.workspace.max.tolist()},
    }
    camera, perception = tmp_path / "webcam.yaml", tmp_path / "perception.yaml"
    camera.write_text(yaml.safe_dump(document))
    module = {"backend": "known_scene:KnownDepth", "file": str(tmp_path / "depth.npy"), "scale": 1.2}
    perception.write_text(yaml.safe_dump({"depth": module, "rgb": {"table_z_m": 0.0}}))
    nodes = {
        "simulator": (f"camera:={camera}",),
        "scene": (f"camera:={camera}", f"perception:={perception}", "preload:=false"),
        "reasoner": (),
        "planner": (),
        "executor": ("dry_run:=false",),
    }
    with graph_of(nodes) as running:
        yield running


def test_estimated_depth_is_planned_with_but_waits_for_a_persons_word(color_only, tmp_path, wait):
    graph, heard = color_only, []
    joints = graph.joints(ROBOT)
    placed = graph.randomize(3)
    graph.node.create_subscription(Image, "/simulator/unseen_depth", heard.append, RELIABLE)
    wait(lambda: heard, "the simulator kept its depth to itself")
    np.save(tmp_path / "depth.npy", depth_from_msg(heard[-1]))
    scene = graph.capture()
    assert scene.success, scene.message
    assert scene.scene.depth_source == "estimated"
    assert len(scene.scene.objects) == len(placed)
    task = graph.request("")
    graph.wait_until(
        lambda: TaskProgress.WAITING_FOR_APPROVAL in graph.states(task), "it did not wait for approval", 120.0
    )
    said = [item.text for item in graph.progress if item.state == TaskProgress.WAITING_FOR_APPROVAL]
    assert "estimated" in said[0]
    assert joints.fastest() < 0.05
    assert graph.trigger("/executor/approve").success
    wait(lambda: joints.fastest() > 0.1, "it did not move once approved")
    assert graph.trigger("/executor/stop").success
    assert graph.outcome(task).status == Outcome.CANCELLED
