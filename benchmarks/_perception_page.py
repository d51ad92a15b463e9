# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page: the table, figures by shape, and pictures of the worst cases."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path

import cv2
import numpy as np
from _machine import machine_line
from _perception_scores import HIDDEN_VISIBILITY, MATCH_IOU, MATCH_M, SCORED_VISIBILITY, upright
from _perception_tally import NOISE_WORDS, NOISY_FACTOR, Case, Columns, Row, by_shape, shortfalls

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.commands.outputs import write_bytes
from spatialpin_ros.geometry import OrientedBox
from spatialpin_ros.simulation import PALETTE

TRUE_RGB, SEEN_RGB, DARK_RGB = (255, 255, 255), (255, 0, 170), (20, 20, 24)
_EDGES = [(0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 3), (2, 6), (3, 7), (4, 5), (4, 6), (5, 7), (6, 7)]
_PICTURE_PX = 900
_MARGIN_PX = 24

_STYLE = """
:root { color-scheme: light; --ink: #1c2430; --soft: #5d6878; --line: #dde3ea; --good: #14713b; --bad: #b3261e; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1680px; padding: 28px 24px 60px; color: var(--ink); background: #fff;
  font: 15px/1.5 "DejaVu Sans", system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 36px 0 8px; }
p { margin: 6px 0; max-width: 980px; } .soft { color: var(--soft); font-size: 13px; }
code { background: #f2f5f8; padding: 1px 5px; border-radius: 4px; font-size: 13px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 12.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 7px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, td.asked, th.asked { text-align: left; }
td.asked { white-space: normal; width: 170px; min-width: 170px; font-size: 11.5px; line-height: 1.3; }
thead th { border-bottom: 2px solid var(--ink); font-weight: 600; } thead tr:first-child th { border-bottom: 0; }
.first { border-left: 1px solid var(--line); } tr.step td { color: var(--soft); }
.good { color: var(--good); font-weight: 600; } .bad { color: #fff; background: var(--bad); font-weight: 600; }
small { color: var(--soft); font-weight: 400; margin-left: 4px; } .bad small { color: #ffe3e0; }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(620px, 1fr)); gap: 22px; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; background: #fbfcfd; }
figure .views { display: grid; grid-template-columns: 3fr 2fr; background: #eef1f5; }
figure img { width: 100%; height: 100%; object-fit: contain; display: block; }
figure svg { width: 100%; height: 100%; display: block; background: #fff; }
figcaption { padding: 8px 12px; font-size: 13px; } figcaption b { font-weight: 600; }
.key span { display: inline-block; width: 26px; height: 0; border-top: 3px solid; margin: 0 6px 4px 14px; }
ul { margin: 4px 0; padding-left: 20px; }
"""


def write_page(path: Path, title: str, columns: Columns, table: Sequence[Row], worst: int) -> Path:
    """Write the page and return its path."""
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{datetime.now().astimezone():%Y-%m-%d %H:%M %Z} · {escape(machine_line())}</p>',
        _how(),
        "<h2>Figures</h2>",
        f'<div class="wide">{_main_table(columns, table)}</div>',
        _missing(columns, list(table)),
        "<h2>By shape</h2>",
        "<p>Objects of all kinds of scenes together; centre and size in mm, heading in degrees, median / p95, "
        "IoU median / p5.</p>",
        f'<div class="wide">{_shape_table(columns)}</div>',
        "<h2>Worst cases</h2>",
        _key(),
        f'<div class="cases">{"".join(_figure(case) for case in worst_cases(columns, worst))}</div>',
    ]
    write_bytes(
        path,
        (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
        ).encode(),
    )
    return path


def worst_cases(columns: Columns, count: int) -> list[Case]:
    """The frames with the most misses and false objects, then the largest errors, of every kind and noise."""
    return [
        case
        for tally in columns.values()
        for case in sorted(tally.cases, key=lambda c: -c.score.badness)[:count]
    ]


def _how() -> str:
    return (
        "<p>Every scene has its own seed, 2 to 10 objects and its own camera: 30 to 65° above the table, 0.75 to 1.1 m "
        "away, rolled by up to 8°. Depth is exact, or that of a simulated RealSense D435 (error that grows with the "
        f"square of depth, quantised disparity, bled edges, holes). An object counts when {SCORED_VISIBILITY:.0%} or "
        "more of its silhouette is visible in the rendered truth; it is found when a perceived mask overlaps its "
        f"visible pixels by {MATCH_IOU:.0%} (intersection over union) and the centres are within {MATCH_M * 1e3:.0f} "
        f"mm. Partly hidden means less than {HIDDEN_VISIBILITY:.0%} visible. Size is the mean absolute error of the "
        f"three extents. With noise, errors and shortfalls may be {NOISY_FACTOR} times as large; the small number is "
        "the share of what is allowed that is used up. Objects that touch or stand on each other differ in colour. "
        "One core; wall time depends on all that the machine does meanwhile, CPU time less.</p>"
    )


