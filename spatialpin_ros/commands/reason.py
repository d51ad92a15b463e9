# SPDX-License-Identifier: Apache-2.0
"""`spatialpin propose` and `spatialpin ask`: what can be done with a scene, and questions about it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from spatialpin_ros.commands.common import STDIN, connect, either, read_scene
from spatialpin_ros.commands.outputs import check_file, write_json
from spatialpin_ros.commands.reasoner import BackendName, Photo, Reasoner, Record, Settings
from spatialpin_ros.config import RobotConfig
from spatialpin_ros.demo.account import make_console
from spatialpin_ros.demo.workcell import Answered, Proposed
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task

SceneFile = Annotated[
    Path | None, typer.Argument(help='Scene JSON made by `capture`; "-" reads standard input.')
]
Live = Annotated[bool, typer.Option("--live", help="Use the running ROS graph instead of a file.")]
Robot = Annotated[str, typer.Option(help="config/robots/<name>.yaml or a path.")]


def propose(
    context: typer.Context,
    scene: SceneFile = None,
    live: Live = False,
    most: Annotated[int, typer.Option("--max", "-n", min=1, help="Most tasks to propose.")] = 10,
    backend: BackendName = "symbolic",
    settings: Settings = None,
    record: Record = None,
    photo: Photo = None,
    robot: Robot = "panda",
    seed: Annotated[int, typer.Option(help="Seed of whatever the back end draws.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help='Write the tasks as JSON; "-" prints it.')
    ] = None,
    reasons: Annotated[
        bool, typer.Option("--why", help="Also print the ideas that were dropped, and why.")
    ] = False,
) -> None:
    """Propose pick-and-stack tasks for a scene, best first."""
    either(context, scene, live)
    check_file(out)
    reasoner = Reasoner(backend, settings or (), record, photo)
    proposed = _propose_live(most) if scene is None else local_proposals(scene, reasoner, robot, most, seed)
    if out is not None:
        tasks = [task.to_dict() for task in proposed.tasks]
        write_json(out, {"tasks": tasks, "rejected": list(proposed.rejected)})
    if out != STDIN:
        _show(proposed, reasons)


def local_proposals(scene: Path, reasoner: Reasoner, robot: str, most: int, seed: int) -> Proposed:
    """Propose with a back end in this process."""
    from spatialpin_ros.reasoning import Abilities

    seen, abilities = read_scene(scene), Abilities.from_robot(RobotConfig.load(robot))
    found = reasoner.create().propose(seen, abilities, most, seed, reasoner.frame(seen))
    return Proposed(found.tasks, tuple(str(item) for item in found.rejected))


def _propose_live(most: int) -> Proposed:
    client = connect()
    try:
        return client.propose(most)
    finally:
        client.close()


def _show(proposed: Proposed, reasons: bool) -> None:
    console = make_console()
    if not proposed.tasks:
        console.print("Nothing can be done with this scene.")
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    for number, task in enumerate(proposed.tasks, 1):
        table.add_row(Text(str(number), "dim"), Text(task.description), Text(f"{task.score:.2f}", "dim"))
    console.print(table)
    if reasons or not proposed.tasks:
        for line in proposed.rejected:
            console.print(Text(f"dropped: {line}", "dim"))
    elif proposed.rejected:
        console.print(Text(f"{len(proposed.rejected)} ideas dropped; --why shows them", "dim"))


def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help='For example "how far is the red cube from the blue box?"')],
    scene: SceneFile = None,
    live: Live = False,
    backend: BackendName = "symbolic",
    settings: Settings = None,
    record: Record = None,
    photo: Photo = None,
    before: Annotated[
        Path | None, typer.Option("--before", help="Earlier scene, for questions about what changed.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help='Write the answer as JSON; "-" prints it.')
    ] = None,
) -> None:
    """Answer a spatial question about a scene: distances, sizes, directions, angles, counts, changes."""
    either(context, scene, live)
    check_file(out)
    reasoner = Reasoner(backend, settings or (), record, photo)
    if scene == before == STDIN:
        raise typer.BadParameter("only one of the scene and --before can come from standard input")
    answer = _ask_live(question) if scene is None else _ask_local(question, scene, reasoner, before)
    if out is not None:
        write_json(out, asdict(answer))
    if out != STDIN:
        _show_answer(answer)


def _show_answer(answer: Answered) -> None:
    """The sentence, then what it rests on: value and unit, objects, geometric program, frame."""
    console = make_console()
    console.print(Text(answer.text, "bold"))
    value = "" if answer.value is None else f"value {answer.value:.6g} {answer.unit}"
    objects = f"objects {', '.join(answer.object_ids)}" if answer.object_ids else ""
    program = f"computed as {answer.program}" if answer.program else ""
    frame = f"frame {answer.frame}" if answer.frame else ""
    evidence = " · ".join(each for each in (value, objects, program, frame) if each)
    if evidence:
        console.print(Text(evidence, "dim"))


def _ask_local(question: str, scene: Path, reasoner: Reasoner, before: Path | None = None) -> Answered:
    seen = read_scene(scene)
    earlier = read_scene(before) if before is not None else None
    found = reasoner.create().answer(seen, question, reasoner.frame(seen), earlier)
    return Answered(found.text, found.value, found.unit, tuple(found.object_ids), found.program, found.frame)


def _ask_live(question: str) -> Answered:
    client = connect()
    try:
        return client.answer(question)
    finally:
        client.close()


def describe_local(scene: Scene, request: str, reasoner: Reasoner, robot: RobotConfig) -> Task:
    """Turn free text into a task of a scene."""
    from spatialpin_ros.reasoning import Abilities

    return reasoner.create().describe(scene, Abilities.from_robot(robot), request, reasoner.frame(scene))
