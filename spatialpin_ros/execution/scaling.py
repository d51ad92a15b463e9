# SPDX-License-Identifier: Apache-2.0
"""Plays a plan more slowly: the same points, later."""

from __future__ import annotations

from dataclasses import replace

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.plan import Plan, Trajectory


def slowed(plan: Plan, velocity_scaling: float) -> Plan:
    """Return the plan with all velocities multiplied by a factor; accelerations fall with its square.

    Raises:
        InvalidValueError: when the factor is not in (0, 1]: faster than planned is never safe.
    """
    if not 0.0 < velocity_scaling <= 1.0:
        raise InvalidValueError(f"velocity_scaling: must lie in (0, 1], got {velocity_scaling}")
    if velocity_scaling == 1.0:
        return plan
    stages = tuple(
        stage
        if stage.trajectory is None
        else replace(stage, trajectory=_slowed(stage.trajectory, velocity_scaling))
        for stage in plan.stages
    )
    return replace(plan, stages=stages)


def _slowed(trajectory: Trajectory, factor: float) -> Trajectory:
    return replace(
        trajectory,
        times=trajectory.times / factor,
        velocities=trajectory.velocities * factor,
        accelerations=trajectory.accelerations * factor**2,
    )
