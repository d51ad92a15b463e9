# SPDX-License-Identifier: Apache-2.0
"""The SpatialPIN turns: find objects, match them, coarse 3D, fine 3D, parameters; each a step that can be inspected."""

from spatialpin_ros.reasoning.turns.context import SceneContext, understand_scene
from spatialpin_ros.reasoning.turns.conversation import Conversation, Exchange, TurnRecord
from spatialpin_ros.reasoning.turns.priors import PRESETS, Priors

__all__ = [
    "PRESETS",
    "Conversation",
    "Exchange",
    "Priors",
    "SceneContext",
    "TurnRecord",
    "understand_scene",
]
