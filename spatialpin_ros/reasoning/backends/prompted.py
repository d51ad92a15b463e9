# SPDX-License-Identifier: Apache-2.0
"""A back end that leads a language model through the turns and checks every reply against the scene."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.reasoning import schemas
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.asking import check_length
from spatialpin_ros.reasoning.change_questions import concerns_change
from spatialpin_ros.reasoning.images import annotated_png
from spatialpin_ros.reasoning.prompting import Prompts
from spatialpin_ros.reasoning.protocol import Answer, LanguageModel, Proposals
from spatialpin_ros.reasoning.turns import (
    Conversation,
    Priors,
    SceneContext,
    TurnRecord,
    describing,
    parameters,
    proposing,
    understand_scene,
)
from spatialpin_ros.reasoning.turns.answering import check_answer, read_answer
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task


class PromptedBackend:
    """Proposes, describes and answers with a language model that is given 3D priors.

    `trace` holds the turns of the newest call, each with its prompts, images, replies, time and tokens.

    Args:
        name: the back end's name, stored in its tasks.
        model: answers the prompts.
        prompts: the templates.
        max_repairs: how often the model may correct a reply, told what was wrong.
        priors: the turns before the question.
        suggest_parameters: ask for closing width, lift height and drop height of each motion.
        tasks_per_object: most proposals for each object; 0: only the total is limited.
    """

    def __init__(
        self,
        name: str,
        model: LanguageModel,
        prompts: Prompts | None = None,
        max_repairs: int = 2,
        priors: Priors | str = "full",
        suggest_parameters: bool = True,
        tasks_per_object: int = 0,
    ) -> None:
        if max_repairs < 0 or tasks_per_object < 0:
            raise InvalidValueError(
                f"back end '{name}': max_repairs and tasks_per_object must not be negative"
            )
        self.name = name
        self.model = model
        self.prompts = prompts or Prompts()
        self.max_repairs = max_repairs
        self.priors = Priors.named(priors) if isinstance(priors, str) else priors
        self.suggest_parameters = suggest_parameters
        self.tasks_per_object = tasks_per_object
        self._conversation = Conversation(model, self.prompts, max_repairs)
        self._understood: tuple[str, SceneContext, tuple[TurnRecord, ...]] | None = None

    @property
    def trace(self) -> tuple[TurnRecord, ...]:
        return tuple(self._conversation.records)

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
        context = self._begin(scene, image)
        found = proposing.propose(
            self._conversation, context, scene, abilities, self.name, max_tasks, self.tasks_per_object
        )
        return Proposals(self._with_parameters(scene, abilities, found.tasks, context), found.rejected)

    def describe(
        self, scene: Scene, abilities: Abilities, request: str, image: CameraFrame | None = None
    ) -> Task:
        check_length(request, "request")
        if not scene.objects:
            raise UnknownNameError(request, ())
        context = self._begin(scene, image)
        task = describing.describe(self._conversation, context, scene, abilities, request, self.name)
        return self._with_parameters(scene, abilities, (task,), context)[0]

    def answer(
        self,
        scene: Scene,
        question: str,
        image: CameraFrame | None = None,
        before: Scene | None = None,
        image_before: CameraFrame | None = None,
    ) -> Answer:
        check_length(question, "question")
        context = self._begin(scene, image)
        prompt = self.prompts.render("answer", scene, question=question, context=context, found=context.found)
        about_change = concerns_change(question)
        if before is not None and self.priors.numbers and about_change:
            earlier = f"Earlier scene, with ids of its own. {self.prompts.render('scene', before)}"
            prompt = f"{earlier}\n\nPresent scene. {prompt}"
        images = context.images
        if image_before is not None and about_change:
            images = (*images, annotated_png(image_before, before or scene, marks=False))
            prompt = f"The last image shows the table earlier, the others show it now.\n\n{prompt}"
        system = self.prompts.fill("system", numbers=self.priors.numbers)
        schema = schemas.answer_schema(scene)
        found = self._conversation.ask(
            "answer", system, prompt, images, schema, partial(read_answer, self.model.name, scene)
        )
        program, disagreement = check_answer(found, scene, question, before)
        if disagreement:
            self._conversation.note(disagreement)
        relation = "against" if disagreement else "as"
        return replace(found, program=f"{found.program}, {relation} {program}") if program else found

    def _begin(self, scene: Scene, image: CameraFrame | None) -> SceneContext:
        """Run the turns before the question, or take what they gave for the same scene, image and priors."""
        self._conversation = Conversation(self.model, self.prompts, self.max_repairs)
        key = self._key(scene, image)
        if self._understood is None or self._understood[0] != key:
            context = understand_scene(self._conversation, scene, image, self.priors)
            lost = any(record.skipped and record.exchanges for record in self.trace)
            self._understood = None if lost else (key, context, self.trace)
            return context
        _, context, records = self._understood
        self._conversation.reuse(records)
        return context

    def _key(self, scene: Scene, image: CameraFrame | None) -> str:
        digest = hashlib.sha256(self.prompts.render("scene", scene).encode())
        digest.update(repr((self.priors, scene.base_T_camera.to_dict(), scene.intrinsics)).encode())
        if image is not None:
            digest.update(image.color.tobytes())
        return digest.hexdigest()

    def _with_parameters(
        self, scene: Scene, abilities: Abilities, tasks: tuple[Task, ...], context: SceneContext
    ) -> tuple[Task, ...]:
        """Ask once for the closing width, lift height and drop height of every motion of the tasks."""
        if not tasks or not self.suggest_parameters:
            return tasks
        return parameters.suggest(self._conversation, scene, abilities, tasks, context)
