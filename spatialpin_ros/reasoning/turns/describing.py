# SPDX-License-Identifier: Apache-2.0
"""Request grounding: the model says which object goes where; the steps and their geometry are made and checked here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spatialpin_ros.errors import (
    AmbiguousNameError,
    InfeasibleTaskError,
    NotUnderstoodError,
    ReasoningError,
    UnknownNameError,
)
from spatialpin_ros.reasoning import schemas
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.destinations import Destination
from spatialpin_ros.reasoning.language import TaskBuilder
from spatialpin_ros.reasoning.requests import SUPPORTED
from spatialpin_ros.reasoning.turns.context import SceneContext
from spatialpin_ros.reasoning.turns.conversation import Conversation
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task


def describe(
    conversation: Conversation,
    context: SceneContext,
    scene: Scene,
    abilities: Abilities,
    request: str,
    backend: str,
) -> Task:
    """Ask for the moves that a request means; an infeasible move is corrected with the reason, then given up.

    Raises:
        UnknownNameError, AmbiguousNameError: list what there is, or what it could be.
        NotUnderstoodError, InfeasibleTaskError: as their names say.
        ModelError: when no usable reply came.
    """

    def read(reply: Mapping[str, Any]) -> tuple[Task | ReasoningError, Sequence[str]]:
        if (failure := _failure(scene, request, reply)) is not None:
            return failure, _contradictions(reply)
        try:
            return _build(scene, abilities, request, backend, reply), ()
        except InfeasibleTaskError as error:
            return error, (str(error),)

    prompt = conversation.prompts.render(
        "describe", scene, request=request, context=context, found=context.found
    )
    system = conversation.prompts.fill("system", numbers=context.priors.numbers)
    result = conversation.ask("describe", system, prompt, context.images, schemas.request_schema(scene), read)
    if isinstance(result, ReasoningError):
        conversation.note(str(result))
        raise result
    return result


def _failure(scene: Scene, request: str, reply: Mapping[str, Any]) -> ReasoningError | None:
    """What the status says; moves beside "infeasible" are tried all the same, for geometry decides."""
    status, moves = reply["status"], reply["moves"]
    if status == "unknown_name":
        return UnknownNameError(request, scene.names)
    if status == "ambiguous_name":
        named = tuple(dict.fromkeys(scene.object(each).name for each in reply["candidates"]))
        return AmbiguousNameError(request, named if len(named) > 1 else scene.names)
    if status == "infeasible" and not moves:
        return InfeasibleTaskError(reply["message"] or "it cannot be done", "model_says_infeasible")
    if status == "not_understood" or not moves:
        return NotUnderstoodError(f"{reply['message'] or 'not understood'}; I can {SUPPORTED}")
    return None


def _contradictions(reply: Mapping[str, Any]) -> Sequence[str]:
    if reply["status"] == "understood":
        return ('status is "understood" but there are no moves',)
    if reply["status"] == "ambiguous_name" and len(set(reply["candidates"])) < 2:
        return ('status is "ambiguous_name" but fewer than two candidates are given',)
    return ()


def _build(scene: Scene, abilities: Abilities, request: str, backend: str, reply: Mapping[str, Any]) -> Task:
    builder = TaskBuilder(scene, abilities)
    for move in reply["moves"]:
        on_table = move["reference_id"] == scene.table.name
        references = () if on_table or move["place"] in ("middle", "aside") else (move["reference_id"],)
        builder.deliver(builder.scene.object(move["object_id"]), Destination(move["place"], references))
    return builder.task(request, backend)
