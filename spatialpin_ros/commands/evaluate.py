# SPDX-License-Identifier: Apache-2.0
"""`spatialpin evaluate`: benchmarks against the simulator's truth."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from spatialpin_ros.commands.common import FriendlyGroup
from spatialpin_ros.commands.outputs import check_folder, keep
from spatialpin_ros.commands.reasoner import BackendName, Reasoner, Record, Settings
from spatialpin_ros.demo.account import make_console

evaluate = typer.Typer(
    cls=FriendlyGroup,
    help="Measure against the simulator's truth.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@evaluate.callback()
def _about() -> None:
    """Measure against the simulator's truth: every run names its seed, scenes, machine and intervals."""


@evaluate.command(epilog="Examples:\n\nspatialpin evaluate vqa --seed 1\n\nspatialpin evaluate vqa --backend openai "
                  "--set model=qwen2.5vl --set base_url=http://localhost:11434/v1 --priors none")  # fmt: skip
def vqa(
    backend: BackendName = "symbolic",
    settings: Settings = None,
    priors: Annotated[
        str,
        typer.Option(
            help="What a language model is told: full, coarse, objects or none. Symbolic uses the scene."
        ),
    ] = "full",
    scenes: Annotated[int, typer.Option(min=1, help="Pairs of looks to render.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of scenes and questions; 0 was used in development.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that render and perceive.")] = 2,
    share: Annotated[
        float,
        typer.Option(
            min=0.001, max=1.0, help="Share of the full number of questions, to spare a slow model."
        ),
    ] = 1.0,
    record: Record = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the report.")] = Path("vqa_report"),
) -> None:
    """Spatial question answering: relations, angles and changes, 900 questions with intervals by scene."""
    from spatialpin_ros.evaluation import vqa_report
    from spatialpin_ros.evaluation.exam import COUNTS
    from spatialpin_ros.evaluation.vqa import BenchmarkOptions, run
    from spatialpin_ros.report.machine import describe_machine

    check_folder(out)
    counts = {task: (max(1, round(a * share)), max(1, round(b * share))) for task, (a, b) in COUNTS.items()}
    chosen = [*(settings or ()), *([] if backend == "symbolic" else [f"priors={priors}"])]
    answers = Reasoner(backend, chosen, record).create()
    console = make_console()
    with Progress(console=console, transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            bar = bars.get(what)
            if bar is None:
                bar = bars.setdefault(what, progress.add_task(what, total=total))
            progress.update(bar, completed=done)

        try:
            outcome = run(answers, BenchmarkOptions(scenes, seed, jobs, counts), told)
        finally:
            answers.close()
    machine = describe_machine()
    facts = {
        "benchmark": "vqa",
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "backend": backend,
        "priors": "the perceived scene" if backend == "symbolic" else priors,
        "seed": seed,
        "scenes": scenes,
        "command": " ".join(["spatialpin", *sys.argv[1:]]),
        "machine": machine,
        "machine_line": " · ".join(f"{key}: {value}" for key, value in machine.items()),
    }
    console.print(
        vqa_report.table(outcome, f"Spatial question answering by {backend}, seed {seed}, {scenes} scenes")
    )
    times = vqa_report.latency(outcome.scored)
    console.print(
        f"an answer took {times['median_s'] * 1e3:.2f} ms (median; p95 {times['p95_s'] * 1e3:.2f} ms)"
    )
    page = keep(out, lambda folder: vqa_report.write(folder, outcome, facts))
    console.print(f"report: {page}", soft_wrap=True)
