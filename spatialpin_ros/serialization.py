# SPDX-License-Identifier: Apache-2.0
"""JSON files of the nouns, written so that a crash or a full disk never leaves half a file."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from spatialpin_ros.documents import read_json
from spatialpin_ros.errors import InvalidValueError


class Serializable(Protocol):
    """What every noun offers."""

    def to_dict(self) -> dict[str, Any]: ...

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Any: ...


Noun = TypeVar("Noun", bound=Serializable)


def write_atomically(path: Path, data: bytes) -> None:
    """Write to a temporary file beside `path`, flush it to disk and rename it.

    Raises:
        InvalidValueError: when the disk is full or the folder cannot be written; the old file is untouched.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise InvalidValueError(f"cannot write {path}: {error.strerror or error}") from error


def save(noun: Serializable, path: Path | str) -> Path:
    """Write a noun as indented JSON and return the path."""
    target = Path(path)
    write_atomically(target, (json.dumps(noun.to_dict(), indent=1, allow_nan=False) + "\n").encode())
    return target


def load(kind: type[Noun], path: Path | str) -> Noun:
    """Read a noun from JSON.

    Raises:
        InvalidValueError: when the file cannot be read or does not describe a `kind`.
    """
    source = Path(path)
    document = read_json(source)
    try:
        noun: Noun = kind.from_dict(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidValueError(f"{source} is not a {kind.__name__}: {error!r}") from error
    return noun
