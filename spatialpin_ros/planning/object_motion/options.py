# SPDX-License-Identifier: Apache-2.0
"""Everything that can be set about planning object motions."""

from __future__ import annotations

from dataclasses import dataclass

from spatialpin_ros.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class ObjectMotionOptions:
    """Settings of `ObjectMotionPlanner`; lengths in metres, angles in degrees.

    Args:
        seed: of every random choice; the same seed and scene give the same path as long as `max_time_s` does
            not cut in.
        clearance_m: least distance to obstacles. At half of `resolution_m` or more, the motion between two
            samples is proven free, too.
        resolution_m: most that any point of the body moves between two samples of the path.
        resolution_deg: most that the body turns between two samples of the path.
        range_m: longest edge of the trees, in displacement of any point of the body.
        first_path_states: poses checked at most in search of a first path to one goal.
        improve_states: poses checked at most while shortening it by RRT*; 0 keeps the first path.
        max_time_s: hard limit for a whole sequence [s].
        touch_depth_m: overlap with surroundings at the start that still counts as touching.
        goal_tolerance_m: shift of the goal that is not worth calling it relaxed (a contact made collision-free).
        allow_relaxed: take a nearby goal when the commanded one cannot be had.
        least_progress: share of the commanded motion that a relaxed one must make.
        max_lift_m: most that a rotation is raised to find room.
        speed_mps, turn_rate_degps: most of the path's motion.
        acceleration_mps2, turn_acceleration_degps2: most of the path's motion.
    """

    seed: int = 0
    clearance_m: float = 0.001
    resolution_m: float = 0.002
    resolution_deg: float = 1.0
    range_m: float = 0.15
    first_path_states: int = 20_000
    improve_states: int = 4_000
    max_time_s: float = 10.0
    touch_depth_m: float = 0.010
    goal_tolerance_m: float = 0.003
    allow_relaxed: bool = True
    least_progress: float = 0.1
    max_lift_m: float = 0.30
    speed_mps: float = 0.20
    turn_rate_degps: float = 90.0
    acceleration_mps2: float = 0.8
    turn_acceleration_degps2: float = 360.0

    def __post_init__(self) -> None:
        positive = (
            "resolution_m", "resolution_deg", "range_m", "max_time_s", "max_lift_m", "first_path_states",
            "speed_mps", "turn_rate_degps", "acceleration_mps2", "turn_acceleration_degps2",
        )  # fmt: skip
        for name in positive:
            if not getattr(self, name) > 0:
                raise InvalidValueError(
                    f"object motion options: {name} must be positive, got {getattr(self, name)}"
                )
        for name in (
            "seed",
            "clearance_m",
            "improve_states",
            "touch_depth_m",
            "goal_tolerance_m",
            "least_progress",
        ):
            if not getattr(self, name) >= 0:
                raise InvalidValueError(
                    f"object motion options: {name} must not be negative, got {getattr(self, name)}"
                )
