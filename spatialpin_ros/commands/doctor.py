# SPDX-License-Identifier: Apache-2.0
"""`spatialpin doctor`: what is installed, what is missing, what that would enable and how to get it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from spatialpin_ros.demo.account import make_console
from spatialpin_ros.report.machine import describe_machine

IMPORT_LIMIT_S = 60.0
Need = Literal["needed", "ROS 2", "optional"]
SETUP = "scripts/setup"


@dataclass(frozen=True, slots=True)
class Part:
    """A Python module the package can use.

    Args:
        module: what is imported.
        distribution: whose version is shown.
        need: "needed", "ROS 2" (needed for everything live) or "optional".
        enables: what it is for.
        install: command that brings it.
    """

    module: str
    distribution: str
    need: Need
    enables: str
    install: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known about one part: "ok", "missing" or "broken" (installed, but its import fails)."""

    name: str
    need: Need
    state: Literal["ok", "missing", "broken"]
    version: str
    enables: str
    install: str
    detail: str = ""


PARTS = (
    Part("numpy", "numpy", "needed", "everything", SETUP),
    Part("scipy", "scipy", "needed", "rotations, fitting", SETUP),
    Part("yaml", "PyYAML", "needed", "robot and camera files", SETUP),
    Part("cv2", "opencv-python-headless", "needed", "perception", "pip install '.[perception]'"),
    Part("pinocchio", "pin", "needed", "planning: kinematics", "pip install '.[planning]'"),
    Part("coal", "coal", "needed", "planning: collision checks", "pip install '.[planning]'"),
    Part("ompl", "ompl", "needed", "planning: RRT*", "pip install '.[planning]'"),
    Part("toppra", "toppra", "needed", "planning: timing", "pip install '.[planning]'"),
    Part("pybullet", "pybullet", "needed", "simulation, demo", "pip install '.[sim]'"),
    Part("matplotlib", "matplotlib", "needed", "reports", "pip install '.[report]'"),
    Part("PIL", "pillow", "needed", "reports, image files", "pip install '.[report]'"),
    Part("jinja2", "Jinja2", "needed", "reports", "pip install '.[report]'"),
    Part("rclpy", "rclpy", "ROS 2", "nodes, demo, run, --live", SETUP),
    Part("spatialpin_interfaces.msg", "spatialpin_interfaces", "ROS 2", "this package's messages", SETUP),
    Part("sensor_msgs.msg", "sensor_msgs", "ROS 2", "cameras, joint states", SETUP),
    Part("control_msgs.action", "control_msgs", "ROS 2", "arm and gripper actions", SETUP),
    Part("tf2_msgs.msg", "tf2_msgs", "ROS 2", "frames", SETUP),
    Part("tf2_ros", "tf2_ros", "optional", "camera pose from TF", "apt install ros-$ROS_DISTRO-tf2-ros-py"),
    Part("launch_ros", "launch_ros", "optional", "the launch files", "apt install ros-$ROS_DISTRO-launch-ros"),
    Part("trimesh", "trimesh", "optional", "mesh files of objects", "pip install '.[perception]'"),
    Part("httpx", "httpx", "optional", "the openai reasoning back end", "pip install '.[vlm]'"),
    Part("torch", "torch", "optional", "learned perception, local models", "pip install '.[learned]'"),
    Part("transformers", "transformers", "optional", "learned perception, local models", "pip install '.[learned]'"),
)  # fmt: skip


def examine(part: Part, *, quick: bool = False) -> Finding:
    """Find out whether a part is there and, unless `quick`, whether it really imports (in a process of its own)."""
    version = _version(part)
    problem = "" if quick else _import_problem(part.module)
    if not problem and (version or not quick):
        state: Literal["ok", "missing", "broken"] = "ok"
    else:
        state = "broken" if version and problem and "No module named" not in problem else "missing"
    detail = problem if state == "broken" else ""
    return Finding(part.distribution, part.need, state, version, part.enables, part.install, detail)


def _version(part: Part) -> str:
    try:
        return metadata.version(part.distribution)
    except metadata.PackageNotFoundError:
        return ""


def _import_problem(module: str) -> str:
    """The last line of what went wrong when importing, or an empty text."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"import {module}"],
            capture_output=True,
            text=True,
            timeout=IMPORT_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its import took longer than {IMPORT_LIMIT_S:.0f} s"
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"its import ended with status {done.returncode}"])[-1]


def surroundings() -> list[Finding]:
    """Programs and facts of the system around Python."""
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or ""
    distribution = os.environ.get("ROS_DISTRO", "")
    return [
        _there("ROS_DISTRO", distribution, "a sourced ROS 2, else wheels", "source /opt/ros/<distro>/setup.bash"),
        _there("display", display, "demo --gui, RViz", "run in a desktop session, or ssh -X"),
        _there("rviz2", shutil.which("rviz2") or "", "the RViz configuration", "apt install ros-$ROS_DISTRO-rviz2"),
        _there("nvidia-smi", shutil.which("nvidia-smi") or "", "a GPU for local models", "use a machine that has one"),
    ]  # fmt: skip


def _there(name: str, found: str, enables: str, install: str) -> Finding:
    return Finding(name, "optional", "ok" if found else "missing", found, enables, install)


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Only look for the packages, do not import them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what is installed, what is missing and how to get it. Exit status 1 when something needed is missing."""
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        findings = [*pool.map(lambda part: examine(part, quick=quick), PARTS), *surroundings()]
    needed_missing = [item for item in findings if item.need == "needed" and item.state != "ok"]
    if as_json:
        document = {"machine": describe_machine(), "findings": [asdict(item) for item in findings]}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        _print(findings)
    if needed_missing:
        raise typer.Exit(1)


def _print(findings: Iterable[Finding]) -> None:
    console = make_console()
    everything = list(findings)
    for need, title in (
        ("needed", "Needed"),
        ("ROS 2", "ROS 2 (nodes, demo, --live)"),
        ("optional", "Optional"),
    ):
        console.print(Text(title, "bold"))
        table = Table.grid(padding=(0, 1))
        for item in (entry for entry in everything if entry.need == need):
            table.add_row(*_row(item))
        console.print(table)
    missing = [item for item in everything if item.state != "ok" and item.need != "optional"]
    if not missing:
        console.print(Text("Everything the demo needs is here.", "green"))
        return
    for command in dict.fromkeys(item.install for item in missing):
        names = ", ".join(item.name for item in missing if item.install == command)
        console.print(Text.assemble((f"Run {command}", "bold"), f" to get {names}."))


def _row(item: Finding) -> tuple[Text, Text, Text, Text]:
    if item.state == "ok":
        return Text(" ✓", "green"), Text(item.name), Text(item.version, "dim"), Text(item.enables, "dim")
    color = "yellow" if item.need == "optional" else "red"
    text = Text(item.enables + "; ", "dim")
    text.append(item.detail + "; " if item.detail else "").append(item.install, color)
    return Text(" ✗", color), Text(item.name), Text(item.state, color), text
