# SPDX-License-Identifier: Apache-2.0
"""A scene from one colour image: metric depth, field of view, perspective, objects by name, placement and scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spatialpin_ros.arrays import Float32Array, UInt8Array
from spatialpin_ros.camera import CameraFrame, ImageMask, Intrinsics
from spatialpin_ros.errors import BackendError, CameraFrameError, PerceptionError
from spatialpin_ros.geometry import Pose, TriangleMesh
from spatialpin_ros.perception.appearance import color_word, representative_color
from spatialpin_ros.perception.boundary import module_boundary
from spatialpin_ros.perception.files import pose_from_table
from spatialpin_ros.perception.from_masks import matching_masks, reconstruct_masks
from spatialpin_ros.perception.learned.modules import Modules
from spatialpin_ros.perception.reconstruct import reconstruct
from spatialpin_ros.perception.rgb.field_of_view import choose_intrinsics, trust_in
from spatialpin_ros.perception.rgb.finding import FoundObject
from spatialpin_ros.perception.rgb.options import RgbOptions
from spatialpin_ros.perception.rgb.perspective import canonicalise, scene_extents
from spatialpin_ros.perception.rgb.placement import (
    Silhouette,
    box_of_silhouette,
    fit_to_silhouette,
    grow_hidden_sides,
)
from spatialpin_ros.perception.rgb.upright import find_upright, quarter_turns, turned, turned_intrinsics
from spatialpin_ros.scene import TABLE, Scene, SceneObject

_DISAGREEMENT = 0.5
_SILHOUETTE_ONLY = 0.3
_BORDER_PX = 2
# What is seen less than this of its silhouette is trusted in proportion.
_ENOUGH_SHARE = 0.4


def reconstruct_rgb(
    image: UInt8Array,
    intrinsics: Intrinsics | None,
    names: Sequence[str],
    modules: Modules,
    options: RgbOptions | None = None,
    notes: list[str] | None = None,
) -> Scene:
    """Rebuild a table scene from one colour image.

    Args:
        image: (H, W, 3) uint8 RGB.
        intrinsics: of the image, from a calibration or EXIF; None: the depth model's, else a stated default.
        names: of the objects, from a person or a vision-language model; none: geometry segments what depth shows.
        modules: with a depth estimator, and for names a detector and a segmenter.
        options: settings; None for the defaults.
        notes: what was decided, assumed or missed is added to it, as sentences.

    Returns:
        The scene in the base frame; `intrinsics.source` says where the field of view came from, and every confidence is
        lowered by what was estimated instead of measured. Names that were not found are absent, and noted.

    Raises:
        BackendError: when a module is missing or fails.
        CameraFrameError: when the image or its intrinsics cannot be used.
        PerceptionError: when the depth shows no support plane, or one seen from below.
    """
    options, notes = options or RgbOptions(), notes if notes is not None else []
    frame = estimate_frame(image, intrinsics, modules, options, notes)
    return scene_of_estimate(frame, names, modules, options, notes)


def scene_of_estimate(
    frame: CameraFrame, names: Sequence[str], modules: Modules, options: RgbOptions, notes: list[str]
) -> Scene:
    """Make the scene of a frame from `estimate_frame`; arguments, result and errors as of `reconstruct_rgb`."""
    trust = options.depth_trust * trust_in(frame.intrinsics) * _check_view(frame, options, notes)
    if not names:
        return _doubted(reconstruct(frame, options.perception), trust)
    found = find_upright(
        frame.color,
        names,
        modules,
        quarter_turns(frame.base_T_camera),
        second_pass=options.second_pass,
        per_name=options.per_name,
        dilation_px=options.dilation_px,
    )
    absent = [name for name in names if not any(item.name == name.strip() for item in found)]
    if absent:
        notes.append(f"not found in the image: {', '.join(absent)}")
    masks = [item.visible for item in found]
    scene = reconstruct_masks(frame, masks, [item.name for item in found], options.perception)
    return replace(_placed(scene, frame, found, trust, options, notes), depth_source="estimated")


def _doubted(scene: Scene, trust: float) -> Scene:
    objects = tuple(replace(item, confidence=item.confidence * trust) for item in scene.objects)
    return replace(scene, objects=objects, depth_source="estimated")


def estimate_frame(
    image: UInt8Array, intrinsics: Intrinsics | None, modules: Modules, options: RgbOptions, notes: list[str]
) -> CameraFrame:
    """Make an RGB-D frame of a colour image with the depth estimator; raises and notes as `reconstruct_rgb`."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise CameraFrameError(f"colour image: expected (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")
    size = image.shape[0], image.shape[1]
    turns = 0 if options.base_T_camera is None else quarter_turns(options.base_T_camera)
    with module_boundary("depth"):
        estimate = modules.depth.estimate([turned(image, turns)], turned_intrinsics(intrinsics, turns))[0]
        depth_m = turned(estimate.depth_m, -turns)
    camera = choose_intrinsics(size, intrinsics, estimate.focal_px, options.default_vertical_fov_deg)
    notes.append(f"field of view from {camera.source}: fx {camera.fx:.0f} px for {camera.width} px of width")
    if depth_m.shape != size or not (depth_m > 0.0).any():
        raise BackendError(
            f"depth: the model gave depth of size {depth_m.shape} with {int((depth_m > 0.0).sum())} usable pixels "
            f"for an image of {size}; is it a metric depth model?"
        )
    frame = CameraFrame(image, depth_m, camera, options.base_T_camera or Pose())
    if options.base_T_camera is None:
        if options.table_z_m is not None:
            notes.append("table_z_m is not used: the camera's pose over the table is not known")
        return replace(frame, base_T_camera=pose_from_table(frame), base_frame="table")
    if options.table_z_m is None:
        return frame
    scale = _scale_to_table(frame, options.base_T_camera, options.table_z_m)
    notes.append(f"depth scaled by {scale:.3f}: the camera's height above the table is known")
    return replace(frame, depth_m=_scaled(frame.depth_m, scale))


def _scale_to_table(frame: CameraFrame, base_T_camera: Pose, table_z_m: float) -> float:
    """Factor that puts the support plane at its known distance from the camera.

    Raises:
        PerceptionError: when the depth shows a camera at or below the table.
    """
    perspective = canonicalise(frame)
    known = float(base_T_camera.position[2]) - table_z_m
    if known <= 0.0 or perspective.height_m <= 0.0:
        raise PerceptionError(
            f"scale: the camera is {known:.2f} m above the table by its pose and {perspective.height_m:.2f} m by "
            "depth; both must be positive: check base_T_camera and table_z_m"
        )
    return known / perspective.height_m


def _scaled(depth_m: Float32Array, scale: float) -> Float32Array:
    return (depth_m * np.float32(scale)).astype(np.float32)


def _check_view(frame: CameraFrame, options: RgbOptions, notes: list[str]) -> float:
    """Note the perspective and the scene's size; return how far they may be trusted.

    Raises:
        PerceptionError: when the support is seen from below: nothing on it can be seen.
    """
    perspective = canonicalise(frame)
    across, away, up = scene_extents(frame, perspective)
    notes.append(
        f"view: {perspective.view}, the camera looks {np.degrees(perspective.pitch_rad):.0f} degrees down from "
        f"{perspective.height_m:.2f} m; the scene is {across:.2f} m wide, {away:.2f} m deep, {up:.2f} m high"
    )
    if perspective.view == "bottom-up":
        raise PerceptionError(
            f"the only plane in view is {-perspective.height_m:.2f} m above the camera: what stands on it is not seen; "
            "raise the camera above the support"
        )
    if options.view is not None and options.view != perspective.view:
        notes.append(f"the given verdict on the view is {options.view}: it disagrees with the support plane")
        return _DISAGREEMENT
    return 1.0


def _placed(
    scene: Scene,
    frame: CameraFrame,
    found: Sequence[FoundObject],
    trust: float,
    options: RgbOptions,
    notes: list[str],
) -> Scene:
    """Scale every object by its contour, add those of which only the silhouette is usable, and lower confidences."""
    owner = matching_masks(scene, [item.visible for item in found])
    objects = {item.id: item for item in scene.objects}
    floors = {
        item.id: scene.table.height_z if item.supported_by == TABLE else objects[item.supported_by].box.top_z
        for item in scene.objects
    }
    for item, index in zip(found, owner, strict=True):
        if index is None:
            added = _from_silhouette(scene, frame, item, trust, len(objects))
            if added is None:
                notes.append(f"{item.name}: found in the image, but it has no depth above the table")
                continue
            notes.append(
                f"{item.name}: its depth fits no shape; a box as large as its silhouette stands for it"
            )
            objects[added.id] = added
            continue
        seen = scene.objects[index]
        others = (
            np.any([other.visible for other in found if other is not item], axis=0)
            if len(found) > 1
            else None
        )
        lost = np.zeros_like(item.whole) if others is None else others & ~item.whole
        masks = Silhouette(item.visible, item.whole, lost)
        objects[seen.id] = _refined(seen, frame, item, masks, floors[seen.id], trust, options, notes)
    return replace(scene, objects=tuple(objects.values()))


def _refined(
    seen: SceneObject,
    frame: CameraFrame,
    found: FoundObject,
    masks: Silhouette,
    floor_z: float,
    trust: float,
    options: RgbOptions,
    notes: list[str],
) -> SceneObject:
    confidence = seen.confidence * trust * (0.5 + 0.5 * found.score) * min(1.0, found.share / _ENOUGH_SHARE)
    seen = replace(seen, visibility=min(seen.visibility, found.share))
    if _cut(found):
        notes.append(f"{seen.name}: the image cuts it off; its size is a lower bound")
        return replace(seen, confidence=confidence)
    first = grow_hidden_sides(frame, seen.box, masks) if seen.shape == "box" else seen.box
    box, scale = fit_to_silhouette(frame, first, seen.shape, masks, floor_z)
    if not 1.0 / options.scale_limit <= scale <= options.scale_limit:
        notes.append(
            f"{seen.name}: its contour asks for {scale:.2f} of its size by depth; the depth is believed"
        )
        return replace(seen, box=first, confidence=confidence * _DISAGREEMENT)
    mesh = seen.mesh
    if mesh is not None:
        vertices = box.centre + scale * (mesh.vertices - seen.box.centre)
        mesh = TriangleMesh(vertices, mesh.triangles)
    return replace(seen, box=box, mesh=mesh, confidence=confidence)


def _from_silhouette(
    scene: Scene, frame: CameraFrame, found: FoundObject, trust: float, number: int
) -> SceneObject | None:
    box = box_of_silhouette(frame, found.visible, found.whole, scene.table.height_z)
    if box is None or box.height < 0.006:
        return None
    color = representative_color(frame.color[found.visible])
    taken = {item.id for item in scene.objects}
    key = next(f"o{k}" for k in range(number + 1, number + len(taken) + 3) if f"o{k}" not in taken)
    unique = found.name if found.name not in scene.names else f"{found.name} ({key})"
    return SceneObject(
        id=key,
        name=unique,
        label="object",
        color=color_word(color),
        color_rgb=color,
        shape="unknown",
        box=box,
        confidence=_SILHOUETTE_ONLY * trust,
        visibility=float(found.visible.sum() / max(int(found.whole.sum()), 1)),
        mask=ImageMask.from_full(found.visible),
    )


def _cut(found: FoundObject) -> bool:
    """True when the silhouette reaches the border of the image."""
    height, width = found.whole.shape
    b = _BORDER_PX
    edge = found.whole.copy()
    edge[b : height - b, b : width - b] = False
    return bool(edge.any())
