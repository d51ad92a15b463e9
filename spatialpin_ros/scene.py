# SPDX-License-Identifier: Apache-2.0
"""Scene, the second noun of the flow: the table, the objects on it, and who carries whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from spatialpin_ros.arrays import (
    Float32Array,
    FloatArray,
    UInt8Array,
    array_from_json,
    array_to_json,
    read_only,
)
from spatialpin_ros.camera import ImageMask, Intrinsics
from spatialpin_ros.errors import AmbiguousNameError, InvalidValueError, UnknownNameError
from spatialpin_ros.geometry import OrientedBox, Pose, TriangleMesh

Shape = Literal["box", "cylinder", "sphere", "unknown"]
DepthSource = Literal["measured", "estimated"]
TABLE = "table"


def _no_points() -> Float32Array:
    return np.zeros((0, 3), dtype=np.float32)


def _no_colors() -> UInt8Array:
    return np.zeros((0, 3), dtype=np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class SupportSurface:
    """A flat surface that carries objects.

    Args:
        name: unique name; the first support of a scene is called "table".
        pose: pose of the surface in the base frame; z is its upward normal.
        outline: (N, 2) counter-clockwise visible outline in the surface's own x, y [m], N >= 3.
    """

    name: str
    pose: Pose
    outline: FloatArray

    def __post_init__(self) -> None:
        outline = read_only(
            np.array(self.outline, dtype=np.float64), f"outline of support '{self.name}'", (None, 2)
        )
        if len(outline) < 3:
            raise InvalidValueError(
                f"outline of support '{self.name}': needs 3 points or more, got {len(outline)}"
            )
        object.__setattr__(self, "outline", outline)

    @property
    def height_z(self) -> float:
        """Height of the surface's origin in the base frame [m]."""
        return float(self.pose.position[2])

    @property
    def outline_base(self) -> FloatArray:
        """(N, 3) outline in the base frame [m]."""
        return self.pose.transform(np.column_stack([self.outline, np.zeros(len(self.outline))]))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "pose": self.pose.to_dict(), "outline": self.outline.tolist()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> SupportSurface:
        return cls(document["name"], Pose.from_dict(document["pose"]), document["outline"])


