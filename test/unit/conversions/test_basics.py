# SPDX-License-Identifier: Apache-2.0
"""Poses, transforms and times survive the way into a message and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_samples import (
    SETTINGS,
    over_the_wire,
    poses,
)

pytest.importorskip("rclpy")


from spatialpin_ros import conversions as cv
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose


@SETTINGS
@given(poses())
def test_pose(pose):
    back = cv.pose_from_msg(over_the_wire(cv.pose_to_msg(pose)))
    np.testing.assert_allclose(back.position, pose.position, atol=1e-15)
    np.testing.assert_allclose(back.quaternion, pose.quaternion, atol=1e-15)


@given(poses())
@SETTINGS
def test_transform(pose):
    message = over_the_wire(cv.transform_to_msg("base", "camera", pose, 1.5))
    assert (message.header.frame_id, message.child_frame_id) == ("base", "camera")
    np.testing.assert_allclose(cv.pose_from_transform_msg(message).matrix, pose.matrix, atol=1e-12)


def test_an_unset_pose_has_no_direction():
    message = cv.pose_to_msg(Pose())
    message.orientation.w = 0.0
    with pytest.raises(InvalidValueError, match="zero length"):
        cv.pose_from_msg(message)


@SETTINGS
@given(st.integers(0, 2**31 - 1), st.integers(0, 999_999_999))
def test_time(sec, nanosec):
    message = cv.time_to_msg(sec + nanosec * 1e-9)
    assert cv.seconds(message) == pytest.approx(sec + nanosec * 1e-9, abs=1e-6)
    assert 0 <= message.nanosec < 1_000_000_000


def test_negative_time_is_refused():
    with pytest.raises(InvalidValueError, match="negative"):
        cv.time_to_msg(-1.0)
