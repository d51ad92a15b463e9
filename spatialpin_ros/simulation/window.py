# SPDX-License-Identifier: Apache-2.0
"""A window that shows the simulated world from a process of its own: a slow display, or closing it, stops nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from pathlib import Path

from spatialpin_ros.errors import BackendError

START_LIMIT_S = 60.0
PERIOD_S = 1.0 / 30.0
_log = logging.getLogger(__name__)

Placement = tuple[tuple[float, ...], tuple[float, ...]]
"""Position [m] and quaternion (x, y, z, w) of a body's base, as PyBullet gives them."""


@dataclass(frozen=True, slots=True)
class Showing:
    """What changed since the last picture: bodies by their number.

    Args:
        added: URDF files of new ones.
        removed: which are gone.
        placed: where those that moved are now.
        joints: joint positions by name [rad or m] of those that have any.
    """

    added: Mapping[int, str]
    removed: tuple[int, ...]
    placed: Mapping[int, Placement]
    joints: Mapping[int, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Body:
    """One body to be seen: its URDF, where its base is, and its joints' positions by name [rad or m]."""

    urdf: Path
    placement: Placement
    joints: Mapping[str, float] | None = None


def changes(old: Mapping[int, Body], new: Mapping[int, Body]) -> Showing:
    """What leads from one picture to the next; a number is used again once its body is gone, for another file."""
    kept = {number for number, body in new.items() if number in old and old[number].urdf == body.urdf}
    fresh = {number: body for number, body in new.items() if number not in kept}
    moved = {n: new[n] for n in kept if new[n].placement != old[n].placement} | fresh
    bent = {n: new[n] for n in kept if new[n].joints != old[n].joints} | fresh
    return Showing(
        added={number: str(body.urdf) for number, body in fresh.items()},
        removed=tuple(number for number in old if number not in kept),
        placed={number: body.placement for number, body in moved.items()},
        joints={number: body.joints for number, body in bent.items() if body.joints},
    )


class Window:
    """Opens PyBullet's window and keeps it up to date.

    Raises:
        BackendError: when there is no display, or none that a window can be opened on.
    """

    def __init__(self) -> None:
        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise BackendError(
                "the simulator's window needs a display (DISPLAY is not set); leave gui off to run headless"
            )
        self._shown: dict[int, Body] = {}
        self._due_s = 0.0
        self._channel, theirs = Pipe()
        command = [sys.executable, "-m", "spatialpin_ros.simulation.window_process", str(theirs.fileno())]
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(),),
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._await_opened()

    def _await_opened(self) -> None:
        opened = False
        with contextlib.suppress(EOFError, OSError):
            opened = self._channel.poll(START_LIMIT_S) and bool(self._channel.recv())
        if not opened:
            self.close()
            raise BackendError(
                f"the simulator's window could not be opened on display '{os.environ.get('DISPLAY', '')}'; is it "
                "reachable, and does it offer OpenGL 3.3? Leave gui off to run headless"
            )
        self._ready = True

    @property
    def process_id(self) -> int:
        """Id of the window's process."""
        return self._process.pid

    @property
    def open(self) -> bool:
        """False once the window was closed."""
        return not self._channel.closed

    @property
    def due(self) -> bool:
        """True when the last picture is old enough, and was drawn."""
        if self._channel.closed or time.monotonic() < self._due_s:
            return False
        try:
            while self._channel.poll():
                self._ready = bool(self._channel.recv())
        except (EOFError, OSError):
            self._say_closed()
            return False
        return self._ready

    def show(self, bodies: Mapping[int, Body]) -> None:
        """Show these bodies, and no others; call it only when `due`."""
        try:
            self._channel.send(changes(self._shown, bodies))
        except OSError:
            self._say_closed()
            return
        self._shown, self._ready, self._due_s = dict(bodies), False, time.monotonic() + PERIOD_S

    def _say_closed(self) -> None:
        _log.info("the simulator's window was closed; the simulation goes on")
        self.close()

    def close(self) -> None:
        """Close the window; safe to call twice."""
        self._channel.close()
        self._process.kill()
        self._process.wait()