@dataclass(frozen=True, slots=True, eq=False)
class SceneObject:
    """One rigid object as perceived.

    Args:
        id: key inside one scene, stable between frames when tracked ("o1").
        name: unique referring name ("small red cube").
        label: noun for its kind ("cube", "block", "cylinder", "ball", or a detector's word).
        color: colour word.
        color_rgb: (3,) representative colour, 0..255.
        shape: primitive that fits it best.
        box: amodal OBB down to the supporter; for a cylinder z is its axis and x, y extents are the diameter,
            for a sphere all extents are the diameter.
        fit_residual_m: median distance of the seen points to the primitive's surface [m].
        points: (N, 3) seen surface points in the base frame [m].
        colors: (N, 3) their colours, uint8 RGB, or empty.
        supported_by: id of the object or name of the support surface that carries it.
        confidence: 0..1, that this is one whole object as described.
        visibility: 0..1, estimated share of its silhouette that is not hidden.
        mask: pixels in the image, when it came from one.
        mesh: completed watertight mesh in the base frame for collision, when it differs from the primitive.
    """

    id: str
    name: str
    label: str
    color: str
    color_rgb: UInt8Array
    shape: Shape
    box: OrientedBox
    fit_residual_m: float = 0.0
    points: Float32Array = field(default_factory=_no_points)
    colors: UInt8Array = field(default_factory=_no_colors)
    supported_by: str = TABLE
    confidence: float = 1.0
    visibility: float = 1.0
    mask: ImageMask | None = None
    mesh: TriangleMesh | None = None

    def __post_init__(self) -> None:
        if not self.id or not self.name:
            raise InvalidValueError(
                f"scene object: id and name must not be empty, got {self.id!r}, {self.name!r}"
            )
        if self.shape not in get_args(Shape):
            raise InvalidValueError(
                f"object '{self.name}': shape '{self.shape}' is none of {get_args(Shape)}"
            )
        if self.supported_by == self.id:
            raise InvalidValueError(f"object '{self.name}': cannot support itself")
        for value, what in ((self.confidence, "confidence"), (self.visibility, "visibility")):
            if not 0.0 <= value <= 1.0:
                raise InvalidValueError(f"object '{self.name}': {what} must lie in 0..1, got {value}")
        points = read_only(self.points, f"points of '{self.name}'", (None, 3), np.float32)
        colors = read_only(self.colors, f"colours of '{self.name}'", (None, 3), np.uint8)
        if len(colors) not in (0, len(points)):
            raise InvalidValueError(f"object '{self.name}': {len(points)} points but {len(colors)} colours")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "colors", colors)
        object.__setattr__(self, "color_rgb", read_only(self.color_rgb, "colour", (3,), np.uint8))

    @property
    def centre(self) -> FloatArray:
        return self.box.centre

    @property
    def size(self) -> FloatArray:
        """(3,) extents along the box's own axes [m]."""
        return self.box.size

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "label": self.label,
            "color": self.color,
            "color_rgb": self.color_rgb.tolist(),
            "shape": self.shape,
            "box": self.box.to_dict(),
            "fit_residual_m": self.fit_residual_m,
            "points": array_to_json(self.points),
            "colors": array_to_json(self.colors),
            "supported_by": self.supported_by,
            "confidence": self.confidence,
            "visibility": self.visibility,
            "mask": self.mask.to_dict() if self.mask else None,
            "mesh": self.mesh.to_dict() if self.mesh else None,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> SceneObject:
        mask, mesh = document.get("mask"), document.get("mesh")
        return cls(
            id=document["id"],
            name=document["name"],
            label=document["label"],
            color=document["color"],
            color_rgb=np.asarray(document["color_rgb"], dtype=np.uint8),
            shape=document["shape"],
            box=OrientedBox.from_dict(document["box"]),
            fit_residual_m=float(document["fit_residual_m"]),
            points=array_from_json(document["points"]),
            colors=array_from_json(document["colors"]),
            supported_by=document["supported_by"],
            confidence=float(document["confidence"]),
            visibility=float(document["visibility"]),
            mask=ImageMask.from_dict(mask) if mask else None,
            mesh=TriangleMesh.from_dict(mesh) if mesh else None,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A table scene in the base frame (z up).

    Args:
        supports: the table first, then other surfaces that carry things.
        objects: what stands on them; ids and names are unique.
        base_T_camera: pose of the optical frame that saw it: the viewer's frame of spatial language.
        intrinsics: of the image the masks refer to, if any.
        stamp_s: time of the observation [s].
        base_frame: frame of every coordinate in the scene.
        unexplained: (N, 3) points above the table that belong to no object [m]; obstacles, nothing else.
        depth_source: "estimated" when a network made the depth from the colour image: no ground to move an arm on.
    """

    supports: tuple[SupportSurface, ...]
    objects: tuple[SceneObject, ...]
    base_T_camera: Pose
    intrinsics: Intrinsics | None = None
    stamp_s: float = 0.0
    base_frame: str = "base"
    unexplained: Float32Array = field(default_factory=_no_points)
    depth_source: DepthSource = "measured"

    def __post_init__(self) -> None:
        if self.depth_source not in get_args(DepthSource):
            raise InvalidValueError(
                f"scene: depth_source '{self.depth_source}' is none of {get_args(DepthSource)}"
            )
        if not self.supports:
            raise InvalidValueError("scene: needs at least the table as a support")
        surfaces = [surface.name for surface in self.supports]
        for values, what in (
            ([o.id for o in self.objects] + surfaces, "ids"),
            ([o.name for o in self.objects] + surfaces, "names"),
        ):
            if len(set(values)) != len(values):
                raise InvalidValueError(f"scene: {what} must be unique, got {values}")
        carriers = {o.id for o in self.objects} | set(surfaces)
        for item in self.objects:
            if item.supported_by not in carriers:
                raise InvalidValueError(
                    f"object '{item.name}': supporter '{item.supported_by}' is not in the scene"
                )
        unexplained = read_only(self.unexplained, "unexplained points", (None, 3), np.float32)
        object.__setattr__(self, "unexplained", unexplained)

    @property
    def table(self) -> SupportSurface:
        return self.supports[0]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.objects)

    def object(self, object_id: str) -> SceneObject:
        """Return the object with this id.

        Raises:
            UnknownNameError: lists the ids that exist.
        """
        for item in self.objects:
            if item.id == object_id:
                return item
        raise UnknownNameError(object_id, [f"{item.id} ({item.name})" for item in self.objects], "object id")

    def named(self, name: str) -> SceneObject:
        """Return the object with exactly this name, ignoring case.

        Raises:
            UnknownNameError: lists the names that exist.
            AmbiguousNameError: when only case tells two names apart.
        """
        found = [item for item in self.objects if item.name.casefold() == name.strip().casefold()]
        if len(found) > 1:
            raise AmbiguousNameError(name, [item.name for item in found])
        if not found:
            raise UnknownNameError(name, self.names)
        return found[0]

    def carried_by(self, carrier_id: str) -> tuple[SceneObject, ...]:
        """Objects that stand directly on the given object or support."""
        return tuple(item for item in self.objects if item.supported_by == carrier_id)

    def to_dict(self) -> dict[str, Any]:
        return {
            "supports": [surface.to_dict() for surface in self.supports],
            "objects": [item.to_dict() for item in self.objects],
            "base_T_camera": self.base_T_camera.to_dict(),
            "intrinsics": self.intrinsics.to_dict() if self.intrinsics else None,
            "stamp_s": self.stamp_s,
            "base_frame": self.base_frame,
            "unexplained": array_to_json(self.unexplained),
            "depth_source": self.depth_source,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Scene:
        intrinsics = document.get("intrinsics")
        return cls(
            supports=tuple(SupportSurface.from_dict(item) for item in document["supports"]),
            objects=tuple(SceneObject.from_dict(item) for item in document["objects"]),
            base_T_camera=Pose.from_dict(document["base_T_camera"]),
            intrinsics=Intrinsics.from_dict(intrinsics) if intrinsics else None,
            stamp_s=float(document["stamp_s"]),
            base_frame=document["base_frame"],
            unexplained=array_from_json(document["unexplained"]),
            depth_source=document.get("depth_source", "measured"),
        )