def _main_table(columns: Columns, table: Sequence[Row]) -> str:
    kinds = list(dict.fromkeys(kind for kind, _ in columns))
    noises = list(dict.fromkeys(noise for _, noise in columns))
    head = "".join(f'<th class="first" colspan="{len(noises)}">{kind}</th>' for kind in kinds)
    second = "".join(
        f"<th{' class=first' if k == 0 else ''}>{NOISE_WORDS[noise]}</th>"
        for _ in kinds
        for k, noise in enumerate(noises)
    )
    body = []
    for row in table:
        cells = []
        for k, figure in enumerate(row.figures):
            classes = [
                name
                for name, on in (
                    ("first", k % len(noises) == 0),
                    ("good", figure.reached is True),
                    ("bad", figure.reached is False),
                )
                if on
            ]
            ratio = "" if figure.ratio is None else f"<small>{figure.ratio:.2f}×</small>"
            cells.append(f'<td class="{" ".join(classes)}">{escape(figure.text)}{ratio}</td>')
        step = ' class="step"' if row.name.startswith("  ") else ""
        asked = escape(row.asked)
        body.append(
            f"<tr{step}><td>{escape(row.name)}</td><td class='asked'>{asked}</td>{''.join(cells)}</tr>"
        )
    return (
        f'<table><thead><tr><th></th><th class="asked">asked</th>{head}</tr><tr><th></th><th class="asked"></th>'
        f"{second}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _missing(columns: Columns, table: list[Row]) -> str:
    lines = shortfalls(columns, table)
    if not lines:
        return "<p>Everything that is asked is reached.</p>"
    return f"<p>Not reached:</p><ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _shape_table(columns: Columns) -> str:
    names = ("shape", "depth", "objects", "recall", "centre", "size", "heading", "IoU")
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in line)}</tr>"
        for line in by_shape(columns)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _key() -> str:
    seen = "#{:02x}{:02x}{:02x}".format(*SEEN_RGB)
    return (
        f'<p class="key"><span style="border-color:#1c2430"></span>true box (white in the image)'
        f'<span style="border-color:{seen}"></span>perceived box. On the right the table from above, the camera '
        "at the bottom; true footprints are filled with the object's colour.</p>"
    )


def _figure(case: Case) -> str:
    text = "; ".join(findings(case))
    return (
        f'<figure><div class="views"><img alt="camera image of seed {case.seed}" '
        f'src="data:image/jpeg;base64,{_jpeg(picture(case))}">{_plan(case)}</div>'
        f"<figcaption><b>{case.kind}, {NOISE_WORDS[case.noise]}, seed {case.seed}</b>: {escape(text)}</figcaption>"
        "</figure>"
    )


def findings(case: Case) -> list[str]:
    """What is wrong in a frame, in words."""
    lines = []
    for item, true in zip(case.score.objects, case.truth.objects, strict=True):
        if item.scored and not item.found:
            lines.append(f"missed the {true.spec.name} ({item.visibility:.0%} visible)")
        elif item.found and item.scored and not item.support_right:
            lines.append(f"wrong support of the {true.spec.name}")
    lines += [f"false: {case.scene.objects[k].name}" for k in case.score.false]
    found = [
        (max(item.centre_m or 0.0, item.size_m or 0.0), item, true)
        for item, true in zip(case.score.objects, case.truth.objects, strict=True)
        if item.found and item.scored
    ]
    if found:
        _, item, true = max(found, key=lambda entry: entry[0])
        heading = "" if item.yaw_deg is None else f", heading {item.yaw_deg:.1f}°"
        lines.append(
            f"largest error {true.spec.name}: centre {1e3 * (item.centre_m or 0):.1f} mm, size "
            f"{1e3 * (item.size_m or 0):.1f} mm{heading} ({item.visibility:.0%} visible)"
        )
    return lines


