# SPDX-License-Identifier: Apache-2.0
"""Networks see pictures the right way up: those of rolled cameras are turned for them, their finds turned back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from spatialpin_ros.arrays import BoolArray, FloatArray, UInt8Array
from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.boundary import module_boundary
from spatialpin_ros.perception.learned.modules import Modules
from spatialpin_ros.perception.rgb.finding import FoundObject, find_objects

# Seen from nearly above, no side of the picture is its top.
_LEAST_UP = 0.25
Picture = TypeVar("Picture", bound=np.ndarray[Any, Any])


def quarter_turns(base_T_camera: Pose) -> int:
    """Counter-clockwise quarter turns, 0..3, that bring the picture's upward direction to its top."""
    right, down = base_T_camera.axes.T[:2, 2]
    if np.hypot(right, down) < _LEAST_UP:
        return 0
    if abs(down) >= abs(right):
        return 0 if down < 0.0 else 2
    return 1 if right > 0.0 else 3


def turned(picture: Picture, turns: int) -> Picture:
    """An (H, W, ...) array after counter-clockwise quarter turns."""
    if turns % 4 == 0:
        return picture
    result: Picture = np.ascontiguousarray(np.rot90(picture, turns))  # type: ignore[assignment]
    return result


def turned_intrinsics(intrinsics: Intrinsics | None, turns: int) -> Intrinsics | None:
    """The camera of a turned picture; None of an unknown one."""
    if intrinsics is None or turns % 4 == 0:
        return intrinsics
    k = intrinsics
    once = Intrinsics(k.height, k.width, k.fy, k.fx, k.cy, k.width - 1 - k.cx, k.source)
    return turned_intrinsics(once, turns % 4 - 1)


def find_upright(
    image: UInt8Array,
    names: Sequence[str],
    modules: Modules,
    turns: int,
    *,
    second_pass: bool = True,
    per_name: int = 1,
    dilation_px: int = 5,
) -> tuple[FoundObject, ...]:
    """Find objects by name as `find_objects` does, in the picture after so many quarter turns.

    Raises:
        BackendError: when detector, segmenter or inpainter are missing or fail.
    """
    with module_boundary("detector or segmenter"):
        found = find_objects(
            turned(image, turns),
            names,
            modules.detector,
            modules.segmenter,
            modules.inpainter if second_pass else None,
            per_name=per_name,
            dilation_px=dilation_px,
        )
    return tuple(_turned_back(item, turns) for item in found)


def _turned_back(item: FoundObject, turns: int) -> FoundObject:
    if turns % 4 == 0:
        return item
    visible, whole = turned(item.visible, -turns), turned(item.whole, -turns)
    return replace(item, visible=visible, whole=whole, box=_box(visible))


def _box(mask: BoolArray) -> FloatArray:
    """(4,) left, top, right, bottom of a mask [px]."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)
