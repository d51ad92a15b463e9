# SPDX-License-Identifier: Apache-2.0
"""`spatialpin replay`: what differs between two recorded runs of a language model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from spatialpin_ros.demo.account import make_console
from spatialpin_ros.reasoning.runs import RunComparison, compare_runs

app = typer.Typer(
    help="Recorded runs of a language model: see what differs. Play one back with --backend replay.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def replay() -> None:
    """Keep `compare` a command of its own."""


@app.command(epilog="Example:\n\nspatialpin replay compare runs/monday runs/tuesday")
def compare(
    a: Annotated[Path, typer.Argument(help="Folder of a run, made with --record.")],
    b: Annotated[Path, typer.Argument(help="Folder of another run.")],
) -> None:
    """Compare two runs call by call; exit status 0 when they are the same, 2 when they differ."""
    found = compare_runs(a, b)
    _show(found)
    if not found.equal:
        raise typer.Exit(2)


def _show(found: RunComparison) -> None:
    console = make_console()
    console.print(Text(f"{found.same} calls with the same prompt and outcome", "bold"))
    for difference in found.differences:
        console.print(Text(f"{difference.turn} (call {difference.number_a} and {difference.number_b})"))
        for what in difference.what:
            console.print(Text(f"  {what}", "dim"), soft_wrap=True)
    for name, turns in (("first", found.only_a), ("second", found.only_b)):
        if turns:
            console.print(Text(f"only in the {name} run: {', '.join(turns)}"), soft_wrap=True)
    rows = (
        ("model time", tuple(f"{value:.2f} s" for value in found.latency_s)),
        ("prompt tokens", tuple(str(value) for value in found.prompt_tokens)),
        ("completion tokens", tuple(str(value) for value in found.completion_tokens)),
    )
    for name, (first, second) in rows:
        console.print(Text(f"{name}: {first} and {second}", "dim"))
