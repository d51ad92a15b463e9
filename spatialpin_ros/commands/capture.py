# SPDX-License-Identifier: Apache-2.0
"""`spatialpin capture`: from image files or a live camera to a scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.commands.common import connect
from spatialpin_ros.commands.live import refuse_unheard
from spatialpin_ros.commands.outputs import STDOUT, check_file, write_bytes, write_json
from spatialpin_ros.commands.perceive import perceive_color, perceive_depth
from spatialpin_ros.config import CameraConfig
from spatialpin_ros.demo.account import make_console
from spatialpin_ros.documents import read_document
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.poses import pose_from
from spatialpin_ros.scene import Scene

if TYPE_CHECKING:
    from spatialpin_ros.perception.perceive import Perceived


def capture(
    context: typer.Context,
    color: Annotated[Path | None, typer.Option(help="Colour image (PNG or JPEG).", dir_okay=False)] = None,
    depth: Annotated[
        Path | None,
        typer.Option(help="Depth aligned to it: 16-bit PNG in mm, or NPY in metres.", dir_okay=False),
    ] = None,
    intrinsics: Annotated[
        Path | None,
        typer.Option(
            help="JSON or YAML with width, height, fx, fy, cx, cy, or a camera_info.", dir_okay=False
        ),
    ] = None,
    pose: Annotated[
        Path | None,
        typer.Option(
            help="JSON or YAML with the camera's pose in the robot's base frame; else --camera's.",
            dir_okay=False,
        ),
    ] = None,
    camera: Annotated[
        str,
        typer.Option(help="config/cameras/<name>.yaml or a path: workspace, and the pose without --pose."),
    ] = "simulation",
    live: Annotated[
        bool, typer.Option("--live", help="Ask the running scene node for a fresh scene.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help='Scene JSON to write; "-" prints it.')] = Path(
        "scene.json"
    ),
    image: Annotated[
        Path | None, typer.Option(help="Also write the colour image with labelled objects.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="An object to look for with the learned detector; repeat it."),
    ] = None,
    perception: Annotated[
        str,
        typer.Option(
            help="config/perception/<name>.yaml or a path: learned modules, names, models; without --depth it "
            "must name a depth model, as learned does."
        ),
    ] = "",
    model: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FILE: align a mesh (STL, OBJ, PLY, GLB, in metres) to an object; repeat it."),
    ] = None,
) -> None:
    """Rebuild the scene from an RGB-D image, or from a colour image alone, and write it as JSON."""
    if live:
        refuse_unheard(context)
    check_file(out)
    check_file(image)
    if live:
        scene, picture, notes = _live(name or [])
    else:
        captured = _from_files(color, depth, intrinsics, pose, camera, name or [], perception, model or [])
        scene, picture, notes = captured.scene, captured.frame.color, captured.notes
    write_json(out, scene.to_dict())
    if image is not None and picture is not None:
        from spatialpin_ros.perception.annotate import annotate
        from spatialpin_ros.report.images import png

        write_bytes(image, png(annotate(picture, scene)))
    if out != STDOUT:
        show_scene(scene)
        for note in notes:
            make_console().print(Text(f"note: {note}", "yellow"))
        make_console().print(
            f"written to {out}" + (f" and {image}" if image is not None else ""), soft_wrap=True
        )


def _live(names: list[str]) -> tuple[Scene, UInt8Array | None, tuple[str, ...]]:
    client = connect()
    try:
        scene = client.capture(names)
        return scene, client.image(), client.notes
    finally:
        client.close()


def _from_files(
    color: Path | None,
    depth: Path | None,
    intrinsics: Path | None,
    pose: Path | None,
    camera: str,
    names: list[str],
    perception: str,
    models: list[str],
) -> Perceived:
    if color is None:
        raise typer.BadParameter("give --color with --depth and --intrinsics, --color alone, or --live")
    given = read_pose(pose) if pose is not None else None
    config = CameraConfig.load(camera)
    if depth is None:
        if models:
            raise typer.BadParameter("--model needs measured depth: give --depth")
        # The configured pose is that of a certain camera, not of whoever took this picture.
        workspace = config.workspace if given is not None else None
        return perceive_color(color, intrinsics, given, workspace, names, perception or "learned")
    if intrinsics is None:
        raise typer.BadParameter("--depth needs --intrinsics, the camera it was measured with")
    from spatialpin_ros.perception.files import frame_from_files

    frame = frame_from_files(color, depth, intrinsics, given or config.base_T_camera)
    chosen = perception or ("learned" if names else "geometric")
    return perceive_depth(frame, config.workspace, names, chosen, models)


def read_pose(path: Path) -> Pose:
    """Read a pose of JSON or YAML in one of the forms of `pose_from` [m, rad].

    Raises:
        InvalidValueError: naming the file, and the value that is none or the forms that are understood.
    """
    document = read_document(path)
    try:
        return pose_from(document, "")
    except InvalidValueError as error:
        raise InvalidValueError(f"{path}: {error}") from error


def show_scene(scene: Scene) -> None:
    """Print a table of the scene's objects."""
    console = make_console()
    if not scene.objects:
        console.print("The table is empty.")
        return
    names = {item.id: item.name for item in scene.objects}
    table = Table(box=None, header_style="dim", pad_edge=False)
    for title, justify in (("id", "left"), ("object", "left"), ("shape", "left"), ("size [mm]", "right")):
        table.add_column(title, justify="right" if justify == "right" else "left")
    table.add_column("centre [mm]", justify="right")
    table.add_column("stands on")
    for item in scene.objects:
        size = " x ".join(f"{value * 1000:.0f}" for value in item.size)
        centre = ", ".join(f"{value * 1000:.0f}" for value in item.centre)
        support = names.get(item.supported_by, item.supported_by)
        table.add_row(item.id, Text(item.name, "bold"), item.shape, size, centre, support)
    console.print(table)
