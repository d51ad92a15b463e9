# SPDX-License-Identifier: Apache-2.0
"""A back end that prompts a language model and checks every reply against the scene before it is believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import (
    AmbiguousNameError,
    InfeasibleTaskError,
    NotUnderstoodError,
    UnknownNameError,
)
from spatialpin_ros.reasoning import schemas
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.destinations import Destination
from spatialpin_ros.reasoning.feasibility import can_place_on
from spatialpin_ros.reasoning.images import annotated_png
from spatialpin_ros.reasoning.language import TaskBuilder, task_id
from spatialpin_ros.reasoning.model_errors import ReplyFormatError
from spatialpin_ros.reasoning.prompting import Prompts
from spatialpin_ros.reasoning.protocol import Answer, LanguageModel, Message, Proposals, Rejection, Schema
from spatialpin_ros.reasoning.requests import SUPPORTED
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task, TaskStep

Result = TypeVar("Result")
Reading = Callable[[Mapping[str, Any]], tuple[Result, Sequence[str]]]


class PromptedBackend:
    """Proposes, describes and answers with a language model that is given the scene in numbers.

    Args:
        name: the back end's name, stored in its tasks.
        model: answers the prompts.
        prompts: the templates.
        max_repairs: turns in which the model may correct a reply, told what was wrong.
    """

    def __init__(
        self, name: str, model: LanguageModel, prompts: Prompts | None = None, max_repairs: int = 2
    ) -> None:
        self.name = name
        self.model = model
        self.prompts = prompts or Prompts()
        self.max_repairs = max_repairs

    def close(self) -> None:
        self.model.close()

    def propose(
        self,
        scene: Scene,
        abilities: Abilities,
        max_tasks: int = 5,
        seed: int = 0,
        image: CameraFrame | None = None,
    ) -> Proposals:
        if len(scene.objects) < 2:
            return Proposals(())
        tasks: dict[tuple[str, str], Task] = {}
        rejected: dict[tuple[str, str], Rejection] = {}

        def read(reply: Mapping[str, Any]) -> tuple[None, Sequence[str]]:
            problems = []
            for entry in reply["tasks"]:
                key = entry["object_id"], entry["target_id"]
                refusal = self._judge(scene, abilities, key)
                if refusal is None:
                    tasks.setdefault(key, self._stacking(scene, key, entry, len(tasks)))
                else:
                    rejected[key] = refusal
                    problems.append(str(refusal))
            return None, problems if len(tasks) < max_tasks else ()

        prompt = self.prompts.render("propose", scene, max_tasks=max_tasks, abilities=abilities)
        self._converse(scene, prompt, schemas.proposal_schema(scene), image, read)
        return Proposals(tuple(tasks.values())[:max_tasks], tuple(rejected.values()))

    def describe(
        self, scene: Scene, abilities: Abilities, request: str, image: CameraFrame | None = None
    ) -> Task:
        if not scene.objects:
            raise UnknownNameError(request, ())

        def read(reply: Mapping[str, Any]) -> tuple[Task | InfeasibleTaskError, Sequence[str]]:
            self._raise_for_status(scene, request, reply)
            try:
                return self._build(scene, abilities, request, reply), ()
            except InfeasibleTaskError as error:
                return error, (str(error),)

        prompt = self.prompts.render("describe", scene, request=request)
        result = self._converse(scene, prompt, schemas.request_schema(scene), image, read)
        if isinstance(result, InfeasibleTaskError):
            raise result
        return result

    def answer(self, scene: Scene, question: str, image: CameraFrame | None = None) -> Answer:
        def read(reply: Mapping[str, Any]) -> tuple[Answer, Sequence[str]]:
            value = None if reply["value"] is None else float(reply["value"])
            program, ids = f"model({self.model.name})", tuple(reply["object_ids"])
            return Answer(reply["answer"], value, reply["unit"], ids, program, "viewer"), ()

        prompt = self.prompts.render("answer", scene, question=question)
        return self._converse(scene, prompt, schemas.answer_schema(scene), image, read)

    def _converse(
        self, scene: Scene, prompt: str, schema: Schema, image: CameraFrame | None, read: Reading[Result]
    ) -> Result:
        """Ask, read the reply, and tell the model what was wrong with it, at most `max_repairs` times."""
        messages = [Message("system", self.prompts.render("system", scene)), Message("user", prompt)]
        images = [annotated_png(image, scene)] if image is not None else []
        for turn in range(self.max_repairs + 1):
            last = turn == self.max_repairs
            try:
                reply = self.model.complete(messages, images, schema)
            except ReplyFormatError as error:
                if last:
                    raise
                raw, problems = error.raw, [str(error)]
            else:
                result, found = read(reply.object)
                if not found or last:
                    return result
                raw, problems = reply.raw, list(found)
            repair = self.prompts.render("repair", scene, problems=problems)
            messages += [Message("assistant", raw), Message("user", repair)]
        raise AssertionError("unreachable: the last turn returns or raises")

    def _judge(self, scene: Scene, abilities: Abilities, key: tuple[str, str]) -> Rejection | None:
        item, target = scene.object(key[0]), scene.object(key[1])
        what = f"put the {item.name} on the {target.name}"
        if item.id == target.id:
            return Rejection(what, "same_object", f"the {item.name} cannot be put on itself", *key)
        verdict = can_place_on(scene, item, target, abilities)
        return None if verdict else Rejection(what, verdict.reason, verdict.message, *key)

    def _stacking(self, scene: Scene, key: tuple[str, str], entry: Mapping[str, Any], rank: int) -> Task:
        steps = (TaskStep("pick", key[0]), TaskStep("place_on", *key))
        return Task(
            id=task_id(scene, self.name, steps),
            description=entry["description"],
            steps=steps,
            backend=self.name,
            rationale=f"{entry['reason']} (proposed by {self.model.name}; reach, grasp and stability checked)",
            score=1.0 / (rank + 1.0),
        )

    def _raise_for_status(self, scene: Scene, request: str, reply: Mapping[str, Any]) -> None:
        status = reply["status"]
        if status == "unknown_name":
            raise UnknownNameError(request, scene.names)
        if status == "ambiguous_name":
            raise AmbiguousNameError(
                request, [scene.object(each).name for each in reply["candidates"]] or scene.names
            )
        if status == "infeasible":
            raise InfeasibleTaskError(reply["message"], "model_says_infeasible")
        if status == "not_understood" or not reply["moves"]:
            raise NotUnderstoodError(f"{reply['message'] or 'not understood'}; I can {SUPPORTED}")

    def _build(self, scene: Scene, abilities: Abilities, request: str, reply: Mapping[str, Any]) -> Task:
        builder = TaskBuilder(scene, abilities)
        for move in reply["moves"]:
            on_table = move["reference_id"] == scene.table.name
            references = () if on_table or move["place"] in ("middle", "aside") else (move["reference_id"],)
            builder.deliver(builder.scene.object(move["object_id"]), Destination(move["place"], references))
        return builder.task(request, self.name)
