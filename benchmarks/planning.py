# SPDX-License-Identifier: Apache-2.0
"""Planning on product-like queries: whole pick-and-stack plans, free motions, inverse kinematics, PyBullet re-checks.

    python benchmarks/planning.py                                        100 scenes of 10 objects
    python benchmarks/planning.py --scenes 1000 --out planning.json
    python benchmarks/planning.py --scenes 300 --recheck 0 --curves 30 --plot cost_over_time.png

One core. Wall times are what a caller waits; processor times tell what they would be on an idle machine.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import _clock  # noqa: F401  before anything that reads the clock
import numpy as np
from _cost_curves import curves, figures, plot
from _machine import in_words, machine_line, spread, wilson, write_result
from _restarts import in_lines
from rich.console import Console
from rich.table import Table

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.planning import Planner, PlanOptions, ik
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.obstacles import scene_obstacles
from spatialpin_ros.planning.recheck import limit_use, recheck
from spatialpin_ros.planning.rrt_star import PathOptions, PathResult, plan_path
from spatialpin_ros.planning.walk import width_between_pads
from spatialpin_ros.scene import Scene, SceneObject, Shape, SupportSurface
from spatialpin_ros.task import Task, TaskStep

OUTLINE = np.array([[0.2, -0.45], [0.9, -0.45], [0.9, 0.45], [0.2, 0.45]])


def random_scene(seed: int, count: int, gap_m: float) -> Scene:
    """Boxes and cylinders of 3 to 6.5 cm, and one tower in the way, at least `gap_m` apart."""
    rng = np.random.default_rng(seed)
    objects: list[SceneObject] = []
    while len(objects) < count:
        size, xy = rng.uniform(0.03, 0.065, 3), rng.uniform([0.32, -0.32], [0.68, 0.32])
        if len(objects) == 2:
            size[2] = rng.uniform(0.15, 0.30)
        shape: Shape = "cylinder" if rng.random() < 0.4 else "box"
        size[1] = size[0] if shape == "cylinder" else size[1]
        reach = np.hypot(*size[:2]) / 2.0
        gaps = [np.linalg.norm(xy - o.centre[:2]) - np.hypot(*o.size[:2]) / 2.0 - reach for o in objects]
        if min(gaps, default=1.0) < gap_m:
            continue
        pose = Pose.from_yaw([*xy, size[2] / 2.0], rng.uniform(-np.pi, np.pi))
        key = f"o{len(objects)}"
        objects.append(
            SceneObject(
                key, f"thing {key}", "thing", "red", np.array([200, 30, 30]), shape, OrientedBox(pose, size)
            )
        )
    camera = Pose.looking_at([1.25, 0.0, 0.7], [0.48, 0.0, 0.03])
    return Scene((SupportSurface("table", Pose(), OUTLINE),), tuple(objects), camera)


def stack_task() -> Task:
    return Task("t", "put o0 on o1", (TaskStep("pick", "o0"), TaskStep("place_on", "o0", "o1")))


@dataclass(frozen=True)
class Query:
    """A whole plan that was asked for, and what came of it."""

    seed: int
    scene: Scene
    result: Plan | PlanFailure
    wall_s: float
    processor_s: float


def whole_plans(planner: Planner, arguments: argparse.Namespace) -> list[Query]:
    home, queries = np.array(planner.robot.config.home), []
    planner.plan(random_scene(0, 3, 0.03), stack_task(), home)
    for seed in range(arguments.seed, arguments.seed + arguments.scenes):
        scene = random_scene(seed, arguments.objects, arguments.gap)
        wall, processor = time.perf_counter(), time.process_time()
        result = planner.plan(scene, stack_task(), home, PlanOptions(seed=seed))
        queries.append(
            Query(seed, scene, result, time.perf_counter() - wall, time.process_time() - processor)
        )
    return queries


def rechecked(planner: Planner, queries: list[Query]) -> dict[str, Any]:
    """Plans followed in PyBullet at 2 ms: overlaps deeper than 1 mm, and the largest shares of the limits."""
    overlaps: list[str] = []
    uses, motions, began = [], 0, time.process_time()
    for query in queries:
        plan = query.result
        assert isinstance(plan, Plan)
        overlaps += [f"seed {query.seed}: {overlap}" for overlap in recheck(planner.robot, query.scene, plan)]
        uses.append(limit_use(planner.robot, plan))
        motions += sum(stage.trajectory is not None for stage in plan.stages)
    return {
        "plans": len(queries),
        "trajectories": motions,
        "overlaps": overlaps,
        "limit_violations": sum(not use.kept for use in uses),
        "velocity_share": max((use.velocity for use in uses), default=0.0),
        "acceleration_share": max((use.acceleration for use in uses), default=0.0),
        "jerk_share": max((use.jerk for use in uses), default=0.0),
        "position_margin_rad": min((use.position_margin_rad for use in uses), default=0.0),
        "processor_s": time.process_time() - began,
    }


def free_motions(
    planner: Planner, queries: list[Query]
) -> Iterator[tuple[CollisionWorld, np.ndarray, np.ndarray]]:
    """The carrying motions of the plans, asked again from lift to place, among all other objects."""
    for query in queries:
        if not isinstance(query.result, Plan):
            continue
        transfer = next(stage for stage in query.result.stages if stage.name == "transfer")
        assert transfer.trajectory is not None
        obstacles = scene_obstacles(query.scene, planner.robot.config.workspace)
        grasp = query.result.object_T_tcp["o0"].inverse()
        width = width_between_pads(query.scene.object("o0"), query.result.object_T_tcp["o0"])
        bare = CollisionWorld(planner.robot, obstacles, width_m=width, padding_m=0.0)
        world = bare.attach("o0", grasp)
        yield world, transfer.trajectory.positions[0], transfer.trajectory.positions[-1]


def compare_paths(planner: Planner, queries: list[Query]) -> dict[str, Any]:
    """rrt_star against RRT-Connect with shortcuts on the motions whose straight line is not free."""
    first, ours, plain, failed, won, solved, asked = [], [], [], [], Counter(), 0, 0
    for number, (world, start, goal) in enumerate(free_motions(planner, queries)):
        asked += 1
        options = PathOptions(seed=number, improve_s=0.25, improve_edges=10**9)
        best = plan_path(world, start, goal[None], options)
        if not isinstance(best, PathResult):
            failed.append(f"{number}: {best.reason}: {best.detail}")
            continue
        solved += 1
        first.append(best.first_path_s)
        won[best.won] += 1
        if best.won != "straight_line":
            connect = plan_path(world, start, goal[None], replace(options, planner="rrt_connect"))
            ours.append(best.cost)
            plain.append(connect.cost if isinstance(connect, PathResult) else np.inf)
    worse = int((np.array(ours) > np.array(plain) + 1e-9).sum())
    return {
        "asked": asked,
        "solved": solved,
        "failed": failed,
        "first_path_s": spread(first),
        "won": dict(won),
        "not_straight": len(ours),
        "cost_rrt_star_rad": spread(ours),
        "cost_rrt_connect_rad": spread(plain),
        "rrt_star_longer": worse,
    }


def cost_curves(planner: Planner, queries: list[Query], arguments: argparse.Namespace) -> dict[str, Any]:
    """Several planners on the motions whose straight line is not free, over time."""
    hard = [
        motion
        for motion in free_motions(planner, queries)
        if not motion[0].motion(motion[1], motion[2], 0.02)
    ][: arguments.curves]
    if not hard:
        return {}
    found = curves(hard, arguments.budget)
    if arguments.plot:
        plot(arguments.plot, found, arguments.budget)
    shown = figures(found, arguments.budget)
    for title, against in shown.items():
        if " against " in title:
            print("\n".join(in_lines(title, against)))
    return {"motions": len(hard), "budget_s": arguments.budget, **shown}


def inverse_kinematics(planner: Planner, count: int, seed: int) -> dict[str, Any]:
    """Poses from above within reach; each asked for by itself, as a first and only try."""
    robot, rng, times, reached = planner.robot, np.random.default_rng(seed), [], 0
    home = np.array(robot.config.home)
    for _ in range(count):
        radius, angle = rng.uniform(0.32, 0.68), rng.uniform(-0.7, 0.7)
        position = [radius * np.cos(angle), radius * np.sin(angle), rng.uniform(0.01, 0.25)]
        pose = Pose.from_xyz_rpy(position, [np.pi, 0.0, rng.uniform(-np.pi, np.pi)])
        began = time.process_time()
        found = ik.solve(robot, [pose], home, rng)
        times.append(time.process_time() - began)
        reached += bool(found)
    return {"asked": count, "reached": reached, "processor_s": spread(times)}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--objects", type=int, default=10)
    parser.add_argument("--gap", type=float, default=0.03, help="least distance between objects [m]")
    parser.add_argument("--seed", type=int, default=0, help="of the first scene; the others count up")
    parser.add_argument(
        "--recheck", type=int, default=10**9, help="most plans that are followed in PyBullet at 2 ms"
    )
    parser.add_argument("--poses", type=int, default=300, help="poses for inverse kinematics")
    parser.add_argument("--curves", type=int, default=0, help="motions to compare several planners on")
    parser.add_argument("--budget", type=float, default=1.0, help="time for each of these [s]")
    parser.add_argument("--plot", type=Path, help="PNG of length over time to write")
    parser.add_argument("--cpu-clock", action="store_true", help="processor time in place of wall time")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


def report(console: Console, result: dict[str, Any]) -> None:
    table = Table("figure", "value", title="Planning")
    for name, value in result.items():
        if isinstance(value, dict):
            for inner, figure in value.items():
                table.add_row(f"{name}.{inner}", _shown(figure))
        else:
            table.add_row(name, _shown(value))
    console.print(table)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    arguments, console = parsed(), Console()
    console.print(machine_line())
    planner = Planner(RobotConfig.load("panda"))
    queries = whole_plans(planner, arguments)
    solved = [query for query in queries if isinstance(query.result, Plan)]
    walls = [query.wall_s for query in queries]
    processors = [query.processor_s for query in queries]
    console.print("whole plan, wall:", in_words(walls), f"95th {1000 * np.percentile(walls, 95):.0f} ms")
    console.print(
        "whole plan, processor:", in_words(processors), f"95th {1000 * np.percentile(processors, 95):.0f} ms"
    )
    for query in queries:
        if isinstance(query.result, PlanFailure):
            console.print(
                f"seed {query.seed}: {query.result.reason} at {query.result.stage}: {query.result.message}"
            )
    low, high = wilson(len(solved), len(queries))
    result = {
        "seed": arguments.seed,
        "scenes": arguments.scenes,
        "objects": arguments.objects,
        "gap_m": arguments.gap,
        "load_average": os.getloadavg()[0],
        "planned": len(solved),
        "planned_95": [round(low, 4), round(high, 4)],
        "wall_s": {**spread(walls), "p95": float(np.percentile(walls, 95))},
        "processor_s": {**spread(processors), "p95": float(np.percentile(processors, 95))},
        "motion_s": spread([query.result.duration_s for query in solved if isinstance(query.result, Plan)]),
        "failures": dict(Counter(q.result.reason for q in queries if isinstance(q.result, PlanFailure))),
        "rechecked": rechecked(planner, solved[: arguments.recheck]),
        "carrying_motions": compare_paths(planner, queries),
        "cost_curves": cost_curves(planner, solved, arguments),
        "inverse_kinematics": inverse_kinematics(planner, arguments.poses, arguments.seed),
    }
    report(console, result)
    write_result(arguments.out, "planning", result)


if __name__ == "__main__":
    main()
