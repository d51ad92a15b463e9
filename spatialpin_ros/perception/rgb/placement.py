# SPDX-License-Identifier: Apache-2.0
"""Placement by ray and scale by contour: where an object of known silhouette and depth is, and how large."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.perception.plane import inside_polygon
from spatialpin_ros.scene import Shape

_RING = 24
_PIXEL_TOLERANCE = 1.5
_GOOD_OVERLAP = 0.93
_GROWTH_STEPS = 17
_ROUNDS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Silhouette:
    """Masks of one object, (H, W) each.

    Args:
        visible: what the image shows of it.
        whole: as if nothing stood before it, as far as a second look told; contains `visible`.
        lost: pixels of other objects that may hide it and are not in `whole`.
    """

    visible: BoolArray
    whole: BoolArray
    lost: BoolArray


def point_on_ray(intrinsics: Intrinsics, pixel: FloatArray, depth_m: float) -> FloatArray:
    """(3,) point of the camera frame on the ray of a pixel whose optical-axis component is `depth_m`.

    Depth is measured along the optical axis, not along the ray, so that the ray (x, y, 1) is multiplied by it as it is.
    """
    ray = np.array(
        [(pixel[0] - intrinsics.cx) / intrinsics.fx, (pixel[1] - intrinsics.cy) / intrinsics.fy, 1.0]
    )
    return np.asarray(depth_m * ray)


def outline_length(mask: BoolArray) -> float:
    """Length of the convex outline around a mask [px]; 0 for an empty one."""
    points = cv2.findNonZero(mask.astype(np.uint8))
    return 0.0 if points is None else float(cv2.arcLength(cv2.convexHull(points), closed=True))


def contour_scale(mask: BoolArray, rendered: BoolArray) -> float:
    """Factor by which an object must grow so that its rendered silhouette has the outline of its mask; 1 without one.

    Outlines of convex hulls are compared: they do not feel a ragged border.
    """
    seen, drawn = outline_length(mask), outline_length(rendered)
    return seen / drawn if seen > 0.0 and drawn > 0.0 else 1.0


def surface_points(box: OrientedBox, shape: Shape) -> FloatArray:
    """(N, 3) points whose convex hull is the primitive in its box [m]."""
    if shape not in ("cylinder", "sphere"):
        return box.corners
    angle = np.linspace(0.0, 2.0 * np.pi, _RING, endpoint=False)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    levels = [(1.0, -1.0), (1.0, 1.0)]
    if shape == "sphere":
        levels = [(float(np.cos(a)), float(np.sin(a))) for a in np.linspace(-np.pi / 2, np.pi / 2, 13)]
    unit = np.concatenate(
        [np.column_stack([radius * ring, np.full(_RING, height)]) for radius, height in levels]
    )
    return box.pose.transform(unit * 0.5 * box.size)


def silhouette(frame: CameraFrame, points: FloatArray) -> BoolArray:
    """(H, W) pixels whose centres lie in the convex hull of the projections of (N, 3) base-frame points.

    Empty when a point is behind the camera.
    """
    drawn = np.zeros(frame.size, dtype=np.bool_)
    pixels = frame.intrinsics.project(frame.base_T_camera.inverse().transform(points))
    if not np.isfinite(pixels).all():
        return drawn
    height, width = frame.size
    first = np.clip(np.floor(pixels.min(axis=0)), 0, (width, height)).astype(int)
    last = np.clip(np.ceil(pixels.max(axis=0)) + 1, 0, (width, height)).astype(int)
    if (last <= first).any():
        return drawn
    hull = cv2.convexHull(pixels.astype(np.float32).reshape(-1, 1, 2)).reshape(-1, 2).astype(np.float64)
    u, v = np.meshgrid(
        np.arange(first[0], last[0], dtype=np.float32), np.arange(first[1], last[1], dtype=np.float32)
    )
    signed = cv2.contourArea(hull.astype(np.float32), oriented=True)
    drawn[first[1] : last[1], first[0] : last[0]] = inside_polygon(u, v, hull if signed > 0 else hull[::-1])
    return drawn


def fit_to_silhouette(
    frame: CameraFrame, box: OrientedBox, shape: Shape, seen: Silhouette, floor_z: float
) -> tuple[OrientedBox, float]:
    """Scale a box so that its silhouette has the mask's outline, and move it along its ray to stay in its depth.

    Args:
        frame: the observation.
        box: first guess in the base frame.
        shape: primitive in the box.
        seen: its masks.
        floor_z: height in the base frame of what carries it [m].

    Returns:
        The box, resting on its support, and the scale that the contour asks for; the box is the first guess itself when
        that scale is within what a pixel can tell.
    """
    # What something hides and the second look did not bring back is missing in both.
    rendered = silhouette(frame, surface_points(box, shape)) & ~seen.lost
    scale = contour_scale(seen.whole, rendered)
    if abs(scale - 1.0) * outline_length(rendered) < _PIXEL_TOLERANCE * np.pi:
        return box, scale
    centre = frame.base_T_camera.inverse().transform(box.centre)
    pixel = frame.intrinsics.project(centre) + _middle(seen.whole) - _middle(rendered)
    placed = frame.base_T_camera.transform(point_on_ray(frame.intrinsics, pixel, float(centre[2])))
    scaled = OrientedBox(Pose(placed, box.pose.quaternion), scale * box.size)
    settled = placed + np.array([0.0, 0.0, floor_z - scaled.bottom_z])
    return OrientedBox(Pose(settled, box.pose.quaternion), scaled.size), scale


def grow_hidden_sides(frame: CameraFrame, box: OrientedBox, seen: Silhouette) -> OrientedBox:
    """Move the sides of an upright box outward where the occlusion-free mask shows more than the depth did.

    Sides are tried in turn, and each takes the step that makes its silhouette overlap the mask best.
    """
    overlap = _overlap(silhouette(frame, box.corners), seen)
    if not (seen.whole & ~seen.visible).any() or overlap > _GOOD_OVERLAP:
        return box
    steps = np.linspace(0.0, float(box.size.max()), _GROWTH_STEPS)
    for _ in range(_ROUNDS):
        for axis in (0, 1):
            for side in (1.0, -1.0):
                tried = [_grown(box, axis, side, float(step)) for step in steps]
                overlaps = [_overlap(silhouette(frame, item.corners), seen) for item in tried]
                box = tried[int(np.argmax(overlaps))]
    return box


def _grown(box: OrientedBox, axis: int, side: float, growth_m: float) -> OrientedBox:
    size, offset = box.size.copy(), np.zeros(3)
    size[axis] += growth_m
    offset[axis] = 0.5 * side * growth_m
    return OrientedBox(Pose(box.pose.transform(offset), box.pose.quaternion), size)


def _overlap(rendered: BoolArray, seen: Silhouette) -> float:
    """Intersection over union of a rendered silhouette and the mask, where the image tells."""
    rendered = rendered & ~seen.lost
    union = int(np.count_nonzero(rendered | seen.whole))
    return int(np.count_nonzero(rendered & seen.whole)) / max(union, 1)


def box_of_silhouette(
    frame: CameraFrame, visible: BoolArray, whole: BoolArray, floor_z: float
) -> OrientedBox | None:
    """An upright box for an object of which only the silhouette and a typical depth are believed; None without depth.

    It is as wide as its silhouette at that depth, as deep as wide, and reaches from the support to the highest ray.
    """
    depth = frame.depth_m[visible]
    depth = depth[depth > 0]
    if not len(depth):
        return None
    near = float(np.median(depth))
    rows, columns = np.nonzero(whole)
    width = max(float(np.ptp(columns) + 1) * near / frame.intrinsics.fx, 0.005)
    pixel = np.array([0.5 * (columns.min() + columns.max()), 0.5 * (rows.min() + rows.max())])
    heading = frame.base_T_camera.axes[:2, 2]
    yaw = float(np.arctan2(heading[1], heading[0]))
    middle = point_on_ray(frame.intrinsics, pixel, near)
    ahead = frame.base_T_camera.transform(middle) + 0.35 * width * np.array([np.cos(yaw), np.sin(yaw), 0.0])
    height = max(2.0 * (float(ahead[2]) - floor_z), 0.005)
    centre = np.array([ahead[0], ahead[1], floor_z + 0.5 * height])
    return OrientedBox(Pose.from_yaw(centre, yaw), np.array([width, width, height]))


def _middle(mask: BoolArray) -> FloatArray:
    """(u, v) middle of a mask's bounding box [px]; zero for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros(2)
    return np.array([0.5 * (columns[0] + columns[-1]), 0.5 * (rows[0] + rows[-1])])
