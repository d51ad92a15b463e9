# SPDX-License-Identifier: Apache-2.0
"""Coarse 3D: how large the scene is and how the camera looks at it, by the model and by the camera's true tilt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.reasoning.prompting import table_middle
from spatialpin_ros.reasoning.schemas import strict
from spatialpin_ros.relations import viewer_frame
from spatialpin_ros.scene import Scene

Perspective = Literal["horizontal", "top-down", "bottom-up"]
PERSPECTIVES = ("horizontal", "top-down", "bottom-up")
# The paper calls a view horizontal unless it is severely angled.
SEVERE_DEG = 60.0
DOUBTFUL_DEG = 10.0


@dataclass(frozen=True, slots=True)
class Extents:
    """Size of the scene and its limits [cm], as (right, away, up) from the middle of the table top.

    Args:
        size_cm: width, depth and height of everything on the table, gravity-aligned.
        low_cm, high_cm: the limits that it is the difference of.
        camera_size_cm: the same points along the image's right, the image's up and the line of sight.
    """

    size_cm: tuple[float, ...]
    low_cm: tuple[float, ...]
    high_cm: tuple[float, ...]
    camera_size_cm: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CoarseView:
    """The perspective, by geometry and by the model.

    Args:
        true: the perspective that the camera's pose has.
        tilt_deg: angle of the line of sight below the horizon; negative when it looks up.
        said: the model's verdict, empty when it gave none.
        agrees: whether the verdict is right, or near enough to the limit between two.
        why: the model's two lines of reasoning.
    """

    true: Perspective
    tilt_deg: float
    said: str = ""
    agrees: bool = True
    why: str = ""

    @property
    def finding(self) -> str:
        return (
            ""
            if self.agrees
            else f"the model takes the view for {self.said}, but the camera looks {self.tilt_deg:.0f} degrees "
            f"downwards: {self.true}"
        )


def extents(scene: Scene) -> Extents:
    """Extents of the objects and the table top."""
    frame = viewer_frame(scene.base_T_camera)
    outline = scene.table.outline_base
    points = np.concatenate([outline, *(item.box.corners for item in scene.objects)])
    along = frame.components(points - table_middle(scene)) * 100.0 * np.array([1.0, -1.0, 1.0])
    seen = (points - scene.base_T_camera.position) @ scene.base_T_camera.axes * 100.0
    return Extents(
        _tuple(np.ptp(along, axis=0)),
        _tuple(along.min(axis=0)),
        _tuple(along.max(axis=0)),
        _tuple(np.ptp(seen, axis=0)),
    )


def true_perspective(base_T_camera: Pose) -> tuple[Perspective, float]:
    """The perspective, and the angle of the line of sight below the horizon [deg]."""
    tilt = float(np.degrees(np.arcsin(np.clip(-base_T_camera.axes[2, 2], -1.0, 1.0))))
    if tilt > SEVERE_DEG:
        return "top-down", tilt
    return ("bottom-up" if tilt < -SEVERE_DEG else "horizontal"), tilt


def coarse_schema() -> dict[str, Any]:
    """The paper's three parts: visual cues, spatial data, conclusion."""
    return strict(
        {"visual_cues": {"type": "string"}, "spatial_data": {"type": "string"},
         "perspective": {"type": "string", "enum": list(PERSPECTIVES)}}
    )  # fmt: skip


def judge(scene: Scene, reply: Mapping[str, Any] | None) -> CoarseView:
    """Hold the model's verdict against the camera's pose; within DOUBTFUL_DEG of a limit both verdicts pass."""
    true, tilt = true_perspective(scene.base_T_camera)
    if reply is None:
        return CoarseView(true, tilt)
    said = reply["perspective"]
    near = {
        "horizontal": abs(tilt) <= SEVERE_DEG + DOUBTFUL_DEG,
        "top-down": tilt >= SEVERE_DEG - DOUBTFUL_DEG,
        "bottom-up": tilt <= DOUBTFUL_DEG - SEVERE_DEG,
    }
    return CoarseView(true, tilt, said, near[said], f"{reply['visual_cues']} {reply['spatial_data']}")


def _tuple(values: FloatArray) -> tuple[float, ...]:
    return tuple(round(float(value), 1) + 0.0 for value in values)
