# SPDX-License-Identifier: Apache-2.0
"""Seeded scenes of pairs of objects, side by side or one on the other."""

from __future__ import annotations

import numpy as np

from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.simulation import PALETTE, ObjectSpec


def touching_objects(seed: int) -> tuple[ObjectSpec, ...]:
    """Pairs of boxes of different colours, side against side, at any heading."""
    rng = np.random.default_rng([seed, 1])
    specs: list[ObjectSpec] = []
    spots: list[tuple[np.ndarray, float]] = []
    for _ in range(int(rng.integers(1, 5))):
        sizes = [_box_size(rng) for _ in range(2)]
        spot = _free_spot(rng, spots, 0.5 * sizes[0][0] + sizes[1][0] + 0.5 * max(sizes[0][1], sizes[1][1]))
        if spot is None:
            break
        yaw = float(rng.uniform(-np.pi, np.pi))
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        gap, slide = 0.5 * (sizes[0][0] + sizes[1][0]) + 5e-4, rng.uniform(-0.3, 0.3) * sizes[0][1]
        colors = rng.choice(list(PALETTE), 2, replace=False)
        for size, color, offset in zip(sizes, colors, (np.zeros(2), np.array([gap, slide])), strict=True):
            specs.append(_spec(len(specs), "box", str(color), size, spot + turn @ offset, 0.0, yaw))
    return tuple(specs)


def stacked_objects(seed: int) -> tuple[ObjectSpec, ...]:
    """One to three pairs, a smaller object on a larger one of another colour, and single objects."""
    rng = np.random.default_rng([seed, 2])
    specs: list[ObjectSpec] = []
    spots: list[tuple[np.ndarray, float]] = []
    for _ in range(int(rng.integers(1, 4))):
        carrier = np.array([rng.uniform(0.06, 0.10), rng.uniform(0.055, 0.08), rng.uniform(0.025, 0.06)])
        rider = _box_size(rng) * np.array([0.7, 0.8, 0.9])
        kind = "cylinder" if rng.random() < 0.3 else "box"
        if kind == "cylinder":
            rider[:2] = rider[:2].min()
        spot = _free_spot(rng, spots, 0.5 * float(np.hypot(*carrier[:2])))
        if spot is None:
            break
        yaw = float(rng.uniform(-np.pi, np.pi))
        colors = rng.choice(list(PALETTE), 2, replace=False)
        slack = np.maximum(carrier[:2].min() - np.hypot(*rider[:2]), 0.0) / 2 + 0.005
        specs.append(_spec(len(specs), "box", str(colors[0]), carrier, spot, 0.0, yaw))
        offset, own_yaw = rng.uniform(-slack, slack, 2), float(rng.choice([yaw, rng.uniform(-np.pi, np.pi)]))
        specs.append(
            _spec(len(specs), kind, str(colors[1]), rider, spot + offset, float(carrier[2]), own_yaw)
        )
    if rng.random() < 0.7 and (spot := _free_spot(rng, spots, 0.05)) is not None:
        size = _box_size(rng)
        specs.append(_spec(len(specs), "box", str(rng.choice(list(PALETTE))), size, spot, 0.0, 0.3))
    return tuple(specs)


def _box_size(rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.4:
        return np.full(3, rng.uniform(0.035, 0.06))
    return np.array([rng.uniform(0.035, 0.09), rng.uniform(0.03, 0.06), rng.uniform(0.03, 0.09)])


def _free_spot(
    rng: np.random.Generator, spots: list[tuple[np.ndarray, float]], radius: float
) -> np.ndarray | None:
    for _ in range(300):
        spot = rng.uniform((0.34, -0.30), (0.68, 0.30))
        if all(np.linalg.norm(spot - other) > radius + taken + 0.03 for other, taken in spots):
            spots.append((spot, radius))
            return spot
    return None


def _spec(
    number: int, kind: str, color: str, size: np.ndarray, xy: np.ndarray, floor: float, yaw: float
) -> ObjectSpec:
    pose = Pose.from_yaw(np.array([xy[0], xy[1], floor + 0.5 * size[2]]), yaw)
    return ObjectSpec(f"t{number}", kind, color, OrientedBox(pose, size), 0.1)  # type: ignore[arg-type]
