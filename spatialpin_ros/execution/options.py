# SPDX-License-Identifier: Apache-2.0
"""Tolerances of execution and of its judgement."""

from __future__ import annotations

from dataclasses import dataclass

from spatialpin_ros.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """How strictly a plan is followed.

    Args:
        start_tolerance_rad: largest deviation of any joint from the plan's start.
        grip_margin_m: pads that come to rest nearer to the commanded opening than this have closed on air.
        slip_width_m: closing by more than this during a motion with an object means that it was lost.
        back_off_after_miss: after a grasp that caught nothing, open and go back along the path that led to it.
    """

    start_tolerance_rad: float = 0.01
    grip_margin_m: float = 0.003
    slip_width_m: float = 0.006
    back_off_after_miss: bool = True

    def __post_init__(self) -> None:
        for name in ("start_tolerance_rad", "grip_margin_m", "slip_width_m"):
            if not getattr(self, name) > 0.0:
                raise InvalidValueError(
                    f"execution options: {name} must be positive, got {getattr(self, name)}"
                )


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """What counts as done when a fresh scene is compared with the one before [m].

    Args:
        height_tolerance_m: largest gap or overlap between an object's bottom and what carries it.
        contact_gap_m: objects whose sides are nearer than this touch.
        moved_m: an object whose centre moved further than this was moved.
        lifted_m: an object whose bottom is higher than before by more than this is in the air.
        area_margin_m: how far outside its area an object's centre may end.
    """

    height_tolerance_m: float = 0.015
    contact_gap_m: float = 0.010
    moved_m: float = 0.020
    lifted_m: float = 0.020
    area_margin_m: float = 0.015
