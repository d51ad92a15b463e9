# SPDX-License-Identifier: Apache-2.0
"""Scenes built by hand for unit tests, seen by the simulated camera's viewpoint unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.scene import TABLE, Scene, SceneObject, Shape, SupportSurface

EYE_M, LOOKED_AT_M = (1.25, 0.0, 0.70), (0.48, 0.0, 0.03)
COLORS = {
    "red": (200, 30, 30), "green": (30, 160, 40), "blue": (30, 60, 200), "yellow": (230, 210, 30),
    "orange": (240, 140, 20), "purple": (130, 40, 160), "white": (240, 240, 240), "black": (20, 20, 20),
    "gray": (128, 128, 128), "cyan": (30, 200, 210), "pink": (240, 130, 170), "brown": (120, 70, 30),
}  # fmt: skip


def table(
    x_m: tuple[float, float] = (0.2, 0.85), y_m: tuple[float, float] = (-0.45, 0.45), height_m: float = 0.0
) -> SupportSurface:
    """Make a rectangular table top; x_m and y_m are its limits in the base frame."""
    outline = np.array([[x_m[0], y_m[0]], [x_m[1], y_m[0]], [x_m[1], y_m[1]], [x_m[0], y_m[1]]])
    return SupportSurface(TABLE, Pose(np.array([0.0, 0.0, height_m])), outline)


def make_object(
    object_id: str = "o1",
    color: str = "red",
    label: str = "cube",
    size: Iterable[float] = (0.05, 0.05, 0.05),
    at: tuple[float, float] = (0.5, 0.0),
    *,
    bottom_z: float = 0.0,
    yaw_rad: float = 0.0,
    name: str = "",
    shape: Shape | None = None,
    **changes: Any,
) -> SceneObject:
    """Make an upright object that stands at `at` [m]; on another one with `bottom_z` and `supported_by`."""
    extents = np.asarray(list(size), dtype=np.float64)
    known: dict[str, Shape] = {
        "cylinder": "cylinder",
        "can": "cylinder",
        "ball": "sphere",
        "sphere": "sphere",
    }
    pose = Pose.from_yaw((at[0], at[1], bottom_z + extents[2] / 2.0), yaw_rad)
    return SceneObject(
        id=object_id,
        name=name or f"{color} {label}",
        label=label,
        color=color,
        color_rgb=np.array(COLORS.get(color, (128, 128, 128)), dtype=np.uint8),
        shape=shape or known.get(label, "box"),
        box=OrientedBox(pose, extents),
        **changes,
    )


def make_scene(*objects: SceneObject, **changes: Any) -> Scene:
    """Make a scene of the objects on the default table, seen from beyond the table's far edge.

    The viewer looks towards -x, so the viewer's right is +y and what is in front (nearer) has the larger x.
    """
    fields: dict[str, Any] = {"supports": (table(),), "base_T_camera": Pose.looking_at(EYE_M, LOOKED_AT_M)}
    return Scene(objects=objects, **{**fields, **changes})


def stacked(upper: SceneObject, lower: SceneObject) -> SceneObject:
    """Return `upper` moved to stand centred on `lower`."""
    pose = Pose(
        np.array([*lower.centre[:2], lower.box.top_z + upper.box.height / 2.0]), upper.box.pose.quaternion
    )
    fields = {name: getattr(upper, name) for name in ("id", "name", "label", "color", "color_rgb", "shape")}
    return SceneObject(**fields, box=OrientedBox(pose, upper.size), supported_by=lower.id)


def five_blocks() -> Scene:
    """A red cube, a blue box, a green cylinder, a yellow ball and a small red cube, none touching."""
    return make_scene(
        make_object("o1", "red", "cube", (0.05, 0.05, 0.05), (0.50, -0.20), name="large red cube"),
        make_object("o2", "blue", "box", (0.10, 0.07, 0.06), (0.55, 0.05)),
        make_object("o3", "green", "cylinder", (0.05, 0.05, 0.09), (0.45, 0.22)),
        make_object("o4", "yellow", "ball", (0.05, 0.05, 0.05), (0.65, -0.10)),
        make_object("o5", "red", "cube", (0.03, 0.03, 0.03), (0.42, -0.02), name="small red cube"),
    )
