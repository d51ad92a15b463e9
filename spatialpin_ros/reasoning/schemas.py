# SPDX-License-Identifier: Apache-2.0
"""JSON schemas of what a model may reply, with the scene's ids as enumerations; strict-mode conventions throughout."""

from __future__ import annotations

from typing import Any

from spatialpin_ros.scene import Scene

PLACES = ("on", "left", "right", "front", "back", "near", "middle", "aside")
BESIDE = ("on", "left", "right", "front", "back", "near")
STATUSES = ("understood", "unknown_name", "ambiguous_name", "not_understood", "infeasible")
UNITS = ("m", "m^3", "count", "bool", "deg", "")


def strict(properties: dict[str, Any]) -> dict[str, Any]:
    """An object with exactly these properties, all required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def object_ids(scene: Scene) -> dict[str, Any]:
    """The id of an object of the scene; of an empty one, nothing."""
    return {"type": "string", "enum": [item.id for item in scene.objects] or [""]}


def without_choices(schema: Any) -> Any:
    """The same schema with any text where it lists the allowed ones, for replies of which a part can be used."""
    if isinstance(schema, dict):
        return {key: without_choices(value) for key, value in schema.items() if key != "enum"}
    return [without_choices(each) for each in schema] if isinstance(schema, list) else schema


def proposal_schema(scene: Scene) -> dict[str, Any]:
    """Tasks of the form: put this object on, or beside, that one."""
    task = strict(
        {"object_id": object_ids(scene), "place": {"type": "string", "enum": list(BESIDE)},
         "target_id": object_ids(scene), "description": {"type": "string"}, "reason": {"type": "string"}}
    )  # fmt: skip
    return strict({"tasks": {"type": "array", "items": task}})


def request_schema(scene: Scene) -> dict[str, Any]:
    """A request read as moves; geometry such as areas is computed from the place words, not by the model."""
    targets = [item.id for item in scene.objects] + [scene.table.name]
    move = strict(
        {"object_id": object_ids(scene), "place": {"type": "string", "enum": list(PLACES)},
         "reference_id": {"type": "string", "enum": targets}}
    )  # fmt: skip
    return strict(
        {"status": {"type": "string", "enum": list(STATUSES)}, "message": {"type": "string"},
         "candidates": {"type": "array", "items": object_ids(scene)}, "moves": {"type": "array", "items": move}}
    )  # fmt: skip


def answer_schema(scene: Scene) -> dict[str, Any]:
    """An answer with its number in SI units and the objects that it rests on."""
    return strict(
        {"reasoning": {"type": "string"}, "answer": {"type": "string"}, "value": {"type": ["number", "null"]},
         "unit": {"type": "string", "enum": list(UNITS)}, "object_ids": {"type": "array", "items": object_ids(scene)}}
    )  # fmt: skip
