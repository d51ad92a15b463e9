# SPDX-License-Identifier: Apache-2.0
"""Referring expressions that are true and unique: colour and kind, and the place where those are shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.relations import viewer_frame

PLACE_MARGIN_M = 0.05
_PLACES = (("left", "right", 0, 1.0), ("back", "front", 1, 1.0))


class Described(Protocol):
    """What is needed to name an object: its colour and kind in words."""

    @property
    def color(self) -> str: ...

    @property
    def kind(self) -> str: ...


def refer(
    objects: Sequence[Described], centres: Sequence[FloatArray], base_T_camera: Pose
) -> list[str | None]:
    """A phrase for each object that is true of it alone; None where colour, kind and place do not tell it apart.

    Args:
        objects: all objects of the scene.
        centres: (3,) centres in the base frame [m].
        base_T_camera: the viewer; of two like objects one is "left" when it is so by 5 cm or more.
    """
    plain = [f"{item.color} {item.kind}" for item in objects]
    groups = Counter(plain)
    phrases: list[str | None] = [name if groups[name] == 1 else None for name in plain]
    seen = viewer_frame(base_T_camera).components(np.array(centres).reshape(-1, 3))
    for name, size in groups.items():
        if size != 2:
            continue
        first, second = (i for i, other in enumerate(plain) if other == name)
        for low, high, axis, sign in _PLACES:
            apart = sign * float(seen[second, axis] - seen[first, axis])
            if abs(apart) > PLACE_MARGIN_M:
                nearer, farther = (first, second) if apart > 0 else (second, first)
                phrases[nearer], phrases[farther] = f"{low} {name}", f"{high} {name}"
                break
    return phrases
