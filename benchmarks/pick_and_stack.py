# SPDX-License-Identifier: Apache-2.0
"""Consecutive random seeds through the whole flow: perceived scene, planned motion, physics, verdict by a fresh look.

    python benchmarks/pick_and_stack.py                   over ROS, 50 seeds, one graph
    python benchmarks/pick_and_stack.py --in-process      the same flow in one process, without ROS

The verdict that perception gives is compared with where the objects really are, which nothing else reads.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from _machine import in_words, machine_line, wilson, write_result
from rich.console import Console

from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.demo.account import Account
from spatialpin_ros.demo.flow import RunOptions, by_preference, run_once
from spatialpin_ros.demo.workcell import Workcell
from spatialpin_ros.geometry import OrientedBox
from spatialpin_ros.report import RunRecord, write_report
from spatialpin_ros.scene import Scene

HEIGHT_TOLERANCE_M = 0.01
Truth = Mapping[str, OrientedBox]


@dataclass(frozen=True)
class Result:
    """One seed: what was claimed, what is true, and why it ended as it did."""

    seed: int
    task: str
    claimed: bool
    true: bool
    verdict: str
    message: str
    tries: int
    objects: int
    timings_s: dict[str, float]
    motion_s: float
    wall_s: float


def stacked_in_truth(scene: Scene, run: RunRecord, before: Truth, after: Truth) -> bool:
    """Tell whether what the task moved really stands on its target now."""
    if run.task is None or run.task.steps[-1].action != "place_on":
        return False
    step = run.task.steps[-1]
    moved, target = (true_name(scene, object_id, before) for object_id in (step.object_id, step.target_id))
    if moved == target:
        return False
    upper, lower = after[moved], after[target]
    inside = lower.pose.inverse().transform(np.array([*upper.centre[:2], lower.centre[2]]))
    above = abs(upper.bottom_z - lower.top_z) <= HEIGHT_TOLERANCE_M
    return bool(above and (np.abs(inside[:2]) <= lower.size[:2] / 2.0).all())


def true_name(scene: Scene, object_id: str, truth: Truth) -> str:
    """Name of the true object nearest to a perceived one."""
    centre = scene.object(object_id).centre
    return min(truth, key=lambda name: float(np.linalg.norm(truth[name].centre - centre)))


def run_seed(
    cell: Workcell, read_truth: Callable[[], Truth], seed: int, objects: int, failures: Path | None
) -> Result:
    """Run one seed; the report of a failure is kept when a folder is given."""
    started = time.perf_counter()
    account = Account(Console(file=io.StringIO(), width=80))
    cell.randomize(seed, objects)
    before = read_truth()
    run = run_once(cell, RunOptions(seed=None, objects=objects), account)
    true = run.scene is not None and stacked_in_truth(run.scene, run, before, read_truth())
    if failures is not None and not (run.succeeded and true):
        write_report(failures / f"seed{seed}", run)
    order = [task.id for task in by_preference(run.proposals)]
    return Result(
        seed=seed,
        task=run.task.description if run.task is not None else "",
        claimed=run.succeeded,
        true=true,
        verdict=run.verdict,
        message=run.explanation,
        tries=order.index(run.task.id) + 1 if run.task is not None else 0,
        objects=len(before),
        timings_s={item.name: item.seconds for item in run.timings},
        motion_s=run.plan.duration_s if run.plan is not None else 0.0,
        wall_s=time.perf_counter() - started,
    )


@contextmanager
def in_process(robot: str, camera: str, film: bool) -> Iterator[tuple[Workcell, Callable[[], Truth]]]:
    from spatialpin_ros.demo.local import LocalWorkcell

    cell = LocalWorkcell(RobotConfig.load(robot), CameraConfig.load(camera), film=film)
    try:
        yield cell, lambda: {item.spec.id: item.box for item in cell.world.truth().objects}
    finally:
        cell.close()


def summary(results: list[Result]) -> dict[str, object]:
    """The figures, as values."""
    good = sum(item.claimed and item.true for item in results)
    low, high = wilson(good, len(results))
    names = sorted({name for item in results for name in item.timings_s})
    return {
        "seeds": [results[0].seed, results[-1].seed],
        "runs": len(results),
        "stacked": good,
        "wilson_95": [low, high],
        "false_successes": [item.seed for item in results if item.claimed and not item.true],
        "false_failures": [item.seed for item in results if item.true and not item.claimed],
        "first_choice": sum(item.claimed and item.true and item.tries == 1 for item in results),
        "timings_s": {
            name: [item.timings_s[name] for item in results if name in item.timings_s] for name in names
        },
        "results": [asdict(item) for item in results],
    }


def show(figures: dict[str, object], results: list[Result]) -> None:
    low, high = wilson(sum(item.claimed and item.true for item in results), len(results))
    print(
        f"\npicked and stacked: {figures['stacked']} of {figures['runs']} (95% interval {low:.0%} to {high:.0%})"
    )
    print(f"of these with the first proposal: {figures['first_choice']}")
    print(f"claimed but not true: {figures['false_successes'] or 'none'}")
    print(f"true but not claimed: {figures['false_failures'] or 'none'}")
    for item in results:
        if not item.claimed:
            print(
                f"  seed {item.seed}: {item.verdict}: {item.message.splitlines()[0] if item.message else ''}"
            )
    timings = figures["timings_s"]
    assert isinstance(timings, dict)
    for name, values in timings.items():
        print(f"{name:>12}: {in_words(values)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=50, help="number of consecutive seeds")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--objects", type=int, default=0, help="objects per scene; 0: drawn from the seed")
    parser.add_argument("--in-process", action="store_true", help="without ROS")
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--camera", default="simulation")
    parser.add_argument("--failures", type=Path, help="folder for the reports of failed runs (with film)")
    parser.add_argument("--out", type=Path, help="JSON to write")
    return parser.parse_args()


def main() -> int:
    options = parse()
    print(machine_line())
    results: list[Result] = []
    opened = (
        in_process(options.robot, options.camera, options.failures is not None)
        if options.in_process
        else over_ros(options)
    )
    with opened as (cell, truth):
        print(f"{cell.transport}\nseed  verdict (true?)  task")
        for seed in range(options.first, options.first + options.runs):
            result = run_seed(cell, truth, seed, options.objects, options.failures)
            results.append(result)
            agreed = (
                ""
                if result.claimed == result.true
                else "  BUT REALLY " + ("stacked" if result.true else "not stacked")
            )
            print(f"{seed:4d}  {result.verdict}{agreed}  {result.wall_s:.1f} s  {result.task}", flush=True)
    figures = summary(results)
    show(figures, results)
    write_result(options.out, "pick_and_stack", {"transport": cell.transport, **figures})
    return 0 if figures["stacked"] == len(results) else 1


@contextmanager
def over_ros(options: argparse.Namespace) -> Iterator[tuple[Workcell, Callable[[], Truth]]]:
    from std_srvs.srv import Trigger

    from spatialpin_ros.demo.graph import GraphOptions, running_graph

    graph = GraphOptions(robot=options.robot, camera=options.camera, film=options.failures is not None)
    with tempfile.TemporaryDirectory() as logs, running_graph(graph, Path(logs)) as (client, _):

        def truth() -> Truth:
            reply = client.session.call("/simulator/truth", Trigger, Trigger.Request(), 10.0)
            return {name: OrientedBox.from_dict(box) for name, box in json.loads(reply.message).items()}

        yield client, truth


if __name__ == "__main__":
    sys.exit(main())
