# SPDX-License-Identifier: Apache-2.0
"""Scenes to messages and back."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np
from sensor_msgs.msg import RegionOfInterest
from shape_msgs.msg import Mesh, MeshTriangle
from spatialpin_interfaces.msg import Scene as SceneMsg
from spatialpin_interfaces.msg import SceneObject as SceneObjectMsg
from spatialpin_interfaces.msg import SupportSurface as SupportSurfaceMsg
from std_msgs.msg import ColorRGBA

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.camera import ImageMask
from spatialpin_ros.conversions.basics import (
    header,
    octets,
    points_to_msgs,
    polygon_from_msg,
    polygon_to_msg,
    pose_from_msg,
    pose_to_msg,
    seconds,
    vector_from_msg,
    vector_to_msg,
)
from spatialpin_ros.conversions.images import intrinsics_from_msg, intrinsics_to_msg
from spatialpin_ros.conversions.points import points_from_msg, points_to_msg
from spatialpin_ros.geometry import OrientedBox, TriangleMesh
from spatialpin_ros.scene import Scene, SceneObject, SupportSurface

_NO_COLORS = np.zeros((0, 3), dtype=np.uint8)


def scene_to_msg(scene: Scene) -> SceneMsg:
    """Convert a scene; outlines become single precision."""
    message = SceneMsg(
        header=header(scene.base_frame, scene.stamp_s),
        camera_pose=pose_to_msg(scene.base_T_camera),
        supports=[_support_to_msg(surface) for surface in scene.supports],
        objects=[_object_to_msg(item, scene.base_frame, scene.stamp_s) for item in scene.objects],
        unexplained=points_to_msg(scene.unexplained, _NO_COLORS, scene.base_frame, scene.stamp_s),
        depth_source=scene.depth_source,
    )
    if scene.intrinsics is not None:
        message.camera_info = intrinsics_to_msg(scene.intrinsics, "", scene.stamp_s)
        message.intrinsics_source = scene.intrinsics.source
    return message


def scene_from_msg(message: SceneMsg) -> Scene:
    """Convert a scene.

    Raises:
        InvalidValueError: when the message breaks a rule of the scene; CameraFrameError on its camera_info's.
    """
    intrinsics = intrinsics_from_msg(message.camera_info) if message.camera_info.width else None
    if intrinsics is not None and message.intrinsics_source:
        intrinsics = replace(intrinsics, source=message.intrinsics_source)
    return Scene(
        supports=tuple(_support_from_msg(surface) for surface in message.supports),
        objects=tuple(_object_from_msg(item) for item in message.objects),
        base_T_camera=pose_from_msg(message.camera_pose),
        intrinsics=intrinsics,
        stamp_s=seconds(message.header.stamp),
        base_frame=message.header.frame_id,
        unexplained=points_from_msg(message.unexplained)[0],
        # A node built before the field existed, or a hand-made message, leaves it empty.
        depth_source=message.depth_source or "measured",
    )


def _support_to_msg(surface: SupportSurface) -> SupportSurfaceMsg:
    outline = polygon_to_msg(surface.outline)
    return SupportSurfaceMsg(name=surface.name, pose=pose_to_msg(surface.pose), outline=outline)


def _support_from_msg(message: SupportSurfaceMsg) -> SupportSurface:
    return SupportSurface(message.name, pose_from_msg(message.pose), polygon_from_msg(message.outline))


def _object_to_msg(item: SceneObject, frame: str, stamp_s: float) -> SceneObjectMsg:
    region, bits = _mask_to_msg(item.mask)
    return SceneObjectMsg(
        id=item.id,
        name=item.name,
        label=item.label,
        color=item.color,
        color_rgba=color_to_rgba(item.color_rgb),
        shape=item.shape,
        pose=pose_to_msg(item.box.pose),
        size=vector_to_msg(item.box.size),
        fit_residual_m=float(item.fit_residual_m),
        supported_by=item.supported_by,
        confidence=float(item.confidence),
        visibility=float(item.visibility),
        points=points_to_msg(item.points, item.colors, frame, stamp_s),
        mask_region=region,
        mask_bits=bits,
        mesh=_mesh_to_msg(item.mesh),
    )


def _object_from_msg(message: SceneObjectMsg) -> SceneObject:
    points, colors = points_from_msg(message.points)
    rgba = message.color_rgba
    return SceneObject(
        id=message.id,
        name=message.name,
        label=message.label,
        color=message.color,
        color_rgb=np.rint(np.array([rgba.r, rgba.g, rgba.b]) * 255.0).astype(np.uint8),
        shape=message.shape,
        box=OrientedBox(pose_from_msg(message.pose), vector_from_msg(message.size)),
        fit_residual_m=message.fit_residual_m,
        points=points,
        colors=colors,
        supported_by=message.supported_by,
        confidence=message.confidence,
        visibility=message.visibility,
        mask=_mask_from_msg(message.mask_region, bytes(message.mask_bits)),
        mesh=_mesh_from_msg(message.mesh),
    )


def color_to_rgba(rgb: UInt8Array, alpha: float = 1.0) -> ColorRGBA:
    """Convert 0..255 to a colour message."""
    r, g, b = (rgb / 255.0).tolist()
    return ColorRGBA(r=r, g=g, b=b, a=alpha)


def _mask_to_msg(mask: ImageMask | None) -> tuple[RegionOfInterest, array[int]]:
    if mask is None:
        return RegionOfInterest(), octets(b"")
    (row, column), (height, width) = mask.offset, mask.bits.shape
    region = RegionOfInterest(x_offset=column, y_offset=row, height=height, width=width, do_rectify=False)
    return region, octets(np.packbits(mask.bits))


def _mask_from_msg(region: RegionOfInterest, packed: bytes) -> ImageMask | None:
    if not region.width or not region.height:
        return None
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=region.width * region.height)
    offset = (region.y_offset, region.x_offset)
    return ImageMask(bits.reshape(region.height, region.width).astype(np.bool_), offset)


def _mesh_to_msg(mesh: TriangleMesh | None) -> Mesh:
    if mesh is None:
        return Mesh()
    triangles = [MeshTriangle(vertex_indices=row) for row in mesh.triangles.astype(np.uint32)]
    return Mesh(triangles=triangles, vertices=points_to_msgs(mesh.vertices))


def _mesh_from_msg(message: Mesh) -> TriangleMesh | None:
    if not message.vertices:
        return None
    triangles = np.array([item.vertex_indices for item in message.triangles], dtype=np.int32).reshape(-1, 3)
    return TriangleMesh(np.array([[v.x, v.y, v.z] for v in message.vertices]), triangles)
