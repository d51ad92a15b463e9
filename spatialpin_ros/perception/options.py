# SPDX-License-Identifier: Apache-2.0
"""What a user may tune in perception, with units on every field."""

from __future__ import annotations

from dataclasses import dataclass, fields

from spatialpin_ros.config import Workspace
from spatialpin_ros.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class PerceptionOptions:
    """Settings of `reconstruct`; the defaults fit a tabletop seen from about one metre.

    Args:
        workspace: region of the base frame that is looked at; None: everything above the table's outline.
        max_pixels: larger images are thinned by a whole stride to about this many pixels.
        min_height_m: what stands lower above the table than this is part of the table.
        max_height_m: nothing higher above the table is looked at when there is no workspace.
        min_object_pixels: smaller regions (in the thinned image) are not objects.
        min_object_size_m: things whose longest side is shorter than this are not objects.
        depth_step_m: largest step in depth between neighbouring pixels of one surface, before noise is added.
        chroma_step: smallest change of chromaticity (0..1) that separates two touching objects.
        max_tilt_rad: largest angle between the table's normal and the base frame's z axis.
        min_table_share: smallest share of the measured points that must lie on the table.
        prism_residual_m: largest residual at which a primitive is believed.
        max_points: points kept per object.
        max_unexplained: points kept that belong to no object.
        seed: of the random sampling; equal frames and options give equal scenes.
    """

    workspace: Workspace | None = None
    max_pixels: int = 400_000
    min_height_m: float = 0.006
    max_height_m: float = 0.6
    min_object_pixels: int = 60
    min_object_size_m: float = 0.012
    depth_step_m: float = 0.006
    chroma_step: float = 0.07
    max_tilt_rad: float = 0.2
    min_table_share: float = 0.15
    prism_residual_m: float = 0.004
    max_points: int = 2000
    max_unexplained: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name not in ("workspace", "seed") and not value > 0:
                raise InvalidValueError(f"perception option {item.name}: must be positive, got {value}")
        if self.seed < 0:
            raise InvalidValueError(f"perception option seed: must not be negative, got {self.seed}")
