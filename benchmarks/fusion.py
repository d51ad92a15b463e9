# SPDX-License-Identifier: Apache-2.0
"""What a second view brings on scenes with hidden objects: python benchmarks/fusion.py [--scenes 50] [--output FILE].

Every scene has objects behind taller ones as the first camera sees them. An object is missed when nothing is
perceived within 3 cm of its centre; how much of it the first camera sees is counted in the simulator's labels.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np
from _machine import machine_line, write_result
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.perception import PerceptionOptions, reconstruct
from spatialpin_ros.perception.annotate import annotate
from spatialpin_ros.perception.fusion import FusionOptions, fuse
from spatialpin_ros.scene import Scene
from spatialpin_ros.simulation import PALETTE, ObjectSpec, TrueObject, World

FIRST_EYE, SECOND_EYE, TARGET = (1.25, 0.0, 0.70), (0.62, -0.92, 0.70), (0.48, 0.0, 0.03)
MATCH_M = 0.03
BANDS = ((0.0, 0.1), (0.1, 0.4), (0.4, 0.8), (0.8, 1.01))
POSE_ERROR_M, POSE_ERROR_RAD = 0.005, float(np.deg2rad(1.0))


@dataclass
class Tally:
    """What one way of looking found."""

    objects: dict[tuple[float, float], int] = field(default_factory=lambda: dict.fromkeys(BANDS, 0))
    missed: dict[tuple[float, float], int] = field(default_factory=lambda: dict.fromkeys(BANDS, 0))
    extra: int = 0
    centre: list[float] = field(default_factory=list)
    size: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def all_missed(self) -> int:
        return sum(self.missed.values())

    @property
    def occluded_missed(self) -> int:
        return sum(self.missed[band] for band in BANDS[:3])


def occluded_objects(seed: int) -> tuple[ObjectSpec, ...]:
    """Tall boxes with a smaller object of another colour behind each, as the first camera sees them, and singles."""
    rng = np.random.default_rng([seed, 7])
    specs: list[ObjectSpec] = []
    taken: list[tuple[np.ndarray, float]] = []
    for _ in range(int(rng.integers(2, 4))):
        tall = np.array([rng.uniform(0.035, 0.06), rng.uniform(0.06, 0.11), rng.uniform(0.11, 0.16)])
        low = np.array([rng.uniform(0.03, 0.055), rng.uniform(0.03, 0.055), rng.uniform(0.025, 0.055)])
        for _ in range(200):
            front = rng.uniform((0.45, -0.25), (0.70, 0.25))
            away = front - np.array(FIRST_EYE[:2])
            away /= np.linalg.norm(away)
            aside = np.array([-away[1], away[0]]) * rng.uniform(-0.04, 0.04)
            back = front + away * rng.uniform(0.065, 0.13) + aside
            radii = 0.5 * np.hypot(*tall[:2]), 0.5 * np.hypot(*low[:2])
            fits = all(
                np.linalg.norm(spot - other) > radius + r + 0.015
                for spot, radius in zip((front, back), radii, strict=True)
                for other, r in taken
            )
            if fits and back[0] > 0.30 and np.linalg.norm(front - back) > sum(radii) + 0.005:
                heading = float(np.arctan2(away[1], away[0]))
                colors = rng.choice(list(PALETTE), 2, replace=False)
                kind = "cylinder" if rng.random() < 0.35 else "box"
                if kind == "cylinder":
                    low[:2] = low[:2].min()
                yaws = heading + rng.uniform(-0.3, 0.3), rng.uniform(-np.pi, np.pi)
                specs.append(_spec(len(specs), "box", str(colors[0]), tall, front, float(yaws[0])))
                specs.append(_spec(len(specs), kind, str(colors[1]), low, back, float(yaws[1])))
                taken += [(front, radii[0]), (back, radii[1])]
                break
    return tuple(specs)


def _spec(number: int, kind: str, color: str, size: np.ndarray, xy: np.ndarray, yaw: float) -> ObjectSpec:
    box = OrientedBox(Pose.from_yaw((xy[0], xy[1], 0.5 * size[2]), yaw), size)
    return ObjectSpec(f"t{number}", kind, color, box, 0.1)  # type: ignore[arg-type]


def seen_shares(world: World, frame: CameraFrame) -> list[float]:
    """Share of each true object's silhouette that the last rendered frame shows."""
    truth = world.truth()
    shares = []
    for index, item in enumerate(truth.objects):
        pixels = frame.intrinsics.project(frame.base_T_camera.inverse().transform(_outline(item)))
        whole = cv2.contourArea(cv2.convexHull(pixels.astype(np.float32).reshape(-1, 1, 2)))
        shares.append(float(np.clip(np.count_nonzero(truth.labels == index) / max(whole, 1.0), 0.0, 1.0)))
    return shares


def _outline(item: TrueObject) -> np.ndarray:
    if item.spec.kind != "cylinder":
        return item.box.corners
    angle = np.linspace(0.0, 2 * np.pi, 24)
    ring = 0.5 * item.box.size[0] * np.column_stack([np.cos(angle), np.sin(angle)])
    ends = [
        np.column_stack([ring, np.full(24, z)]) for z in (-0.5 * item.box.size[2], 0.5 * item.box.size[2])
    ]
    return item.box.pose.transform(np.concatenate(ends))


