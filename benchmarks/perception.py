# SPDX-License-Identifier: Apache-2.0
"""Perception against the simulator's truth: python benchmarks/perception.py [--scenes 50] [--output FOLDER]."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.perception import PerceptionOptions, reconstruct
from spatialpin_ros.perception.annotate import annotate
from spatialpin_ros.perception.timing import StepClock
from spatialpin_ros.perception.top_view import top_view
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.simulation import PALETTE, ObjectSpec, TrueObject, World, generate_objects

KINDS = ("separate", "touching", "stacked")
MATCH_M = 0.03
LABELS = {"cube": "box", "box": "box", "cylinder": "cylinder"}


@dataclass
class Tally:
    """Everything measured on the scenes of one kind and noise."""

    objects: int = 0
    found: int = 0
    extra: int = 0
    scenes: int = 0
    complete: int = 0
    centre: list[float] = field(default_factory=list)
    size: list[float] = field(default_factory=list)
    yaw: list[float] = field(default_factory=list)
    shape: list[bool] = field(default_factory=list)
    color: list[bool] = field(default_factory=list)
    support: list[bool] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    worst: list[tuple[float, int, CameraFrame, Scene]] = field(default_factory=list)


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


def size_error_m(seen: SceneObject, true: TrueObject) -> float:
    """Mean absolute error of the extents; a box may be turned by a quarter."""
    want = true.box.size
    turns = [seen.size, seen.size[[1, 0, 2]]]
    return float(min(np.abs(size - want).mean() for size in turns))


def yaw_error_deg(seen: SceneObject, true: TrueObject) -> float:
    period = np.pi / 2 if abs(true.box.size[0] - true.box.size[1]) < 0.003 else np.pi
    errors = []
    for quarter in (0.0, np.pi / 2):
        swapped = quarter > 0 and period > 2
        # A box described with x and y exchanged is the same box a quarter turn on.
        if swapped and not _exchanged(seen, true):
            continue
        if not swapped and period > 2 and _exchanged(seen, true):
            continue
        error = seen.box.pose.yaw_rad - true.box.pose.yaw_rad + quarter
        errors.append(abs((error + period / 2) % period - period / 2))
    return float(np.degrees(min(errors)))


def _exchanged(seen: SceneObject, true: TrueObject) -> bool:
    want = true.box.size
    return bool(np.abs(seen.size[[1, 0, 2]] - want).sum() < np.abs(seen.size - want).sum())


def true_supporters(objects: tuple[TrueObject, ...]) -> list[int | None]:
    """Index of what each object stands on, from the true poses; None for the table."""
    carriers: list[int | None] = []
    for i, item in enumerate(objects):
        below = [
            j
            for j, other in enumerate(objects)
            if j != i
            and abs(other.box.top_z - item.box.bottom_z) < 0.008
            and other.box.contains(np.array([*item.box.centre[:2], other.box.centre[2]]), 0.01)
        ]
        carriers.append(below[0] if below else None)
    return carriers


def score(tally: Tally, scene: Scene, truth: tuple[TrueObject, ...], frame: CameraFrame, seed: int) -> None:
    """Match perceived to true objects (optimal assignment of centres within 3 cm) and note the errors."""
    tally.scenes += 1
    tally.objects += len(truth)
    pairs: list[tuple[int, int]] = []
    if scene.objects:
        distance = np.array([[np.linalg.norm(o.centre - t.box.centre) for o in scene.objects] for t in truth])
        rows, columns = linear_sum_assignment(np.minimum(distance, 1.0))
        pairs = [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if distance[i, j] < MATCH_M]
    tally.found += len(pairs)
    tally.extra += len(scene.objects) - len(pairs)
    tally.complete += len(pairs) == len(truth) == len(scene.objects)
    carriers = true_supporters(truth)
    seen_as = {scene.objects[j].id: i for i, j in pairs}
    worst = 0.1 * (len(truth) + len(scene.objects) - 2 * len(pairs))
    for i, j in pairs:
        seen, true = scene.objects[j], truth[i]
        tally.centre.append(float(np.linalg.norm(seen.centre - true.box.centre)))
        tally.size.append(size_error_m(seen, true))
        if true.spec.kind != "cylinder" and seen.shape == "box":
            tally.yaw.append(yaw_error_deg(seen, true))
        tally.shape.append(seen.shape == LABELS[true.spec.kind])
        tally.color.append(seen.color == true.spec.color)
        tally.support.append(seen_as.get(seen.supported_by) == carriers[i])
        worst = max(worst, tally.centre[-1], tally.size[-1], 0.05 * (not tally.shape[-1]))
    tally.worst.append((worst, seed, frame, scene))


def measure(kind: str, noise: str, seeds: range, repeats: int) -> Tally:
    """Render and reconstruct the scenes of one kind."""
    camera = replace(CameraConfig.load("simulation"), noise=noise)  # type: ignore[arg-type]
    options = PerceptionOptions(workspace=camera.workspace)
    tally = Tally()
    with World(RobotConfig.load("panda"), camera) as world:
        for seed in seeds:
            try:
                objects = {"touching": touching_objects, "stacked": stacked_objects}.get(
                    kind, generate_objects
                )(seed)
                world.reset(seed=seed, objects=objects)
            except InvalidValueError as error:
                print(f"seed {seed}: skipped, {error}", file=sys.stderr)
                continue
            frame, truth = world.render(), world.truth().objects
            runs = []
            for _ in range(repeats):
                clock = StepClock()
                scene = reconstruct(frame, options, clock)
                runs.append((sum(clock.seconds.values()), clock.seconds))
            seconds, steps = min(runs, key=lambda run: run[0])
            tally.latency.append(seconds)
            for step, value in steps.items():
                tally.steps[step].append(value)
            score(tally, scene, truth, frame, seed)
    tally.worst.sort(key=lambda item: -item[0])
    return tally


def write_worst(tally: Tally, folder: Path, kind: str, noise: str, count: int = 3) -> None:
    """Write labelled pictures of the scenes with the largest errors."""
    folder.mkdir(parents=True, exist_ok=True)
    for rank, (error, seed, frame, scene) in enumerate(tally.worst[:count]):
        left, right = annotate(frame.color, scene), top_view(scene)
        height = max(left.shape[0], right.shape[0])
        parts = [
            cv2.copyMakeBorder(p, 0, height - p.shape[0], 0, 0, cv2.BORDER_CONSTANT, value=(255,) * 3)
            for p in (left, right)
        ]
        name = f"{kind}_{noise}_{rank}_seed{seed}_{error * 1e3:.0f}mm.png"
        cv2.imwrite(str(folder / name), np.hstack(parts)[:, :, ::-1])


def _spread(values: list[float], scale: float, digits: int = 1) -> str:
    if not values:
        return "-"
    return " / ".join(f"{np.quantile(values, q) * scale:.{digits}f}" for q in (0.5, 0.9, 0.95))


def _share(hits: int, total: int) -> str:
    return f"{hits / total:.1%}" if total else "-"


def print_results(results: dict[tuple[str, str], Tally], repeats: int) -> None:
    console = Console(width=190)
    table = Table(title="Perception of simulated scenes: median / p90 / p95", title_style="bold")
    for column in (
        "scenes",
        "noise",
        "complete",
        "precision",
        "recall",
        "centre mm",
        "size mm",
        "yaw deg",
        "shape",
        "colour",
        "support",
        "latency ms",
    ):
        table.add_column(column, justify="left" if column in ("scenes", "noise") else "right")
    for (kind, noise), t in results.items():
        table.add_row(
            f"{t.scenes} {kind}",
            noise,
            f"{t.complete}/{t.scenes}",
            _share(t.found, t.found + t.extra),
            _share(t.found, t.objects),
            _spread(t.centre, 1e3),
            _spread(t.size, 1e3),
            _spread(t.yaw, 1.0, 2),
            _share(sum(t.shape), len(t.shape)),
            _share(sum(t.color), len(t.color)),
            _share(sum(t.support), len(t.support)),
            _spread(t.latency, 1e3),
        )
    console.print(table)
    steps = Table(title=f"Latency by step, median ms (best of {repeats} runs per scene)")
    steps.add_column("scenes")
    names = list(next(iter(results.values())).steps)
    for name in names:
        steps.add_column(name, justify="right")
    for (kind, noise), t in results.items():
        steps.add_row(f"{kind}, {noise}", *(f"{np.median(t.steps[name]) * 1e3:.1f}" for name in names))
    console.print(steps)
    threads = os.environ["OMP_NUM_THREADS"]
    console.print(
        f"{_processor()}, {os.cpu_count()} cores, OMP_NUM_THREADS={threads}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, OpenCV {cv2.__version__}; load {os.getloadavg()[0]:.1f}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=50, help="scenes per kind and noise")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument(
        "--noise", nargs="+", choices=("none", "realsense_d435"), default=["none", "realsense_d435"]
    )
    parser.add_argument("--repeats", type=int, default=3, help="timed runs per scene; the fastest counts")
    parser.add_argument("--output", type=Path, default=None, help="folder for pictures of the worst scenes")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.scenes)
    results = {}
    for kind in arguments.kinds:
        for noise in arguments.noise:
            results[kind, noise] = measure(kind, noise, seeds, arguments.repeats)
            if arguments.output is not None:
                write_worst(results[kind, noise], arguments.output, kind, noise)
    print_results(results, arguments.repeats)


if __name__ == "__main__":
    main()
