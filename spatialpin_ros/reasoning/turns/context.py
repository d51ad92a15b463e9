# SPDX-License-Identifier: Apache-2.0
"""Runs the turns that come before the question, and keeps what they found for the last prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.reasoning.drawing import drawn_png
from spatialpin_ros.reasoning.images import annotated_png
from spatialpin_ros.reasoning.turns import coarse, fine, objects
from spatialpin_ros.reasoning.turns.coarse import CoarseView, Extents
from spatialpin_ros.reasoning.turns.conversation import Conversation
from spatialpin_ros.reasoning.turns.fine import FineView
from spatialpin_ros.reasoning.turns.objects import FoundObject
from spatialpin_ros.reasoning.turns.priors import Priors
from spatialpin_ros.scene import Scene


@dataclass(frozen=True, slots=True, eq=False)
class SceneContext:
    """What the last prompt is told beside the question.

    Args:
        priors: the turns that were wanted.
        found: by object id, what the model called it.
        extents, coarse: of the coarse turn.
        fine: of the fine turn.
        images: PNG files for the last prompt: the marked photo, then the drawing.
    """

    priors: Priors
    found: Mapping[str, FoundObject] = field(default_factory=dict)
    extents: Extents | None = None
    coarse: CoarseView | None = None
    fine: FineView | None = None
    images: tuple[bytes, ...] = ()


def understand_scene(
    conversation: Conversation, scene: Scene, image: CameraFrame | None, priors: Priors
) -> SceneContext:
    """Run the turns that `priors` wants; a turn without a usable reply leaves its numbers, never its opinion.

    Raises:
        ModelError: when the model cannot be reached.
    """
    marked = () if image is None else (annotated_png(image, scene),)
    found = _find(conversation, scene, image) if priors.objects else {}
    size = coarse.extents(scene) if priors.coarse else None
    verdict = _coarse(conversation, scene, found, size, marked) if size is not None else None
    drawing = drawn_png(scene) if priors.fine else None
    drawn = () if drawing is None else (drawing,)
    summary = _fine(conversation, scene, found, drawn) if priors.fine else None
    return SceneContext(priors, found, size, verdict, summary, marked + drawn)


def _find(conversation: Conversation, scene: Scene, image: CameraFrame | None) -> Mapping[str, FoundObject]:
    if image is None:
        conversation.skip("objects", "there is no image to find objects in")
        return {}
    prompts = conversation.prompts
    photo = annotated_png(image, scene, marks=False)
    found = conversation.try_ask(
        "objects",
        prompts.fill("system_image"),
        prompts.fill("objects"),
        [photo],
        objects.found_schema(),
        objects.read_found,
    )
    if found is None:
        return {}
    matches = objects.match(found, scene, image.intrinsics)
    conversation.note(*matches.findings)
    return matches.by_id


def _coarse(
    conversation: Conversation,
    scene: Scene,
    found: Mapping[str, FoundObject],
    size: Extents,
    marked: tuple[bytes, ...],
) -> CoarseView:
    if not marked:
        conversation.skip("coarse", "there is no image to judge the perspective of")
        return coarse.judge(scene, None)
    prompts = conversation.prompts
    prompt = prompts.fill("coarse", scene=scene, found=found, extents=size)
    reply = conversation.try_ask(
        "coarse",
        prompts.fill("system_image"),
        prompt,
        marked,
        coarse.coarse_schema(),
        lambda each: (each, ()),
    )
    view = coarse.judge(scene, reply)
    if view.finding:
        conversation.note(view.finding)
    return view


def _fine(
    conversation: Conversation, scene: Scene, found: Mapping[str, FoundObject], drawn: tuple[bytes, ...]
) -> FineView | None:
    if not scene.objects:
        conversation.skip("fine", "there are no objects")
        return None
    prompts = conversation.prompts
    prompt = prompts.render("fine", scene, found=found, drawn=bool(drawn))
    view = conversation.try_ask(
        "fine",
        prompts.fill("system", numbers=True),
        prompt,
        drawn,
        fine.fine_schema(scene),
        lambda reply: (fine.check(scene, reply), ()),
    )
    if view is not None:
        conversation.note(*view.findings)
    return view
