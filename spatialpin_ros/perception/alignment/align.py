# SPDX-License-Identifier: Apache-2.0
"""Pose of a given mesh in an image: render and compare all resting orientations, then refine the best."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import InvalidValueError, PerceptionError
from spatialpin_ros.geometry import OrientedBox, Pose, TriangleMesh
from spatialpin_ros.perception.alignment.hypotheses import Placement, best_placements
from spatialpin_ros.perception.alignment.observation import Observation, observe
from spatialpin_ros.perception.alignment.refine import Refinement
from spatialpin_ros.perception.alignment.surface import MeshSurface
from spatialpin_ros.scene import TABLE, Scene

_INLIER_M = 0.004


@dataclass(frozen=True, slots=True)
class AlignmentOptions:
    """Settings of `align_mesh`.

    Args:
        known_scale: the mesh is in metres; otherwise its scale is found from the contour.
        candidates: orientations that are refined.
        iterations: of the refinement of the best one.
        max_residual_m: largest median distance of the seen points from the mesh.
        min_overlap: smallest overlap of the mesh's silhouette with the mask, 0..1.
        seed: of the surface samples.
    """

    known_scale: bool = True
    candidates: int = 8
    iterations: int = 40
    max_residual_m: float = 0.008
    min_overlap: float = 0.6
    seed: int = 0

    def __post_init__(self) -> None:
        if self.candidates < 1 or self.iterations < 1:
            raise InvalidValueError("alignment: candidates and iterations must be at least 1")
        if not (self.max_residual_m > 0.0 and 0.0 <= self.min_overlap <= 1.0):
            raise InvalidValueError("alignment: max_residual_m must be positive and min_overlap lie in 0..1")


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Where a mesh is.

    Args:
        base_T_mesh: pose of the mesh's frame in the base frame.
        scale: factor on its vertices.
        residual_m: median distance of the seen points from it [m].
        inliers: share of the seen points within 4 mm of it.
        overlap: of its silhouette with the mask, where nothing hides it.
        mesh: the mesh in the base frame.
    """

    base_T_mesh: Pose
    scale: float
    residual_m: float
    inliers: float
    overlap: float
    mesh: TriangleMesh

    @property
    def confidence(self) -> float:
        """0..1, from how well surface and silhouette agree."""
        return float(np.clip(self.inliers * self.overlap, 0.0, 1.0))


