# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import COLORS, five_blocks, make_object, make_scene

from spatialpin_ros.errors import BackendError
from spatialpin_ros.reasoning import Abilities, backend_names, create_backend, registry
from spatialpin_ros.reasoning.feasibility import can_place_on, check_task

ABILITIES = Abilities()


def random_scene(seed):
    """Two to seven objects of random shapes on a grid of places, some too wide or out of reach."""
    rng = np.random.default_rng(seed)
    places = [(x, y) for x in (0.30, 0.47, 0.64) for y in (-0.3, -0.1, 0.1, 0.3)]
    rng.shuffle(places)
    objects = []
    for i in range(int(rng.integers(2, 8))):
        label = str(rng.choice(["cube", "box", "cylinder", "ball"]))
        size = rng.uniform(0.025, 0.1, 3)
        size[1] = size[0] if label in ("cylinder", "ball") else size[1]
        size[2] = size[0] if label == "ball" else size[2]
        color = list(COLORS)[i]
        objects.append(
            make_object(f"o{i}", color, label, size, tuple(places[i]), yaw_rad=float(rng.uniform(-3, 3)))
        )
    return make_scene(*objects)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_every_pair_is_proposable_or_rejected_for_a_true_reason(seed):
    scene = random_scene(seed)
    result = create_backend("symbolic").propose(scene, ABILITIES, max_tasks=100)
    stacked = {(task.steps[1].object_id, task.steps[1].target_id) for task in result.tasks if
               task.steps[1].action == "place_on"}  # fmt: skip
    refused = {(entry.object_id, entry.target_id) for entry in result.rejected}
    pairs = {(a.id, b.id) for a in scene.objects for b in scene.objects if a.id != b.id}
    assert stacked | refused == pairs
    assert not stacked & refused
    for task in result.tasks:
        assert check_task(scene, task, ABILITIES).ok
        assert task.description.endswith(".")
        assert task.rationale
    for entry in result.rejected:
        verdict = can_place_on(scene, scene.object(entry.object_id), scene.object(entry.target_id), ABILITIES)
        assert not verdict.ok
        assert entry.reason
        assert entry.message


def test_proposals_are_repeatable_limited_and_varied():
    scene = five_blocks()
    backend = create_backend("symbolic")
    first, again = (backend.propose(scene, ABILITIES, max_tasks=3, seed=4) for _ in range(2))
    assert [task.to_dict() for task in first.tasks] == [task.to_dict() for task in again.tasks]
    assert len(first.tasks) == 3
    assert len({task.id for task in first.tasks}) == 3
    assert len({task.steps[0].object_id for task in first.tasks}) > 1
    assert all(task.backend == "symbolic" for task in first.tasks)
    assert first.tasks[0].score >= max(task.score for task in first.tasks[1:])


def test_a_better_fit_scores_higher():
    scene = make_scene(
        make_object("o1", "red", "cube", (0.05, 0.05, 0.05), (0.45, -0.15)),
        make_object("o2", "blue", "box", (0.10, 0.09, 0.05), (0.5, 0.1)),
        make_object("o3", "green", "box", (0.03, 0.09, 0.05), (0.5, 0.3)),
    )
    tasks = create_backend("symbolic").propose(scene, ABILITIES, 100).tasks
    scores = {(task.steps[1].object_id, task.steps[1].target_id): task.score for task in tasks}
    assert scores["o1", "o2"] > scores["o1", "o3"]


def test_a_carrier_of_another_colour_is_preferred_because_the_stack_can_be_verified():
    size = (0.08, 0.08, 0.05)
    item = make_object("o1", "red", "cube", (0.04, 0.04, 0.04), at=(0.5, 0.0))
    same = make_object("o2", "red", "box", size, at=(0.5, 0.2))
    other = make_object("o3", "blue", "box", size, at=(0.5, -0.2))
    best = create_backend("symbolic").propose(make_scene(item, same, other), ABILITIES, 1).tasks[0]
    assert best.steps[1].target_id == "o3"


def test_where_nothing_stacks_a_move_is_proposed_and_an_empty_table_gives_nothing():
    backend = create_backend("symbolic")
    lone = make_scene(make_object("o1"))
    tasks = backend.propose(lone, ABILITIES).tasks
    assert tasks[0].steps[-1].action == "place_in_area"
    assert check_task(lone, tasks[0], ABILITIES).ok
    assert backend.propose(make_scene(), ABILITIES).tasks == ()


def test_an_unknown_back_end_lists_the_known_ones():
    with pytest.raises(BackendError, match=r"no reasoning back end called 'oracle'.*symbolic.*openai"):
        create_backend("oracle")
    assert "symbolic" in backend_names()


def test_an_unknown_setting_is_named():
    with pytest.raises(BackendError, match="colour"):
        create_backend("symbolic", colour="red")


def test_a_missing_library_is_named_with_the_command_to_install_it(monkeypatch):
    entry = registry._Entry("spatialpin_ros.reasoning.backends.openai", ("no_such_library",), "vlm")
    monkeypatch.setitem(registry._BACKENDS, "openai", entry)
    with pytest.raises(BackendError, match=r"no_such_library.*pip install 'spatialpin_ros\[vlm\]'"):
        create_backend("openai", model="x")
