# SPDX-License-Identifier: Apache-2.0
"""Camera topics that are watched without a request: found late, replaced, gone silent."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

pytest.importorskip("rclpy")

from rclpy.qos import ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from spatialpin_ros.config import CameraConfig
from spatialpin_ros.nodes import frames
from spatialpin_ros.nodes.frames import FrameSource
from spatialpin_ros.nodes.qos import RELIABLE

CAMERA = CameraConfig.load("simulation")
TOPICS = {key: CAMERA.topics[key] for key in ("color", "depth", "camera_info")}
LIMIT_S = 20.0


class Logger:
    def __init__(self):
        self.warnings = []

    def warning(self, text, **_):
        self.warnings.append(text)


class Camera:
    """A driver that publishes when told to."""

    def __init__(self, node, qos=RELIABLE):
        self._node = node
        kinds = {"color": Image, "depth": Image, "camera_info": CameraInfo}
        self._publishers = {key: node.create_publisher(kinds[key], TOPICS[key], qos) for key in TOPICS}

    def send(self, *left_out):
        stamp = self._node.get_clock().now().to_msg()
        for key, publisher in self._publishers.items():
            if key not in left_out:
                message = publisher.msg_type()
                message.header.stamp = stamp
                publisher.publish(message)

    def end(self):
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)


@pytest.fixture
def logger(ros_node, monkeypatch):
    logger = Logger()
    monkeypatch.setattr(ros_node, "get_logger", lambda: logger)
    return logger


@pytest.fixture
def watch(ros_node, logger):
    """Watch the camera; returns the frames that came."""

    def start():
        seen = []
        source = FrameSource(ros_node, replace(CAMERA, topics=TOPICS), 0.02, seen.append, always=True)
        return source, seen

    return start


def reliabilities(node):
    return {
        offer.qos_profile.reliability
        for topic in TOPICS.values()
        for offer in node.get_subscriptions_info_by_topic(topic)
    }


def until(condition, what, act=lambda: None):
    pause = threading.Event()
    for _ in range(int(LIMIT_S / 0.05)):
        act()
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError(what)


def test_a_camera_that_comes_later_is_subscribed_to_as_it_publishes(ros_node, watch):
    _, seen = watch()
    assert reliabilities(ros_node) == {ReliabilityPolicy.BEST_EFFORT}
    camera = Camera(ros_node)
    until(lambda: reliabilities(ros_node) == {ReliabilityPolicy.RELIABLE}, "it stayed best effort")
    until(lambda: seen, "no frame came", camera.send)
    camera.end()
    lossy = Camera(ros_node, qos_profile_sensor_data)
    until(lambda: reliabilities(ros_node) == {ReliabilityPolicy.BEST_EFFORT}, "it stayed reliable")
    seen.clear()
    until(lambda: seen, "no frame came from the other camera", lossy.send)


def test_a_camera_that_falls_silent_is_told_with_the_topics_that_are(ros_node, watch, logger, monkeypatch):
    monkeypatch.setattr(frames, "SILENT_AFTER_S", 0.5)
    camera = Camera(ros_node)
    _, seen = watch()
    until(lambda: seen, "no frame came", camera.send)
    logger.warnings.clear()
    until(
        lambda: any(TOPICS["depth"] in text for text in logger.warnings),
        "silence was not told",
        lambda: camera.send("depth"),
    )
    assert all(TOPICS["color"] not in text for text in logger.warnings)
    seen.clear()
    until(lambda: seen, "no frame came once depth was back", camera.send)


def test_frames_that_keep_coming_are_no_silence(ros_node, watch, logger, monkeypatch):
    monkeypatch.setattr(frames, "SILENT_AFTER_S", 2.0)
    camera = Camera(ros_node)
    source, seen = watch()
    until(lambda: len(seen) > 30, "too few frames came", camera.send)
    assert not logger.warnings
    assert source._subscriptions
