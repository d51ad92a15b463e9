# SPDX-License-Identifier: Apache-2.0
"""The MotionBenchMaker problems of the Panda: planners compared in one run, with the length of paths over time.

    python benchmarks/motionbenchmaker.py --problems problems.json                        10 of each set, all planners
    python benchmarks/motionbenchmaker.py --problems problems.json --limit 0 --stacks ours     all 699, ours alone

The problems are not part of this repository: give the path to them as plain JSON, {"problems": {set: [{"start",
"goals", "box", "cylinder", "sphere", "valid", ...}]}} (github.com/CoMMALab/cricket, resources/panda/problems.json).
The arm is the Panda of the robot's configuration with joint 4 up to +0.0873 rad and fingers 130 mm apart, as the
problems have it. A path counts as solved when it is also free at 0.02 rad; costs are joint-space lengths [rad].
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from _clock import CPU_CLOCK
from _machine import machine_line, wilson, write_result
from _mbm_problems import Problem, load_problems, load_robot
from _mbm_stacks import STACKS, Run, Setting
from _restarts import in_lines, shares

MARKS_S = (0.25, 1.0, 5.0)
SLOW_STACKS = ("pybullet_rrt_connect", "ompl_rrt_star")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=Path, required=True, help="the problems as plain JSON")
    parser.add_argument("--robot-urdf", type=Path, help="another Panda URDF, for example the spherized one")
    parser.add_argument("--sets", nargs="*", default=[], help="names of the sets (default: all)")
    parser.add_argument(
        "--limit", type=int, default=10, help="problems of each set, drawn by the seed; 0: all"
    )
    parser.add_argument("--slow-limit", type=int, default=2, help=f"the same for {', '.join(SLOW_STACKS)}")
    parser.add_argument("--time", type=float, default=1.0, help="time to shorten a path [s]: 0.25, 1, 5")
    parser.add_argument("--first-path-time", type=float, default=5.0, help="most time for a first path [s]")
    parser.add_argument(
        "--stacks", nargs="*", default=list(STACKS), choices=list(STACKS), help="what to compare"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, default=Path("motionbenchmaker"), help="folder for JSON and plots"
    )
    parser.add_argument("--cpu-clock", action="store_true", help="count CPU time, for a machine that is busy")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    robot, width_m = load_robot(options.robot_urdf)
    setting = Setting(robot, width_m, options.first_path_time, options.time, options.seed)
    print(machine_line())
    print(f"load average {os.getloadavg()[0]:.1f}, seed {options.seed}, time {options.time:g} s; one thread")
    if CPU_CLOCK:
        print("all times are CPU time")
    results: dict[str, list[Run]] = {}
    for name in options.stacks:
        limit = options.slow_limit if name in SLOW_STACKS and options.limit else options.limit
        problems = load_problems(options.problems, options.sets, limit or None, options.seed)
        results[name] = run_all(name, setting, problems)
        print("\n".join(report(name, results[name])), flush=True)
    compared = compare(results, options.time)
    for title, shown in compared.items():
        print("\n".join(["", *in_lines(title, shown)]))
    save(options, results, compared)


def compare(results: dict[str, list[Run]], most_s: float) -> dict[str, Any]:
    """Ours against the restarts at equal times; the restarts against themselves with other seeds show the noise."""
    pairs = [("ours", name) for name in results if name.startswith("rrt_connect_")]
    pairs += [("rrt_connect_corners", "rrt_connect_corners_2")]
    curves = {name: [run.curve for run in runs] for name, runs in results.items()}
    return {
        f"{a} against {b}": shares(curves[a], curves[b], most_s) for a, b in pairs if {a, b} <= set(curves)
    }


def run_all(name: str, setting: Setting, problems: Sequence[Problem]) -> list[Run]:
    began = time.perf_counter()
    runs = [STACKS[name](setting, problem) for problem in problems]
    print(f"\n{name}: {len(problems)} problems in {time.perf_counter() - began:.0f} s")
    return runs


def figures(runs: Sequence[Run]) -> dict[str, Any]:
    """Shares, times to the first path [ms], and costs [rad] of what has a path."""
    found = [run for run in runs if run.curve]
    solved = sum(bool(run.free) for run in runs)
    first = np.array([run.first_path_s for run in found]) * 1000.0
    result: dict[str, Any] = {
        "problems": len(runs),
        "found": len(found),
        "found_in_5_s": sum(run.first_path_s <= 5.0 for run in found),
        "solved": solved,
        "solved_interval_95": wilson(solved, len(runs)),
        "cost_first": float(np.median([run.curve[0][1] for run in found])) if found else None,
        "cost_end": float(np.median([run.curve[-1][1] for run in found])) if found else None,
    }
    if found:
        middle, late = np.percentile(first, (50, 95))
        result["first_path_ms"] = {"median": float(middle), "mean": float(first.mean()), "p95": float(late)}
    for mark in MARKS_S:
        costs = np.array([run.cost_at(mark) for run in runs])
        ready = np.isfinite(costs)
        result[f"at_{mark:g}_s"] = {
            "ready": int(ready.sum()),
            "cost_median": float(np.median(costs[ready])) if ready.any() else None,
            "cost_mean": float(costs[ready].mean()) if ready.any() else None,
            "cost_p95": float(np.percentile(costs[ready], 95)) if ready.any() else None,
        }
    return result


def report(name: str, runs: Sequence[Run]) -> list[str]:
    shown = figures(runs)
    low, high = (100.0 * bound for bound in shown["solved_interval_95"])
    lines = [
        f"  found {shown['found']}/{shown['problems']}, of which {shown['found_in_5_s']} in 5 s, "
        f"free at 0.02 rad {shown['solved']} (95% interval {low:.1f} to {high:.1f}%)"
    ]
    if "first_path_ms" in shown:
        first = shown["first_path_ms"]
        lines.append(
            f"  first path: median {first['median']:.1f} ms, mean {first['mean']:.1f}, p95 {first['p95']:.1f}"
        )
        lines.append(
            f"  cost of the first path, median {shown['cost_first']:.2f} rad; of the last {shown['cost_end']:.2f}"
        )
    for mark in MARKS_S:
        at = shown[f"at_{mark:g}_s"]
        if at["cost_median"] is not None:
            lines.append(
                f"  after {mark:g} s: {at['ready']} have a path, cost median {at['cost_median']:.2f}, "
                f"mean {at['cost_mean']:.2f}, p95 {at['cost_p95']:.2f}"
            )
    won = {
        part: sum(run.won == part for run in runs) for part in sorted({run.won for run in runs if run.won})
    }
    if len(won) > 1:
        lines.append(f"  won by: {', '.join(f'{part} {count}' for part, count in won.items())}")
    lines += [f"  {run.problem}: {run.failure}" for run in runs if run.failure][:5]
    return lines


def save(options: argparse.Namespace, results: dict[str, list[Run]], compared: dict[str, Any]) -> None:
    sets = {
        name: {
            key: figures([run for run in runs if run.problem.startswith(f"{key} ")])
            for key in sorted({run.problem.rsplit(" ", 1)[0] for run in runs})
        }
        for name, runs in results.items()
    }
    document = {
        "seed": options.seed,
        "time_s": options.time,
        "cpu_clock": CPU_CLOCK,
        "load_average": os.getloadavg()[0],
        "stacks": {name: figures(runs) for name, runs in results.items()},
        "sets": sets,
        "compared": compared,
        "runs": {name: [asdict(run) for run in runs] for name, runs in results.items()},
    }
    write_result(options.out / "motionbenchmaker.json", "motionbenchmaker", document)
    plot(options.out / "cost_over_time.png", results)


def plot(path: Path, results: dict[str, list[Run]]) -> None:
    """Median length of the best path, and the share of problems with a path, over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    times = np.geomspace(0.002, 10.0, 200)
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(8, 7), sharex=True)
    for name, runs in results.items():
        costs = np.array([[run.cost_at(at) for at in times] for run in runs])
        share = np.isfinite(costs).mean(axis=0)
        middle = np.where(share > 0.5, np.median(costs, axis=0), np.nan)
        upper.plot(times, middle, label=f"{name} ({len(runs)})")
        lower.plot(times, 100.0 * share, label=name)
    upper.set_ylabel("median path length [rad]\nof all problems, unsolved = infinite")
    lower.set_ylabel("problems with a path [%]")
    lower.set_xlabel("time since the query [s]")
    lower.set_xscale("log")
    for axes in (upper, lower):
        axes.grid(True, which="both", alpha=0.3)
    upper.legend()
    figure.suptitle("MotionBenchMaker, Panda")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
