# SPDX-License-Identifier: Apache-2.0
"""Task proposal: each proposed task is built and checked in the scene; what cannot be done may be replaced once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from spatialpin_ros.errors import InfeasibleTaskError
from spatialpin_ros.reasoning import schemas
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.destinations import Destination
from spatialpin_ros.reasoning.feasibility import can_grasp, can_place_on
from spatialpin_ros.reasoning.language import TaskBuilder, task_id
from spatialpin_ros.reasoning.protocol import Proposals, Rejection
from spatialpin_ros.reasoning.turns.context import SceneContext
from spatialpin_ros.reasoning.turns.conversation import Conversation
from spatialpin_ros.scene import Scene, SceneObject
from spatialpin_ros.task import Task

_WHERE = {
    "on": "on",
    "left": "left of",
    "right": "right of",
    "front": "in front of",
    "back": "behind",
    "near": "near",
}
Key = tuple[str, str, str]


def propose(
    conversation: Conversation,
    context: SceneContext,
    scene: Scene,
    abilities: Abilities,
    backend: str,
    max_tasks: int,
    per_object: int = 0,
) -> Proposals:
    """Ask for tasks; whatever was dropped is listed with the reason, also where a replacement was found.

    Args:
        conversation, context, scene, abilities: who is asked about what.
        backend: name kept in the tasks.
        max_tasks: most tasks in all.
        per_object: most tasks for each object; 0: no such limit.

    Raises:
        ModelError: when no usable reply came.
    """
    collected = _Collected(conversation.model.name, scene, abilities, backend, max_tasks, per_object)
    values = {"context": context, "found": context.found, "abilities": abilities}
    prompt = conversation.prompts.render(
        "propose", scene, max_tasks=max_tasks, per_object=per_object, **values
    )
    conversation.ask(
        "propose",
        conversation.prompts.fill("system", numbers=context.priors.numbers),
        prompt,
        context.images,
        schemas.proposal_schema(scene),
        collected.read,
        max_corrections=1,
        correction="propose_again",
        by_parts=True,
    )
    rejected = tuple(collected.rejected.values())
    conversation.note(*(f"dropped: {each}" for each in rejected))
    return Proposals(tuple(collected.tasks.values()), rejected)


class _Collected:
    """The tasks so far, and what was dropped."""

    def __init__(
        self, model: str, scene: Scene, abilities: Abilities, backend: str, max_tasks: int, per_object: int
    ) -> None:
        self.tasks: dict[Key, Task] = {}
        self.rejected: dict[Key, Rejection] = {}
        self._model, self._scene, self._abilities = model, scene, abilities
        self._backend, self._max_tasks, self._per_object = backend, max_tasks, per_object
        self._used: Counter[str] = Counter()

    def read(self, reply: Mapping[str, Any]) -> tuple[None, Sequence[str]]:
        """Judge each entry; returns the reasons of those that were dropped while there is room for more."""
        problems = []
        for entry in reply["tasks"]:
            key = entry["object_id"], entry["place"], entry["target_id"]
            full = self._per_object and self._used[key[0]] >= self._per_object
            if key in self.tasks or full or len(self.tasks) >= self._max_tasks:
                continue
            result = self._judge(key, entry)
            if isinstance(result, Task):
                self.tasks[key] = result
                self._used[key[0]] += 1
            else:
                self.rejected[key] = result
                problems.append(str(result))
        return None, problems if len(self.tasks) < self._max_tasks else ()

    def _judge(self, key: Key, entry: Mapping[str, Any]) -> Task | Rejection:
        scene, abilities = self._scene, self._abilities
        if unknown := _unknown(scene, key):
            return Rejection(f"put {key[0]} {key[1]} {key[2]}", "unknown_word", unknown, key[0], key[2])
        item, target = scene.object(key[0]), scene.object(key[2])
        what = f"put the {item.name} {_WHERE[key[1]]} the {target.name}"

        def dropped(reason: str, message: str) -> Rejection:
            return Rejection(what, reason, message, item.id, target.id)

        if item.id == target.id:
            return dropped("same_object", f"the {item.name} cannot be put relative to itself")
        on_top = key[1] == "on"
        verdict = (
            can_place_on(scene, item, target, abilities) if on_top else can_grasp(scene, item, abilities)
        )
        if not verdict:
            return dropped(verdict.reason, verdict.message)
        others = _mentioned(scene, entry["description"])
        if others and item.id not in others:
            return dropped("other_objects", f"its description is about another object than the {item.name}")
        builder = TaskBuilder(scene, abilities)
        try:
            builder.deliver(item, Destination(key[1], (target.id,)))
        except InfeasibleTaskError as error:
            return dropped(error.reason, str(error))
        sentence = _with_names(scene, entry["description"]).strip() or f"{what[0].upper()}{what[1:]}."
        return Task(
            id=task_id(scene, self._backend, builder.steps),
            description=sentence,
            steps=tuple(builder.steps),
            backend=self._backend,
            rationale=f"{entry['reason']} (proposed by {self._model}; reach, grasp, free place and stability checked)",
            score=1.0 / (len(self.tasks) + 1.0),
        )


def _unknown(scene: Scene, key: Key) -> str:
    """What is wrong with a key that names an object or a place that there is not; empty when nothing is."""
    ids = [item.id for item in scene.objects]
    missing = [each for each in (key[0], key[2]) if each not in ids]
    if missing:
        return f"there is no object {' or '.join(missing)}; there is: {', '.join(ids)}"
    return "" if key[1] in _WHERE else f"place '{key[1]}' is none of {', '.join(_WHERE)}"


def _mentioned(scene: Scene, text: str) -> set[str]:
    """Ids of the objects that the text names, by id or by name, the longest names first."""
    rest = f" {text.casefold()} "
    found = set()
    by_length: list[SceneObject] = sorted(scene.objects, key=lambda each: -len(each.name))
    for item in by_length:
        for word in (item.name.casefold(), item.id.casefold()):
            pattern = rf"\b{re.escape(word)}\b"
            if re.search(pattern, rest):
                found.add(item.id)
                rest = re.sub(pattern, " ", rest)
    return found


def _with_names(scene: Scene, text: str) -> str:
    """Ids replaced by names: people read the sentence."""
    for item in scene.objects:
        text = re.sub(rf"\b{re.escape(item.id)}\b", item.name, text)
    return text
