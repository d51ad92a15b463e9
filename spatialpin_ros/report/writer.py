# SPDX-License-Identifier: Apache-2.0
"""Writes the folder of a run: documents, pictures, logs and the page that shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.perception.annotate import annotate
from spatialpin_ros.report.images import animation, frame_at, png
from spatialpin_ros.report.page import render
from spatialpin_ros.report.plots import joint_plots, top_view
from spatialpin_ros.report.record import RunRecord
from spatialpin_ros.scene import Scene
from spatialpin_ros.serialization import save, write_atomically

DOCUMENTS = ("scene", "scene_after", "task", "plan", "plan_failure", "outcome")


def write_report(folder: Path | str, run: RunRecord) -> Path:
    """Write everything a run left behind into a folder and return the path of its index.html.

    Documents are the nouns' JSON; pictures that cannot be made from what the run holds are left out, and the page
    then does not mention them.

    Raises:
        InvalidValueError: when the folder cannot be written.
    """
    target = Path(folder)
    names = _write_documents(target, run)
    files = _write_pictures(target, run)
    stage_images = _write_stages(target, run)
    names += _copy_logs(target, run)
    page = target / "index.html"
    write_atomically(page, render(run, files, stage_images, names).encode())
    return page


def summary(run: RunRecord) -> dict[str, Any]:
    """The run in a few plain values, for tables and for scripts."""
    return {
        "title": run.title,
        "started_at": run.started_at,
        "seed": run.seed,
        "request": run.request,
        "backend": run.backend,
        "transport": run.transport,
        "succeeded": run.succeeded,
        "verdict": run.verdict,
        "message": run.explanation,
        "task": run.task.description if run.task is not None else "",
        "objects": len(run.scene.objects) if run.scene is not None else 0,
        "timings_s": {item.name: round(item.seconds, 4) for item in run.timings},
        "stages_s": [[event.name, round(event.duration_s, 3)] for event in run.events],
        "machine": dict(run.machine),
    }


def _write_documents(folder: Path, run: RunRecord) -> list[str]:
    names = []
    for name in DOCUMENTS:
        noun = getattr(run, name)
        if noun is not None:
            names.append(save(noun, folder / f"{name}.json").name)
    write_atomically(folder / "summary.json", (json.dumps(summary(run), indent=1) + "\n").encode())
    return [*names, "summary.json"]


def _write_pictures(folder: Path, run: RunRecord) -> dict[str, str]:
    pictures: dict[str, tuple[str, bytes]] = {}
    moved = run.task.object_ids if run.task is not None else ()
    if run.image is not None:
        pictures["camera"] = "camera.png", png(_named(run.image, run.scene, moved))
    if run.image_after is not None:
        pictures["camera_after"] = "camera_after.png", png(_named(run.image_after, run.scene_after))
    if run.scene is not None:
        pictures["top_view"] = "top_view.svg", top_view(run.scene, run.plan, run.scene_after)
    if run.video:
        pictures["animation"] = "execution.gif", animation(run.video, run.events)
    if run.plan is not None and run.joints is not None and len(run.joints.times):
        positions, velocities = joint_plots(run.plan, run.events, run.joints)
        pictures["positions"] = "joint_positions.svg", positions
        pictures["velocities"] = "joint_velocities.svg", velocities
    for name, data in pictures.values():
        write_atomically(folder / name, data)
    return {kind: name for kind, (name, _) in pictures.items()}


def _write_stages(folder: Path, run: RunRecord) -> list[str]:
    """One picture per stage: the camera image at its end."""
    if not run.video:
        return []
    names = []
    for index, event in enumerate(run.events):
        name = f"stages/{index + 1:02d}_{event.name}.png"
        write_atomically(folder / name, png(frame_at(run.video, event.ended_s)))
        names.append(name)
    return names


def _copy_logs(folder: Path, run: RunRecord) -> list[str]:
    names = []
    for node, source in run.logs.items():
        target = folder / "logs" / f"{node}.log"
        if source.is_file():
            if source.resolve() != target.resolve():
                write_atomically(target, source.read_bytes())
            names.append(f"logs/{target.name}")
    return names


def _named(image: UInt8Array, scene: Scene | None, moved: Sequence[str] = ()) -> UInt8Array:
    return image if scene is None else annotate(image, scene, ids=True, highlight=moved)
