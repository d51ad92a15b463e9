# SPDX-License-Identifier: Apache-2.0
"""Proposes pick-and-stack tasks from the scene alone: judges every pair, scores and diversifies the feasible ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spatialpin_ros.errors import InfeasibleTaskError
from spatialpin_ros.reasoning import areas
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.feasibility import can_carry, can_grasp, fit_quality, grasp_axes, slenderness
from spatialpin_ros.reasoning.language import task_id
from spatialpin_ros.reasoning.protocol import Proposals, Rejection
from spatialpin_ros.relations import surface_gap, viewer_frame
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.task import Task, TaskStep

# contrast: two parts of one colour are hard to tell apart afterwards, so the outcome is hard to verify.
WEIGHTS = {
    "fit": 0.3,
    "stability": 0.15,
    "grasp": 0.2,
    "room": 0.1,
    "reach": 0.1,
    "seen": 0.05,
    "contrast": 0.1,
}
REPEAT_PENALTY = 0.15
CLEAR_GAP_M = 0.06


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A feasible pair with the parts of its score, each 0..1."""

    item: SceneObject
    carrier: SceneObject
    parts: dict[str, float]

    @property
    def score(self) -> float:
        return sum(WEIGHTS[name] * value for name, value in self.parts.items())


def propose(
    scene: Scene, abilities: Abilities, max_tasks: int = 5, seed: int = 0, backend: str = "symbolic"
) -> Proposals:
    """Propose at most `max_tasks` stackings, best and most different first, and say why each other pair was dropped.

    When nothing can be stacked, moving objects to a free side of the table is proposed instead. The seed only
    decides between equal scores.
    """
    rng = np.random.default_rng(seed)
    candidates: list[_Candidate] = []
    rejected: list[Rejection] = []
    for item in scene.objects:
        graspable = can_grasp(scene, item, abilities)
        for carrier in scene.objects:
            if item.id == carrier.id:
                continue
            verdict = graspable and can_carry(scene, carrier, item, abilities)
            if verdict:
                candidates.append(_Candidate(item, carrier, _score(scene, item, carrier, abilities)))
            else:
                what = f"put the {item.name} on the {carrier.name}"
                rejected.append(Rejection(what, verdict.reason, verdict.message, item.id, carrier.id))
    tasks = [_stacking(scene, candidate, backend) for candidate in _diverse(candidates, max_tasks, rng)]
    if not tasks:
        tasks = _movings(scene, abilities, max_tasks, backend)
    return Proposals(tuple(tasks), tuple(rejected))


def _score(scene: Scene, item: SceneObject, carrier: SceneObject, abilities: Abilities) -> dict[str, float]:
    others = [other for other in scene.objects if other.id not in (item.id, item.supported_by)]
    gap = min((surface_gap(item, other) for other in others), default=CLEAR_GAP_M)
    middle = 0.5 * (abilities.reach_min_m + abilities.reach_max_m)
    half = middle - abilities.reach_min_m
    farthest = max(abs(float(np.hypot(*each.centre[:2])) - middle) / half for each in (item, carrier))
    width = grasp_axes(item)[0][1] / abilities.graspable_width_m
    return {
        "fit": fit_quality(item, carrier),
        "stability": float(np.clip(1.5 / (0.5 + max(slenderness(item), slenderness(carrier))), 0.0, 1.0)),
        "grasp": float(np.clip(2.0 * (1.0 - width), 0.0, 1.0)),
        "room": float(np.clip(gap / CLEAR_GAP_M, 0.0, 1.0)),
        "reach": float(np.clip(1.0 - farthest**2, 0.0, 1.0)),
        "seen": min(item.confidence, carrier.confidence),
        "contrast": float(item.color != carrier.color),
    }


def _diverse(candidates: Sequence[_Candidate], count: int, rng: np.random.Generator) -> list[_Candidate]:
    """Take the best one after the other, each object losing score for every task that already uses it."""
    jitter = dict(
        zip([(c.item.id, c.carrier.id) for c in candidates], rng.random(len(candidates)) * 1e-9, strict=True)
    )
    uses: dict[str, int] = {}
    rest = list(candidates)
    chosen: list[_Candidate] = []
    while rest and len(chosen) < count:
        best = max(
            rest,
            key=lambda c: (
                c.score
                - REPEAT_PENALTY * (uses.get(c.item.id, 0) + 0.5 * uses.get(c.carrier.id, 0))
                + jitter[c.item.id, c.carrier.id]
            ),
        )
        rest.remove(best)
        chosen.append(best)
        for each in (best.item, best.carrier):
            uses[each.id] = uses.get(each.id, 0) + 1
    return chosen


def _stacking(scene: Scene, candidate: _Candidate, backend: str) -> Task:
    item, carrier = candidate.item, candidate.carrier
    steps = (TaskStep("pick", item.id), TaskStep("place_on", item.id, carrier.id))
    parts = ", ".join(f"{name} {value:.2f}" for name, value in candidate.parts.items())
    width = grasp_axes(item)[0][1]
    return Task(
        id=task_id(scene, backend, steps),
        description=f"Put the {item.name} on the {carrier.name}.",
        steps=steps,
        backend=backend,
        rationale=f"the {item.name} is {width * 100:.1f} cm wide at the grasp and nothing stands on it; "
        f"the top of the {carrier.name} is flat, free and holds it ({parts})",
        score=round(candidate.score, 4),
    )


def _movings(scene: Scene, abilities: Abilities, count: int, backend: str) -> list[Task]:
    frame = viewer_frame(scene.base_T_camera)
    tasks: list[Task] = []
    for item in scene.objects:
        if not can_grasp(scene, item, abilities):
            continue
        side = (
            "right"
            if frame.components(item.centre - scene.table.outline_base.mean(axis=0))[0] < 0.0
            else "left"
        )
        try:
            area = areas.side_of_table(scene, item, side, abilities, frame)
        except InfeasibleTaskError:
            continue
        steps = (TaskStep("pick", item.id), TaskStep("place_in_area", item.id, scene.table.name, area))
        tasks.append(
            Task(
                id=task_id(scene, backend, steps),
                description=f"Put the {item.name} on the {side} side of the table.",
                steps=steps,
                backend=backend,
                rationale=f"nothing here can be stacked; the {side} side has a free place (viewer frame)",
                score=0.1,
            )
        )
    return tasks[:count]
