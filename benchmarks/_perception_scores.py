# SPDX-License-Identifier: Apache-2.0
"""What perception got right and wrong in one scene, against the simulator's truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.scene import TABLE, Scene, SceneObject
from spatialpin_ros.simulation import TrueObject, Truth, mesh_parts
from spatialpin_ros.simulation.mesh_models import prism

SCORED_VISIBILITY, HIDDEN_VISIBILITY = 0.4, 0.9
MATCH_M, MATCH_IOU = 0.03, 0.5
SHAPES = {"cube": "box", "box": "box", "cylinder": "cylinder", "sphere": "sphere"}
_FINE = 3
_PAD_PX = 160


@dataclass(frozen=True)
class ObjectScore:
    """One true object: what it is, how much of it is seen, and the errors if it was found (None: does not apply)."""

    kind: str
    visibility: float
    found: bool
    centre_m: float | None = None
    size_m: float | None = None
    yaw_deg: float | None = None
    iou: float | None = None
    shape_right: bool | None = None
    support_right: bool | None = None

    @property
    def scored(self) -> bool:
        return self.visibility >= SCORED_VISIBILITY

    @property
    def partly_hidden(self) -> bool:
        return SCORED_VISIBILITY <= self.visibility < HIDDEN_VISIBILITY


@dataclass(frozen=True)
class SceneScore:
    """All true objects of a frame in the simulator's order, which perceived object each is, and what is false."""

    objects: tuple[ObjectScore, ...]
    matches: tuple[tuple[int, int], ...]
    false: tuple[int, ...]

    @property
    def badness(self) -> float:
        """For sorting: misses and false objects count 0.1 m, then the largest error of centre or size [m]."""
        scored = [item for item in self.objects if item.scored]
        missed = sum(not item.found for item in scored)
        errors = [
            max(item.centre_m, item.size_m) for item in scored if item.centre_m is not None and item.size_m
        ]
        return 0.1 * (missed + len(self.false)) + max(errors, default=0.0)


def silhouette_px(item: TrueObject, frame: CameraFrame) -> float:
    """Pixels that an object would cover if nothing stood before it and the image had no border."""
    if item.spec.kind == "cylinder":
        angle = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
        parts = [prism(0.5 * np.column_stack([np.cos(angle), np.sin(angle)]), -0.5, 0.5).vertices]
    elif item.spec.kind in ("cube", "box"):
        parts = [np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])]
    else:
        parts = [part.vertices for part in mesh_parts(item.spec.model or "ball")]
    height, width = frame.size
    canvas = np.zeros((_FINE * (height + 2 * _PAD_PX), _FINE * (width + 2 * _PAD_PX)), dtype=np.uint8)
    for vertices in parts:
        points = frame.base_T_camera.inverse().transform(item.box.pose.transform(vertices * item.box.size))
        pixels = (frame.intrinsics.project(points) + _PAD_PX + 0.5) * _FINE - 0.5
        hull = cv2.convexHull(np.round(pixels).astype(np.int32).reshape(-1, 1, 2))
        cv2.fillConvexPoly(canvas, hull, 1)
    return float(np.count_nonzero(canvas)) / _FINE**2


def upright(box: OrientedBox) -> OrientedBox:
    """The same box described with its z axis up, where one of its axes is."""
    vertical = int(np.argmax(np.abs(box.pose.axes[2])))
    if vertical == 2:
        return box
    along = 2 if vertical != 2 else 0
    across = 3 - vertical - along
    axis = box.pose.axes[:, along]
    yaw = float(np.arctan2(axis[1], axis[0]))
    return OrientedBox(Pose.from_yaw(box.centre, yaw), box.size[[along, across, vertical]])


def size_error_m(seen: OrientedBox, true: OrientedBox) -> float:
    """Mean absolute error of the three extents; x and y of a box may be exchanged."""
    return float(min(np.abs(seen.size[order] - true.size).mean() for order in ([0, 1, 2], [1, 0, 2])))


def yaw_error_deg(seen: OrientedBox, item: TrueObject) -> float:
    """Angle between the headings of two boxes, whichever of their sides is called x."""
    true = item.box
    if item.spec.model == "hexagon":
        period, turn = np.pi / 3, 0.0 if np.argmax(seen.size[:2]) == 0 else np.pi / 2
    elif abs(true.size[0] - true.size[1]) < 0.003:
        period, turn = np.pi / 2, 0.0
    else:
        swapped = (
            np.abs(seen.size[[1, 0]] - true.size[:2]).sum() < np.abs(seen.size[:2] - true.size[:2]).sum()
        )
        period, turn = np.pi, np.pi / 2 if swapped else 0.0
    error = seen.pose.yaw_rad + turn - true.pose.yaw_rad
    return float(np.degrees(abs((error + period / 2) % period - period / 2)))


