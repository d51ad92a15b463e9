# SPDX-License-Identifier: Apache-2.0
"""Point clouds: sensor_msgs/PointCloud2 with x y z and, where there are colours, rgb as PCL and RViz read it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import PointCloud2, PointField

from spatialpin_ros.arrays import Float32Array, UInt8Array
from spatialpin_ros.conversions.basics import header, octets
from spatialpin_ros.errors import InvalidValueError

_DTYPES = {
    PointField.INT8: "i1",
    PointField.UINT8: "u1",
    PointField.INT16: "i2",
    PointField.UINT16: "u2",
    PointField.INT32: "i4",
    PointField.UINT32: "u4",
    PointField.FLOAT32: "f4",
    PointField.FLOAT64: "f8",
}


def points_to_msg(points: Float32Array, colors: UInt8Array, frame: str, stamp_s: float = 0.0) -> PointCloud2:
    """Convert (N, 3) points [m] and (N, 3) colours, or no colours, to a cloud of 12 or 16 byte points."""
    names = ("x", "y", "z", "rgb") if len(colors) else ("x", "y", "z")
    data = np.zeros((len(points), len(names)), dtype="<f4")
    data[:, :3] = points
    if len(colors):
        r, g, b = colors.astype(np.uint32).T
        data[:, 3] = ((r << 16) | (g << 8) | b).astype("<u4").view("<f4")
    step = data.itemsize * len(names)
    fields = [
        PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate(names)
    ]
    return PointCloud2(
        header=header(frame, stamp_s),
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=False,
        point_step=step,
        row_step=step * len(points),
        data=octets(data.tobytes()),
        is_dense=True,
    )


def points_from_msg(message: PointCloud2) -> tuple[Float32Array, UInt8Array]:
    """Return (N, 3) points [m] and (N, 3) colours; without an rgb field the colours are empty.

    Points that are NaN or infinite are left out.

    Raises:
        InvalidValueError: when x, y or z is missing or the data is shorter than its description.
    """
    count = message.height * message.width
    if count == 0:
        return np.zeros((0, 3), dtype=np.float32), np.zeros((0, 3), dtype=np.uint8)
    table = _table(message)
    points = np.column_stack([table[name].astype(np.float32) for name in ("x", "y", "z")])
    colors = np.zeros((0, 3), dtype=np.uint8)
    if "rgb" in (table.dtype.names or ()):
        packed = np.ascontiguousarray(table["rgb"].astype(table["rgb"].dtype.newbyteorder("="))).view(
            np.uint32
        )
        colors = np.column_stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255]).astype(np.uint8)
    good = np.isfinite(points).all(axis=1)
    return points[good], colors[good] if len(colors) else colors


def _table(message: PointCloud2) -> npt.NDArray[np.void]:
    """Return the (N,) structured points of a cloud."""
    order = ">" if message.is_bigendian else "<"
    fields = {field.name: field for field in message.fields}
    missing = [name for name in ("x", "y", "z") if name not in fields]
    if missing:
        raise InvalidValueError(f"point cloud: fields {missing} are missing; it has {sorted(fields)}")
    wanted = [name for name in ("x", "y", "z", "rgb") if name in fields]
    dtype = np.dtype(
        {
            "names": wanted,
            "formats": [order + _DTYPES[fields[name].datatype] for name in wanted],
            "offsets": [fields[name].offset for name in wanted],
            "itemsize": message.point_step,
        }
    )
    if (
        len(message.data) < message.row_step * message.height
        or message.row_step < message.point_step * message.width
    ):
        raise InvalidValueError(
            f"point cloud: {message.height}x{message.width} points of {message.point_step} bytes do not fit "
            f"{len(message.data)} bytes in rows of {message.row_step}"
        )
    rows = np.frombuffer(message.data, dtype=np.uint8)[: message.row_step * message.height]
    packed = rows.reshape(message.height, message.row_step)[:, : message.point_step * message.width]
    return np.frombuffer(packed.tobytes(), dtype=dtype)
