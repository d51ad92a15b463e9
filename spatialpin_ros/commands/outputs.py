# SPDX-License-Identifier: Apache-2.0
"""Where a command writes: looked at before the work, and nothing is lost when writing fails after it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.serialization import write_atomically

STDOUT = Path("-")
_PROBE = bytes(4096)
Written = TypeVar("Written")


def check_file(path: Path | None) -> None:
    """Make sure that a file can be written; None and "-" are none.

    Raises:
        InvalidValueError: says why not.
    """
    if path is None or path == STDOUT:
        return
    if path.is_dir():
        raise InvalidValueError(f"cannot write {path}: it is a folder; name a file in it")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Make sure that files can be written into a folder, which need not be there yet; leaves nothing behind.

    Raises:
        InvalidValueError: says why not.
    """
    try:
        whole = folder.absolute()
        there = next(each for each in (whole, *whole.parents) if each.exists())
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(_PROBE)
    except OSError as error:
        raise InvalidValueError(
            f"cannot write into {folder}: {error.strerror or error}; choose another place with --out"
        ) from error


def keep(target: Path, write: Callable[[Path], Written]) -> Written:
    """Write a file or folder with `write`; where that fails, into a new temporary folder.

    Raises:
        InvalidValueError: what could not be written where it should, and where it is instead.
    """
    try:
        return write(target)
    except InvalidValueError as error:
        try:
            instead = Path(tempfile.mkdtemp(prefix="spatialpin-")) / (target.absolute().name or "out")
            write(instead)
        except (OSError, InvalidValueError) as again:
            raise InvalidValueError(f"{error}; nor elsewhere: {again}") from error
        raise InvalidValueError(f"{error}; so that it is not lost it was written to {instead}") from error


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document to a file, or to standard output when the path is "-"; raises as `keep`."""
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    if path == STDOUT:
        sys.stdout.write(text)
    else:
        write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file; raises as `keep`."""
    keep(path, lambda place: write_atomically(place, data))
