# SPDX-License-Identifier: Apache-2.0
"""Connection to PyBullet, imported only when a world is made."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from spatialpin_ros.errors import BackendError


def connect() -> tuple[Any, int]:
    """Start a physics client of its own; return the pybullet module and the client's id.

    Raises:
        BackendError: when PyBullet is not installed or does not start.
    """
    with _silent_stderr():
        try:
            import pybullet as bullet
        except ImportError as error:
            raise BackendError("the simulator needs PyBullet: pip install 'spatialpin_ros[sim]'") from error
    client = bullet.connect(bullet.DIRECT)
    if client < 0:
        raise BackendError("PyBullet could not start a physics client; too many worlds in one process?")
    return bullet, int(client)


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep the build banner that PyBullet writes on import out of programs' output."""
    try:
        saved = os.dup(2)
    except OSError:
        yield
        return
    try:
        with open(os.devnull, "w") as sink:
            os.dup2(sink.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
