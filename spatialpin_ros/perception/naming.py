# SPDX-License-Identifier: Apache-2.0
"""Nouns and unique referring names: the colour and kind, then size, height or place only where needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.scene import Shape

_CUBE_RATIO = 1.18
_BLOCK_RATIO = 1.7
# Sizes closer than this cannot be told apart by eye.
_SIZE_RATIO = 1.15
_PLACE_STEP_M = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """What naming needs: colour word, noun, extents [m], and centre as the viewer sees it (right, away) [m]."""

    color: str
    label: str
    size: FloatArray
    right_m: float
    away_m: float

    @property
    def plain(self) -> str:
        return f"{self.color} {self.label}"


def noun(shape: Shape, size: FloatArray) -> str:
    """The everyday word for a primitive of (3,) extents [m]."""
    if shape == "sphere":
        return "ball"
    if shape == "cylinder":
        return "cylinder"
    if shape == "unknown":
        return "object"
    ordered = np.sort(size)
    if ordered[2] < _CUBE_RATIO * ordered[0]:
        return "cube"
    return "block" if ordered[2] > _BLOCK_RATIO * ordered[1] else "box"


def unique_names(descriptions: Sequence[Description]) -> list[str]:
    """A unique name for each object, as short as telling it from the others allows."""
    names = [item.plain for item in descriptions]
    for plain in sorted(set(names)):
        group = [i for i, item in enumerate(descriptions) if item.plain == plain]
        if len(group) > 1:
            for i, name in zip(group, _distinguish([descriptions[i] for i in group]), strict=True):
                names[i] = name
    return names


def _distinguish(group: Sequence[Description]) -> list[str]:
    rules: tuple[tuple[Callable[[Description], float], tuple[str, str, str], float, bool], ...] = (
        (lambda d: float(np.cbrt(np.prod(d.size))), ("small", "medium", "large"), _SIZE_RATIO, True),
        (lambda d: float(d.size[2]), ("short", "middle", "tall"), _SIZE_RATIO, True),
        (lambda d: d.right_m, ("left", "middle", "right"), _PLACE_STEP_M, False),
        (lambda d: d.away_m, ("near", "middle", "far"), _PLACE_STEP_M, False),
    )
    plain = group[0].plain
    for key, words, step, by_ratio in rules:
        values = np.array([key(item) for item in group])
        order = np.argsort(values)
        ordered = values[order]
        apart = (ordered[1:] > step * ordered[:-1]) if by_ratio else (ordered[1:] - ordered[:-1] > step)
        if len(group) <= 3 and bool(apart.all()):
            chosen = (words[0], words[2]) if len(group) == 2 else words
            result = [""] * len(group)
            for rank, index in enumerate(order):
                result[int(index)] = f"{chosen[rank]} {plain}"
            return result
    by_place = np.argsort([item.right_m for item in group], kind="stable")
    rank_of = {int(index): rank + 1 for rank, index in enumerate(by_place)}
    return [f"{plain} {rank_of[i]}" for i in range(len(group))]
