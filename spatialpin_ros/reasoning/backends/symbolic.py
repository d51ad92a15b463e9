# SPDX-License-Identifier: Apache-2.0
"""The default back end: geometry and a grammar, no weights and no network; it is not a language model."""

from __future__ import annotations

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.reasoning import proposals, questions
from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.language import understand
from spatialpin_ros.reasoning.protocol import Answer, Proposals
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task


class SymbolicBackend:
    """Answers, proposes and understands requests from the 3D scene alone; `image` is not used."""

    name = "symbolic"

    def propose(
        self,
        scene: Scene,
        abilities: Abilities,
        max_tasks: int = 5,
        seed: int = 0,
        image: CameraFrame | None = None,
    ) -> Proposals:
        return proposals.propose(scene, abilities, max_tasks, seed, self.name)

    def describe(
        self, scene: Scene, abilities: Abilities, request: str, image: CameraFrame | None = None
    ) -> Task:
        return understand(scene, abilities, request, self.name)

    def answer(
        self,
        scene: Scene,
        question: str,
        image: CameraFrame | None = None,
        before: Scene | None = None,
        image_before: CameraFrame | None = None,
    ) -> Answer:
        return questions.answer(scene, question, before)

    def close(self) -> None:
        return None


def create() -> SymbolicBackend:
    return SymbolicBackend()
