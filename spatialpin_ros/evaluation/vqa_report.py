# SPDX-License-Identifier: Apache-2.0
"""Shows the figures of the spatial benchmark: a table in the terminal, JSON, and a page with the misses."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from rich.table import Table

from spatialpin_ros.evaluation.exam import PROGRAMS
from spatialpin_ros.evaluation.scoring import Scored, Share, Summary, summarise
from spatialpin_ros.evaluation.views import contact_sheet
from spatialpin_ros.evaluation.vqa import Outcome, programs
from spatialpin_ros.report.page import TEMPLATES as REPORT_TEMPLATES
from spatialpin_ros.serialization import write_atomically
from spatialpin_ros.spatial_qa.question import BANDS, SMALLEST, TASK_NAMES, TASKS

_DEFINITIONS = {program.name: program for program in PROGRAMS}
_SHOWN_MISSES = 200
_SHOWN_PAIRS = 6
TOP_DOWN_DEG = 60.0
VIEWS = ("horizontal", "top-down")


def summaries(scored: Sequence[Scored]) -> dict[str, Summary]:
    """Figures by task."""
    by_task = {task: [item for item in scored if item.question.task == task] for task in TASKS}
    return {task: summarise(items) for task, items in by_task.items() if items}


def latency(scored: Sequence[Scored]) -> dict[str, float]:
    """Median and 95th percentile of the time of an answer [s]."""
    seconds = [item.latency_s for item in scored] or [math.nan]
    return {"median_s": float(np.median(seconds)), "p95_s": float(np.quantile(seconds, 0.95))}


def by_view(outcome: Outcome) -> dict[str, list[Scored]]:
    """Answers by how the camera looked at what was asked about, with the limit that the coarse turn uses."""
    pairs = {item.pair.seed: item.pair for item in outcome.pairs}
    groups: dict[str, list[Scored]] = {name: [] for name in VIEWS}
    for item in outcome.scored:
        pair = pairs[item.question.seed]
        look = pair.after if item.question.task == "IrSD" else pair.before
        down = float(np.degrees(np.arcsin(np.clip(-look.frame.base_T_camera.axes[2, 2], -1.0, 1.0))))
        groups[VIEWS[1] if down > TOP_DOWN_DEG else VIEWS[0]].append(item)
    return {name: items for name, items in groups.items() if items}


def markdown(outcome: Outcome, facts: Mapping[str, Any]) -> str:
    """The figures as a Markdown table: share, 95% interval by scene, and what the best constant guess gets."""
    found = summaries(outcome.scored)
    rows = [["% of answers", *found], ["---", *("---:" for _ in found)]]
    for name, guess, shares in _measures(found):
        rows.append([name.strip(), *(_marked(each, guess) for each in shares)])
    rows.append(["questions", *(f"{s.qualitative.count} + {s.numbers.count}" for s in found.values())])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    times = latency(outcome.scored)
    told = f"Median time of an answer {times['median_s'] * 1e3:.2f} ms. `{facts['command']}`; {facts['machine_line']}."
    return "\n".join([*lines, "", told, ""])


def _marked(share: Share, guess: bool) -> str:
    if not share.count:
        return "-"
    text = f"{share.value * 100:.1f} ({share.low * 100:.0f} to {share.high * 100:.0f})"
    return f"{text}; guess {share.guess * 100:.0f}" if guess else text


def _measures(found: Mapping[str, Summary]) -> list[tuple[str, bool, list[Share]]]:
    """Name, whether a constant guess stands beside it, and the shares by task, of each measure."""
    measures: list[tuple[str, bool, list[Share]]] = [
        ("qualitative", True, [summary.qualitative for summary in found.values()]),
        ("  yes for no", False, [summary.false_positives for summary in found.values()]),
        ("gives a number", False, [summary.numbers for summary in found.values()]),
    ]
    return measures + [(f"  {band}", True, [s.bands[band] for s in found.values()]) for band in BANDS]


def table(outcome: Outcome, title: str) -> Table:
    """The figures of each task, with 95% intervals and the best constant guess."""
    found = summaries(outcome.scored)
    shown = Table(title=title, caption="(95% interval by scene), then what the best constant guess gets")
    shown.add_column("% of answers")
    for task in found:
        shown.add_column(task, justify="right")
    for name, guess, shares in _measures(found):
        shown.add_row(name, *(_cell(share, guess) for share in shares))
    shown.add_row("questions", *(f"{s.qualitative.count} + {s.numbers.count}" for s in found.values()))
    return shown


def _cell(share: Share, guess: bool) -> str:
    if not share.count:
        return "-"
    text = f"{share.value * 100:.1f} ({share.low * 100:.0f}-{share.high * 100:.0f})"
    return f"{text} {share.guess * 100:3.0f}" if guess else f"{text}    "


def document(outcome: Outcome, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything as JSON: settings and machine, figures by task and program, every question with its answer."""
    return {
        **facts,
        "tolerances": {"bands": BANDS, "always_right_within": SMALLEST},
        "latency": latency(outcome.scored),
        "tasks": {task: summary.to_dict() for task, summary in summaries(outcome.scored).items()},
        "views": {name: summarise(items).to_dict() for name, items in by_view(outcome).items()},
        "programs": {
            name: {
                "task": task,
                "definition": _DEFINITIONS[name].definition,
                "frame": _DEFINITIONS[name].frame,
                **summarise(items).to_dict(),
            }
            for (task, name), items in programs(outcome.scored).items()
        },
        "questions": [item.to_dict() for item in outcome.scored],
    }


