# SPDX-License-Identifier: Apache-2.0
"""Makes the benchmark's questions from true scenes: unique names, clear truths, balanced, spread over scenes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from spatialpin_ros.angles import UndefinedAngleError, turn_between
from spatialpin_ros.changes import Change, Changes
from spatialpin_ros.evaluation.views import Look, Pair
from spatialpin_ros.relations import centre_distance
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.spatial_qa import angle_programs, change_programs, relation_programs
from spatialpin_ros.spatial_qa.question import TASKS, Draft, Program, Question, Subject, Task

PROGRAMS: tuple[Program, ...] = (
    *relation_programs.PROGRAMS,
    *angle_programs.PROGRAMS,
    *change_programs.PROGRAMS,
)
COUNTS: dict[Task, tuple[int, int]] = {"IaOR": (300, 200), "IaAD": (100, 100), "IrSD": (100, 100)}
"""Fewest qualitative and quantitative questions of each task in the full benchmark."""
_PER_SCENE = 6


@dataclass(frozen=True, slots=True)
class _Candidate:
    program: Program
    draft: Draft
    seed: int


def make_exam(
    pairs: Sequence[Pair], seed: int, counts: dict[Task, tuple[int, int]] | None = None
) -> list[Question]:
    """Draw questions about rendered pairs; equal pairs and seed give equal questions.

    Each task's questions are spread evenly over its programs, then over scenes; each program has as many yes as no.

    Args:
        pairs: the looks.
        seed: of the drawing.
        counts: (qualitative, quantitative) by task; None: the full benchmark's.
    """
    wanted, rng = counts or COUNTS, np.random.default_rng([seed, 19])
    pool: dict[str, list[_Candidate]] = {program.name: [] for program in PROGRAMS}
    for pair in pairs:
        one, two = subjects(pair)
        for program in PROGRAMS:
            subject = two if program.task == "IrSD" else one
            pool[program.name] += [_Candidate(program, draft, pair.seed) for draft in program.drafts(subject)]
    questions: list[Question] = []
    for task in TASKS:
        for quantitative, count in zip((False, True), wanted[task], strict=True):
            programs = [p for p in PROGRAMS if p.task == task and (p.kind == "number") == quantitative]
            questions += _draw(programs, pool, count, rng)
    return questions


def subjects(pair: Pair) -> tuple[Subject, Subject]:
    """What may be asked about the first look alone, and about both."""
    look = pair.before
    one = Subject(look.truth, _askable(look), look.all_seen)
    changes = true_changes(pair)
    both = [item for item in _askable(pair.after) if _known(item, pair)]
    complete = pair.before.all_seen and pair.after.all_seen
    return one, Subject(pair.after.truth, both, complete, pair.before.truth, changes)


def true_changes(pair: Pair) -> Changes:
    """What really happened, by identity; only objects seen well where they are, named by colour and kind alone."""
    before = {item.id: item for item in pair.before.truth.objects}
    after = {item.id: item for item in pair.after.truth.objects}
    kept = [_change(before[key], after[key]) for key in before if key in after]
    gone = [item for key, item in before.items() if key not in after and key in pair.before.askable]
    new = [item for key, item in after.items() if key not in before and key in pair.after.askable]
    plain = Counter(f"{item.color} {item.label}" for item in {**before, **after}.values())
    return Changes(
        tuple(change for change in kept),
        tuple(item for item in new if plain[item.name] == 1),
        tuple(item for item in gone if plain[item.name] == 1),
    )


def _change(before: SceneObject, after: SceneObject) -> Change:
    try:
        turn: float | None = turn_between(before, after)
    except UndefinedAngleError:
        turn = None
    return Change(before, after, centre_distance(before, after), turn)


def _askable(look: Look) -> list[SceneObject]:
    return [item for item in look.truth.objects if item.id in look.askable and item.name != item.id]


def _known(item: SceneObject, pair: Pair) -> bool:
    """Whether an object of the second look was seen well in the first, and its plain name means it alone in both."""
    plain = f"{item.color} {item.label}"
    names = Counter(
        f"{o.color} {o.label}" for scene in _truths(pair) for o in scene.objects if o.id != item.id
    )
    return item.id in pair.before.askable and item.name == plain and not names[plain]


def _truths(pair: Pair) -> tuple[Scene, Scene]:
    return pair.before.truth, pair.after.truth


def _draw(
    programs: Sequence[Program], pool: dict[str, list[_Candidate]], count: int, rng: np.random.Generator
) -> list[Question]:
    """Take turns between programs until there are enough; a program that runs out leaves its share to the others."""
    queues = [_queue(pool[program.name], rng) for program in programs]
    drawn: list[Question] = []
    number = Counter[str]()
    while len(drawn) < count and any(queues):
        for queue in queues:
            if queue and len(drawn) < count:
                chosen = queue.pop(0)
                number[chosen.program.name] += 1
                drawn.append(_question(chosen, number[chosen.program.name], rng))
    return drawn


def _queue(candidates: Sequence[_Candidate], rng: np.random.Generator) -> list[_Candidate]:
    """Candidates in the order to take them: one scene after the other, truths in turn."""
    shuffled = [candidates[i] for i in rng.permutation(len(candidates))]
    if not shuffled or shuffled[0].program.kind == "number":
        return _interleave(shuffled)
    yes = _interleave([item for item in shuffled if item.draft.truth == 1.0])
    no = _interleave([item for item in shuffled if item.draft.truth == 0.0])
    both = min(len(yes), len(no))
    return [item for pair in zip(yes[:both], no[:both], strict=True) for item in pair]


def _interleave(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """Every scene's first candidate, then every scene's second, and so on."""
    ranks: Counter[int] = Counter()
    ranked = []
    for item in candidates:
        if ranks[item.seed] < _PER_SCENE:
            ranked.append((ranks[item.seed], item))
            ranks[item.seed] += 1
    return [item for _, item in sorted(ranked, key=lambda entry: entry[0])]


def _question(chosen: _Candidate, number: int, rng: np.random.Generator) -> Question:
    program, draft = chosen.program, chosen.draft
    template = program.templates[int(rng.integers(len(program.templates)))]
    return Question(
        id=f"{program.name}-{number:03d}",
        seed=chosen.seed,
        task=program.task,
        kind=program.kind,
        program=program.name,
        operands=draft.operands,
        frame=program.frame,
        text=template.format(*draft.words),
        names=draft.words,
        truth=draft.truth,
        dimension=program.dimension if program.kind == "number" else "count",
        options=draft.options,
    )
