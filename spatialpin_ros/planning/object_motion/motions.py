# SPDX-License-Identifier: Apache-2.0
"""The four object motions of SpatialPIN as validated values with a JSON round trip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from spatialpin_ros.errors import InvalidValueError

LocalAxis = Literal["x", "y", "z"]
ReferenceAxis = Literal["pitch", "yaw", "roll"]
FixedTurn = Literal["towards", "back"]
MAX_ANGLE_DEG = 1080.0
MAX_DISTANCE_M = 10.0


@dataclass(frozen=True, slots=True)
class RotateSelf:
    """Turn about the object's own x, y or z axis through its centre, counter-clockwise positive [degrees]."""

    kind: ClassVar[str] = "rotate_self"
    axis: LocalAxis
    angle_deg: float

    def __post_init__(self) -> None:
        _check_word(self.axis, get_args(LocalAxis), "rotate_self axis")
        _check_number(self.angle_deg, MAX_ANGLE_DEG, "rotate_self angle_deg")

    @property
    def reference_ids(self) -> tuple[str, ...]:
        return ()

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True, slots=True)
class RotateWref:
    """Turn about the object's centre with respect to another object.

    With d the unit vector from the object's centre to the reference's and z the reference's z axis: pitch
    turns about z x d (positive tips the top towards the reference), yaw about (z x d) x d, roll about d; all
    counter-clockwise positive about these axes.

    Args:
        reference_id: the object that d points to.
        axis: "pitch", "yaw" or "roll".
        angle: degrees; or "towards": pitch brings the object's z onto d (pouring), yaw its x onto d (facing), as
            far as a turn about that axis can, roll is one full turn (drilling); or "back": the reverse of the turn
            that "towards" takes from the orientation that the object has in the scene.
    """

    kind: ClassVar[str] = "rotate_wref"
    reference_id: str
    axis: ReferenceAxis
    angle: float | FixedTurn

    def __post_init__(self) -> None:
        _check_id(self.reference_id, "rotate_wref reference_id")
        _check_word(self.axis, get_args(ReferenceAxis), "rotate_wref axis")
        if isinstance(self.angle, str):
            _check_word(self.angle, get_args(FixedTurn), "rotate_wref angle")
        else:
            _check_number(self.angle, MAX_ANGLE_DEG, "rotate_wref angle")

    @property
    def reference_ids(self) -> tuple[str, ...]:
        return (self.reference_id,)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True, slots=True)
class TranslateTarObj:
    """Move the object's centre to `offset_m` in the target's own axes; (0, 0, 0) is the target's centre [m]."""

    kind: ClassVar[str] = "translate_tar_obj"
    target_id: str
    offset_m: tuple[float, float, float]

    def __post_init__(self) -> None:
        _check_id(self.target_id, "translate_tar_obj target_id")
        if len(self.offset_m) != 3:
            raise InvalidValueError(
                f"translate_tar_obj offset_m: expected [dx, dy, dz], got {self.offset_m!r}"
            )
        for value in self.offset_m:
            _check_number(value, MAX_DISTANCE_M, "translate_tar_obj offset_m")
        object.__setattr__(self, "offset_m", tuple(float(value) for value in self.offset_m))

    @property
    def reference_ids(self) -> tuple[str, ...]:
        return (self.target_id,)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "target_id": self.target_id, "offset_m": list(self.offset_m)}


@dataclass(frozen=True, slots=True)
class TranslateDirecAxis:
    """Move by `distance_m` (signed) along the unit vector from the first object's centre to the second's [m]."""

    kind: ClassVar[str] = "translate_direc_axis"
    distance_m: float
    first_id: str
    second_id: str

    def __post_init__(self) -> None:
        _check_number(self.distance_m, MAX_DISTANCE_M, "translate_direc_axis distance_m")
        _check_id(self.first_id, "translate_direc_axis first_id")
        _check_id(self.second_id, "translate_direc_axis second_id")
        if self.first_id == self.second_id:
            raise InvalidValueError(f"translate_direc_axis: needs two objects, got '{self.first_id}' twice")

    @property
    def reference_ids(self) -> tuple[str, ...]:
        return (self.first_id, self.second_id)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


ObjectMotion = RotateSelf | RotateWref | TranslateTarObj | TranslateDirecAxis
MOTION_KINDS: dict[str, type[ObjectMotion]] = {
    kind.kind: kind for kind in (RotateSelf, RotateWref, TranslateTarObj, TranslateDirecAxis)
}


def motion_from_dict(document: Mapping[str, Any]) -> ObjectMotion:
    """Make a motion from what its `to_dict` wrote.

    Raises:
        InvalidValueError: on an unknown kind, missing or unknown fields, or values out of range.
    """
    values = dict(document)
    kind = values.pop("kind", None)
    if kind not in MOTION_KINDS:
        raise InvalidValueError(f"object motion: kind {kind!r} is none of {sorted(MOTION_KINDS)}")
    try:
        return MOTION_KINDS[kind](**values)
    except TypeError as error:
        raise InvalidValueError(f"object motion '{kind}': {error}") from error


def _check_number(value: Any, most: float, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating, np.integer)):
        raise InvalidValueError(f"{what}: expected a number, got {value!r}")
    if not abs(float(value)) <= most:
        raise InvalidValueError(f"{what}: must lie in -{most:g}..{most:g}, got {value}")


def _check_word(value: Any, known: tuple[str, ...], what: str) -> None:
    if value not in known:
        raise InvalidValueError(f"{what}: {value!r} is none of {known}")


def _check_id(value: Any, what: str) -> None:
    if not isinstance(value, str) or not value:
        raise InvalidValueError(f"{what}: expected the id of an object, got {value!r}")
