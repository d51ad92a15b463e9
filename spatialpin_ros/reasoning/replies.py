# SPDX-License-Identifier: Apache-2.0
"""Gets an object that fits a JSON schema out of the text that a model replied."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from spatialpin_ros.reasoning.model_errors import ReplyFormatError

_NUMBER = re.compile(r"\s*[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?\s*")


def parse_reply(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Read the reply's JSON object, turn numbers that came as text into numbers, and validate it.

    Raises:
        ReplyFormatError: no JSON object, or one that does not fit the schema; says where.
    """
    document = _coerce(_extract(text), schema)
    error = next(iter(jsonschema.Draft202012Validator(schema).iter_errors(document)), None)
    if error is not None:
        place = "/".join(str(part) for part in error.absolute_path) or "the top level"
        raise ReplyFormatError(f"the reply does not fit the schema at {place}: {error.message:.200}", text)
    if not isinstance(document, dict):
        raise ReplyFormatError("the reply is not a JSON object", text)
    return document


def _finite(text: str) -> float:
    """Read a number; JSON's 1e999 would become infinite, and Python reads NaN and Infinity too."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _extract(text: str) -> Any:
    """The first JSON object in the text, alone, in a code fence or amid other words."""
    failure = f"no JSON object in {text[:80]!r}"
    for i, brace in enumerate(re.finditer(r"\{", text)):
        try:
            return _DECODER.raw_decode(text, brace.start())[0]
        except ValueError as error:
            failure = f"not valid JSON: {error}" if i == 0 else failure
    raise ReplyFormatError(f"the reply cannot be read: {failure}", text)


def _coerce(value: Any, schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if isinstance(value, dict):
        inner = schema.get("properties", {})
        return {key: _coerce(each, inner.get(key, {})) for key, each in value.items()}
    if isinstance(value, list):
        return [_coerce(each, schema.get("items", {})) for each in value]
    numeric = "string" not in kinds and ("number" in kinds or "integer" in kinds)
    if numeric and isinstance(value, str) and _NUMBER.fullmatch(value) and math.isfinite(float(value)):
        number = float(value)
        return int(number) if number.is_integer() and "number" not in kinds else number
    return value
