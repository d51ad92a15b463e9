# SPDX-License-Identifier: Apache-2.0
"""What the commands share: one red line for an error, JSON in and out, and the choice of files or a live graph."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from spatialpin_ros.commands.live import refuse_unheard
from spatialpin_ros.demo.account import make_console
from spatialpin_ros.documents import parse_json, read_json
from spatialpin_ros.errors import BackendError, InvalidValueError, SpatialPinError
from spatialpin_ros.scene import Scene
from spatialpin_ros.serialization import load
from spatialpin_ros.task import Task

if TYPE_CHECKING:
    from spatialpin_ros.nodes.client import GraphClient

STDIN = Path("-")


class FriendlyGroup(TyperGroup):
    """Turns the package's errors into one clear line and exit status 1; anything else keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SpatialPinError as error:
            say_error(str(error))
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            # An interrupt between the hiding of the cursor and the first line of a spinner finds nobody to show it.
            make_console().show_cursor()
            say_error("stopped")
            raise typer.Exit(130) from error


def say_error(message: str) -> None:
    make_console(stderr=True).print(Text.assemble(("error: ", "bold red"), (message, "red")), soft_wrap=True)


def read_scene(path: Path) -> Scene:
    """Read a scene from a JSON file, or from standard input when the path is "-"."""
    if path != STDIN:
        return load(Scene, path)
    try:
        return Scene.from_dict(parse_json(sys.stdin.read(), "standard input"))
    except (UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InvalidValueError(f"standard input is not a scene: {error!r}") from error


def read_task(path: Path, number: int) -> Task:
    """Read task `number` (from 1) of the file that `propose` wrote, or the one task of a task's file."""
    document = read_json(path)
    try:
        if "tasks" not in document:
            return Task.from_dict(document)
        tasks = [Task.from_dict(item) for item in document["tasks"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidValueError(f"{path} is not a task: {error!r}") from error
    if not 1 <= number <= len(tasks):
        raise InvalidValueError(f"{path} holds {len(tasks)} tasks; number {number} is not one of them")
    return tasks[number - 1]


def either(context: typer.Context, scene: Path | None, live: bool) -> None:
    """Make sure that exactly one of a scene file and --live was given, and with it nothing that has no effect."""
    if (scene is None) != live:
        raise typer.BadParameter("give either a scene file (made by `spatialpin capture`) or --live")
    if live:
        refuse_unheard(context)


def import_ros() -> None:
    """Make sure that ROS 2 and this package's interfaces can be used.

    Raises:
        BackendError: when they cannot, with what to do.
    """
    try:
        import spatialpin_ros.nodes.client  # noqa: F401
    except ImportError as error:
        raise BackendError(
            f"ROS 2 is not usable here ({error}); run `source scripts/env.sh` after `scripts/setup`, or source your "
            "ROS 2 and workspace. `spatialpin doctor` shows what is missing"
        ) from error


def connect() -> GraphClient:
    """Join the running ROS graph; raises as `import_ros`."""
    import_ros()
    from spatialpin_ros.nodes.client import GraphClient

    return GraphClient()


def joint_values(text: str, home: Sequence[float]) -> list[float]:
    """Parse "0,-0.78,0,..." [rad]; an empty text means home."""
    if not text:
        return list(home)
    try:
        values = [float(part) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise InvalidValueError(f"--start: expected numbers separated by commas, got '{text}'") from error
    if len(values) != len(home):
        raise InvalidValueError(f"--start: expected {len(home)} joint positions, got {len(values)}")
    return values
