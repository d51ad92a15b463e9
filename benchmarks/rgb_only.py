# SPDX-License-Identifier: Apache-2.0
"""Geometry of the RGB-only path, with the simulator's depth in place of a model: python benchmarks/rgb_only.py.

The colour image is all that `reconstruct_rgb` gets; depth, boxes and masks come from modules that read the
simulator, so that what is measured is the placement, not a network. --depth-scale, --blur and --focal-error make
the depth as wrong as a monocular model's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np
from _pairs import stacked_objects, touching_objects
from rich.console import Console
from rich.table import Table

from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.errors import InvalidValueError, PerceptionError
from spatialpin_ros.perception import PerceptionOptions
from spatialpin_ros.perception.annotate import annotate
from spatialpin_ros.perception.learned import DepthEstimate, Detection, Modules, Prompt, Segmentation
from spatialpin_ros.perception.rgb import RgbOptions, reconstruct_rgb
from spatialpin_ros.perception.rgb.placement import silhouette, surface_points
from spatialpin_ros.report.machine import describe_machine
from spatialpin_ros.simulation import TrueObject, World, generate_objects

MATCH_M = 0.10


class TrueDepth:
    """The simulator's noise-free depth times a factor, with edges smeared over `blur_px` pixels."""

    name = "simulator"

    def __init__(self, depth_m: np.ndarray, scale: float = 1.0, blur_px: float = 0.0) -> None:
        if blur_px > 0.0:
            depth_m = cv2.GaussianBlur(depth_m, (0, 0), blur_px)
        self._estimate = DepthEstimate((depth_m * scale).astype(np.float32))

    def estimate(
        self, images: Sequence[np.ndarray], intrinsics: Intrinsics | None = None
    ) -> list[DepthEstimate]:
        return [self._estimate for _ in images]


class TrueDetector:
    """Boxes around what the simulator shows of each object."""

    name = "simulator"

    def __init__(self, labels: np.ndarray, names: Sequence[str]) -> None:
        self._found = []
        for index, name in enumerate(names):
            if np.count_nonzero(labels == index) >= 30:
                self._found.append(Detection(name, box_of(labels == index), 1.0))

    def detect(self, images: Sequence[np.ndarray], names: Sequence[str]) -> list[tuple[Detection, ...]]:
        return [tuple(item for item in self._found if item.name in names) for _ in images]


class TrueSegmenter:
    """What the simulator shows of the object that fills a box best; on an inpainted image, its whole silhouette."""

    name = "simulator"

    def __init__(self, image: np.ndarray, visible: Sequence[np.ndarray], whole: Sequence[np.ndarray]) -> None:
        self._image, self._visible, self._whole = image, visible, whole

    def segment(self, images: Sequence[np.ndarray], prompts: Sequence[Prompt]) -> list[Segmentation]:
        results = []
        for image, prompt in zip(images, prompts, strict=True):
            painted = (image != self._image).any(axis=2)
            masks = self._whole if painted.any() else self._visible
            chosen = [masks[self._meant(box, painted)] for box in prompt.boxes]
            results.append(Segmentation(np.stack(chosen), np.ones(len(chosen))))
        return results

    def _meant(self, box: np.ndarray, painted: np.ndarray) -> int:
        """The object that the box is around; of a repainted image, the one that is still there."""
        if not painted.any():
            return int(np.argmin([np.abs(box_of(mask) - box).sum() for mask in self._visible]))
        left, top, right, bottom = np.round(box).astype(int)
        shown = [(m & ~painted)[top:bottom, left:right].sum() / max(m.sum(), 1) for m in self._visible]
        return int(np.argmax(shown))


def box_of(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return np.full(4, -1e6)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=np.float64)


@dataclass
class Tally:
    scenes: int = 0
    failed: int = 0
    objects: int = 0
    found: int = 0
    placement: list[float] = field(default_factory=list)
    size: list[float] = field(default_factory=list)
    support: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    worst: list[tuple[float, int, CameraFrame, object]] = field(default_factory=list)


def modules_of(
    world: World, frame: CameraFrame, names: Sequence[str], scale: float = 1.0, blur_px: float = 0.0
) -> Modules:
    truth = world.truth()
    shapes = ["cylinder" if item.spec.kind == "cylinder" else "box" for item in truth.objects]
    whole = [
        silhouette(frame, surface_points(item.box, shape)) | (truth.labels == index)
        for index, (item, shape) in enumerate(zip(truth.objects, shapes, strict=True))
    ]
    visible = [truth.labels == index for index in range(len(truth.objects))]
    return Modules(
        TrueDetector(truth.labels, names),
        TrueSegmenter(frame.color, visible, whole),
        TrueDepth(truth.depth_m, scale, blur_px),
    )


def unique_names(objects: Sequence[TrueObject]) -> list[str]:
    return [f"{item.spec.color} {item.spec.kind} {index}" for index, item in enumerate(objects)]


def size_error_m(seen: np.ndarray, true: TrueObject) -> float:
    want = true.box.size
    return float(min(np.abs(size - want).mean() for size in (seen, seen[[1, 0, 2]])))


