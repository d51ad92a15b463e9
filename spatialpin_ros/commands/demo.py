# SPDX-License-Identifier: Apache-2.0
"""`spatialpin demo`: from nothing to a verified pick-and-stack, with a report to look at."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from spatialpin_ros.commands.common import import_ros
from spatialpin_ros.commands.outputs import check_folder, keep
from spatialpin_ros.commands.reasoner import BackendName, Reasoner, Record, Settings
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.demo.account import Account, make_console
from spatialpin_ros.demo.flow import RunOptions, run_once
from spatialpin_ros.demo.workcell import Workcell
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.report import RunRecord, write_report
from spatialpin_ros.report.page import sentence

Place = tuple[Workcell, Mapping[str, Path], Callable[[], bool]]
"""A workcell, the logs of its nodes, and whether it still works."""


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """Where the demo runs."""

    ros: bool
    robot: str
    camera: str
    reasoner: Reasoner
    gui: bool
    domain: int | None


def demo(
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the random scene; the next ones with --repeat.")
    ] = 0,
    objects: Annotated[
        int, typer.Option(min=0, max=8, help="Number of objects, 2 to 8; 0: drawn from the seed.")
    ] = 0,
    request: Annotated[
        str, typer.Option("--request", "-r", help="What to do, in words; else the best proposal.")
    ] = "",
    repeat: Annotated[int, typer.Option(min=1, help="Number of runs, each with the next seed.")] = 1,
    gui: Annotated[bool, typer.Option("--gui", help="Open the simulator's window.")] = False,
    ros: Annotated[
        bool, typer.Option("--ros/--no-ros", help="Over a ROS 2 graph, or all in one process.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write; else runs/<time>-seed<seed>.")
    ] = None,
    robot: Annotated[str, typer.Option(help="config/robots/<name>.yaml or a path.")] = "panda",
    camera: Annotated[str, typer.Option(help="config/cameras/<name>.yaml or a path.")] = "simulation",
    backend: BackendName = "symbolic",
    settings: Settings = None,
    record: Record = None,
    domain: Annotated[int | None, typer.Option(help="ROS domain; else a free one.")] = None,
) -> None:
    """Random table, look, choose, plan, pick and stack, verify; writes a folder with a page that shows it all.

    Exit status 0 only when every run succeeded as judged from a fresh look at the table, and was written.
    """
    account = Account(make_console())
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder = out or Path("runs") / f"{stamp}-seed{seed}"
    if domain is not None and not ros:
        raise typer.BadParameter("--domain has no effect with --no-ros: there is no ROS graph")
    check_folder(folder)
    setting = Setting(ros, robot, camera, Reasoner(backend, settings or (), record), gui, domain)
    runs: list[RunRecord] = []
    written = True
    with _workcell(setting, folder, account) as (cell, logs, is_alive):
        for number in range(repeat):
            place = folder if repeat == 1 else folder / f"seed{seed + number}"
            run = _one(cell, RunOptions(seed + number, objects, request), logs, account)
            runs.append(run)
            written &= _write(run, place, account)
            if not is_alive():
                break
    if repeat > 1:
        _summarise(runs, repeat, account)
    if len(runs) < repeat or not written or not all(run.succeeded for run in runs):
        raise typer.Exit(1)


@contextmanager
def _workcell(setting: Setting, folder: Path, account: Account) -> Iterator[Place]:
    account.heading("spatialpin demo", ["simulated table", "ROS 2" if setting.ros else "one process, no ROS"])
    opened = _ros_cell(setting, folder, account) if setting.ros else _local_cell(setting, account)
    with opened as place:
        yield place


@contextmanager
def _ros_cell(setting: Setting, folder: Path, account: Account) -> Iterator[Place]:
    import_ros()
    from spatialpin_ros.demo.graph import GraphOptions, running_graph

    reasoner = setting.reasoner
    options = GraphOptions(
        setting.robot,
        setting.camera,
        reasoner.backend,
        setting.gui,
        setting.domain,
        film=True,
        backend_settings=shlex.join(reasoner.settings),
        record_folder=str(reasoner.record.resolve()) if reasoner.record is not None else "",
    )
    with account.step("nodes") as step:
        graph = running_graph(
            options, folder / "logs", lambda missing: step.show(f"waiting for {', '.join(missing)}")
        )
        client, processes = graph.__enter__()
        step.note = f"{', '.join(processes.logs)} ready ({client.transport})"
    try:
        yield client, processes.logs, processes.all_run
    finally:
        graph.__exit__(None, None, None)


@contextmanager
def _local_cell(setting: Setting, account: Account) -> Iterator[Place]:
    from spatialpin_ros.demo.local import LocalWorkcell

    with account.step("workcell") as step:
        robot, camera = RobotConfig.load(setting.robot), CameraConfig.load(setting.camera)
        cell = LocalWorkcell(robot, camera, backend=setting.reasoner.create(), gui=setting.gui)
        step.note = f"{robot.name} and camera '{camera.name}' in PyBullet"
    try:
        yield cell, {}, lambda: True
    finally:
        cell.close()


def _one(cell: Workcell, options: RunOptions, logs: Mapping[str, Path], account: Account) -> RunRecord:
    run = dataclasses.replace(run_once(cell, options, account), logs=logs)
    account.verdict(run.succeeded, run.verdict, sentence(run.explanation))
    if run.detail:
        account.console.print(Text(run.detail, "dim"), soft_wrap=True)
    return run


def _write(run: RunRecord, folder: Path, account: Account) -> bool:
    """Write a run's folder; False when it had to go elsewhere."""
    with account.step("report") as step:
        try:
            step.note = str(keep(folder, lambda place: write_report(place, run)))
        except InvalidValueError as error:
            step.good, step.note = False, str(error)
    return step.good


def _summarise(runs: list[RunRecord], asked: int, account: Account) -> None:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("seed", justify="right")
    table.add_column("verdict")
    table.add_column("plan", justify="right")
    table.add_column("execute", justify="right")
    table.add_column("task")
    for run in runs:
        seconds = {item.name: f"{item.seconds:.2f} s" for item in run.timings}
        verdict = Text(run.verdict, "green" if run.succeeded else "red")
        task = run.task.description if run.task is not None else run.explanation
        table.add_row(str(run.seed), verdict, seconds.get("plan", ""), seconds.get("execute", ""), Text(task))
    account.console.print()
    account.console.print(table)
    good = sum(run.succeeded for run in runs)
    left_out = f"; {asked - len(runs)} were not started" if asked > len(runs) else ""
    account.verdict(good == asked, f"{good} of {asked}", f"runs succeeded{left_out}")