def align_mesh(
    mesh: TriangleMesh,
    frame: CameraFrame,
    mask: BoolArray,
    support_z: float | None = None,
    options: AlignmentOptions | None = None,
) -> Alignment:
    """Find the pose of a mesh from a mask and depth.

    All stable resting orientations and the six along the mesh's axes are compared at every 15 degrees; the best are
    refined on surface distance, silhouette and support. Of a symmetric object any of its equal poses may be returned.

    Args:
        mesh: in its own frame, in metres unless `options.known_scale` is off.
        frame: the observation; the base frame's z axis is up.
        mask: (H, W) pixels of the object.
        support_z: height of what carries it in the base frame [m]; None when unknown.
        options: settings; None for the defaults.

    Raises:
        InvalidValueError: when the mesh has no surface or the mask another size than the frame.
        PerceptionError: when too little is seen, or the mesh does not fit what is seen.
    """
    options = options or AlignmentOptions()
    if mask.shape != frame.size:
        raise InvalidValueError(f"alignment: the mask has size {mask.shape}, the frame {frame.size}")
    surface, seen = MeshSurface(mesh, options.seed), observe(frame, mask, options.seed)
    starts = best_placements(surface, seen, options.candidates, known_scale=options.known_scale)
    refinement = Refinement(surface, seen, support_z, known_scale=options.known_scale)
    refined = [refinement.run(start, max(1, options.iterations // 3)) for start in starts]
    placement, _ = min(refined, key=lambda item: item[1])
    placement, _ = refinement.run(placement, options.iterations)
    return _judged(mesh, surface, seen, placement, frame, options)


def _judged(
    mesh: TriangleMesh,
    surface: MeshSurface,
    seen: Observation,
    placement: Placement,
    frame: CameraFrame,
    options: AlignmentOptions,
) -> Alignment:
    local = placement.undo(seen.points)
    distance = placement.scale * np.linalg.norm(local - surface.closest(local)[0], axis=1)
    vertices = frame.base_T_camera.transform(placement.apply(mesh.vertices))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = placement.rotation, placement.position
    alignment = Alignment(
        base_T_mesh=frame.base_T_camera @ Pose.from_matrix(matrix),
        scale=placement.scale,
        residual_m=float(np.median(distance)),
        inliers=float((distance < _INLIER_M).mean()),
        overlap=_overlap(surface, seen, placement),
        mesh=TriangleMesh(vertices, mesh.triangles),
    )
    if alignment.residual_m > options.max_residual_m or alignment.overlap < options.min_overlap:
        raise PerceptionError(
            f"alignment: the mesh does not fit: seen points are {1e3 * alignment.residual_m:.1f} mm from it (allowed "
            f"{1e3 * options.max_residual_m:.1f}) and silhouettes overlap by {alignment.overlap:.0%} (needed "
            f"{options.min_overlap:.0%}); is it the right model, in metres?"
        )
    return alignment


def _overlap(surface: MeshSurface, seen: Observation, placement: Placement) -> float:
    """Intersection over union of the drawn triangles and the mask, without what something may hide."""
    corners = placement.apply(surface.corners.reshape(-1, 3))
    pixels = np.rint(seen.intrinsics.project(corners))
    if not np.isfinite(pixels).all():
        return 0.0
    drawn = np.zeros(seen.mask.shape, dtype=np.uint8)
    for triangle in pixels.reshape(-1, 3, 2).astype(np.int32):
        cv2.fillConvexPoly(drawn, triangle, 1)
    rows, columns = np.nonzero(drawn)
    farthest = np.full(len(rows), float(np.median(corners[:, 2])))
    hidden = seen.hidden(np.column_stack([columns, rows]).astype(np.float64), farthest, 0.01)
    drawn[rows[hidden], columns[hidden]] = 0
    union = int(np.count_nonzero((drawn > 0) | seen.mask))
    return int(np.count_nonzero((drawn > 0) & seen.mask)) / max(union, 1)


def upright_box(vertices: FloatArray) -> OrientedBox:
    """The smallest box around (N, 3) points whose z axis is vertical [m]."""
    flat = vertices[:, :2].astype(np.float32).reshape(-1, 1, 2)
    corners = cv2.boxPoints(cv2.minAreaRect(flat)).astype(np.float64)
    first, second = corners[1] - corners[0], corners[2] - corners[1]
    low, high = float(vertices[:, 2].min()), float(vertices[:, 2].max())
    extents = np.array([float(np.linalg.norm(first)), float(np.linalg.norm(second)), high - low])
    size = np.maximum(extents, 1e-4)
    centre = np.array([*corners.mean(axis=0), 0.5 * (low + high)])
    return OrientedBox(Pose.from_yaw(centre, float(np.arctan2(first[1], first[0]))), size)


def use_model(
    scene: Scene,
    object_id: str,
    mesh: TriangleMesh,
    frame: CameraFrame,
    options: AlignmentOptions | None = None,
) -> Scene:
    """Replace what perception made of an object by a given model of it, aligned to the image.

    Args:
        scene: that was made of the frame.
        object_id: of the object.
        mesh: its model.
        frame: the observation.
        options: of the alignment.

    Returns:
        The scene, in which the object has the model as its mesh, the model's upright box and a confidence that says how
        well it fits.

    Raises:
        UnknownNameError: when there is no such object.
        InvalidValueError, PerceptionError: as `align_mesh`; also when the object has no mask.
    """
    item = scene.object(object_id)
    if item.mask is None or not item.mask.area:
        raise PerceptionError(f"alignment: '{item.name}' has no mask in the image")
    floor = scene.table.height_z if item.supported_by == TABLE else scene.object(item.supported_by).box.top_z
    found = align_mesh(mesh, frame, item.mask.full(frame.size), floor, options)
    changed = replace(
        item,
        shape="unknown",
        box=upright_box(found.mesh.vertices),
        fit_residual_m=found.residual_m,
        mesh=found.mesh,
        confidence=found.confidence,
    )
    return replace(scene, objects=tuple(changed if o.id == object_id else o for o in scene.objects))
