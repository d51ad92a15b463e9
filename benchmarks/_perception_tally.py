# SPDX-License-Identifier: Apache-2.0
"""All scenes of one kind and noise together, and the figures that are asked of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from _machine import wilson
from _perception_scores import ObjectScore, SceneScore

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.scene import Scene
from spatialpin_ros.simulation import Truth

NOISES = ("none", "realsense_d435")
NOISE_WORDS = {"none": "exact", "realsense_d435": "D435"}
NOISY_FACTOR = 1.5


@dataclass(frozen=True, eq=False)
class Case:
    """One frame and what perception made of it."""

    kind: str
    noise: str
    seed: int
    frame: CameraFrame
    scene: Scene
    truth: Truth
    score: SceneScore


@dataclass
class Tally:
    """What was measured on the frames of one kind and noise; times in seconds."""

    cases: list[Case] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    steps_s: list[dict[str, float]] = field(default_factory=list)

    @property
    def objects(self) -> list[ObjectScore]:
        """The true objects that count."""
        return [item for case in self.cases for item in case.score.objects if item.scored]

    @property
    def unscored(self) -> int:
        return sum(not item.scored for case in self.cases for item in case.score.objects)

    @property
    def false(self) -> int:
        return sum(len(case.score.false) for case in self.cases)

    def values(self, name: str) -> list[float]:
        """One error of all found objects to which it applies."""
        found = (getattr(item, name) for item in self.objects if item.found)
        return [value for value in found if value is not None]

    def step_ms(self, step: str) -> float:
        return 1e3 * float(np.median([steps.get(step, 0.0) for steps in self.steps_s]))


@dataclass(frozen=True)
class Figure:
    """A cell of the table: its text, and whether it reaches what is asked (None: nothing is asked)."""

    text: str
    value: float | None = None
    target: float | None = None
    reached: bool | None = None

    @property
    def ratio(self) -> float | None:
        """Value over target; of shares, what is lacking over what may be lacking."""
        return None if not self.target or self.value is None else self.value / self.target


@dataclass(frozen=True)
class Row:
    """A line of the table: its name, the target in words, and one figure for each tally."""

    name: str
    asked: str
    figures: tuple[Figure, ...]


Columns = dict[tuple[str, str], Tally]


def rows(columns: Columns) -> list[Row]:
    """The table, one row for each measure."""
    result = [
        _plain(columns, "frames", lambda t: str(len(t.cases))),
        _plain(columns, "objects scored (too hidden)", lambda t: f"{len(t.objects)} ({t.unscored})"),
        _share_row(
            columns,
            "precision",
            {"separate": 0.99, "meshes": 0.99},
            lambda t: (n := sum(item.found for item in t.objects), n + t.false),
        ),
        _share_row(
            columns,
            "recall",
            {"separate": 0.99, "meshes": 0.99, "touching": 0.95, "stacked": 0.95},
            lambda t: (sum(item.found for item in t.objects), len(t.objects)),
        ),
        _share_row(
            columns,
            "recall, 40-90% visible",
            {"occluded": 0.90},
            lambda t: (
                sum(item.found for item in t.objects if item.partly_hidden),
                sum(item.partly_hidden for item in t.objects),
            ),
        ),
        _share_row(
            columns,
            "found, right support",
            {"stacked": 0.95},
            lambda t: (sum(bool(item.support_right) for item in t.objects), len(t.objects)),
        ),
        _share_row(
            columns,
            "shape right",
            {},
            lambda t: (int(sum(t.values("shape_right"))), len(t.values("shape_right"))),
        ),
        _false_row(columns),
        _error_row(columns, "centre, mm", "centre_m", 1e3, {"separate": 3.0, "meshes": 3.0, "touching": 6.0}),
        _error_row(columns, "size, mm", "size_m", 1e3, {"separate": 4.0, "meshes": 4.0}),
        _error_row(columns, "heading, deg", "yaw_deg", 1.0, {"separate": 2.0, "meshes": 2.0}),
        _plain(columns, "box IoU, median / p5", lambda t: _quantiles(t.values("iou"), (0.5, 0.05), 1.0, 3)),
        _latency_row(columns, "latency, wall ms", lambda t: t.wall_s),
        _latency_row(columns, "latency, CPU ms", lambda t: t.cpu_s),
    ]
    steps = list(dict.fromkeys(step for t in columns.values() for steps in t.steps_s for step in steps))
    return result + [
        _plain(columns, f"  {step}, CPU ms", lambda t, s=step: f"{t.step_ms(s):.1f}") for step in steps
    ]


def _plain(columns: Columns, name: str, text: Callable[[Tally], str]) -> Row:
    return Row(name, "", tuple(Figure(text(tally)) for tally in columns.values()))


def _quantiles(values: Sequence[float], shares: Sequence[float], factor: float, digits: int) -> str:
    if not len(values):
        return "-"
    return " / ".join(f"{factor * np.quantile(values, share):.{digits}f}" for share in shares)


def _in_words(targets: dict[str, float], limit: Callable[[float], str]) -> str:
    """Kinds with one target together: "separate, meshes ≥ 99%; touching ≥ 95%"."""
    groups: dict[float, list[str]] = {}
    for kind, value in targets.items():
        groups.setdefault(value, []).append(kind)
    return "; ".join(f"{', '.join(kinds)} {limit(value)}" for value, kinds in groups.items())


def _allowed(noise: str) -> float:
    return 1.0 if noise == "none" else NOISY_FACTOR


def _share_row(
    columns: Columns, name: str, targets: dict[str, float], count: Callable[[Tally], tuple[int, int]]
) -> Row:
    figures = []
    for (kind, noise), tally in columns.items():
        hits, total = count(tally)
        if not total:
            figures.append(Figure("-"))
            continue
        text, lacking = f"{hits / total:.1%}", 1.0 - hits / total
        if kind in targets:
            limit = _allowed(noise) * (1.0 - targets[kind])
            figures.append(Figure(text, lacking, limit, lacking <= limit + 1e-12))
        else:
            figures.append(Figure(text))
    asked = _in_words(targets, lambda share: f"≥ {share:.0%}")
    return Row(name, asked, tuple(figures))


def _error_row(columns: Columns, name: str, measure: str, factor: float, targets: dict[str, float]) -> Row:
    figures = []
    for (kind, noise), tally in columns.items():
        values = tally.values(measure)
        text = _quantiles(values, (0.5, 0.95), factor, 1)
        if kind in targets and values:
            median, limit = factor * float(np.median(values)), _allowed(noise) * targets[kind]
            figures.append(Figure(text, median, limit, median <= limit))
        else:
            figures.append(Figure(text))
    asked = _in_words(targets, lambda limit: f"≤ {limit:g}")
    return Row(f"{name}, median / p95", asked, tuple(figures))


def _false_row(columns: Columns) -> Row:
    figures = []
    for tally in columns.values():
        rate = tally.false / len(tally.cases)
        figures.append(Figure(f"{rate:.3f}", rate, 0.02, rate <= 0.02))
    return Row("false objects per frame", "≤ 0.02", tuple(figures))


def _latency_row(columns: Columns, name: str, seconds: Callable[[Tally], list[float]]) -> Row:
    figures = []
    for tally in columns.values():
        median, late = (1e3 * float(np.quantile(seconds(tally), share)) for share in (0.5, 0.95))
        worst = max(median / 33.0, late / 60.0)
        figures.append(Figure(f"{median:.0f} / {late:.0f}", worst, 1.0, worst <= 1.0))
    return Row(f"{name}, median / p95", "≤ 33 / 60", tuple(figures))


def by_shape(columns: Columns) -> list[tuple[str, str, int, str, str, str, str, str]]:
    """(shape, noise, objects, recall, centre, size, heading, IoU) over all kinds of scenes."""
    lines = []
    names = sorted({item.kind for tally in columns.values() for item in tally.objects})
    noises = list(dict.fromkeys(noise for _, noise in columns))
    for name in names:
        for noise in noises:
            every = [
                item for (_, n), t in columns.items() if n == noise for item in t.objects if item.kind == name
            ]
            found = [item for item in every if item.found]
            parts = [
                _quantiles(
                    [v for item in found if (v := getattr(item, measure)) is not None], shares, factor, n
                )
                for measure, factor, shares, n in (
                    ("centre_m", 1e3, (0.5, 0.95), 1),
                    ("size_m", 1e3, (0.5, 0.95), 1),
                    ("yaw_deg", 1.0, (0.5, 0.95), 1),
                    ("iou", 1.0, (0.5, 0.05), 3),
                )
            ]
            recall = f"{len(found) / len(every):.1%}" if every else "-"
            lines.append((name.replace("_", " "), NOISE_WORDS[noise], len(every), recall, *parts))
    return lines


def shortfalls(columns: Columns, table: list[Row]) -> list[str]:
    """What does not reach its target, with the 95% interval where it is a share."""
    lines = []
    for row in table:
        for (kind, noise), figure, tally in zip(columns, row.figures, columns.values(), strict=True):
            if figure.reached is False and figure.ratio is not None:
                note = ""
                if row.name.startswith(("recall", "precision", "found")) and figure.value is not None:
                    total = len(tally.objects)
                    low, high = wilson(round((1.0 - figure.value) * total), total)
                    note = f"; 95% interval about {low:.1%} to {high:.1%}"
                lines.append(
                    f"{row.name}, {kind}, {NOISE_WORDS[noise]}: {figure.text}, {figure.ratio:.2f} of what is "
                    f"allowed{note}"
                )
    return lines
