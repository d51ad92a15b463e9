# SPDX-License-Identifier: Apache-2.0
"""`spatialpin plan`: from a scene and a task to a checked, timed motion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from spatialpin_ros.commands.common import (
    connect,
    either,
    joint_values,
    read_scene,
    read_task,
)
from spatialpin_ros.commands.outputs import STDOUT, check_file, write_json
from spatialpin_ros.commands.reason import Live, Robot, SceneFile, describe_local
from spatialpin_ros.commands.reasoner import BackendName, Photo, Reasoner, Record, Settings
from spatialpin_ros.config import RobotConfig
from spatialpin_ros.demo.account import make_console
from spatialpin_ros.doubts import doubts_about
from spatialpin_ros.plan import Plan, PlanFailure
from spatialpin_ros.report.page import quantity
from spatialpin_ros.scene import Scene


def plan(
    context: typer.Context,
    scene: SceneFile = None,
    live: Live = False,
    request: Annotated[
        str, typer.Option("--request", "-r", help='Free text, such as "stack the red cube on the box".')
    ] = "",
    task: Annotated[
        Path | None, typer.Option("--task", "-t", help="JSON of one task, or what `propose -o` wrote.")
    ] = None,
    number: Annotated[int, typer.Option(help="Which task of a file of proposals, from 1.")] = 1,
    start: Annotated[
        str, typer.Option(help="Joint positions to start from, in radians, comma-separated; else home.")
    ] = "",
    backend: BackendName = "symbolic",
    settings: Settings = None,
    record: Record = None,
    photo: Photo = None,
    robot: Robot = "panda",
    out: Annotated[Path, typer.Option("--out", "-o", help='Plan JSON to write; "-" prints it.')] = Path(
        "plan.json"
    ),
) -> None:
    """Plan a whole pick-and-place: grasp, collision-free motion, timing.

    Without a plan: says why, writes that to <out>_failure.json, leaves an earlier plan alone, and exits with 1.
    """
    either(context, scene, live)
    if (task is None) == (not request):
        raise typer.BadParameter("give either --request or --task")
    if task is None and number != 1:
        raise typer.BadParameter("--number is for a file of tasks: give --task")
    check_file(out)
    reasoner = Reasoner(backend, settings or (), record, photo)
    seen = None if scene is None else read_scene(scene)
    result = (
        _live(request, task, number)
        if seen is None
        else _local(seen, request, task, number, start, reasoner, robot)
    )
    if isinstance(result, PlanFailure):
        show_failure(result)
        _write_failure(result, out)
        raise typer.Exit(1)
    write_json(out, result.to_dict())
    if out != STDOUT:
        show_plan(result)
        for doubt in () if seen is None else doubts_about(seen, result.task):
            make_console().print(Text(f"note: {doubt}", "yellow"))
        make_console().print(f"written to {out}", soft_wrap=True)


def _write_failure(failure: PlanFailure, out: Path) -> None:
    """Write it beside where the plan would have gone, where an earlier plan may be."""
    place = out if out == STDOUT else out.with_name(f"{out.stem}_failure{out.suffix}")
    write_json(place, failure.to_dict())
    if out != STDOUT:
        left = f"; {out}, an earlier plan, is as it was" if out.exists() else ""
        make_console(stderr=True).print(f"written to {place}{left}", soft_wrap=True)


def _local(
    scene: Scene, request: str, task: Path | None, number: int, start: str, reasoner: Reasoner, robot: str
) -> Plan | PlanFailure:
    from spatialpin_ros.planning import Planner

    config = RobotConfig.load(robot)
    positions = np.array(joint_values(start, config.home.tolist()))
    chosen = read_task(task, number) if task is not None else describe_local(scene, request, reasoner, config)
    return Planner(config).plan(scene, chosen, positions)


def _live(request: str, task: Path | None, number: int) -> Plan | PlanFailure:
    client = connect()
    try:
        return client.plan(read_task(task, number) if task is not None else client.describe(request))
    finally:
        client.close()


def show_plan(plan: Plan) -> None:
    """Print the plan's stages and figures."""
    console = make_console()
    console.print(Text(plan.task.description, "bold"))
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column()
    table.add_column(justify="right")
    for number, stage in enumerate(plan.stages, 1):
        length = f"{stage.duration_s:.2f} s" if stage.trajectory is not None else "gripper"
        table.add_row(Text(str(number), "dim"), stage.name, Text(length, "dim"), stage.text)
    console.print(table)
    figures = [
        f"{plan.duration_s:.2f} s of motion",
        *(" ".join(quantity(*item)) for item in plan.metrics.items()),
    ]
    console.print(Text(", ".join(figures), "dim"))


def show_failure(failure: PlanFailure) -> None:
    """Print why there is no plan, and what was tried, on standard error."""
    console = make_console(stderr=True)
    console.print(
        Text.assemble((f"no plan ({failure.reason}): ", "bold red"), (failure.message, "red")), soft_wrap=True
    )
    for item in failure.candidates[:8]:
        console.print(Text(f"  {item.candidate}: {item.stage} {item.reason} {item.detail}", "dim"))
    if len(failure.candidates) > 8:
        console.print(Text(f"  and {len(failure.candidates) - 8} more candidates", "dim"))
