# SPDX-License-Identifier: Apache-2.0
"""Images in every encoding that cameras send, with padding and in both byte orders."""

from __future__ import annotations

import numpy as np
import pytest
from message_samples import (
    make_frame,
    over_the_wire,
)

pytest.importorskip("rclpy")

from sensor_msgs.msg import Image

from spatialpin_ros import conversions as cv
from spatialpin_ros.errors import CameraFrameError


def padded(pixels, encoding, *, big=False, padding=5):
    """Build an image with padded rows in either byte order, independently of the code under test."""
    stored = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = [row.tobytes() + b"\xee" * padding for row in stored]
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(big),
        step=len(rows[0]),
        data=b"".join(rows),
    )


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "channels"),
    [("rgb8", [0, 1, 2]), ("bgr8", [2, 1, 0]), ("rgba8", [0, 1, 2, 0]), ("bgra8", [2, 1, 0, 0])],
)
def test_colour_encodings(encoding, channels, padding):
    color = make_frame().color
    message = padded(color[..., channels], encoding, padding=padding)
    np.testing.assert_array_equal(cv.color_from_msg(over_the_wire(message)), color)


@pytest.mark.parametrize("big", [False, True])
def test_grey_encodings(big):
    grey = make_frame().color[..., 0]
    np.testing.assert_array_equal(cv.color_from_msg(padded(grey, "mono8")), np.dstack([grey] * 3))
    wide = grey.astype(np.uint16) * 256 + 17
    np.testing.assert_array_equal(cv.color_from_msg(padded(wide, "mono16", big=big)), np.dstack([grey] * 3))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ["16UC1", "mono16", "32FC1"])
def test_depth_encodings_with_padding_in_both_byte_orders(encoding, big):
    depth = make_frame().depth_m
    stored = depth if encoding == "32FC1" else np.rint(depth * 1000).astype(np.uint16)
    back = cv.depth_from_msg(over_the_wire(padded(stored, encoding, big=big, padding=3)))
    np.testing.assert_allclose(back, depth, atol=0.0 if encoding == "32FC1" else 0.00051)


def test_opencv_names_of_encodings():
    color = make_frame().color
    bgr = padded(np.ascontiguousarray(color[..., ::-1]), "8UC3")
    np.testing.assert_array_equal(cv.color_from_msg(bgr), color)
    grey = padded(color[..., 0], "8UC1")
    np.testing.assert_array_equal(cv.color_from_msg(grey), np.dstack([color[..., 0]] * 3))


@pytest.mark.parametrize("encoding", ["mono8", "8UC1", "rgb8"])
def test_eight_bit_depth_is_refused(encoding):
    pixels = make_frame().color if encoding == "rgb8" else make_frame().color[..., 0]
    with pytest.raises(CameraFrameError, match=f"'{encoding}' is not depth; known are"):
        cv.depth_from_msg(padded(pixels, encoding))


def test_depth_is_no_colour():
    with pytest.raises(CameraFrameError, match="'32FC1' is not a colour; known are"):
        cv.color_from_msg(padded(make_frame().depth_m, "32FC1"))


def test_unknown_encodings_and_short_data_are_named():
    message = padded(make_frame().color, "rgb8")
    message.encoding = "nv21"
    with pytest.raises(CameraFrameError, match="nv21"):
        cv.color_from_msg(message)
    with pytest.raises(CameraFrameError, match="32FC1"):
        cv.depth_from_msg(padded(make_frame().color, "rgb8"))
    message = padded(make_frame().color, "rgb8")
    message.data = message.data[:-40]
    with pytest.raises(CameraFrameError, match="altogether"):
        cv.color_from_msg(message)


@pytest.mark.parametrize(
    ("encoding", "flag"), [("yuv422", "UYVY"), ("uyvy", "UYVY"), ("yuv422_yuy2", "YUY2"), ("yuyv", "YUY2")]
)
def test_yuv_images_of_usb_cameras_become_rgb(encoding, flag):
    cv2 = pytest.importorskip("cv2")
    red = np.zeros((4, 6, 3), dtype=np.uint8)
    red[...] = (200, 30, 30)
    data = cv2.cvtColor(red, getattr(cv2, f"COLOR_RGB2YUV_{flag}"))
    message = Image(height=4, width=6, encoding=encoding, step=12, data=data.tobytes())
    assert np.abs(cv.color_from_msg(message).astype(int) - red).max() <= 4
    message.width, message.step = 5, 10
    with pytest.raises(CameraFrameError, match="even"):
        cv.color_from_msg(message)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_images_become_rgb(pattern):
    color = {"r": 200, "g": 90, "b": 30}
    tile = np.array(
        [[color[pattern[0]], color[pattern[1]]], [color[pattern[2]], color[pattern[3]]]], dtype=np.uint8
    )
    raw = np.tile(tile, (4, 4))
    message = Image(height=8, width=8, encoding=f"bayer_{pattern}8", step=8, data=raw.tobytes())
    np.testing.assert_array_equal(
        cv.color_from_msg(message)[2:-2, 2:-2], np.broadcast_to([200, 90, 30], (4, 4, 3))
    )


@pytest.mark.parametrize("encoding", ["rgb16", "bgr16"])
def test_sixteen_bit_colours_keep_their_upper_half(encoding):
    pixel = np.array([200, 90, 30], dtype="<u2") * 256 + 7
    ordered = pixel if encoding == "rgb16" else pixel[::-1]
    data = np.broadcast_to(ordered, (2, 3, 3)).astype("<u2")
    message = Image(height=2, width=3, encoding=encoding, step=18, data=data.tobytes())
    np.testing.assert_array_equal(cv.color_from_msg(message)[0, 0], [200, 90, 30])