def box_iou(one: OrientedBox, other: OrientedBox) -> float:
    """Volume shared by two upright boxes over the volume of their union."""
    tall = max(0.0, min(one.top_z, other.top_z) - max(one.bottom_z, other.bottom_z))
    shared = shared_area(one.footprint, other.footprint) * tall
    return shared / (one.volume + other.volume - shared)


def shared_area(one: np.ndarray, other: np.ndarray) -> float:
    """Area of the intersection of two counter-clockwise convex (N, 2) polygons (Sutherland and Hodgman, 1974)."""
    left = one
    for start, end in zip(other, np.roll(other, -1, axis=0), strict=True):
        if not len(left):
            return 0.0
        edge = end - start
        side = edge[0] * (left[:, 1] - start[1]) - edge[1] * (left[:, 0] - start[0])
        kept = []
        for k in range(len(left)):
            after = (k + 1) % len(left)
            if side[k] >= 0.0:
                kept.append(left[k])
            if side[k] * side[after] < 0.0:
                kept.append(left[k] + side[k] / (side[k] - side[after]) * (left[after] - left[k]))
        left = np.array(kept)
    if not len(left):
        return 0.0
    x, y = left.T
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def true_supporters(objects: tuple[TrueObject, ...]) -> list[int | None]:
    """Index of what each object stands on, from the true poses; None for the table."""
    carriers: list[int | None] = []
    for i, item in enumerate(objects):
        below = [
            j
            for j, other in enumerate(objects)
            if j != i
            and abs(other.box.top_z - item.box.bottom_z) < 0.008
            and other.box.contains(np.array([*item.box.centre[:2], other.box.centre[2]]), 0.01)
        ]
        carriers.append(below[0] if below else None)
    return carriers


def score(scene: Scene, truth: Truth, frame: CameraFrame, visibility: list[float]) -> SceneScore:
    """Match perceived to true objects by their pixels, and note the errors.

    A true object is found when the mask of a perceived one overlaps its visible pixels by half or more (intersection
    over union; one to one, best total) and the centres of the two boxes are within 3 cm.
    """
    labels = truth.labels
    assert labels is not None
    overlap = _overlaps(scene, labels, len(truth.objects), frame)
    rows, columns = linear_sum_assignment(-overlap) if overlap.size else ([], [])
    pairs = []
    for i, j in zip(rows, columns, strict=True):
        near = np.linalg.norm(scene.objects[j].centre - truth.objects[i].box.centre) < MATCH_M
        # What is too hidden to be scored may be found anyhow: it is neither a hit nor false.
        enough = overlap[i, j] >= (MATCH_IOU if visibility[i] >= SCORED_VISIBILITY else 0.2)
        if enough and (near or visibility[i] < SCORED_VISIBILITY):
            pairs.append((int(i), int(j)))
    matched, carriers = dict(pairs), true_supporters(truth.objects)
    true_of = {scene.objects[j].id: i for i, j in pairs}
    scores = []
    for i, item in enumerate(truth.objects):
        name = item.spec.model or item.spec.kind
        if i not in matched:
            scores.append(ObjectScore(name, visibility[i], False))
            continue
        seen = scene.objects[matched[i]]
        carrier = None if seen.supported_by == TABLE else true_of.get(seen.supported_by, -1)
        scores.append(_errors(seen, item, name, visibility[i], carrier == carriers[i]))
    false = tuple(sorted(set(range(len(scene.objects))) - set(matched.values())))
    return SceneScore(tuple(scores), tuple(pairs), false)


def _overlaps(scene: Scene, labels: np.ndarray, count: int, frame: CameraFrame) -> np.ndarray:
    """(count, perceived) intersection over union of visible pixels and masks."""
    areas = np.bincount(labels[labels >= 0], minlength=count)
    result = np.zeros((count, len(scene.objects)))
    for j, item in enumerate(scene.objects):
        assert item.mask is not None
        mask = item.mask.full(frame.size)
        under = labels[mask]
        shared = np.bincount(under[under >= 0], minlength=count)
        result[:, j] = shared / np.maximum(areas + np.count_nonzero(mask) - shared, 1)
    return result


def _errors(seen: SceneObject, item: TrueObject, name: str, visibility: float, support: bool) -> ObjectScore:
    box, true = upright(seen.box), item.box
    turned = OrientedBox(Pose.from_yaw(box.centre, true.pose.yaw_rad), box.size) if item.spec.round else box
    has_heading = not item.spec.round and seen.shape not in ("cylinder", "sphere")
    return ObjectScore(
        name,
        visibility,
        True,
        centre_m=float(np.linalg.norm(seen.centre - true.centre)),
        size_m=size_error_m(box, true),
        yaw_deg=yaw_error_deg(box, item) if has_heading else None,
        iou=box_iou(turned, true),
        shape_right=seen.shape == SHAPES[item.spec.kind] if item.spec.kind in SHAPES else None,
        support_right=support,
    )
