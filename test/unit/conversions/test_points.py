# SPDX-License-Identifier: Apache-2.0
"""Point clouds of other programs are read, or refused with the reason."""

from __future__ import annotations

import math

import numpy as np
import pytest
from message_samples import (
    over_the_wire,
)

pytest.importorskip("rclpy")

from sensor_msgs.msg import PointField

from spatialpin_ros import conversions as cv
from spatialpin_ros.errors import InvalidValueError


def test_foreign_cloud_with_other_fields_big_endian_and_nan():
    dtype = np.dtype({"names": ["i", "x", "y", "z"], "formats": [">u2", ">f8", ">f4", ">f4"], "offsets": [0, 4, 12, 16],
                      "itemsize": 24})  # fmt: skip
    table = np.zeros(3, dtype=dtype)
    table["x"], table["y"], table["z"] = [1, 2, math.nan], [4, 5, 6], [7, 8, 9]
    message = cv.points_to_msg(np.zeros((3, 3), dtype=np.float32), np.zeros((0, 3), dtype=np.uint8), "base")
    message.fields = [
        PointField(name="i", offset=0, datatype=PointField.UINT16, count=1),
        PointField(name="x", offset=4, datatype=PointField.FLOAT64, count=1),
        PointField(name="y", offset=12, datatype=PointField.FLOAT32, count=1),
        PointField(name="z", offset=16, datatype=PointField.FLOAT32, count=1),
    ]
    message.point_step, message.row_step, message.is_bigendian, message.data = 24, 72, True, table.tobytes()
    points, colors = cv.points_from_msg(over_the_wire(message))
    np.testing.assert_array_equal(points, [[1, 4, 7], [2, 5, 8]])
    assert len(colors) == 0


def test_cloud_without_coordinates_is_refused():
    message = cv.points_to_msg(np.ones((2, 3), dtype=np.float32), np.zeros((0, 3), dtype=np.uint8), "base")
    message.fields = message.fields[:2]
    with pytest.raises(InvalidValueError, match=r"\['z'\]"):
        cv.points_from_msg(message)
