# SPDX-License-Identifier: Apache-2.0
"""A back end's settings from words: "model=qwen2.5-vl base_url=http://localhost:8000/v1", or a YAML file of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from spatialpin_ros.documents import read_mapping
from spatialpin_ros.errors import InvalidValueError

_LOOKS_LIKE_A_KEY = ("api_key", "key", "token", "password")


def read_settings(words: str | Sequence[str]) -> dict[str, Any]:
    """Read "name=value" words, or one text of them; a word that ends in .yaml names a file, later ones win.

    Raises:
        InvalidValueError: a word is neither, a file cannot be read, or a key is given in the open.
    """
    try:
        parts = shlex.split(words) if isinstance(words, str) else list(words)
    except ValueError as error:
        raise InvalidValueError(f"back end settings: {error} in {words!r}") from error
    settings: dict[str, Any] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if equals and name.isidentifier():
            settings[name] = _value(value)
        elif part.endswith((".yaml", ".yml")):
            settings.update(read_mapping(Path(part)))
        else:
            raise InvalidValueError(f"back end setting '{part}' is neither name=value nor a YAML file")
    for name in _LOOKS_LIKE_A_KEY:
        if name in settings:
            raise InvalidValueError(
                f"back end setting '{name}': keys come only from the environment; name the variable with api_key_env="
            )
    return settings


def _value(text: str) -> Any:
    """Numbers and true or false as such, everything else as text."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, (bool, int, float)) else text
