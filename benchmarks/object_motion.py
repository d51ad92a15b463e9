# SPDX-License-Identifier: Apache-2.0
"""Random object motions in random scenes: shares planned and relaxed, times, every sample re-checked in PyBullet.

python benchmarks/object_motion.py                        200 motions among 8 objects
python benchmarks/object_motion.py --motions 1000 --objects 10 --seed 1
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from _machine import machine_line, spread, wilson, write_result

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "test/unit/planning/object_motion"))
from bullet_check import least_distances

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.planning.object_motion import (
    ObjectMotion,
    ObjectMotionOptions,
    ObjectMotionPlanner,
    ObjectPath,
    RotateSelf,
    RotateWref,
    TranslateDirecAxis,
    TranslateTarObj,
)
from spatialpin_ros.scene import Scene, SceneObject, Shape, SupportSurface

TOUCH_M, TOLERANCE_M = 3e-4, 1e-4


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--motions", type=int, default=200)
    parser.add_argument("--objects", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--improve", type=int, default=4000, help="poses checked at most to shorten a path")
    parser.add_argument(
        "--out", type=Path, default=Path("object_motion"), help="folder for JSON and pictures"
    )
    return parser.parse_args()


def random_scene(rng: np.random.Generator, count: int) -> Scene:
    """Boxes, cylinders and balls on a table, none touching."""
    made: list[SceneObject] = []
    while len(made) < count:
        shape: Shape = ("box", "cylinder", "sphere")[int(rng.integers(3))]
        size = rng.uniform(0.03, 0.12, 3)
        if shape != "box":
            size[1] = size[0]
        if shape == "sphere":
            size[:] = size[0]
        centre = np.append(rng.uniform((0.3, -0.35), (0.75, 0.35)), size[2] / 2.0)
        reach = np.hypot(size[0], size[1]) / 2.0
        if all(
            np.linalg.norm(centre[:2] - other.centre[:2]) > reach + np.hypot(*other.size[:2]) / 2.0 + 0.005
            for other in made
        ):
            box = OrientedBox(Pose.from_yaw(centre, rng.uniform(-np.pi, np.pi)), size)
            key = f"o{len(made) + 1}"
            made.append(SceneObject(key, f"thing {key}", shape, "red", np.array([200, 30, 30]), shape, box))
    outline = np.array([[0.2, -0.45], [0.85, -0.45], [0.85, 0.45], [0.2, 0.45]])
    camera = Pose.looking_at((1.25, 0.0, 0.7), (0.48, 0.0, 0.03))
    return Scene((SupportSurface("table", Pose(), outline),), tuple(made), camera)


def random_motion(rng: np.random.Generator, scene: Scene, object_id: str) -> ObjectMotion:
    first, second = (
        str(key) for key in rng.permutation([o.id for o in scene.objects if o.id != object_id])[:2]
    )
    kind = int(rng.integers(4))
    if kind == 0:
        return RotateSelf(("x", "y", "z")[int(rng.integers(3))], float(rng.uniform(-180, 180)))  # type: ignore[arg-type]
    if kind == 1:
        angle: Any = ("towards", "back", float(rng.uniform(-120, 120)))[int(rng.integers(3))]
        return RotateWref(first, ("pitch", "yaw", "roll")[int(rng.integers(3))], angle)  # type: ignore[arg-type]
    if kind == 2:
        x, y, z = (float(value) for value in rng.uniform((-0.1, -0.1, 0.0), (0.1, 0.1, 0.2)))
        return TranslateTarObj(first, (x, y, z))
    return TranslateDirecAxis(float(rng.uniform(-0.3, 0.3)), first, second)


def violation_m(scene: Scene, path: ObjectPath, clearance_m: float) -> float:
    """Most that a sample comes nearer than it may by PyBullet's geometry [m]; 0 or less when all is well."""
    worst = -np.inf
    for name, distance in least_distances(scene, path.object_id, path.poses).items():
        least = -TOUCH_M if name in path.touched else clearance_m - TOLERANCE_M
        worst = max(worst, least - distance)
    return float(worst)


