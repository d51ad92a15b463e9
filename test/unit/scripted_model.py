# SPDX-License-Identifier: Apache-2.0
"""A language model for tests: says what the script holds for each turn, through the real reading of replies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from scenes import EYE_M, LOOKED_AT_M

from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.geometry import Pose
from spatialpin_ros.reasoning.protocol import Message, Reply, Schema, Usage
from spatialpin_ros.reasoning.replies import parse_reply


class ScriptedModel:
    """Replies by turn, in order: an object, a raw text or an error to raise; the last one stays."""

    name = "scripted"

    def __init__(self, **script: Any) -> None:
        self.script = {turn: list(replies) for turn, replies in script.items()}
        self.calls: list[tuple[str, tuple[Message, ...], tuple[bytes, ...], Schema]] = []

    def complete(self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema) -> Reply:
        turn = schema["title"]
        self.calls.append((turn, tuple(messages), tuple(images), schema))
        replies = self.script[turn]
        said = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(said, Exception):
            raise said
        raw = said if isinstance(said, str) else json.dumps(said)
        return Reply(parse_reply(raw, schema), raw, Usage(100, 10), 0.25)

    @property
    def turns(self) -> list[str]:
        return [call[0] for call in self.calls]

    def prompt(self, turn: str, message: int = -1) -> str:
        """Text of a message of the last call of a turn."""
        return next(call for call in reversed(self.calls) if call[0] == turn)[1][message].text

    def close(self) -> None:
        return None


CAMERA = Intrinsics.from_vertical_fov(320, 240, 0.9)


def photo(shade: int = 90) -> CameraFrame:
    """A plain gray image from where the scenes are seen."""
    return CameraFrame(
        np.full((240, 320, 3), shade, np.uint8),
        np.ones((240, 320), np.float32),
        CAMERA,
        Pose.looking_at(EYE_M, LOOKED_AT_M),
    )


def seen(
    name: str, color: str, shape: str, location: str, x: float | None = None, y: float | None = None
) -> Any:
    """One entry of the object finding turn."""
    words = {"name": name, "color": color, "texture": "smooth", "shape": shape, "location": location}
    return {**words, "x_percent": x, "y_percent": y}


COARSE = {"visual_cues": "Tops and fronts show.", "spatial_data": "Deep.", "perspective": "horizontal"}
FINE = {
    "summary": "Five objects stand apart on the table.",
    "relations": [{"object_id": "o1", "relation": "left of", "reference_id": "o2"}],
}
ANSWER = {"reasoning": "r", "answer": "It is 9 cm tall.", "value": 0.09, "unit": "m", "object_ids": ["o3"]}


def proposal(item: str, target: str, place: str = "on", sentence: str = "", reason: str = "it fits") -> Any:
    return {"object_id": item, "place": place, "target_id": target, "description": sentence, "reason": reason}


def moves(
    *moves: tuple[str, str, str], status: str = "understood", message: str = "", candidates: Any = ()
) -> Any:
    names = ("object_id", "place", "reference_id")
    listed = [dict(zip(names, move, strict=True)) for move in moves]
    return {"status": status, "message": message, "candidates": list(candidates), "moves": listed}


def parameters(*motions: tuple[float, float, float]) -> Any:
    """Closing width, lift and drop height [cm] of motions 1, 2, ..."""
    return {
        "motions": [
            {"number": i, "reasoning": "r", "closing_width_cm": closing, "lift_height_cm": lift,
             "drop_height_cm": drop}
            for i, (closing, lift, drop) in enumerate(motions, 1)
        ]
    }  # fmt: skip
