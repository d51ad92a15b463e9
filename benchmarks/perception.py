# SPDX-License-Identifier: Apache-2.0
"""Perception against the simulator's truth: python -m benchmarks.perception [--scenes 60] [--first-seed 0].

Seeded scenes of five kinds (separate objects, meshes, touching, stacked, occluded), each from its own camera height
and tilt, with exact depth and with that of a RealSense D435. Prints one table and writes one page with it and with
pictures of the worst cases. Runs on one core.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import cv2
import numpy as np
from _machine import machine_line, write_result
from _perception_page import write_page
from _perception_scenes import KINDS, draw_scene
from _perception_scores import score, silhouette_px
from _perception_tally import NOISE_WORDS, NOISES, Case, Columns, Row, Tally, rows, shortfalls
from rich.console import Console
from rich.table import Table

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.perception import PerceptionOptions, reconstruct
from spatialpin_ros.perception.timing import StepClock
from spatialpin_ros.scene import Scene
from spatialpin_ros.simulation import Truth, World, add_depth_noise

STILL_M = 0.002


def one_core() -> None:
    """Keep this process on one of the cores it may use."""
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def timed(
    frame: CameraFrame, options: PerceptionOptions, repeats: int
) -> tuple[Scene, float, float, dict[str, float]]:
    """Reconstruct a frame; return the scene and the medians of wall time, CPU time and CPU time by step [s]."""
    walls, steps = [], []
    for _ in range(repeats):
        clock, started = StepClock(time.process_time), time.perf_counter()
        scene = reconstruct(frame, options, clock)
        walls.append(time.perf_counter() - started)
        steps.append(clock.seconds)
    names = list(steps[0])
    middle = {name: float(np.median([run[name] for run in steps])) for name in names}
    cpu = float(np.median([sum(run.values()) for run in steps]))
    return scene, float(np.median(walls)), cpu, middle


def pictured(world: World, kind: str, seed: int) -> tuple[CameraFrame, Truth]:
    """The exact frame of a seed's scene once it has come to rest, and its truth.

    A scene that does not stay as it was drawn is drawn again from another seed.
    """
    for attempt in range(20):
        base_T_camera, objects = draw_scene(kind, seed + 1_000_003 * attempt, world.view.intrinsics)
        world.move_camera(base_T_camera)
        world.reset(seed=seed, objects=objects)
        frame, truth = world.render(), world.truth()
        moved = [np.linalg.norm(item.box.centre - item.spec.box.centre) for item in truth.objects]
        if max(moved) < STILL_M:
            return frame, truth
    raise SystemExit(f"no scene of kind {kind} stays put from seed {seed}")


def visibility(frame: CameraFrame, truth: Truth) -> list[float]:
    """Visible pixels of each object over the pixels of its whole silhouette."""
    assert truth.labels is not None
    seen = [np.count_nonzero(truth.labels == index) for index in range(len(truth.objects))]
    return [min(1.0, s / silhouette_px(item, frame)) for s, item in zip(seen, truth.objects, strict=True)]


def measure(kinds: Sequence[str], noises: Sequence[str], seeds: range, repeats: int) -> Columns:
    """Render and reconstruct every scene, without and with noise."""
    camera = replace(CameraConfig.load("simulation"), noise="none")
    options = PerceptionOptions(workspace=camera.workspace)
    columns: Columns = {(kind, noise): Tally() for kind in kinds for noise in noises}
    with World(RobotConfig.load("panda"), camera) as world:
        for kind in kinds:
            for seed in seeds:
                frame, truth = pictured(world, kind, seed)
                shares = visibility(frame, truth)
                for noise in noises:
                    seen = frame
                    if noise != "none":
                        rng = np.random.default_rng([seed, 7])
                        seen = replace(frame, depth_m=add_depth_noise(frame.depth_m, frame.intrinsics, rng))
                    scene, wall, cpu, steps = timed(seen, options, repeats)
                    tally = columns[kind, noise]
                    tally.cases.append(
                        Case(kind, noise, seed, seen, scene, truth, score(scene, truth, seen, shares))
                    )
                    tally.wall_s.append(wall)
                    tally.cpu_s.append(cpu)
                    tally.steps_s.append(steps)
    return columns


def print_table(columns: Columns, table: list[Row], title: str) -> None:
    shown = Table(title=title, title_style="bold", pad_edge=False)
    shown.add_column("", no_wrap=True)
    shown.add_column("asked", no_wrap=True)
    for kind, noise in columns:
        shown.add_column(f"{kind}\n{NOISE_WORDS[noise]}", justify="right", no_wrap=True)
    styles = {None: "", True: "green", False: "bold red"}
    for row in table:
        cells = []
        for figure in row.figures:
            ratio = "" if figure.ratio is None else f" [dim]{figure.ratio:.2f}x[/dim]"
            style = styles[figure.reached]
            cells.append((f"[{style}]{figure.text}[/{style}]" if style else figure.text) + ratio)
        shown.add_row(row.name, row.asked, *cells)
    Console(width=40 + 20 * (len(columns) + 1) + 20).print(shown)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=60, help="scenes of each kind")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--noise", nargs="+", choices=NOISES, default=list(NOISES))
    parser.add_argument(
        "--repeats", type=int, default=3, help="timed runs of each frame; their median counts"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("runs/perception"), help="folder for page and JSON"
    )
    parser.add_argument("--worst", type=int, default=2, help="pictures of each kind and noise on the page")
    arguments = parser.parse_args()
    one_core()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.scenes)
    columns = measure(arguments.kinds, arguments.noise, seeds, arguments.repeats)
    table = rows(columns)
    title = f"Perception of simulated scenes, seeds {seeds.start} to {seeds.stop - 1}"
    print_table(columns, table, title)
    for line in shortfalls(columns, table):
        print(f"not reached: {line}")
    print(machine_line())
    page = write_page(arguments.output / "index.html", title, columns, table, arguments.worst)
    print(f"written to {page}")
    figures = {
        row.name: {
            f"{kind}, {NOISE_WORDS[noise]}": figure.text
            for (kind, noise), figure in zip(columns, row.figures, strict=True)
        }
        for row in table
    }
    write_result(
        arguments.output / "result.json",
        "perception",
        {"seeds": [seeds.start, seeds.stop - 1], "figures": figures},
    )


if __name__ == "__main__":
    main()
