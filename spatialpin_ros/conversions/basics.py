# SPDX-License-Identifier: Apache-2.0
"""Poses, times and other small messages."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Point32, Polygon, PoseArray, Quaternion, TransformStamped, Vector3
from geometry_msgs.msg import Pose as PoseMsg
from spatialpin_interfaces.msg import NamedPose, NamedValue
from std_msgs.msg import Header

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose

NANOSECONDS = 1_000_000_000


def floats(values: npt.ArrayLike) -> array[float]:
    """Make the value of a float64[] field, which rclpy takes without looking at each number."""
    packed = array("d")
    packed.frombytes(np.ascontiguousarray(values, dtype=np.float64).tobytes())
    return packed


def octets(values: bytes | npt.NDArray[np.uint8]) -> array[int]:
    """Make the value of a uint8[] field."""
    packed = array("B")
    packed.frombytes(values if isinstance(values, bytes) else np.ascontiguousarray(values).tobytes())
    return packed


def time_to_msg(stamp_s: float) -> Time:
    """Convert seconds, which must not be negative; rounded to nanoseconds."""
    total = round(stamp_s * NANOSECONDS)
    if total < 0:
        raise InvalidValueError(f"stamp: a ROS time cannot be negative, got {stamp_s} s")
    return Time(sec=total // NANOSECONDS, nanosec=total % NANOSECONDS)


def seconds(time: Time | Duration) -> float:
    """Return a stamp or duration in seconds."""
    return float(time.sec + time.nanosec / NANOSECONDS)


def duration_to_msg(duration_s: float) -> Duration:
    total = round(duration_s * NANOSECONDS)
    return Duration(sec=total // NANOSECONDS, nanosec=total % NANOSECONDS)


def header(frame: str, stamp_s: float = 0.0) -> Header:
    return Header(stamp=time_to_msg(stamp_s), frame_id=frame)


def pose_to_msg(pose: Pose) -> PoseMsg:
    return _pose_msg(pose.position.tolist(), pose.quaternion.tolist())


def _pose_msg(position: list[float], quaternion: list[float]) -> PoseMsg:
    (x, y, z), (qx, qy, qz, qw) = position, quaternion
    return PoseMsg(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def _pose_numbers(message: PoseMsg) -> list[float]:
    p, q = message.position, message.orientation
    return [p.x, p.y, p.z, q.x, q.y, q.z, q.w]


def pose_from_msg(message: PoseMsg) -> Pose:
    """Convert a pose.

    Raises:
        InvalidValueError: on NaN or on a quaternion of length zero, as an unset message field has with w = 0.
    """
    numbers = _pose_numbers(message)
    return Pose(np.array(numbers[:3]), np.array(numbers[3:]))


def pose_from_transform_msg(message: TransformStamped) -> Pose:
    """Return `header.frame_id`_T_`child_frame_id`."""
    t, q = message.transform.translation, message.transform.rotation
    return Pose(np.array([t.x, t.y, t.z]), np.array([q.x, q.y, q.z, q.w]))


def transform_to_msg(parent: str, child: str, parent_T_child: Pose, stamp_s: float = 0.0) -> TransformStamped:
    """Convert a pose to a stamped transform of TF."""
    message = TransformStamped(header=header(parent, stamp_s), child_frame_id=child)
    message.transform.translation = vector_to_msg(parent_T_child.position)
    message.transform.rotation = pose_to_msg(parent_T_child).orientation
    return message


def vector_to_msg(vector: FloatArray) -> Vector3:
    x, y, z = vector.tolist()
    return Vector3(x=x, y=y, z=z)


def vector_from_msg(message: Vector3 | Point) -> FloatArray:
    return np.array([message.x, message.y, message.z])


def points_to_msgs(points: npt.ArrayLike) -> list[Point]:
    """Convert (N, 3) points."""
    return [Point(x=x, y=y, z=z) for x, y, z in np.asarray(points, dtype=np.float64).tolist()]


def waypoints_to_msg(waypoints: FloatArray, frame: str, stamp_s: float = 0.0) -> PoseArray:
    """Convert (N, 7) poses, x y z then xyzw."""
    poses = [_pose_msg(row[:3], row[3:]) for row in waypoints.tolist()]
    return PoseArray(header=header(frame, stamp_s), poses=poses)


def waypoints_from_msg(message: PoseArray) -> FloatArray:
    """Return (N, 7) poses, x y z then xyzw."""
    return np.array([_pose_numbers(pose) for pose in message.poses], dtype=np.float64).reshape(-1, 7)


def polygon_to_msg(points: npt.ArrayLike) -> Polygon:
    """Convert (N, 2) points to a polygon with z = 0; the message holds single precision."""
    rows = np.asarray(points, dtype=np.float32).astype(np.float64).tolist()
    return Polygon(points=[Point32(x=x, y=y, z=0.0) for x, y in rows])


def polygon_from_msg(message: Polygon) -> FloatArray:
    """Return (N, 2) points."""
    return np.array([[point.x, point.y] for point in message.points], dtype=np.float64).reshape(-1, 2)


def named_poses_to_msg(poses: Mapping[str, Pose]) -> list[NamedPose]:
    return [NamedPose(name=name, pose=pose_to_msg(pose)) for name, pose in poses.items()]


def named_poses_from_msg(messages: Iterable[NamedPose]) -> dict[str, Pose]:
    return {message.name: pose_from_msg(message.pose) for message in messages}


def named_values_to_msg(values: Mapping[str, float]) -> list[NamedValue]:
    return [NamedValue(name=name, value=float(value)) for name, value in values.items()]


def named_values_from_msg(messages: Iterable[NamedValue]) -> dict[str, float]:
    return {message.name: float(message.value) for message in messages}
