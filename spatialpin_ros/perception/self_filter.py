# SPDX-License-Identifier: Apache-2.0
"""Finds the pixels that show the robot itself, from its own model and joint positions."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spatialpin_ros.arrays import BoolArray, Float32Array, FloatArray, UInt8Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.robot_body import ConvexPart, RobotBody

_WORKING_WIDTH = 320
_NEAREST_M = 0.05
_BLEED_PX = 2


def robot_mask(frame: CameraFrame, body: RobotBody, margin_m: float = 0.015) -> BoolArray:
    """Tell which pixels of a frame measured the robot.

    Args:
        frame: the observation.
        body: the robot at the moment of the exposure, in the frame's base frame.
        margin_m: how far from its model a point may be and still belong to it: errors of calibration, joints and
            depth, and motion between exposure and joint state [m].

    Returns:
        (H, W) True on the robot and on the pixels around it that edges bleed into.
    """
    height, width = frame.size
    stride = max(1, round(width / _WORKING_WIDTH))
    depth = np.ascontiguousarray(frame.depth_m[::stride, ::stride])
    coarse = np.zeros(depth.shape, dtype=np.uint8)
    for part in body.parts:
        _mark(coarse, depth, stride, frame, part, margin_m)
    if not coarse.any():
        return np.zeros(frame.size, dtype=np.bool_)
    mask = coarse.repeat(stride, axis=0).repeat(stride, axis=1)[:height, :width]
    return np.asarray(cv2.dilate(mask, np.ones((2 * (stride + _BLEED_PX) + 1,) * 2, dtype=np.uint8)) > 0)


def _mark(
    mask: UInt8Array, depth: Float32Array, stride: int, frame: CameraFrame, part: ConvexPart, margin_m: float
) -> None:
    """Set the pixels of one convex part: first by its rectangle in the image, then by depth, then by its faces."""
    corners = frame.base_T_camera.inverse().transform(part.corners)
    low, high = corners.min(axis=0) - margin_m, corners.max(axis=0) + margin_m
    if high[2] <= 0.0:
        return
    rows, columns = _window(frame, stride, low, high)
    part_depth = depth[rows, columns]
    near, far = np.float32(max(low[2], 1e-6)), np.float32(high[2])
    v, u = np.nonzero((part_depth >= near) & (part_depth <= far))
    points = _points(frame, (u + columns.start) * stride, (v + rows.start) * stride, part_depth[v, u])
    # Most pixels of the rectangle are beside the part: its extents are a cheaper test than all its faces.
    close = ((points >= low.astype(np.float32)) & (points <= high.astype(np.float32))).all(axis=1)
    points, u, v = points[close], u[close], v[close]
    if not len(points):
        return
    normals = part.normals @ frame.base_T_camera.axes
    offsets = part.offsets_m - part.normals @ frame.base_T_camera.position + margin_m
    beyond = normals.astype(np.float32) @ points.T - offsets.astype(np.float32)[:, None]
    inside = beyond.max(axis=0) <= 0.0
    mask[v[inside] + rows.start, u[inside] + columns.start] = 1


def _points(
    frame: CameraFrame, u: npt.NDArray[np.intp], v: npt.NDArray[np.intp], depth: Float32Array
) -> Float32Array:
    k = frame.intrinsics
    x, y = depth * ((u - k.cx) / k.fx), depth * ((v - k.cy) / k.fy)
    return np.stack([x, y, depth], axis=1).astype(np.float32)


def _window(frame: CameraFrame, stride: int, low: FloatArray, high: FloatArray) -> tuple[slice, slice]:
    """Rows and columns of the thinned image that can show a box of the optical frame; all when it is at the camera."""
    height, width = (-(-side // stride) for side in frame.size)
    if low[2] < _NEAREST_M:
        return slice(0, height), slice(0, width)
    corners = np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )
    pixels = frame.intrinsics.project(corners) / stride
    first = np.clip(np.floor(pixels.min(axis=0)), 0, (width, height)).astype(int)
    last = np.clip(np.ceil(pixels.max(axis=0)) + 1, 0, (width, height)).astype(int)
    return slice(int(first[1]), int(last[1])), slice(int(first[0]), int(last[0]))