def write(folder: Path, outcome: Outcome, facts: Mapping[str, Any]) -> Path:
    """Write result.json, table.md, looks.jpg and index.html into a folder and return the page's path.

    Raises:
        InvalidValueError: when the folder cannot be written.
    """
    result = _finite(document(outcome, facts))
    write_atomically(folder / "result.json", (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())
    write_atomically(folder / "table.md", markdown(outcome, facts).encode())
    sheet = contact_sheet([item.pair for item in outcome.pairs[:_SHOWN_PAIRS]])
    _, picture = cv2.imencode(".jpg", sheet[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    write_atomically(folder / "looks.jpg", picture.tobytes())
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    page = environment.get_template("vqa.html.jinja2").render(
        facts=facts,
        style=Markup((REPORT_TEMPLATES / "style.css").read_text()),
        tasks=summaries(outcome.scored),
        names=TASK_NAMES,
        bands=list(BANDS),
        smallest=SMALLEST,
        latency=latency(outcome.scored),
        views={name: summarise(items) for name, items in by_view(outcome).items()},
        rows=[_row(task, name, items) for (task, name), items in programs(outcome.scored).items()],
        misses=[_miss(item) for item in outcome.scored if not hit(item)][:_SHOWN_MISSES],
        missed=sum(not hit(item) for item in outcome.scored),
        total=len(outcome.scored),
    )
    write_atomically(folder / "index.html", page.encode())
    return folder / "index.html"


def hit(item: Scored) -> bool:
    """Right, or within the narrowest band."""
    return list(BANDS)[-1] in item.within if item.question.quantitative else item.right


def _row(task: str, name: str, items: Sequence[Scored]) -> dict[str, Any]:
    program, summary = _DEFINITIONS[name], summarise(items)
    best = summary.bands[list(BANDS)[-1]] if program.kind == "number" else summary.qualitative
    return {
        "task": task,
        "name": name.replace("_", " "),
        "definition": program.definition,
        "frame": program.frame,
        "example": items[0].question.text,
        "count": len(items),
        "share": best,
        "measure": list(BANDS)[-1] if program.kind == "number" else "right",
    }


def _miss(item: Scored) -> dict[str, str]:
    question = item.question
    truths = {
        "yes_no": "yes" if question.truth else "no",
        "number": _number(question.truth, question.dimension),
    }
    truth = question.options[int(question.truth)] if question.kind == "choice" else truths[question.kind]
    return {
        "seed": str(question.seed), "task": question.task, "text": question.text, "truth": truth,
        "answer": item.text, "status": item.status,
    }  # fmt: skip


def _number(value: float, dimension: str) -> str:
    return {"length": f"{value * 100:.1f} cm", "angle": f"{value:.1f}°"}.get(dimension, f"{value:.0f}")


def _finite(value: Any) -> Any:
    """The document with null for what has no value."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
