# SPDX-License-Identifier: Apache-2.0
"""What cameras send over real DDS: every encoding gives the scene, every fault a message; and the node lives on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")
pytest.importorskip("cv2")

import cv2
from sensor_msgs.msg import CameraInfo, Image

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.conversions import camera_frame_to_msgs, octets
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.nodes.qos import RELIABLE
from spatialpin_ros.simulation import ObjectSpec, World

CAMERA = CameraConfig.load("simulation")


@pytest.fixture(scope="module")
def frame():
    with World(RobotConfig.load(), replace(CAMERA, noise="none")) as world:
        box = OrientedBox(Pose.from_yaw((0.5, 0.1, 0.025), 0.3), np.full(3, 0.05))
        world.add_object(ObjectSpec("block", "box", "red", box, 0.1))
        return world.render()


class Camera:
    def __init__(self, graph):
        self._node = graph.node
        kinds = (("color", Image), ("depth", Image), ("camera_info", CameraInfo))
        self._publishers = [self._node.create_publisher(k, CAMERA.topics[key], RELIABLE) for key, k in kinds]
        self.messages = ()
        self._timer = self._node.create_timer(0.15, self._publish)

    def _publish(self):
        now = self._node.get_clock().now().to_msg()
        for publisher, message in zip(self._publishers, self.messages, strict=False):
            message.header.stamp = now
            publisher.publish(message)


@pytest.fixture(scope="module")
def graph(graph_of):
    values = ("reject_robot:=false", "track:=false", "capture_timeout_s:=5.0")
    with graph_of({"scene": values}, sim_time=False) as running:
        running.camera = Camera(running)
        yield running


def image(pixels, encoding, *, bigendian=False):
    height, width = pixels.shape[:2]
    return Image(
        header=camera_header(),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(bigendian),
        step=pixels.nbytes // height,
        data=octets(np.ascontiguousarray(pixels).tobytes()),
    )


def camera_header():
    header = Image().header
    header.frame_id = CAMERA.optical_frame
    return header


def shown(graph, frame, color=None, depth=None, change=None):
    messages = list(camera_frame_to_msgs(frame, "16UC1"))
    messages[0] = color or messages[0]
    messages[1] = depth or messages[1]
    if change is not None:
        change(messages[2])
    graph.camera.messages = tuple(messages)
    return graph.capture()


def bayer(rgb):
    raw = rgb[..., 1].copy()
    raw[0::2, 0::2], raw[1::2, 1::2] = rgb[0::2, 0::2, 0], rgb[1::2, 1::2, 2]
    return raw


COLORS = {
    "bgr8": lambda c: c[..., ::-1],
    "rgba8": lambda c: np.dstack([c, np.full(c.shape[:2], 255, np.uint8)]),
    "bgra8": lambda c: np.dstack([c[..., ::-1], np.full(c.shape[:2], 255, np.uint8)]),
    "8UC3": lambda c: c[..., ::-1],
    "rgb16": lambda c: c.astype("<u2") * 257,
    "yuv422_yuy2": lambda c: cv2.cvtColor(c, cv2.COLOR_RGB2YUV_YUY2),
    "bayer_rggb8": bayer,
    "mono8": lambda c: cv2.cvtColor(c, cv2.COLOR_RGB2GRAY),
    "mono16": lambda c: cv2.cvtColor(c, cv2.COLOR_RGB2GRAY).astype("<u2") * 257,
}


@pytest.mark.parametrize("encoding", COLORS)
def test_every_colour_encoding_gives_the_object(graph, frame, encoding):
    reply = shown(graph, frame, color=image(COLORS[encoding](np.asarray(frame.color)), encoding))
    assert reply.success, reply.message
    (found,) = reply.scene.objects
    assert abs(found.pose.position.x - 0.5) < 0.006
    if not encoding.startswith("mono"):
        assert found.color == "red"


@pytest.mark.parametrize(
    ("encoding", "dtype", "unit_m"),
    [("16UC1", ">u2", 0.001), ("mono16", "<u2", 0.001), ("32FC1", ">f4", 1.0)],
)
def test_every_depth_encoding_gives_the_object(graph, frame, encoding, dtype, unit_m):
    pixels = np.round(frame.depth_m / unit_m, 3 if unit_m == 1.0 else 0).astype(dtype)
    reply = shown(graph, frame, depth=image(pixels, encoding, bigendian=dtype[0] == ">"))
    assert reply.success, reply.message
    (found,) = reply.scene.objects
    assert abs(found.pose.position.x - 0.5) < 0.006


def resized(info, factor):
    info.width, info.height = int(factor * info.width), int(factor * info.height)


def refocused(info, factor):
    info.k = [value * factor if index in (0, 4) else value for index, value in enumerate(info.k)]


def uncalibrated(info):
    info.k = np.zeros(9)


def bent(info):
    info.distortion_model, info.d = "banana", [0.1]


def binned(info):
    info.binning_x = info.binning_y = 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda info: resized(info, 2), "sizes disagree"),
        (lambda info: refocused(info, 2.0), "camera pose"),
        (lambda info: refocused(info, 0.5), "camera pose"),
        (uncalibrated, "is the camera calibrated"),
        (bent, "distortion model 'banana' is unknown"),
        (binned, "binning"),
    ],
    ids=["another size", "longer lens", "shorter lens", "no focal length", "strange lens", "binned"],
)
def test_a_wrong_camera_info_is_named(graph, frame, change, said):
    reply = shown(graph, frame, change=change)
    assert not reply.success
    assert said in reply.message
    again = shown(graph, frame)
    assert again.success, again.message


def zeros(frame, dtype="<u2"):
    return np.zeros(frame.size, dtype=dtype)


DEPTHS = {
    "all zero": (lambda f: image(zeros(f), "16UC1"), "no pixel has a valid depth"),
    "all NaN": (lambda f: image(np.full(f.size, np.nan, "<f4"), "32FC1"), "no pixel has a valid depth"),
    "infinite": (lambda f: image(np.full(f.size, np.inf, "<f4"), "32FC1"), "no pixel has a valid depth"),
    "eight bits": (lambda f: image(zeros(f, "u1"), "8UC1"), "encoding '8UC1' is not depth"),
    "a colour image": (lambda f: image(np.asarray(f.color), "rgb8"), "encoding 'rgb8' is not depth"),
    "unaligned": (lambda f: image(zeros(f)[::2, ::2], "16UC1"), "aligned to colour"),
    "in millimetres as metres": (
        lambda f: image((1000 * f.depth_m).astype("<f4"), "32FC1"),
        "no support plane",
    ),
    "a wall": (lambda f: image(np.full(f.size, 800, "<u2"), "16UC1"), "no support plane"),
    "turned": (lambda f: image((1000 * f.depth_m[::-1]).astype("<u2"), "16UC1"), "camera pose"),
}


@pytest.mark.parametrize("fault", DEPTHS)
def test_a_faulty_depth_image_is_named(graph, frame, fault):
    make, said = DEPTHS[fault]
    reply = shown(graph, frame, depth=make(frame))
    assert not reply.success
    assert said in reply.message
    again = shown(graph, frame)
    assert again.success, again.message


def cut(message):
    message.data = message.data[: len(message.data) // 2]
    return message


PICTURES = {
    "unknown encoding": (lambda f: image(np.asarray(f.color), "hsv8"), "encoding 'hsv8' is unknown"),
    "depth as colour": (lambda f: image(zeros(f), "16UC1"), "encoding '16UC1' is not a colour"),
    "cut off": (lambda f: cut(image(np.asarray(f.color), "rgb8")), "bytes altogether"),
    "turned on its side": (lambda f: image(np.rot90(f.color), "rgb8"), "sizes disagree"),
}


@pytest.mark.parametrize("fault", PICTURES)
def test_a_faulty_colour_image_is_named(graph, frame, fault):
    make, said = PICTURES[fault]
    reply = shown(graph, frame, color=make(frame))
    assert not reply.success
    assert said in reply.message
    again = shown(graph, frame)
    assert again.success, again.message
    assert "Traceback" not in graph.logs()
