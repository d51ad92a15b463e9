# SPDX-License-Identifier: Apache-2.0
"""Scores answers and sums them up: accuracy, shares within bands, number rate, false positives, intervals by scene."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from spatialpin_ros.spatial_qa.parsing import read_choice, read_quantity, read_yes_no
from spatialpin_ros.spatial_qa.question import BANDS, Question

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Scored:
    """A question, what was answered, and what that was worth.

    Args:
        text: the answer, or the error.
        value: what was read from it: a number, 1 or 0, an option's index; None when nothing could be read.
        status: of the reading; "failed" when the back end raised.
        right: qualitative: whether it is right.
        within: quantitative: the bands that it is within.
    """

    question: Question
    text: str
    value: float | None
    status: str
    right: bool
    within: frozenset[str]
    latency_s: float
    program: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.question.to_dict(),
            "answer": self.text,
            "read": self.value,
            "status": self.status,
            "right": self.right,
            "within": sorted(self.within),
            "latency_s": round(self.latency_s, 6),
            "answer_program": self.program,
        }


def score(question: Question, text: str, latency_s: float, program: str = "", failed: bool = False) -> Scored:
    """Read an answer's text and compare it with the truth; nothing readable counts as wrong."""
    value, status = (None, "failed") if failed else read(question, text)
    right = value is not None and not question.quantitative and value == question.truth
    bands = BANDS if question.quantitative and value is not None else {}
    within = frozenset(band for band in bands if question.within(value or 0.0, band))
    return Scored(question, text, value, status, right, within, latency_s, program)


def read(question: Question, text: str) -> tuple[float | None, str]:
    """The value in an answer's text, and how reading went."""
    if question.kind == "yes_no":
        yes = read_yes_no(text)
        return (None, "no_answer") if yes is None else (float(yes), "ok")
    if question.kind == "choice":
        index = read_choice(text, question.options)
        return (None, "no_answer") if index is None else (float(index), "ok")
    reading = read_quantity(text, question.dimension, question.names)
    return reading.value, reading.status


@dataclass(frozen=True, slots=True)
class Share:
    """A share of answers with its 95% interval by resampling whole scenes, and what the best constant guess gets."""

    hits: int
    count: int
    low: float
    high: float
    guess: float

    @property
    def value(self) -> float:
        return self.hits / self.count if self.count else math.nan

    def to_dict(self) -> dict[str, float]:
        return {
            "hits": self.hits, "count": self.count, "share": self.value, "low": self.low, "high": self.high,
            "best_constant_guess": self.guess,
        }  # fmt: skip


def share(scored: Sequence[Scored], hit: Callable[[Scored], bool], guess: float) -> Share:
    """Sum up one measure; the interval is at least Wilson's, which does not vanish where every answer is right."""
    seeds = sorted({item.question.seed for item in scored})
    index = {seed: i for i, seed in enumerate(seeds)}
    hits, counts = np.zeros(len(seeds)), np.zeros(len(seeds))
    for item in scored:
        counts[index[item.question.seed]] += 1
        hits[index[item.question.seed]] += hit(item)
    total, right = int(counts.sum()), int(hits.sum())
    if not total:
        return Share(0, 0, math.nan, math.nan, guess)
    drawn = np.random.default_rng(0).integers(len(seeds), size=(_RESAMPLES, len(seeds)))
    low, high = np.quantile(hits[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (0.025, 0.975))
    least, most = wilson(right, total)
    return Share(right, total, max(0.0, min(float(low), least)), min(1.0, max(float(high), most)), guess)


def wilson(hits: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """95% interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    p = hits / count
    centre = p + z * z / (2 * count)
    half = z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return (centre - half) / (1 + z * z / count), (centre + half) / (1 + z * z / count)


def best_constant(questions: Sequence[Question], band: str) -> float:
    """Share within the band that the best one number (for each kind of question apart) would get."""
    hits = 0
    for program in {question.program for question in questions}:
        group = [question for question in questions if question.program == program]
        truths = [question.truth for question in group]
        tries = sorted({truth * factor for truth in truths for factor in BANDS[band]} | set(truths))
        hits += max(sum(question.within(value, band) for question in group) for value in tries)
    return hits / len(questions) if questions else math.nan


def best_word(questions: Sequence[Question]) -> float:
    """Share right of always giving the commoner answer, for each kind of question apart."""
    hits = 0
    for program in {question.program for question in questions}:
        truths = [question.truth for question in questions if question.program == program]
        hits += max(truths.count(truth) for truth in set(truths))
    return hits / len(questions) if questions else math.nan


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a group of answers; measures that do not apply have a count of 0."""

    qualitative: Share
    false_positives: Share
    numbers: Share
    bands: dict[str, Share]
    log_error: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "qualitative": self.qualitative.to_dict(),
            "false_positives": self.false_positives.to_dict(),
            "outputs_a_number": self.numbers.to_dict(),
            "within": {band: value.to_dict() for band, value in self.bands.items()},
            "median_abs_log_error": self.log_error,
        }


def _within(band: str, scored: Scored) -> bool:
    return band in scored.within


def summarise(scored: Sequence[Scored]) -> Summary:
    """Figures of any group of answers."""
    words = [item for item in scored if not item.question.quantitative]
    numbers = [item for item in scored if item.question.quantitative]
    no = [item for item in words if item.question.kind == "yes_no" and item.question.truth == 0.0]
    asked = [item.question for item in numbers]
    bands = {band: share(numbers, partial(_within, band), best_constant(asked, band)) for band in BANDS}
    logs = [
        abs(math.log(s.value / s.question.truth))
        for s in numbers
        if s.value and s.value * s.question.truth > 0.0
    ]
    return Summary(
        share(words, lambda s: s.right, best_word([item.question for item in words])),
        share(no, lambda s: s.value == 1.0, 0.0),
        share(numbers, lambda s: s.value is not None, 1.0),
        bands,
        float(np.median(logs)) if logs else math.nan,
    )
