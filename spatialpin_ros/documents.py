# SPDX-License-Identifier: Apache-2.0
"""The one reader of JSON and YAML that users write: whatever is wrong with a file is one error that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from spatialpin_ros.errors import InvalidValueError

# PyYAML answers a tag that its value does not fit ("!!timestamp soon") with any of these.
_NOT_A_DOCUMENT = (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        InvalidValueError: when it cannot be read or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InvalidValueError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidValueError(
            f"cannot read {path}: byte {error.start} is not UTF-8 text; is it the file that was meant?"
        ) from error


def parse_json(text: str, source: Path | str) -> Any:
    """A JSON document of `source`; raises InvalidValueError when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidValueError(f"cannot read {source}: it is not JSON: {error}") from error


def read_json(path: Path) -> Any:
    """The document of a JSON file; raises InvalidValueError when there is none."""
    return parse_json(read_text(path), path)


def read_document(path: Path) -> Any:
    """The document of a JSON file, or of a YAML file if its name does not end in .json; None when it is empty.

    Raises:
        InvalidValueError: when the file cannot be read or holds neither.
    """
    text = read_text(path)
    if path.suffix == ".json":
        return parse_json(text, path)
    try:
        return yaml.safe_load(text)
    except _NOT_A_DOCUMENT as error:
        raise InvalidValueError(f"cannot read {path}: it is not YAML: {error}") from error


def read_mapping(path: Path) -> dict[str, Any]:
    """The keys and values of a JSON or YAML file.

    Raises:
        InvalidValueError: when the file cannot be read, holds something else, or has a key that is not a word.
    """
    document = read_document(path)
    if not isinstance(document, dict):
        raise InvalidValueError(f"{path}: expected a mapping of keys, got {document!r:.60}")
    if odd := [key for key in document if not isinstance(key, str)]:
        raise InvalidValueError(f"{path}: expected words for keys, got {odd!r:.60}")
    return document
