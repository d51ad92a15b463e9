# SPDX-License-Identifier: Apache-2.0
"""Reasoner node: proposes tasks, understands requests and answers questions about the newest scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from spatialpin_interfaces.msg import Evidence
from spatialpin_interfaces.srv import AskScene, DescribeTask, ProposeTasks

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.changes import SceneHistory
from spatialpin_ros.config import RobotConfig
from spatialpin_ros.conversions import task_to_msg
from spatialpin_ros.errors import (
    AmbiguousNameError,
    BackendError,
    CameraFrameError,
    InfeasibleTaskError,
    InvalidValueError,
    SpatialPinError,
    UnknownNameError,
)
from spatialpin_ros.nodes.newest_scene import NewestScene, NoSceneError
from spatialpin_ros.nodes.parameters import ROBOT, Parameter, declare
from spatialpin_ros.nodes.photos import Photos
from spatialpin_ros.nodes.qos import SERVICE
from spatialpin_ros.nodes.support import Worker, run
from spatialpin_ros.reasoning import (
    Abilities,
    Answer,
    Backend,
    Proposals,
    backend_names,
    create_backend,
    read_settings,
)
from spatialpin_ros.scene import Scene
from spatialpin_ros.task import Task

Result = TypeVar("Result")
PARAMETERS = (
    ROBOT,
    Parameter("backend", "symbolic", "Reasoning back end.", choices=backend_names()),
    Parameter("backend_settings", "", "Its settings: name=value words, or the path of a YAML file of them."),
    Parameter(
        "record_folder", "", "Where a language model's prompts, images and replies are kept; empty: nowhere."
    ),
    Parameter(
        "color_topic",
        "/scene/color",
        "Image that the newest scene was made from, for a model that looks.",
        is_name=True,
    ),
    Parameter("scene_topic", "/scene/scene", "Where the scenes come from.", is_name=True),
    Parameter(
        "max_tasks", 12, "Most tasks proposed when a request names no number.", 1, 100, read_only=False
    ),
    Parameter("seed", 0, "Of whatever the back end draws.", 0, 2**31 - 1, read_only=False),
)


class ReasonerNode(Node):
    """Serves ~/propose_tasks, ~/describe_task and ~/ask."""

    def __init__(self) -> None:
        super().__init__("reasoner")
        values = declare(self, PARAMETERS)
        self._abilities = Abilities.from_robot(RobotConfig.load(values["robot"]))
        self._backend = _backend(values)
        self._scene = NewestScene(self, values["scene_topic"])
        self._history = SceneHistory()
        looks = values["backend"] != "symbolic"
        self._photos = Photos(self, values["color_topic"]) if looks else None
        self._worker = Worker(self, "reasoner")
        group = ReentrantCallbackGroup()
        self._serve(ProposeTasks, "~/propose_tasks", self._propose, group)
        self._serve(DescribeTask, "~/describe_task", self._describe, group)
        self._serve(AskScene, "~/ask", self._ask, group)
        self.get_logger().info(f"reasoning with '{self._backend.name}' about {values['scene_topic']}")

    def _serve(
        self, kind: Any, name: str, callback: Callable[..., Any], group: ReentrantCallbackGroup
    ) -> None:
        self.create_service(kind, name, callback, qos_profile=SERVICE, callback_group=group)

    async def _with_scene(self, job: Callable[[Scene, CameraFrame | None], Result]) -> Result:
        def run_job() -> Result:
            scene, photo = newest_view(self._scene, self._photos)
            result = job(scene, photo)
            self._history.remember(scene, photo)
            return result

        return await self._worker.run(run_job)

    async def _propose(self, request: Any, response: Any) -> Any:
        count = request.max_tasks or int(self.get_parameter("max_tasks").value or 1)
        seed = int(self.get_parameter("seed").value or 0)

        def job(scene: Scene, photo: CameraFrame | None) -> Proposals:
            return self._backend.propose(scene, self._abilities, max_tasks=count, seed=seed, image=photo)

        try:
            proposals = await self._with_scene(job)
        except SpatialPinError as error:
            response.message = str(error)
            return response
        response.success = True
        response.tasks = [task_to_msg(task) for task in proposals.tasks]
        response.rejected = [str(item) for item in proposals.rejected]
        response.message = f"{len(response.tasks)} tasks, {len(response.rejected)} ideas dropped"
        return response

    async def _describe(self, request: Any, response: Any) -> Any:
        def job(scene: Scene, photo: CameraFrame | None) -> Task:
            return self._backend.describe(scene, self._abilities, request.request, photo)

        try:
            task = await self._with_scene(job)
        except SpatialPinError as error:
            response.reason, response.message = reason_of(error), str(error)
            response.candidates = list(_candidates(error))
            return response
        response.success, response.message, response.task = True, task.description, task_to_msg(task)
        return response

    async def _ask(self, request: Any, response: Any) -> Any:
        def job(scene: Scene, photo: CameraFrame | None) -> Answer:
            before = self._history.before(scene)
            return self._backend.answer(
                scene, request.question, photo, before, self._history.image_of(before)
            )

        try:
            answer = await self._with_scene(job)
        except SpatialPinError as error:
            response.reason, response.text = reason_of(error), str(error)
            return response
        response.success, response.text, response.unit = True, answer.text, answer.unit
        response.has_value, response.value = answer.value is not None, float(answer.value or 0.0)
        response.evidence = Evidence(
            object_ids=list(answer.object_ids), program=answer.program, frame=answer.frame
        )
        return response

    def close(self) -> None:
        self._worker.close(timeout_s=1.0)
        self._backend.close()


def _backend(values: Mapping[str, Any]) -> Backend:
    settings = read_settings(values["backend_settings"])
    if values["record_folder"]:
        settings["record_folder"] = values["record_folder"]
    return create_backend(values["backend"], **settings)


def newest_view(scenes: NewestScene, photos: Photos | None) -> tuple[Scene, CameraFrame | None]:
    """Return the newest scene, and its image where there are any.

    Raises:
        NoSceneError: when nothing was captured, or what was cannot be read.
    """
    try:
        scene = scenes.get()
        return scene, photos.of(scene) if photos is not None else None
    except (InvalidValueError, CameraFrameError) as error:
        raise NoSceneError(f"the newest scene cannot be used: {error}; capture it anew") from error


def reason_of(error: SpatialPinError) -> str:
    """The code of DescribeTask.srv for an error; a value that is wrong inside the back end is its failure."""
    kinds: tuple[tuple[type[SpatialPinError], str], ...] = (
        (UnknownNameError, "unknown_name"),
        (AmbiguousNameError, "ambiguous_name"),
        (NoSceneError, "no_scene"),
        (InfeasibleTaskError, "infeasible"),
        (BackendError, "backend"),
        (InvalidValueError, "backend"),
    )
    return next((reason for kind, reason in kinds if isinstance(error, kind)), "not_understood")


def _candidates(error: SpatialPinError) -> tuple[str, ...]:
    if isinstance(error, UnknownNameError):
        return error.available
    return error.matches if isinstance(error, AmbiguousNameError) else ()


def main() -> None:
    run(ReasonerNode)


if __name__ == "__main__":
    main()
