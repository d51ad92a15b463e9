# SPDX-License-Identifier: Apache-2.0
"""A pose as people write it: looking from one point at another, or a position with angles or a quaternion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Protocol

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.typed import Length, Within, build

FAR_M = 100.0
Point = Annotated[FloatArray, Length(3), Within(-FAR_M, FAR_M, "m", "metres, not millimetres?")]
Angles = Annotated[
    FloatArray, Length(3), Within(-2.0 * math.pi, 2.0 * math.pi, "rad", "radians, not degrees?")
]
# Rounding may leave an entry a little above 1.
Quaternion = Annotated[FloatArray, Length(4), Within(-1.01, 1.01)]


class _Form(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def pose(self) -> Pose: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Looking:
    looking_from: Point
    looking_at: Point

    def pose(self) -> Pose:
        return Pose.looking_at(self.looking_from, self.looking_at)


@dataclass(frozen=True, slots=True, eq=False)
class _Turned:
    xyz: Point
    rpy: Angles

    def pose(self) -> Pose:
        return Pose.from_xyz_rpy(self.xyz, self.rpy)


@dataclass(frozen=True, slots=True, eq=False)
class _Calibrated:
    xyz: Point
    quaternion: Quaternion

    def pose(self) -> Pose:
        return Pose(self.xyz, self.quaternion)


@dataclass(frozen=True, slots=True, eq=False)
class _Written:
    position: Point
    quaternion_xyzw: Quaternion

    def pose(self) -> Pose:
        return Pose(self.position, self.quaternion_xyzw)


_FORMS: tuple[type[_Form], ...] = (_Looking, _Turned, _Calibrated, _Written)


def pose_from(document: Any, where: str) -> Pose:
    """A pose [m, rad] of {looking_from, looking_at}, {xyz, rpy}, {xyz, quaternion} or {position, quaternion_xyzw}.

    Rpy are fixed-axis roll, pitch and yaw; quaternions are xyzw.

    Args:
        document: as YAML or JSON gave it.
        where: key that messages name; empty: the document is a file of its own.

    Raises:
        InvalidValueError: lists the forms, or names the value that is none.
    """
    if not isinstance(document, Mapping):
        raise InvalidValueError(_at(where, f"expected {_forms()}, got {document!r:.60}"))
    form = next((form for form in _FORMS if {item.name for item in fields(form)} == set(document)), None)
    if form is None:
        raise InvalidValueError(_at(where, f"needs {_forms()}; got {sorted(map(str, document))}"))
    found = build(form, document, where)
    try:
        return found.pose()
    except InvalidValueError as error:
        raise InvalidValueError(_at(where, str(error))) from error


def _at(where: str, what: str) -> str:
    return f"{where}: {what}" if where else what


def _forms() -> str:
    return ", or ".join(" and ".join(item.name for item in fields(form)) for form in _FORMS)
