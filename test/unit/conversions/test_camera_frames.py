# SPDX-License-Identifier: Apache-2.0
"""Camera frames from messages: sizes, calibration, distortion, holes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from message_samples import (
    make_frame,
    over_the_wire,
)

pytest.importorskip("rclpy")

from sensor_msgs.msg import CameraInfo, Image

from spatialpin_ros import conversions as cv
from spatialpin_ros.errors import CameraFrameError
from spatialpin_ros.geometry import Pose


@pytest.mark.parametrize(("encoding", "error_m"), [("32FC1", 0.0), ("16UC1", 0.00051)])
def test_camera_frame(encoding, error_m):
    frame = make_frame()
    messages = [over_the_wire(message) for message in cv.camera_frame_to_msgs(frame, encoding)]
    back = cv.camera_frame_from_msgs(*messages, frame.base_T_camera, frame.base_frame)
    np.testing.assert_array_equal(back.color, frame.color)
    np.testing.assert_allclose(back.depth_m, frame.depth_m, atol=error_m)
    assert back.intrinsics == frame.intrinsics
    assert (back.stamp_s, back.camera_frame) == (frame.stamp_s, frame.camera_frame)


def test_all_zero_depth_and_images_without_pixels_are_refused():
    color, depth, info = cv.camera_frame_to_msgs(make_frame(), "16UC1")
    depth.data = bytes(len(depth.data))
    with pytest.raises(CameraFrameError, match="depth stream running"):
        cv.camera_frame_from_msgs(color, depth, info, Pose())
    with pytest.raises(CameraFrameError, match="0x0"):
        cv.camera_frame_from_msgs(Image(encoding="rgb8"), depth, info, Pose())


@pytest.mark.parametrize("number", [math.nan, math.inf, -5.0])
def test_calibration_of_nonsense_is_refused(number):
    color, depth, info = cv.camera_frame_to_msgs(make_frame())
    info.k[0] = number
    with pytest.raises(CameraFrameError, match="calibrated"):
        cv.camera_frame_from_msgs(color, depth, info, Pose())


def test_camera_info_of_another_size_is_refused():
    color, depth, info = cv.camera_frame_to_msgs(make_frame())
    info.width, info.height = 32, 24
    with pytest.raises(CameraFrameError, match="aligned"):
        cv.camera_frame_from_msgs(color, depth, info, Pose())


def test_uncalibrated_camera_is_refused():
    color, depth, info = cv.camera_frame_to_msgs(make_frame())
    info.k = np.zeros(9)
    with pytest.raises(CameraFrameError, match="calibrated"):
        cv.camera_frame_from_msgs(color, depth, info, Pose())


def test_binned_image_is_refused():
    _, _, info = cv.camera_frame_to_msgs(make_frame())
    info.binning_x = 2
    with pytest.raises(CameraFrameError, match="binning"):
        cv.intrinsics_from_msg(info)


def test_nan_depth_becomes_no_measurement():
    color, depth, info = cv.camera_frame_to_msgs(make_frame())
    values = make_frame().depth_m.copy()
    values[3:6] = math.nan
    depth = cv.depth_to_msg(values, "camera")
    frame = cv.camera_frame_from_msgs(color, depth, info, Pose())
    assert (frame.depth_m[3:6] == 0.0).all()
    with pytest.raises(CameraFrameError, match="no pixel"):
        cv.camera_frame_from_msgs(
            color, cv.depth_to_msg(np.full_like(values, math.nan), "camera"), info, Pose()
        )


def distorted_dot(d, model):
    """An image with one bright dot at the place where a lens with coefficients d puts the ray (0.3, 0.2, 1)."""
    import cv2

    size, k = (640, 480), np.array([[500.0, 0.0, 319.5], [0.0, 500.0, 239.5], [0.0, 0.0, 1.0]])
    ray = np.array([[[0.3, 0.2, 1.0]]])
    if model == "equidistant":
        pixel = cv2.fisheye.distortPoints(ray[..., :2], k, np.array(d))[0, 0]
    else:
        pixel = cv2.projectPoints(ray, np.zeros(3), np.zeros(3), k, np.array(d))[0][0, 0]
    color = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    column, row = np.rint(pixel).astype(int)
    color[row - 2 : row + 3, column - 2 : column + 3] = 255
    depth = np.where(color[..., 0] > 0, 1.5, 1.0).astype(np.float32)
    info = CameraInfo(width=size[0], height=size[1], distortion_model=model, d=list(d), k=k.ravel())
    return cv.color_to_msg(color, "camera"), cv.depth_to_msg(depth, "camera"), info


@pytest.mark.parametrize(
    ("model", "d"),
    [("plumb_bob", [0.12, -0.2, 0.001, -0.002, 0.0]), ("equidistant", [-0.02, 0.004, 0.0, 0.0]),
     ("rational_polynomial", [0.1, -0.1, 0.0, 0.0, 0.01, 0.02, 0.0, 0.0])],
)  # fmt: skip
def test_distortion_is_removed_from_both_images(model, d):
    frame = cv.camera_frame_from_msgs(*distorted_dot(d, model), Pose())
    where = np.argwhere(frame.color[..., 0] > 128).mean(axis=0)
    np.testing.assert_allclose(where, [239.5 + 500 * 0.2, 319.5 + 500 * 0.3], atol=1.0)
    assert frame.depth_m[tuple(np.rint(where).astype(int))] == pytest.approx(1.5)


def test_unknown_distortion_model_says_what_to_do():
    color, depth, info = distorted_dot([0.1, 0.0, 0.0, 0.0, 0.0], "plumb_bob")
    info.distortion_model = "omni"
    with pytest.raises(CameraFrameError, match="rectified"):
        cv.camera_frame_from_msgs(color, depth, info, Pose())


def test_rectified_images_take_p_and_leave_the_pixels():
    color, depth, info = distorted_dot([0.1, 0.0, 0.0, 0.0, 0.0], "plumb_bob")
    info.p = np.array([450.0, 0.0, 320.0, 0.0, 0.0, 455.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    frame = cv.camera_frame_from_msgs(color, depth, info, Pose(), rectified=True)
    assert (frame.intrinsics.fx, frame.intrinsics.fy, frame.intrinsics.cy) == (450.0, 455.0, 240.0)
    np.testing.assert_array_equal(frame.color, cv.color_from_msg(color))
