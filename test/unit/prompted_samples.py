# SPDX-License-Identifier: Apache-2.0
"""A prompted back end with a scripted model, and the scene that it is asked about."""

from __future__ import annotations

from scenes import five_blocks, make_scene
from scripted_model import (
    ANSWER,
    CAMERA,
    COARSE,
    FINE,
    ScriptedModel,
    moves,
    parameters,
    proposal,
    seen,
)

from spatialpin_ros.reasoning import Abilities
from spatialpin_ros.reasoning.backends.prompted import PromptedBackend

ABILITIES = Abilities()
FOUND = {
    "objects": [
        seen("toy block", "red", "box", "middle left"),
        seen("ghost", "pink", "other", "top right", 99.0, 1.0),
    ]
}
SCRIPT = {
    "objects": [FOUND],
    "coarse": [COARSE],
    "fine": [FINE],
    "answer": [ANSWER],
    "describe": [moves(("o1", "on", "o2"))],
    "propose": [{"tasks": [proposal("o1", "o2"), proposal("o5", "o1")]}],
    "parameters": [parameters((4.0, 9.0, 0.5), (2.0, 7.0, 0.5))],
}


def scene():
    return make_scene(*five_blocks().objects, intrinsics=CAMERA)


def backend(priors="full", *, suggest=True, per_object=0, **script):
    model = ScriptedModel(**{**SCRIPT, **script})
    made = PromptedBackend(
        "test", model, priors=priors, suggest_parameters=suggest, tasks_per_object=per_object
    )
    return made, model
