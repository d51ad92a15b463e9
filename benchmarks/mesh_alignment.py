# SPDX-License-Identifier: Apache-2.0
"""Poses of given models in simulated images against the truth: python benchmarks/mesh_alignment.py [--scenes 10].

Masks are the simulator's; depth has the noise of a RealSense D435 unless --noise none. Errors are mean distances
between the model's surface where it is and where it was found, which is the same for every pose that a symmetry allows.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from rich.console import Console

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.errors import PerceptionError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.perception.alignment import AlignmentOptions, align_mesh
from spatialpin_ros.perception.alignment.surface import MeshSurface
from spatialpin_ros.perception.meshes import primitive_mesh
from spatialpin_ros.report.machine import describe_machine
from spatialpin_ros.simulation import World


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=9000, help="of the first scene")
    parser.add_argument("--noise", choices=("none", "realsense_d435"), default="realsense_d435")
    parser.add_argument("--unknown-scale", action="store_true", help="the model's scale must be found, too")
    arguments = parser.parse_args()
    camera = replace(CameraConfig.load("simulation"), noise=arguments.noise)
    options = AlignmentOptions(known_scale=not arguments.unknown_scale)
    unit = 10.0 if arguments.unknown_scale else 1.0
    errors, centres, seconds, refused = [], [], [], 0
    with World(RobotConfig.load("panda"), camera) as world:
        for seed in range(arguments.seed, arguments.seed + arguments.scenes):
            world.reset(seed=seed)
            frame, truth = world.render(), world.truth()
            for index, true in enumerate(truth.objects):
                size = unit * true.box.size
                shape = "cylinder" if true.spec.kind == "cylinder" else "box"
                mesh = primitive_mesh(OrientedBox(Pose(), size), shape)
                started = time.perf_counter()
                try:
                    found = align_mesh(mesh, frame, truth.labels == index, 0.0, options)
                except PerceptionError as error:
                    print(f"seed {seed}, {true.spec.name}: {error}", file=sys.stderr)
                    refused += 1
                    continue
                seconds.append(time.perf_counter() - started)
                surface = MeshSurface(mesh)
                at = found.base_T_mesh.inverse().transform(true.box.pose.transform(surface.samples / unit))
                gap = np.linalg.norm(at / found.scale - surface.closest(at / found.scale)[0], axis=1)
                errors.append(float(found.scale * gap.mean()))
                centres.append(float(np.linalg.norm(found.base_T_mesh.position - true.box.centre)))
    console = Console(width=110)
    console.print(
        f"{arguments.scenes} scenes, {len(errors)} models aligned, {refused} refused, noise {arguments.noise}"
    )
    for name, values in (("surface error", errors), ("centre error", centres)):
        quantiles = " / ".join(f"{1e3 * np.quantile(values, q):.1f}" for q in (0.5, 0.9, 0.95, 1.0))
        console.print(f"{name}: {quantiles} mm (median / p90 / p95 / worst)")
    console.print(f"time: {np.median(seconds):.2f} s a model (median)")
    machine = describe_machine()
    console.print(machine if isinstance(machine, str) else json.dumps(machine))


if __name__ == "__main__":
    main()
