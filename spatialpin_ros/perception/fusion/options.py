# SPDX-License-Identifier: Apache-2.0
"""Settings of fusing several views."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from spatialpin_ros.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class FusionOptions:
    """Settings of `fuse`.

    Args:
        refine_poses: correct small errors of the camera poses by matching the views' surfaces.
        max_shift_m, max_turn_rad: larger corrections of a pose are not believed.
        voxel_m: points of one object nearer to each other than this are merged.
        min_overlap: share of the smaller footprint that two views of one object have in common at least.
        max_chroma: largest difference of chromaticity (0..1) between two views of one object.
        see_through: share of an object's points, seen in some view only, through which another view may look before
            the object is dropped.
        max_views: frames that a `SceneFuser` keeps.
    """

    refine_poses: bool = True
    max_shift_m: float = 0.03
    max_turn_rad: float = float(np.deg2rad(4.0))
    voxel_m: float = 0.003
    min_overlap: float = 0.35
    max_chroma: float = 0.12
    see_through: float = 0.5
    max_views: int = 6

    def __post_init__(self) -> None:
        for item in fields(self):
            if not getattr(self, item.name) > 0 and item.name != "refine_poses":
                raise InvalidValueError(
                    f"fusion option {item.name}: must be positive, got {getattr(self, item.name)}"
                )
