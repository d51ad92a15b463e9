# SPDX-License-Identifier: Apache-2.0
"""What a user may tune in the reconstruction from a single colour image."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import get_args

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.rgb.field_of_view import DEFAULT_VERTICAL_FOV_DEG
from spatialpin_ros.perception.rgb.perspective import View


@dataclass(frozen=True, slots=True, eq=False)
class RgbOptions:
    """Settings of `reconstruct_rgb`.

    Args:
        perception: of the geometry behind it. A workspace only makes sense together with `base_T_camera`.
        base_T_camera: pose of the optical frame in the base frame; None: a base frame is laid on the table.
        table_z_m: known height of the table in the base frame. It sets the scale of the depth, the weakest part of a
            monocular estimate; without `base_T_camera` it says nothing.
        default_vertical_fov_deg: when nothing says anything about the camera.
        per_name: most objects that one name may stand for.
        second_pass: look again at objects that others may hide, with the others painted over.
        dilation_px: how much farther than its mask an object is painted over.
        depth_trust: factor on every confidence, for depth that was estimated and not measured.
        scale_limit: largest change of size by the contour that is believed; beyond, the two disagree.
        view: a vision-language model's verdict on the perspective, checked against the support plane.
    """

    perception: PerceptionOptions = field(default_factory=PerceptionOptions)
    base_T_camera: Pose | None = None
    table_z_m: float | None = None
    default_vertical_fov_deg: float = DEFAULT_VERTICAL_FOV_DEG
    per_name: int = 1
    second_pass: bool = True
    dilation_px: int = 5
    depth_trust: float = 0.6
    scale_limit: float = 1.25
    view: View | None = None

    def __post_init__(self) -> None:
        if self.table_z_m is not None and not math.isfinite(self.table_z_m):
            raise InvalidValueError(f"table_z_m: must be finite, got {self.table_z_m}")
        if not 10.0 <= self.default_vertical_fov_deg <= 150.0:
            raise InvalidValueError(
                f"default_vertical_fov_deg: must lie in 10..150, got {self.default_vertical_fov_deg}"
            )
        if not 0.0 < self.depth_trust <= 1.0:
            raise InvalidValueError(f"depth_trust: must lie in (0, 1], got {self.depth_trust}")
        if not self.scale_limit >= 1.0:
            raise InvalidValueError(f"scale_limit: must be at least 1, got {self.scale_limit}")
        if self.per_name < 1 or self.dilation_px < 0:
            raise InvalidValueError(
                f"per_name must be at least 1 and dilation_px not negative, got {self.per_name}, {self.dilation_px}"
            )
        if self.view is not None and self.view not in get_args(View):
            raise InvalidValueError(f"view: expected one of {get_args(View)}, got {self.view!r}")
        if self.perception.workspace is not None and self.base_T_camera is None:
            raise InvalidValueError("workspace: needs base_T_camera, or it is in no known frame")