def main() -> None:
    options = arguments()
    rng, planner = np.random.default_rng(options.seed), ObjectMotionPlanner()
    chosen = ObjectMotionOptions(seed=options.seed, improve_states=options.improve)
    print(f"{machine_line()}\nseed {options.seed}, {options.objects} objects; one thread")
    rows: list[dict[str, Any]] = []
    for _ in range(options.motions):
        scene = random_scene(rng, options.objects)
        object_id = str(rng.choice([item.id for item in scene.objects]))
        motion = random_motion(rng, scene, object_id)
        began = time.perf_counter()
        result = planner.plan(scene, object_id, [motion], chosen)
        row = {"kind": motion.kind, "planning_s": time.perf_counter() - began}
        if isinstance(result, ObjectPath):
            segment = result.segments[0]
            row |= {
                "planner": segment.planner,
                "relaxed": segment.relaxed,
                "first_path_s": segment.first_path_s,
                "longer": segment.cost_m / max(segment.straight_cost_m, 1e-9),
                "samples": len(result.times),
                "violation_m": violation_m(scene, result, chosen.clearance_m),
            }
        else:
            row |= {"failure": result.reason, "message": result.message}
        rows.append(row)
    report(rows)
    write_result(options.out / "object_motion.json", "object_motion", {"seed": options.seed, "motions": rows})
    picture(options.out / "over_the_wall.png")


def report(rows: list[dict[str, Any]]) -> None:
    done = [row for row in rows if "planner" in row]
    low, high = (100.0 * bound for bound in wilson(len(done), len(rows)))
    relaxed = sum(bool(row["relaxed"]) for row in done)
    print(f"planned {len(done)}/{len(rows)} (95% interval {low:.1f} to {high:.1f}%), relaxed {relaxed}")
    for name, key in (("planning", "planning_s"), ("first path", "first_path_s")):
        values = np.array([row[key] for row in done]) * 1000.0
        print(f"{name}: median {spread(values)['median']:.1f} ms, p95 {np.percentile(values, 95):.1f} ms")
    print(
        "found by:",
        ", ".join(f"{name} {count}" for name, count in Counter(row["planner"] for row in done).items()),
    )
    wrong = [row for row in done if row["violation_m"] > 0.0]
    samples = sum(row["samples"] for row in done)
    print(f"re-checked in PyBullet: {samples} samples, {len(wrong)} paths in violation")
    for row in wrong[:5]:
        print(f"  {row['kind']} by {1000.0 * row['violation_m']:.2f} mm")
    for reason, count in Counter(row["failure"] for row in rows if "failure" in row).items():
        print(f"  failed: {reason} {count}")


def picture(path: Path) -> None:
    """A box turned and carried over a wall, seen from the side and from above."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    def thing(key: str, size: tuple[float, float, float], at: tuple[float, float]) -> SceneObject:
        box = OrientedBox(Pose(np.array([*at, size[2] / 2.0])), np.array(size))
        return SceneObject(key, key, "block", "red", np.array([200, 30, 30]), "box", box)

    scene = random_scene(np.random.default_rng(0), 0)
    objects = (
        thing("moved", (0.08, 0.04, 0.04), (0.42, 0.0)),
        thing("target", (0.06, 0.06, 0.06), (0.72, 0.05)),
        thing("wall", (0.03, 0.5, 0.16), (0.56, 0.0)),
    )
    scene = Scene(scene.supports, objects, scene.base_T_camera)
    motions = [TranslateTarObj("target", (0.0, 0.0, 0.06)), RotateSelf("z", 90.0)]
    result = ObjectMotionPlanner().plan(scene, "moved", motions)
    if not isinstance(result, ObjectPath):
        raise SystemExit(result.message)
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5))
    for view, (across, up) in zip(axes, ((0, 2), (0, 1)), strict=True):
        for item in objects[1:]:
            outline(view, item.box.corners, across, up, "black", 1.0)
        for pose in result.poses[:: max(1, len(result.poses) // 30)]:
            corners = OrientedBox(Pose(pose[:3], pose[3:]), objects[0].size).corners
            outline(view, corners, across, up, "tab:red", 0.4)
        view.plot(result.poses[:, across], result.poses[:, up], "tab:blue")
        view.set_xlabel("x [m]")
        view.set_ylabel("xyz"[up] + " [m]")
        view.set_aspect("equal")
    found = " and ".join(f"{item.motion.kind}: {item.planner}" for item in result.segments)
    figure.suptitle(found)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    print(f"written to {path}")


def outline(view: Any, corners: FloatArray, across: int, up: int, color: str, alpha: float) -> None:
    from scipy.spatial import ConvexHull

    flat = corners[:, [across, up]]
    around = flat[ConvexHull(flat).vertices]
    view.plot(*np.vstack([around, around[:1]]).T, color=color, alpha=alpha)


if __name__ == "__main__":
    main()