def picture(case: Case) -> np.ndarray:
    """(H, W, 3) RGB: the part of the image with the objects, enlarged, with what is true and what is perceived."""
    frame = case.frame
    drawn = [
        (line, TRUE_RGB)
        for item in case.truth.objects
        for line in _lines(item.box, item.spec.kind == "cylinder", item.spec.kind == "sphere")
    ]
    drawn += [
        (line, SEEN_RGB)
        for item in case.scene.objects
        for line in _lines(item.box, item.shape == "cylinder", item.shape == "sphere")
    ]
    lines = [(_project(frame, line), color) for line, color in drawn]
    everything = np.concatenate([pixels for pixels, _ in lines])
    low = np.maximum(everything.min(axis=0) - _MARGIN_PX, 0).astype(int)
    high = np.minimum(everything.max(axis=0) + _MARGIN_PX, frame.size[::-1]).astype(int)
    scale = _PICTURE_PX / max(high[0] - low[0], 1.25 * (high[1] - low[1]))
    part = frame.color[low[1] : high[1], low[0] : high[0]]
    canvas = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    for halo in (True, False):
        for pixels, color in lines:
            fixed = np.round(((pixels - low + 0.5) * scale - 0.5) * 16).astype(np.int32).reshape(-1, 1, 2)
            ink, width = (DARK_RGB, 5) if halo else (color, 2)
            cv2.polylines(canvas, [fixed], False, ink, width, cv2.LINE_AA, 4)
    return np.asarray(canvas)


def _lines(box: OrientedBox, is_cylinder: bool, is_ball: bool) -> list[np.ndarray]:
    """(N, 3) lines in the base frame: edges of a box, rims and sides of a cylinder, three circles of a ball."""
    if not (is_cylinder or is_ball):
        corners = box.corners
        return [corners[[a, b]] for a, b in _EDGES]
    angle = np.linspace(0.0, 2.0 * np.pi, 49)
    circle = 0.5 * box.size[0] * np.column_stack([np.cos(angle), np.sin(angle), np.zeros(len(angle))])
    if is_ball:
        return [box.pose.transform(circle[:, order]) for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0])]
    rims = [
        box.pose.transform(circle + np.array([0.0, 0.0, side * 0.5 * box.size[2]])) for side in (-1.0, 1.0)
    ]
    return [*rims, *(np.stack([rims[0][k], rims[1][k]]) for k in range(0, 48, 12))]


def _project(frame: CameraFrame, points: np.ndarray) -> np.ndarray:
    return frame.intrinsics.project(frame.base_T_camera.inverse().transform(points))


def _plan(case: Case) -> str:
    """SVG of the footprints from above, turned so that the camera looks up the page; a bar of 10 cm."""
    forward = case.frame.base_T_camera.axes[:2, 2]
    forward = forward / np.linalg.norm(forward)
    turn = np.array([[forward[1], -forward[0]], [-forward[0], -forward[1]]])
    shapes = [
        (
            item.box,
            item.spec.round,
            "#{:02x}{:02x}{:02x}".format(*(int(255 * c) for c in PALETTE[item.spec.color])),
            True,
        )
        for item in case.truth.objects
    ]
    shapes += [
        (
            upright(item.box),
            item.shape in ("cylinder", "sphere") and bool(abs(item.box.pose.axes[2, 2]) > 0.7),
            "none",
            False,
        )
        for item in case.scene.objects
    ]
    outlines = [1e3 * (_footprint(box, is_round) @ turn.T) for box, is_round, _, _ in shapes]
    everything = np.concatenate(outlines)
    low, high = everything.min(axis=0) - 25.0, everything.max(axis=0) + 25.0
    span = np.maximum(high - low, 160.0)
    low = 0.5 * (low + high) - 0.5 * span
    stroke = 0.006 * float(span.max())
    seen = "#{:02x}{:02x}{:02x}".format(*SEEN_RGB)
    drawn = []
    for outline, (_, _, fill, is_true) in zip(outlines, shapes, strict=True):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in outline)
        style = (
            f'fill="{fill}" fill-opacity="0.45" stroke="#1c2430" stroke-width="{stroke:.2f}"'
            if is_true
            else f'fill="none" stroke="{seen}" stroke-width="{stroke:.2f}"'
        )
        drawn.append(f'<polygon points="{points}" {style}/>')
    x, y = low[0] + 10.0, low[1] + span[1] - 10.0
    size = 0.035 * float(span.max())
    bar = (
        f'<path d="M{x:.1f} {y:.1f}h100" stroke="#5d6878" stroke-width="{stroke:.2f}"/>'
        f'<text x="{x + 104:.1f}" y="{y + 0.35 * size:.1f}" font-size="{size:.1f}" fill="#5d6878">10 cm</text>'
    )
    return f'<svg viewBox="{low[0]:.1f} {low[1]:.1f} {span[0]:.1f} {span[1]:.1f}">{"".join(drawn)}{bar}</svg>'


def _footprint(box: OrientedBox, is_round: bool) -> np.ndarray:
    if not is_round:
        return np.asarray(box.footprint)
    angle = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    return np.asarray(box.centre[:2] + 0.5 * box.size[0] * np.column_stack([np.cos(angle), np.sin(angle)]))


def _jpeg(image: np.ndarray) -> str:
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return base64.b64encode(data.tobytes()).decode()
