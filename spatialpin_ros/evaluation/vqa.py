# SPDX-License-Identifier: Apache-2.0
"""The spatial question answering benchmark: truth from the simulator, answers from perceived scenes, any back end."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import count, islice

import cv2

from spatialpin_ros.errors import InvalidValueError, SpatialPinError
from spatialpin_ros.evaluation.exam import COUNTS, PROGRAMS, make_exam
from spatialpin_ros.evaluation.scoring import Scored, score
from spatialpin_ros.evaluation.views import Look, Pair, Studio, ViewOptions
from spatialpin_ros.perception import PerceptionOptions, reconstruct
from spatialpin_ros.reasoning import Backend
from spatialpin_ros.scene import Scene
from spatialpin_ros.spatial_qa.question import Question, Task

SEEDS_PER_RUN = 10_000
"""Scene seeds of run `seed` begin at this multiple of it; development used those of seed 0."""

Told = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class BenchmarkOptions:
    """What is asked, and how much.

    Args:
        scenes: pairs of looks.
        seed: of scenes, cameras, noise and questions.
        jobs: processes that render and perceive.
        counts: (qualitative, quantitative) questions by task.
        views: cameras and noise.
    """

    scenes: int = 100
    seed: int = 1
    jobs: int = 2
    counts: dict[Task, tuple[int, int]] = field(default_factory=lambda: dict(COUNTS))
    views: ViewOptions = field(default_factory=ViewOptions)

    def __post_init__(self) -> None:
        if not 1 <= self.scenes <= SEEDS_PER_RUN // 2 or self.jobs < 1 or self.seed < 0:
            raise InvalidValueError(
                f"benchmark: needs 1..{SEEDS_PER_RUN // 2} scenes, 1 job or more and a seed of 0 or more, got "
                f"{self.scenes}, {self.jobs}, {self.seed}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Perceived:
    """A pair of looks and the scenes that perception made of them; None where it failed, with the reason."""

    pair: Pair
    before: Scene | None
    after: Scene | None
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """All answers of a run and what they were given to."""

    scored: tuple[Scored, ...]
    pairs: tuple[Perceived, ...]


def run(backend: Backend, options: BenchmarkOptions, told: Told = lambda what, done, total: None) -> Outcome:
    """Render, perceive, ask and score.

    Args:
        backend: answers; it is given the perceived scene and the image, and for changes the earlier ones.
        options: how much.
        told: is told what is being done, how much of it is done, and of how much.
    """
    pairs: list[Perceived] = []
    for perceived in perceive(options):
        pairs.append(perceived)
        told("scenes", len(pairs), options.scenes)
    questions = make_exam([item.pair for item in pairs], options.seed, options.counts)
    by_seed = {item.pair.seed: item for item in pairs}
    # Questions of one scene together, so that a model's turns before the question are asked once for each.
    questions.sort(key=lambda question: (question.seed, question.task == "IrSD"))
    scored: list[Scored] = []
    for question in questions:
        scored.append(ask(backend, question, by_seed[question.seed]))
        told("questions", len(scored), len(questions))
    return Outcome(tuple(scored), tuple(pairs))


def ask(backend: Backend, question: Question, seen: Perceived) -> Scored:
    """Ask one question about a perceived scene and score the text of the answer."""
    changes = question.task == "IrSD"
    scene, look = (seen.after, seen.pair.after) if changes else (seen.before, seen.pair.before)
    if scene is None or (changes and seen.before is None):
        return score(question, f"perception failed: {seen.problem}", 0.0, failed=True)
    started = time.perf_counter()
    try:
        if changes:
            answer = backend.answer(scene, question.text, look.frame, seen.before, seen.pair.before.frame)
        else:
            answer = backend.answer(scene, question.text, look.frame)
    except SpatialPinError as error:
        return score(question, f"{type(error).__name__}: {error}", time.perf_counter() - started, failed=True)
    return score(question, answer.text, time.perf_counter() - started, answer.program)


def perceive(options: BenchmarkOptions) -> Iterator[Perceived]:
    """Render and perceive as many pairs as asked for, in the order of their seeds whatever the number of processes."""
    first = options.seed * SEEDS_PER_RUN
    if options.jobs == 1:
        _start(options.views)
        yield from islice(filter(None, map(_perceive, count(first))), options.scenes)
        return
    # Physics and rendering keep state in the process: spawn gives each worker its own.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, context, _start, (options.views,)) as pool:
        found = 0
        for start in count(first, 2 * options.jobs):
            for perceived in pool.map(_perceive, range(start, start + 2 * options.jobs)):
                if perceived is not None and found < options.scenes:
                    found += 1
                    yield perceived
            if found >= options.scenes:
                return


_studio: Studio | None = None


def _start(views: ViewOptions) -> None:
    global _studio
    cv2.setNumThreads(1)
    _studio = Studio(views)


def _perceive(seed: int) -> Perceived | None:
    assert _studio is not None, "the process was not started by _start"
    pair = _studio.pair(seed)
    if pair is None:
        return None
    options = PerceptionOptions(workspace=_studio.workspace)
    scenes: list[Scene | None] = []
    problem = ""
    for look in (pair.before, pair.after):
        scene, why = _reconstruct(look, options)
        scenes.append(scene)
        problem = problem or why
    return Perceived(pair, scenes[0], scenes[1], problem)


def _reconstruct(look: Look, options: PerceptionOptions) -> tuple[Scene | None, str]:
    try:
        return reconstruct(look.frame, options), ""
    except SpatialPinError as error:
        return None, str(error)


def programs(scored: Sequence[Scored]) -> dict[tuple[Task, str], list[Scored]]:
    """Answers by task and program, in the order of the tasks."""
    groups: dict[tuple[Task, str], list[Scored]] = {(program.task, program.name): [] for program in PROGRAMS}
    for item in scored:
        groups[item.question.task, item.question.program].append(item)
    return {key: items for key, items in groups.items() if items}
