# SPDX-License-Identifier: Apache-2.0
"""Every setting of a pick-and-place plan, with its unit and default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.planning.cartesian import LineOptions
from spatialpin_ros.planning.grasps import GraspOptions
from spatialpin_ros.planning.ik import IkOptions
from spatialpin_ros.planning.place import PlaceOptions
from spatialpin_ros.planning.rrt_star import PathOptions, never
from spatialpin_ros.planning.timing import TimingOptions


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How a task is planned.

    Args:
        seed: of all random choices.
        planner: "rrt_star", "rrt_connect", "informed_rrt_star", "bit_star" or "prm_star".
        time_limit_s: most time for the whole task; then the plan fails with reason "timeout" [s].
        first_path_s: most time for the first path of one motion [s].
        improve_s, improve_edges: budget for shortening one motion [s, edge checks]; see PathOptions.
        padding_m: least distance to everything in free motions [m].
        neighbour_padding_m: the same in straight motions, preferred and, where nothing else works, accepted [m].
        touch_padding_m: least distance of the open hand to the object it takes and to its support [m].
        approach_m, lift_m, lower_m, retreat_m: lengths of the straight motions; where one does not fit, half of
            it is tried [m].
        speed, linear_speed: fraction of the joint velocity limits in free and in straight motions.
        keep_upright: hold every object upright between lift and place; a task step can ask for it too.
        upright_tolerance_rad: largest tilt of an object that is to be kept upright [rad].
        return_home: end at the home position after the last place.
        most_combinations: pairs of grasp and place whose motions are planned before giving up.
        cancelled: asked often; True ends planning with reason "cancelled".
    """

    seed: int = 0
    planner: str = "rrt_star"
    time_limit_s: float = 10.0
    first_path_s: float = 2.0
    improve_s: float = 0.05
    improve_edges: int = 120
    padding_m: float = 0.005
    neighbour_padding_m: tuple[float, float] = (0.004, 0.001)
    touch_padding_m: float = 0.001
    approach_m: float = 0.10
    lift_m: float = 0.10
    lower_m: float = 0.08
    retreat_m: float = 0.10
    speed: float = 1.0
    linear_speed: float = 0.5
    keep_upright: bool = False
    upright_tolerance_rad: float = 0.2
    return_home: bool = True
    most_combinations: int = 8
    grasp: GraspOptions = field(default_factory=GraspOptions)
    place: PlaceOptions = field(default_factory=PlaceOptions)
    ik: IkOptions = field(default_factory=IkOptions)
    line: LineOptions = field(default_factory=LineOptions)
    timing: TimingOptions = field(default_factory=TimingOptions)
    cancelled: Callable[[], bool] = never

    def __post_init__(self) -> None:
        self.path_options(0)
        for name in ("speed", "linear_speed"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise InvalidValueError(f"plan options: {name} must lie in (0, 1], got {getattr(self, name)}")
        for name in ("time_limit_s", "approach_m", "lift_m", "lower_m", "retreat_m"):
            if not getattr(self, name) > 0.0:
                raise InvalidValueError(f"plan options: {name} must be positive, got {getattr(self, name)}")

    def path_options(self, offset: int) -> PathOptions:
        """Settings of one free motion; `offset` makes its seed differ from the others'."""
        return PathOptions(
            planner=self.planner,
            first_path_s=self.first_path_s,
            improve_s=self.improve_s,
            improve_edges=self.improve_edges,
            seed=self.seed + 101 * offset,
            cancelled=self.cancelled,
        )
