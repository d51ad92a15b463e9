# SPDX-License-Identifier: Apache-2.0
"""Connection to PyBullet, imported only when a world is made."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from spatialpin_ros.errors import BackendError


def connect(gui: bool) -> tuple[Any, int]:
    """Start a physics client of its own; return the pybullet module and the client's id.

    Raises:
        BackendError: when PyBullet is not installed or a window cannot be opened.
    """
    with _silent_stderr():
        try:
            import pybullet as bullet
        except ImportError as error:
            raise BackendError("the simulator needs PyBullet: pip install 'spatialpin_ros[sim]'") from error
    if gui and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise BackendError(
            "the simulator window needs a display (DISPLAY is not set); leave gui off to run headless"
        )
    client = bullet.connect(bullet.GUI if gui else bullet.DIRECT)
    if client < 0:
        raise BackendError("PyBullet could not start a physics client; is the display reachable?")
    if gui:
        bullet.configureDebugVisualizer(bullet.COV_ENABLE_GUI, 0, physicsClientId=client)
        bullet.resetDebugVisualizerCamera(1.6, 50.0, -30.0, [0.4, 0.0, 0.15], physicsClientId=client)
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
