# SPDX-License-Identifier: Apache-2.0
"""The scripts on a fresh clone: help comes at once, before any set-up."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from spatialpin_ros.cli import app

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_needs_no_set_up_and_names_options_that_there_are(tmp_path: Path, option: str) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    (tmp_path / "scripts" / "setup").write_text("#!/bin/sh\necho set up; exit 3\n")
    done = subprocess.run(
        [tmp_path / "scripts" / "demo", "--seed", "1", option], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: scripts/demo [OPTIONS]")
    assert "set up;" not in done.stdout
    known = {name for each in typer.main.get_command(app).commands["demo"].params
             for name in (*each.opts, *each.secondary_opts)}  # fmt: skip
    told = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", done.stdout))
    assert {"--seed", "--request", "--no-ros"} <= told <= known


def test_without_it_everything_is_set_up_first(tmp_path: Path) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    (tmp_path / "scripts" / "setup").write_text("#!/bin/sh\necho set up; exit 3\n")
    done = subprocess.run([tmp_path / "scripts" / "demo"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "set up\n")
