# SPDX-License-Identifier: Apache-2.0
"""Rank the ways that a plan does not take, and say of each why."""

from __future__ import annotations

from collections.abc import Iterable

from spatialpin_ros.plan import Alternative
from spatialpin_ros.planning.candidates import Candidate, Failures

_MOST_POSSIBLE, _MOST_FALLEN = 5, 4


def ranked_below(
    chosen: Candidate, reachable: Iterable[Candidate], failures: Failures, step_index: int
) -> tuple[Alternative, ...]:
    """Other candidates, best first: those that may work, then those that fell, both by cost.

    Args:
        reachable: candidates whose positions are reached and free; their straight motions may not have been tried.
        failures: what fell, with the reasons; only those that are listed are put into words.
    """
    fallen = {name: (stage, detail) for name, stage, _, detail in failures.entries}
    costs = {item.name: item.cost for item in sorted(reachable, key=lambda item: -item.cost)}
    names = [name for name in sorted(costs, key=costs.__getitem__) if name != chosen.name]
    possible = [
        Alternative(
            step_index, name, costs[name], f"possible; about {costs[name] - chosen.cost:.2f} rad more to move"
        )
        for name in names
        if name not in fallen
    ]
    worse = [name for name in names if name in fallen]
    worse += [name for name in fallen if name not in costs and name != chosen.name]
    return (
        *possible[:_MOST_POSSIBLE],
        *(_fell(step_index, name, costs.get(name), *fallen[name]) for name in worse[:_MOST_FALLEN]),
    )


def _fell(step_index: int, name: str, cost: float | None, stage: str, detail: object) -> Alternative:
    words = detail() if callable(detail) else detail
    return Alternative(step_index, name, cost, f"{stage} fails: {words}")
