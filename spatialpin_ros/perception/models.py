# SPDX-License-Identifier: Apache-2.0
"""The primitive that explains an object best: box, upright or lying cylinder, sphere."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.perception.evidence import Evidence
from spatialpin_ros.perception.footprints import Circle, Rectangle, fit_circle, fit_rectangle, thin
from spatialpin_ros.perception.solids import (
    box_distance,
    fit_lying_cylinder,
    fit_resting_cylinder,
    fit_resting_sphere,
    fit_sphere,
    upright_cylinder_distance,
)
from spatialpin_ros.perception.statistics import median
from spatialpin_ros.perception.tapered import fit_foot
from spatialpin_ros.scene import Shape

_FIT_POINTS = 300
_ROUND_POINTS = 160
_OUTLINE_POINTS = 200
_RIM_ERROR_M = 0.0008
_MIN_EVIDENCE = 8
_MAX_RADIUS_M = 0.25
# A rounder model must explain the points this much better than the box before it is believed.
_CIRCLE_ADVANTAGE = 0.95
_ROUND_ADVANTAGE = 0.75
_RESTING_ADVANTAGE = 1.03
_RESTING_LENGTH = 1.15
_LEAST_WIDTH, _MOST_WIDTH = 0.35, 1.4
# A box fits its own points to well under the noise; what fits no better may be round.
_BOX_DOUBT = 0.60
_MEAN = 1.3
# Sides of a foot that something leaning leaves the table along are seen for a short way only.
_GROUNDED = 0.6
_BALL_STRETCH, _BALL_ADVANTAGE = 2.5, 0.85
_RESTING_TURNS = np.deg2rad([*np.arange(-4.0, 4.1, 2.0), *np.arange(86.0, 94.1, 2.0)])


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A primitive in the table frame.

    Args:
        shape: which primitive.
        centre: (3,) [m]; for upright prisms its z is settled when the supporter is known.
        size: (3,) extents along its own axes [m].
        yaw_rad: heading of its x axis, or of the axis of a lying cylinder.
        lying: a cylinder whose axis is level.
        residual_m: median distance of the points to its surface [m].
        seen: share of its outline that evidence covers.
        hidden: of a box, whether low x, high x, low y, high y side in its own axes is hidden.
        grounded: its foot on the table was seen from two sides or more: it does not lean.
    """

    shape: Shape
    centre: FloatArray
    size: FloatArray
    yaw_rad: float
    lying: bool
    residual_m: float
    seen: float
    hidden: tuple[bool, bool, bool, bool] = (False, False, False, False)
    grounded: bool = False

    @property
    def fixed_height(self) -> bool:
        """Its height follows from its shape, not from what it stands on."""
        return self.lying or self.shape == "sphere"

    @property
    def bottom_m(self) -> float:
        half = self.size[0] if self.lying else self.size[2]
        return float(self.centre[2] - 0.5 * half)

    @property
    def top_m(self) -> float:
        half = self.size[0] if self.lying else self.size[2]
        return float(self.centre[2] + 0.5 * half)

    def standing_on(self, height_m: float) -> Solid:
        """The same prism from its top down to a support at `height_m` [m]."""
        if self.fixed_height:
            return self
        top = self.top_m
        height = max(top - height_m, 0.002)
        centre = np.array([self.centre[0], self.centre[1], top - 0.5 * height])
        return replace(self, centre=centre, size=np.array([self.size[0], self.size[1], height]))

    def extended(self, axis: int, direction: float, by_m: float) -> Solid:
        """The same box with its low (-1) or high (1) side along an axis moved outward [m]."""
        size, centre = self.size.copy(), self.centre.copy()
        size[axis] += by_m
        along = np.array([np.cos(self.yaw_rad), np.sin(self.yaw_rad)])
        outward = along if axis == 0 else np.array([-along[1], along[0]])
        centre[:2] += 0.5 * direction * by_m * outward
        return replace(self, size=size, centre=centre)

    @property
    def polygon(self) -> FloatArray:
        """(N, 2) convex footprint in table x, y [m]."""
        if self.shape in ("cylinder", "sphere") and not self.lying:
            angle = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)
            return np.asarray(
                self.centre[:2] + 0.5 * self.size[0] * np.column_stack([np.cos(angle), np.sin(angle)])
            )
        extents = np.array([self.size[2], self.size[0]]) if self.lying else self.size[:2]
        turn = np.array(
            [[np.cos(self.yaw_rad), -np.sin(self.yaw_rad)], [np.sin(self.yaw_rad), np.cos(self.yaw_rad)]]
        )
        corners = 0.5 * extents * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        return np.asarray(self.centre[:2] + corners @ turn.T)

    def box(self, base_T_table: Pose) -> OrientedBox:
        """The oriented box in the base frame; z is the axis of a cylinder, also of a lying one."""
        half = 0.5 * _canonical_yaw(self.yaw_rad)
        pose = Pose(self.centre, np.array([0.0, 0.0, np.sin(half), np.cos(half)]))
        if self.lying:
            # Columns: x up, z along the axis, y = z cross x.
            pose = pose @ Pose.from_matrix(
                np.array([[0, 0, 1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
            )
        return OrientedBox(base_T_table @ pose, self.size)


def fit_solid(evidence: Evidence, noise_m: float, prism_residual_m: float) -> Solid:
    """Choose the primitive with the smallest residual; simple ones win ties.

    Args:
        evidence: what is seen of the object.
        noise_m: standard deviation of depth [m].
        prism_residual_m: a prism that fits worse than this is reported with shape "unknown".
    """
    points = thin(evidence.points.astype(np.float64), _FIT_POINTS)
    prism = _fit_prism(evidence, points, noise_m)
    enough = _enough(noise_m)
    resting = _ball(prism, evidence, points, noise_m) or _resting(prism, evidence, points, noise_m)
    # The residual of what rests is a mean, that of the others a median.
    if resting is not None and resting.residual_m < _MEAN * enough:
        return resting
    if prism.residual_m > enough:
        tapered = _tapered(evidence, points, noise_m)
        prism = tapered or resting or _rounder(prism, evidence, points, noise_m)
    return _doubted(prism, noise_m, prism_residual_m)


def fit_upright(evidence: Evidence, noise_m: float, prism_residual_m: float) -> Solid:
    """The upright box or cylinder that explains an object best; see `fit_solid`."""
    prism = _fit_prism(evidence, thin(evidence.points.astype(np.float64), _FIT_POINTS), noise_m)
    return _doubted(prism, noise_m, prism_residual_m)


def _doubted(solid: Solid, noise_m: float, prism_residual_m: float) -> Solid:
    if solid.residual_m > max(prism_residual_m, 2.0 * _enough(noise_m)) and not solid.fixed_height:
        return replace(solid, shape="unknown")
    return solid


def _enough(noise_m: float) -> float:
    return 0.68 * noise_m + 0.0006


def _fit_prism(evidence: Evidence, points: FloatArray, noise_m: float) -> Solid:
    sides, rim = thin(evidence.sides, _OUTLINE_POINTS), thin(evidence.rim, _OUTLINE_POINTS)
    outline = np.concatenate([sides, rim])
    # Rims do not feel the noise of depth; points on sides do.
    weights = np.concatenate(
        [np.full(len(sides), min(1.0, _RIM_ERROR_M / max(noise_m, 1e-6))), np.ones(len(rim))]
    )
    floor = min(evidence.bottom_m, evidence.top_m - 0.004) - 0.02
    height = evidence.top_m - floor
    middle = 0.5 * (evidence.top_m + floor)
    if len(outline) < _MIN_EVIDENCE:
        return _bounding_prism(evidence, points, middle, height)
    spread = max(0.006, 4.0 * noise_m)
    upright = np.arange(len(outline)) < len(sides)
    rectangle: Rectangle = fit_rectangle(outline, weights, evidence.reach, spread, upright, evidence.eyes)
    circle: Circle = fit_circle(outline, weights, evidence.reach)
    if circle.residual_m < _CIRCLE_ADVANTAGE * rectangle.residual_m and circle.seen > 0.4:
        centre = np.array([*circle.centre, middle])
        residual = median(upright_cylinder_distance(points, centre, circle.radius, height))
        size = np.array([2 * circle.radius, 2 * circle.radius, height])
        return Solid("cylinder", centre, size, 0.0, False, residual, circle.seen)
    centre = np.array([*rectangle.centre, middle])
    size = np.array([*rectangle.size, height])
    residual = median(box_distance(points, centre, size, rectangle.yaw_rad))
    low_x, high_x, low_y, high_y = (bool(share == 0.0) for share in rectangle.seen)
    covered = float(rectangle.seen.mean())
    return Solid(
        "box",
        centre,
        size,
        rectangle.yaw_rad,
        False,
        residual,
        covered,
        hidden=(low_x, high_x, low_y, high_y),
    )


def _tapered(evidence: Evidence, points: FloatArray, noise_m: float) -> Solid | None:
    """The upright box or cylinder around something that is wider below than on top; None for anything else."""
    foot = fit_foot(evidence, noise_m)
    if foot is None:
        return None
    height = evidence.top_m
    centre = np.array([*foot.centre, 0.5 * height])
    if isinstance(foot, Circle):
        size = np.array([2.0 * foot.radius, 2.0 * foot.radius, height])
        residual = median(upright_cylinder_distance(points, centre, foot.radius, height))
        return Solid("cylinder", centre, size, 0.0, False, residual, foot.seen, grounded=True)
    size = np.array([*foot.size, height])
    residual = median(box_distance(points, centre, size, foot.yaw_rad))
    seen, grounded = float(foot.seen.mean()), bool((foot.seen > _GROUNDED).all())
    return Solid("unknown", centre, size, foot.yaw_rad, False, residual, seen, grounded=grounded)


def _bounding_prism(evidence: Evidence, points: FloatArray, middle: float, height: float) -> Solid:
    xy = np.concatenate([points[:, :2], evidence.reach]).astype(np.float32).reshape(-1, 1, 2)
    corner = cv2.boxPoints(cv2.minAreaRect(xy)).astype(np.float64)
    first, second = corner[1] - corner[0], corner[2] - corner[1]
    extents = np.maximum([np.linalg.norm(first), np.linalg.norm(second)], 0.002)
    yaw = float(np.arctan2(first[1], first[0]))
    centre = np.array([*corner.mean(axis=0), middle])
    size = np.array([*extents, height])
    residual = median(box_distance(points, centre, size, yaw))
    return Solid("box", centre, size, yaw, False, residual, 0.0)


def _canonical_yaw(yaw: float) -> float:
    """Equal rectangles repeat every half turn: keep the heading in (-90, 90] degrees."""
    return float((yaw + np.pi / 2) % np.pi - np.pi / 2)


def _resting(box: Solid, evidence: Evidence, points: FloatArray, noise_m: float) -> Solid | None:
    """A cylinder that lies on the table, where it explains the points better than the box around it; else None.

    The box's rim gives the length, which the cloud of points cuts short, and half of the heading.
    """
    if box.shape != "box" or box.residual_m < _BOX_DOUBT * noise_m:
        return None
    # One side of the box is the diameter, as its height is; the rim of a round top may make it look narrower.
    widths = box.size[:2] / evidence.top_m
    if not ((widths > _LEAST_WIDTH) & (widths < _MOST_WIDTH)).any():
        return None
    found = fit_resting_cylinder(thin(points, _ROUND_POINTS), box.yaw_rad + _RESTING_TURNS)
    if (
        not 0.005 < found.radius < _MAX_RADIUS_M
        or abs(2.0 * found.radius - evidence.top_m) > 0.006 + 3.0 * noise_m
    ):
        return None
    turned = found.yaw_rad - box.yaw_rad > np.pi / 4
    error = _mean_distance(box, points)
    # A thing shorter than it is thick rarely lies on its round side: it is rather a rider, seen from above.
    short = float(box.size[1 if turned else 0]) < _RESTING_LENGTH * 2.0 * found.radius
    if found.residual_m > (_ROUND_ADVANTAGE if short else _RESTING_ADVANTAGE) * error:
        return None
    heading = box.yaw_rad + (np.pi / 2 if turned else 0.0)
    yaw = 0.5 * (heading + found.yaw_rad)
    axis, offset = np.array([np.cos(yaw), np.sin(yaw)]), box.centre[:2] - found.centre[:2]
    centre = found.centre + np.array([*(float(offset @ axis) * axis), 0.0])
    size = np.array([2.0 * found.radius, 2.0 * found.radius, float(box.size[1 if turned else 0])])
    return Solid("cylinder", centre, size, yaw, True, found.residual_m, box.seen)


def _ball(prism: Solid, evidence: Evidence, points: FloatArray, noise_m: float) -> Solid | None:
    """A ball that lies on the table, where it explains the points better than the prism around it; else None."""
    extents = np.array([*prism.size[:2], evidence.top_m])
    if prism.residual_m < _BOX_DOUBT * noise_m or extents.max() > _BALL_STRETCH * extents.min():
        return None
    found = fit_resting_sphere(thin(points, _ROUND_POINTS))
    if abs(2.0 * found.radius - evidence.top_m) > 0.006 + 3.0 * noise_m:
        return None
    if found.residual_m > _BALL_ADVANTAGE * _mean_distance(prism, points):
        return None
    return Solid("sphere", found.centre, np.full(3, 2.0 * found.radius), 0.0, False, found.residual_m, 1.0)


def _mean_distance(prism: Solid, points: FloatArray) -> float:
    """Mean capped distance of (N, 3) points to the surface of a prism [m]."""
    if prism.shape == "cylinder":
        distance = upright_cylinder_distance(
            points, prism.centre, 0.5 * float(prism.size[0]), float(prism.size[2])
        )
    else:
        distance = box_distance(points, prism.centre, prism.size, prism.yaw_rad)
    return float(np.minimum(distance, 0.01).mean())


def _rounder(solid: Solid, evidence: Evidence, points: FloatArray, noise_m: float) -> Solid:
    tolerance = 0.006 + 3.0 * noise_m
    sphere = fit_sphere(points)
    meets_top = abs(sphere.centre[2] + sphere.radius - evidence.top_m) < tolerance
    plausible = 0.005 < sphere.radius < _MAX_RADIUS_M and meets_top
    best = solid
    if plausible and sphere.centre[2] > -tolerance and sphere.residual_m < _ROUND_ADVANTAGE * best.residual_m:
        best = Solid(
            "sphere", sphere.centre, np.full(3, 2 * sphere.radius), 0.0, False, sphere.residual_m, 1.0
        )
    lying = fit_lying_cylinder(points)
    top = lying.centre[2] + lying.radius
    plausible = 0.005 < lying.radius < _MAX_RADIUS_M and lying.length > 0.5 * lying.radius
    plausible &= abs(top - evidence.top_m) < tolerance and lying.centre[2] - lying.radius > -tolerance
    if plausible and lying.residual_m < _ROUND_ADVANTAGE * best.residual_m:
        size = np.array([2 * lying.radius, 2 * lying.radius, lying.length])
        best = Solid("cylinder", lying.centre, size, lying.yaw_rad, True, lying.residual_m, 1.0)
    return best
