# SPDX-License-Identifier: Apache-2.0
"""Rigid objects of simulated scenes: what they are, and the URDF that makes one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from string import Template
from typing import Literal, get_args

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.config import share_directory
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.simulation.mesh_models import MESH_MODELS, ROUND_MODELS, write_parts

ObjectKind = Literal["cube", "box", "cylinder", "sphere", "mesh"]

# Linear RGB under the simulator's lights; chosen to stay apart in hue, and from the table.
PALETTE: dict[str, tuple[float, float, float]] = {
    "red": (0.80, 0.08, 0.08),
    "green": (0.10, 0.55, 0.16),
    "blue": (0.09, 0.24, 0.80),
    "yellow": (0.96, 0.82, 0.06),
    "orange": (0.97, 0.46, 0.04),
    "purple": (0.46, 0.14, 0.66),
    "cyan": (0.06, 0.72, 0.78),
    "pink": (0.96, 0.42, 0.66),
}

GRASPABLE_WIDTH_M = (0.020, 0.065)
"""Narrowest and widest side that the gripper takes with room to spare [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectSpec:
    """A rigid object to put into the world.

    Args:
        id: key inside one scene.
        kind: cube, box, cylinder (upright), sphere, or mesh: one of `MESH_MODELS`.
        color: a name of `PALETTE`.
        box: full size [m] and pose of the centre in the base frame; for a cylinder x and y extents are the diameter.
        mass_kg: mass [kg].
        friction: lateral friction coefficient (Bullet multiplies those of the two bodies in contact).
        model: of a mesh, which one; its unit cube is stretched to the box. Empty for the other kinds.

    Raises:
        InvalidValueError: on an unknown kind or unphysical mass or friction.
        UnknownNameError: on a colour that is not in the palette, or a mesh that is not in `MESH_MODELS`.
    """

    id: str
    kind: ObjectKind
    color: str
    box: OrientedBox
    mass_kg: float
    friction: float = 0.7
    model: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(ObjectKind):
            raise InvalidValueError(
                f"object '{self.id}': kind '{self.kind}' is none of {get_args(ObjectKind)}"
            )
        if self.color not in PALETTE:
            raise UnknownNameError(self.color, list(PALETTE), "colour")
        if not (self.mass_kg > 0.0 and self.friction >= 0.0):
            raise InvalidValueError(
                f"object '{self.id}': needs mass > 0 and friction >= 0, got {self.mass_kg} kg, {self.friction}"
            )
        if self.kind == "mesh" and self.model not in MESH_MODELS:
            raise UnknownNameError(self.model, list(MESH_MODELS), "mesh model")
        if self.kind != "mesh" and self.model:
            raise InvalidValueError(f"object '{self.id}': only a mesh has a model, got '{self.model}'")
        if self.round and abs(self.size[0] - self.size[1]) > 1e-9:
            raise InvalidValueError(
                f"object '{self.id}': a {self.model or self.kind}'s x and y extents are both its diameter"
            )
        if self.kind == "sphere" and abs(self.size[2] - self.size[0]) > 1e-9:
            raise InvalidValueError(f"object '{self.id}': a sphere's extents are all its diameter")

    @property
    def round(self) -> bool:
        """True when it looks the same at every heading."""
        return self.kind in ("cylinder", "sphere") or self.model in ROUND_MODELS

    @property
    def name(self) -> str:
        """Colour and kind, as a person would say it."""
        return f"{self.color} {self.model.replace('_', ' ') or self.kind}"

    @property
    def size(self) -> FloatArray:
        """(3,) full extents along its own axes [m]."""
        return self.box.size

    @property
    def graspable(self) -> bool:
        """True when a horizontal side fits the gripper from above."""
        low, high = GRASPABLE_WIDTH_M
        return bool(((self.size[:2] >= low) & (self.size[:2] <= high)).any())

    def can_carry(self, other: ObjectSpec) -> bool:
        """True when the other one's base fits on this one's top at any heading."""
        return float(self.size[:2].min()) >= footprint_diameter(other)

    def at(self, pose: Pose) -> ObjectSpec:
        """Return the same object elsewhere."""
        return replace(self, box=OrientedBox(pose, self.size))


def footprint_diameter(spec: ObjectSpec) -> float:
    """Diameter of the circle around the base [m]."""
    return float(spec.size[0] if spec.round else np.hypot(*spec.size[:2]))


def object_urdf(spec: ObjectSpec, mesh_folder: Path) -> str:
    """Fill the URDF template of the object's kind (urdf/objects) and return the XML text.

    Args:
        mesh_folder: where the parts of spheres and meshes are written, once each.
    """
    shape = {"cylinder": "cylinder", "sphere": "mesh", "mesh": "mesh"}.get(spec.kind, "box")
    folder = share_directory() / "urdf" / "objects"
    text = (folder / f"{shape}.urdf.template").read_text()
    inertia = _solid_inertia(spec)
    values = {
        "name": spec.id,
        "friction": f"{spec.friction:.4f}",
        "mass": f"{spec.mass_kg:.6f}",
        "rgba": "{:.4f} {:.4f} {:.4f} 1".format(*PALETTE[spec.color]),
        "radius": f"{spec.size[0] / 2.0:.6f}",
        "mesh": str(folder / f"{shape}.obj"),
    }
    values |= {f"size_{axis}": f"{extent:.6f}" for axis, extent in zip("xyz", spec.size, strict=True)}
    values |= {f"i{axis}{axis}": f"{value:.9f}" for axis, value in zip("xyz", inertia, strict=True)}
    if shape == "mesh":
        values |= _mesh_elements(spec, mesh_folder, values["rgba"])
    return Template(text).substitute(values)


def _mesh_elements(spec: ObjectSpec, folder: Path, rgba: str) -> dict[str, str]:
    """The visual and collision elements of a sphere's or a mesh's parts."""
    scale = "{:.6f} {:.6f} {:.6f}".format(*spec.size)
    parts = [
        f'<geometry><mesh filename="{path}" scale="{scale}"/></geometry>'
        for path in write_parts(spec.model or "ball", folder)
    ]
    solid = [f'<geometry><sphere radius="{spec.size[0] / 2.0:.6f}"/></geometry>']
    material = f'<material name="{spec.id}_colour"><color rgba="{rgba}"/></material>'
    return {
        "visuals": "\n".join(f"    <visual>{part}{material}</visual>" for part in parts),
        "collisions": "\n".join(
            f"    <collision>{part}</collision>" for part in (solid if spec.kind == "sphere" else parts)
        ),
    }


def _solid_inertia(spec: ObjectSpec) -> FloatArray:
    """(3,) principal moments of a homogeneous solid about its centre [kg m^2]; of its box for a mesh."""
    x, y, z = spec.size
    if spec.kind == "sphere":
        return np.full(3, 0.4 * spec.mass_kg * (x / 2.0) ** 2)
    if spec.kind == "cylinder":
        across = spec.mass_kg * (3.0 * (x / 2.0) ** 2 + z**2) / 12.0
        return np.array([across, across, spec.mass_kg * (x / 2.0) ** 2 / 2.0])
    return spec.mass_kg / 12.0 * np.array([y**2 + z**2, x**2 + z**2, x**2 + y**2])
