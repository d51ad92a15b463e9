# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C on a terminal: whenever it comes, the cursor is there again afterwards."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
LIMIT_S = 60.0


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.4])
def test_an_interrupt_shows_the_cursor_again(tmp_path: Path, delay_s: float) -> None:
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ["TERM"] = "xterm"
        command = [
            sys.executable,
            "-m",
            "spatialpin_ros.cli",
            "demo",
            "--no-ros",
            "-o",
            str(tmp_path / "out"),
        ]
        os.execv(sys.executable, command)
    shown, ends_s, hidden_s, interrupted = b"", time.monotonic() + LIMIT_S, 0.0, False
    try:
        while time.monotonic() < ends_s:
            if select.select([terminal], [], [], 0.005)[0]:
                try:
                    shown += os.read(terminal, 65536)
                except OSError:
                    break
            if not hidden_s and HIDE in shown:
                hidden_s = time.monotonic()
            if hidden_s and not interrupted and time.monotonic() - hidden_s >= delay_s:
                os.write(terminal, b"\x03")
                interrupted = True
    finally:
        if time.monotonic() >= ends_s:
            os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(terminal)
    assert b"stopped" in shown, shown[-500:]
    assert shown.rfind(SHOW) > shown.rfind(HIDE), shown[-500:]
    assert status == 130
