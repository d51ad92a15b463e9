# SPDX-License-Identifier: Apache-2.0
"""Scene -> Task: proposals, free-text requests and spatial questions, by interchangeable back ends."""

from spatialpin_ros.reasoning.abilities import Abilities
from spatialpin_ros.reasoning.protocol import (
    Answer,
    Backend,
    LanguageModel,
    Message,
    Proposals,
    Rejection,
    Reply,
    Usage,
)
from spatialpin_ros.reasoning.registry import backend_names, create_backend
from spatialpin_ros.reasoning.settings import read_settings

__all__ = [
    "Abilities",
    "Answer",
    "Backend",
    "LanguageModel",
    "Message",
    "Proposals",
    "Rejection",
    "Reply",
    "Usage",
    "backend_names",
    "create_backend",
    "read_settings",
]
