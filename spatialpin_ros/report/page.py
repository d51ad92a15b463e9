# SPDX-License-Identifier: Apache-2.0
"""The page of a run: what the template shows, as plain values; all text is escaped by the template engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.report.images import color_of
from spatialpin_ros.report.plots import tracking_errors
from spatialpin_ros.report.record import RunRecord
from spatialpin_ros.scene import Scene

TEMPLATES = Path(__file__).parent / "templates"
UNITS = (
    ("_m", "mm", 1000.0, ".1f"),
    ("_s", "s", 1.0, ".3g"),
    ("_rad", "deg", 180.0 / np.pi, ".1f"),
    ("_n", "N", 1.0, ".1f"),
)


def render(
    run: RunRecord, files: Mapping[str, str], stage_images: Sequence[str], names: Sequence[str]
) -> str:
    """Render index.html.

    Args:
        run: the run.
        files: relative paths of the pictures that exist, by what they show (camera, animation, ...).
        stage_images: relative path of one picture per event, or empty.
        names: relative paths of the documents to link to.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    kinds = ("camera", "camera_after", "animation", "top_view", "positions", "velocities")
    return environment.get_template("index.html.jinja2").render(
        run=run,
        explanation=sentence(run.explanation),
        rationale=sentence(run.task.rationale) if run.task is not None else "",
        style=Markup((TEMPLATES / "style.css").read_text()),
        kicker=_kicker(run),
        mood=_mood(run),
        facts=_facts(run),
        files={kind: files.get(kind, "") for kind in kinds},
        stages=_stages(run, stage_images),
        tracking=_tracking(run),
        objects=_objects(run.scene) if run.scene is not None else [],
        measurements=_measurements(run),
        names=names,
        machine=" · ".join(f"{key}: {value}" for key, value in run.machine.items()),
    )


def quantity(name: str, value: float) -> tuple[str, str]:
    """Turn a metric such as ("horizontal_offset_m", 0.0031) into a readable ("horizontal offset", "3.1 mm")."""
    for suffix, unit, factor, style in UNITS:
        if name.endswith(suffix):
            return name.removesuffix(suffix).replace("_", " "), f"{value * factor:{style}} {unit}"
    return name.replace("_", " "), f"{value:.4g}"


def sentence(text: str) -> str:
    """The text with a capital first letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if not text or text[-1] in ".!?" else ".")


def _kicker(run: RunRecord) -> str:
    seed = f"seed {run.seed}" if run.seed is not None else ""
    return " · ".join(
        part for part in (run.started_at, seed, f"reasoning: {run.backend}", run.transport) if part
    )


def _mood(run: RunRecord) -> str:
    if run.succeeded:
        return "good"
    return "wait" if run.outcome is not None and run.outcome.status in ("planned", "cancelled") else "bad"


def _facts(run: RunRecord) -> list[dict[str, str]]:
    facts = [
        {"label": item.name, "value": f"{item.seconds:.2f}", "unit": f"s {item.note}"} for item in run.timings
    ]
    if run.scene is not None:
        facts.insert(0, {"label": "objects found", "value": str(len(run.scene.objects)), "unit": ""})
    return facts


def _stages(run: RunRecord, images: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": event.name,
            "text": event.text,
            "seconds": f"{event.duration_s:.1f}",
            "share": f"{max(event.duration_s, 0.05):.3f}",
            "image": images[index] if index < len(images) else "",
        }
        for index, event in enumerate(run.events)
    ]


def _tracking(run: RunRecord) -> str:
    if run.plan is None or run.joints is None:
        return ""
    errors = tracking_errors(run.plan, run.events, run.joints)
    return "" if np.isnan(errors).all() else f"{np.degrees(np.nanmax(errors)):.2f} deg"


def _objects(scene: Scene) -> list[dict[str, str]]:
    names = {item.id: item.name for item in scene.objects}
    return [
        {
            "id": item.id,
            "name": item.name,
            "dot": color_of(item),
            "shape": item.shape,
            "size": _millimetres(item.size, " × "),
            "centre": _millimetres(item.centre, ", "),
            "support": names.get(item.supported_by, item.supported_by),
            "visible": f"{item.visibility:.0%}",
        }
        for item in scene.objects
    ]


def _millimetres(values: FloatArray, separator: str) -> str:
    return separator.join(f"{value * 1000.0:.0f}" for value in values)


def _measurements(run: RunRecord) -> list[dict[str, Any]]:
    groups = []
    if run.outcome is not None and run.outcome.measurements:
        groups.append(
            {"title": "Verdict", "rows": [quantity(*pair) for pair in run.outcome.measurements.items()]}
        )
    if run.plan is not None:
        rows = [("stages", str(len(run.plan.stages))), ("time in motion", f"{run.plan.duration_s:.2f} s")]
        rows += [quantity(*pair) for pair in run.plan.metrics.items()]
        groups.append({"title": "Plan", "rows": rows})
    return groups
