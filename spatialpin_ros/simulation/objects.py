# SPDX-License-Identifier: Apache-2.0
"""Rigid objects of simulated scenes: what they are, and the URDF that makes one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import Template
from typing import Literal, get_args

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.config import share_directory
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.geometry import OrientedBox, Pose

ObjectKind = Literal["cube", "box", "cylinder"]

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
        kind: cube, box or cylinder (upright).
        color: a name of `PALETTE`.
        box: full size [m] and pose of the centre in the base frame; for a cylinder x and y extents are the diameter.
        mass_kg: mass [kg].
        friction: lateral friction coefficient (Bullet multiplies those of the two bodies in contact).

    Raises:
        InvalidValueError: on an unknown kind or unphysical mass or friction.
        UnknownNameError: on a colour that is not in the palette.
    """

    id: str
    kind: ObjectKind
    color: str
    box: OrientedBox
    mass_kg: float
    friction: float = 0.7

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
        if self.kind == "cylinder" and abs(self.size[0] - self.size[1]) > 1e-9:
            raise InvalidValueError(f"object '{self.id}': a cylinder's x and y extents are both its diameter")

    @property
    def name(self) -> str:
        """Colour and kind, as a person would say it."""
        return f"{self.color} {self.kind}"

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
    return float(spec.size[0] if spec.kind == "cylinder" else np.hypot(*spec.size[:2]))


def object_urdf(spec: ObjectSpec) -> str:
    """Fill the URDF template of the object's kind (urdf/objects) and return the XML text."""
    shape = "cylinder" if spec.kind == "cylinder" else "box"
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
    return Template(text).substitute(values)


def _solid_inertia(spec: ObjectSpec) -> FloatArray:
    """(3,) principal moments of a homogeneous solid about its centre [kg m^2]."""
    x, y, z = spec.size
    if spec.kind == "cylinder":
        across = spec.mass_kg * (3.0 * (x / 2.0) ** 2 + z**2) / 12.0
        return np.array([across, across, spec.mass_kg * (x / 2.0) ** 2 / 2.0])
    return spec.mass_kg / 12.0 * np.array([y**2 + z**2, x**2 + z**2, x**2 + y**2])
