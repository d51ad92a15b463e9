# SPDX-License-Identifier: Apache-2.0
"""A slowed plan passes the same points later, with derivatives that fit."""

from __future__ import annotations

import numpy as np
import pytest
from execution_scenes import stack_plan

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.execution import slowed
from spatialpin_ros.plan import Trajectory


def sine(duration_s=2.0, count=2001):
    times = np.linspace(0.0, duration_s, count)
    wave = np.column_stack([np.sin(times), np.cos(times)])
    return Trajectory(("a", "b"), times, wave, np.column_stack([np.cos(times), -np.sin(times)]), -wave)


def test_derivatives_fit_the_new_times():
    plan = stack_plan()
    stages = (type(plan.stages[0])("approach", 0, trajectory=sine()),)
    slow = slowed(type(plan)(plan.task, stages, ("a", "b"), "base", "tip"), 0.5).stages[0].trajectory
    assert slow.duration_s == pytest.approx(4.0)
    np.testing.assert_array_equal(slow.positions, sine().positions)
    inner = slice(1, -1)
    np.testing.assert_allclose(
        np.gradient(slow.positions, slow.times, axis=0)[inner], slow.velocities[inner], atol=1e-5
    )
    np.testing.assert_allclose(
        np.gradient(slow.velocities, slow.times, axis=0)[inner], slow.accelerations[inner], atol=1e-5
    )


def test_full_speed_changes_nothing():
    plan = stack_plan()
    assert slowed(plan, 1.0) is plan


@pytest.mark.parametrize("factor", [0.0, -0.5, 1.01, float("nan")])
def test_faster_than_planned_is_refused(factor):
    with pytest.raises(InvalidValueError, match="velocity_scaling"):
        slowed(stack_plan(), factor)