def measure(kind: str, seeds: range, arguments: argparse.Namespace) -> Tally:
    camera = replace(CameraConfig.load("simulation"), noise="none")
    tally = Tally()
    with World(RobotConfig.load("panda"), camera) as world:
        for seed in seeds:
            try:
                make = {"touching": touching_objects, "stacked": stacked_objects}.get(kind, generate_objects)
                world.reset(seed=seed, objects=make(seed))
            except InvalidValueError as error:
                print(f"seed {seed}: skipped, {error}", file=sys.stderr)
                continue
            one(world, seed, arguments, tally)
    tally.worst.sort(key=lambda item: -item[0])
    return tally


def one(world: World, seed: int, arguments: argparse.Namespace, tally: Tally) -> None:
    frame, truth = world.render(), world.truth().objects
    names = unique_names(truth)
    camera = frame.intrinsics
    known = replace(
        camera, fx=camera.fx * (1 + arguments.focal_error), fy=camera.fy * (1 + arguments.focal_error)
    )
    options = RgbOptions(
        PerceptionOptions(workspace=world.camera.workspace),
        base_T_camera=frame.base_T_camera,
        table_z_m=0.0 if arguments.known_table else None,
    )
    modules = modules_of(world, frame, names, arguments.depth_scale, arguments.blur)
    tally.scenes += 1
    tally.objects += len(truth)
    started = time.perf_counter()
    try:
        scene = reconstruct_rgb(frame.color, known, names, modules, options)
    except PerceptionError as error:
        print(f"seed {seed}: {error}", file=sys.stderr)
        tally.failed += 1
        return
    tally.seconds.append(time.perf_counter() - started)
    by_name = {item.name: item for item in scene.objects}
    worst = 0.0
    for index, (name, true) in enumerate(zip(names, truth, strict=True)):
        seen = by_name.get(name)
        if seen is None or np.linalg.norm(seen.centre - true.box.centre) > MATCH_M:
            worst = 1.0
            continue
        tally.found += 1
        tally.placement.append(float(np.linalg.norm(seen.centre - true.box.centre)))
        tally.size.append(size_error_m(seen.size, true))
        carrier = next((o.name for o in scene.objects if o.id == seen.supported_by), "table")
        tally.support.append(carrier == _true_carrier(truth, names, index))
        worst = max(worst, tally.placement[-1])
    tally.worst.append((worst, seed, frame, scene))


def _true_carrier(truth: Sequence[TrueObject], names: Sequence[str], index: int) -> str:
    item = truth[index]
    for k, other in enumerate(truth):
        over = other.box.contains(np.array([*item.box.centre[:2], other.box.centre[2]]), 0.01)
        if k != index and abs(other.box.top_z - item.box.bottom_z) < 0.008 and over:
            return names[k]
    return "table"


def _spread(values: Sequence[float], scale: float) -> str:
    return (
        " / ".join(f"{np.quantile(values, q) * scale:.1f}" for q in (0.5, 0.9, 0.95, 1.0))
        if len(values)
        else "-"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=20, help="of each kind")
    parser.add_argument("--seed", type=int, default=7000, help="of the first scene")
    parser.add_argument("--depth-scale", type=float, default=1.0, help="factor on the true depth")
    parser.add_argument(
        "--blur", type=float, default=0.0, help="smear the edges of the depth [px, one sigma]"
    )
    parser.add_argument("--focal-error", type=float, default=0.0, help="relative error of the focal length")
    parser.add_argument(
        "--known-table", action="store_true", help="let the known height of the table set the scale"
    )
    parser.add_argument(
        "--output", type=Path, help="folder for results.json and pictures of the worst scenes"
    )
    arguments = parser.parse_args()
    table = Table(title="RGB only, simulator depth: median / p90 / p95 / worst", title_style="bold")
    for column in ("scenes", "found", "placement mm", "<= 10 mm", "size mm", "support", "ms"):
        table.add_column(column, justify="left" if column == "scenes" else "right")
    document: dict[str, object] = defaultdict(dict)
    for kind in ("separate", "touching", "stacked"):
        t = measure(kind, range(arguments.seed, arguments.seed + arguments.scenes), arguments)
        within = float(np.mean(np.asarray(t.placement) <= 0.010)) if t.placement else 0.0
        table.add_row(
            f"{t.scenes} {kind}",
            f"{t.found}/{t.objects}",
            _spread(t.placement, 1e3),
            f"{within:.1%}",
            _spread(t.size, 1e3),
            f"{np.mean(t.support):.1%}" if t.support else "-",
            f"{np.median(t.seconds) * 1e3:.0f}" if t.seconds else "-",
        )
        document[kind] = {
            "objects": t.objects,
            "found": t.found,
            "placement_m": t.placement,
            "size_m": t.size,
        }
        if arguments.output is not None:
            arguments.output.mkdir(parents=True, exist_ok=True)
            for error, seed, frame, scene in t.worst[:2]:
                picture = annotate(frame.color, scene)[:, :, ::-1]
                cv2.imwrite(str(arguments.output / f"{kind}_{seed}_{error * 1e3:.0f}mm.png"), picture)
    console = Console(width=130)
    console.print(table)
    machine = describe_machine()
    console.print(machine if isinstance(machine, str) else json.dumps(machine))
    if arguments.output is not None:
        (arguments.output / "results.json").write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
