# SPDX-License-Identifier: Apache-2.0
"""Nodes that cannot start say why in one line; nodes that are interrupted end at once and quietly."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytest.importorskip("rclpy")


def start(node, *parameters):
    arguments = [part for value in parameters for part in ("-p", value)]
    command = [sys.executable, "-m", f"spatialpin_ros.nodes.{node}", "--ros-args", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize(
    ("node", "parameter", "said"),
    [
        ("executor", "dri_run:=true", "unknown parameters ['dri_run']"),
        ("executor", "velocity_scaling:=7.0", "velocity_scaling must lie in"),
        ("reasoner", "backend:=oracle", "expected one of"),
        ("planner", "robot:=r2d2", "no robot called 'r2d2'"),
        ("scene", "slop_s:=much", "slop_s must be a float"),
        (
            "scene",
            "perception:=nonsense",
            "no perception configuration called 'nonsense'; there is: geometric, learned",
        ),
        ("scene", "perception:=/no/such.yaml", "cannot read /no/such.yaml"),
    ],
)
def test_a_bad_parameter_ends_with_one_clear_line(node, parameter, said):
    process = start(node, parameter)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said in output
    assert "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_a_node_quietly(number):
    process = start("reasoner")
    assert process.stdout is not None
    assert "reasoning with" in process.stdout.readline()
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in output