def score(tally: Tally, scene: Scene, truth: Sequence[TrueObject], shares: Sequence[float]) -> int:
    """Match by centre (optimal assignment within 3 cm), note errors, and return how many were missed."""
    pairs: dict[int, int] = {}
    if scene.objects:
        gap = np.array([[np.linalg.norm(o.centre - t.box.centre) for o in scene.objects] for t in truth])
        rows, columns = linear_sum_assignment(np.minimum(gap, 1.0))
        pairs = {int(i): int(j) for i, j in zip(rows, columns, strict=True) if gap[i, j] < MATCH_M}
    tally.extra += len(scene.objects) - len(pairs)
    for i, item in enumerate(truth):
        band = next(band for band in BANDS if band[0] <= shares[i] < band[1])
        tally.objects[band] += 1
        if i not in pairs:
            tally.missed[band] += 1
            continue
        seen, want = scene.objects[pairs[i]], item.box.size
        tally.centre.append(float(np.linalg.norm(seen.centre - item.box.centre)))
        tally.size.append(float(min(np.abs(s - want).mean() for s in (seen.size, seen.size[[1, 0, 2]]))))
    return len(truth) - len(pairs)


def disturbed(frame: CameraFrame, rng: np.random.Generator) -> CameraFrame:
    """The frame with a pose that is wrong by 5 mm and 1 degree in random directions."""
    axes = rng.normal(size=(2, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    half = 0.5 * POSE_ERROR_RAD
    turn = Pose(np.zeros(3), np.array([*(np.sin(half) * axes[0]), np.cos(half)]))
    base_T_camera = frame.base_T_camera @ turn
    moved = Pose(base_T_camera.position + POSE_ERROR_M * axes[1], base_T_camera.quaternion)
    return replace(frame, base_T_camera=moved)


def measure(seeds: range, noise: str, folder: Path | None) -> tuple[dict[str, Tally], int]:
    """Look at every scene in all ways."""
    camera = replace(CameraConfig.load("simulation"), noise=noise)  # type: ignore[arg-type]
    options = PerceptionOptions(workspace=camera.workspace)
    plain, refined = FusionOptions(refine_poses=False), FusionOptions()
    results: dict[str, Tally] = {}
    scenes = 0
    with World(RobotConfig.load("panda"), camera) as world:
        for seed in seeds:
            world.reset(seed=seed, objects=occluded_objects(seed))
            frames = []
            for eye in (SECOND_EYE, FIRST_EYE):
                world.view = replace(world.view, base_T_camera=Pose.looking_at(eye, TARGET))
                frames.append(world.render())
            truth, shares = world.truth().objects, seen_shares(world, frames[-1])
            wrong = [disturbed(frames[0], np.random.default_rng([seed, 8])), frames[1]]
            ways = {
                "first view": lambda f=frames: reconstruct(f[1], options),
                "second view": lambda f=frames: reconstruct(f[0], options),
                "both, poses as given": lambda f=frames: fuse(f, options, plain),
                "both, poses refined": lambda f=frames: fuse(f, options, refined),
                "both, 5 mm 1 deg off, as given": lambda f=wrong: fuse(f, options, plain),
                "both, 5 mm 1 deg off, refined": lambda f=wrong: fuse(f, options, refined),
            }
            for name, look in ways.items():
                started = time.perf_counter()
                scene = look()
                tally = results.setdefault(name, Tally())
                tally.seconds.append(time.perf_counter() - started)
                missed = score(tally, scene, truth, shares)
                if folder is not None and missed and name == "both, poses refined":
                    write_picture(folder / f"{noise}_seed{seed}_missed{missed}.png", frames, scene)
            scenes += 1
    return results, scenes


def write_picture(path: Path, frames: Sequence[CameraFrame], scene: Scene) -> None:
    """Write what the first camera saw, and the fused scene over the image of the second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [frames[0].color, annotate(frames[1].color, scene)]
    cv2.imwrite(str(path), np.hstack(parts)[:, :, ::-1])


def print_results(results: dict[str, Tally], scenes: int, noise: str) -> None:
    table = Table(
        title=f"{scenes} scenes with hidden objects, depth noise {noise}; missed / there by share seen first"
    )
    for column in ("look", *(f"{low:.0%}-{min(high, 1.0):.0%}" for low, high in BANDS), "all", "extra", "centre mm",
                   "size mm", "ms"):  # fmt: skip
        table.add_column(column, justify="left" if column == "look" else "right")
    for name, tally in results.items():
        bands = [f"{tally.missed[band]}/{tally.objects[band]}" for band in BANDS]
        total = sum(tally.objects.values())
        table.add_row(name, *bands, f"{tally.all_missed}/{total}", str(tally.extra), _spread(tally.centre, 1e3),
                      _spread(tally.size, 1e3), f"{np.median(tally.seconds) * 1e3:.0f}")  # fmt: skip
    Console(width=170).print(table)


def _spread(values: Sequence[float], scale: float) -> str:
    return " / ".join(f"{np.quantile(values, q) * scale:.1f}" for q in (0.5, 0.9)) if values else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument(
        "--noise", nargs="+", choices=("none", "realsense_d435"), default=["none", "realsense_d435"]
    )
    parser.add_argument(
        "--pictures", type=Path, help="folder for pictures of scenes where fusion missed an object"
    )
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    figures = {}
    for noise in arguments.noise:
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.scenes)
        results, scenes = measure(seeds, noise, arguments.pictures)
        print_results(results, scenes, noise)
        first, both = results["first view"], results["both, poses refined"]
        print(
            f"missed among what the first view shows less than 80% of: {first.occluded_missed} -> "
            f"{both.occluded_missed}; of all: {first.all_missed} -> {both.all_missed}"
        )
        figures[noise] = {
            name: {"missed": t.all_missed, "objects": sum(t.objects.values()), "extra": t.extra,
                   "centre_mm": float(np.median(t.centre) * 1e3), "size_mm": float(np.median(t.size) * 1e3)}
            for name, t in results.items()
        }  # fmt: skip
    print(machine_line())
    write_result(arguments.output, "fusion", {"scenes": arguments.scenes, "ways": figures})


if __name__ == "__main__":
    main()
