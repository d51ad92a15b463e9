# SPDX-License-Identifier: Apache-2.0
"""A joint trajectory controller with the checks, tolerances and codes of ros2_control, stepped by the simulator."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spatialpin_ros.arrays import FloatArray, read_only
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.simulation.arm_goal import Acceptance, ArmErrorCode, ArmGoal, ArmStatus, GoalState
from spatialpin_ros.simulation.robot import SimulatedRobot
from spatialpin_ros.simulation.spline import JointPoint, JointSpline

KEPT_RESULTS = 32


@dataclass(frozen=True, slots=True)
class ArmControllerOptions:
    """Defaults for goals that set none.

    Args:
        path_tolerance_rad: most deviation on the way [rad].
        goal_tolerance_rad: most deviation at the end [rad].
        goal_time_tolerance_s: time allowed to settle after the end [s].
        start_tolerance_rad: most distance between the present position and a first point at time 0 [rad].
        stopped_velocity_rad_s: a joint slower than this stands still [rad/s].
        stop_s: shortest duration of a controlled stop [s].
    """

    path_tolerance_rad: float = 0.10
    goal_tolerance_rad: float = 0.01
    goal_time_tolerance_s: float = 1.0
    start_tolerance_rad: float = 0.05
    stopped_velocity_rad_s: float = 0.02
    stop_s: float = 0.02


class _RejectedError(Exception):
    """A goal that cannot be followed: the code and the message for `Acceptance`."""

    def __init__(self, code: ArmErrorCode, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True, eq=False)
class _Active:
    """The goal being followed, in the controller's joint order."""

    goal_id: int
    spline: JointSpline
    start_s: float
    path_tolerance: FloatArray
    goal_tolerance: FloatArray
    goal_time_tolerance_s: float


class ArmController:
    """Follows one trajectory at a time; a new goal preempts the one before.

    `start` and `cancel` return at once. `update` is called once per simulation step, before the physics.

    Args:
        robot: the arm it drives.
        options: default tolerances.
    """

    def __init__(self, robot: SimulatedRobot, options: ArmControllerOptions | None = None) -> None:
        self.robot, self.options = robot, options or ArmControllerOptions()
        self.joint_names = tuple(robot.config.joints)
        self._acceleration = robot.config.limits.acceleration
        self._time_s = 0.0
        self._last_id = 0
        self._active: _Active | None = None
        self._stopping: JointSpline | None = None
        self._stop_start_s = 0.0
        self._cancelling = False
        self._results: dict[int, ArmStatus] = {}
        still = np.zeros(len(self.joint_names))
        self._desired = JointPoint(robot.target, still, still)

    @property
    def time_s(self) -> float:
        """The controller's clock: the sum of the updates [s]."""
        return self._time_s

    @property
    def busy(self) -> bool:
        """True while a goal is followed or the arm is being stopped."""
        return self._active is not None or self._stopping is not None

    @property
    def desired(self) -> JointPoint:
        """What the motors are commanded to."""
        return self._desired

    def start(self, goal: ArmGoal) -> Acceptance:
        """Check a goal and begin to follow it; a goal being followed is aborted, one refused changes nothing."""
        try:
            active = self._checked(goal)
        except _RejectedError as rejected:
            return Acceptance(False, 0, rejected.code, str(rejected))
        if self._active is not None:
            self._finish(
                self._active, GoalState.ABORTED, ArmErrorCode.INVALID_GOAL, "preempted by a new goal"
            )
        self._stopping, self._cancelling = None, False
        self._active, self._last_id = active, active.goal_id
        return Acceptance(True, active.goal_id)

    def cancel(self, goal_id: int | None = None) -> bool:
        """Stop the arm within its acceleration limits; False when that goal (None: any) is not being followed.

        The goal's state becomes CANCELED when the arm stands.
        """
        if self._active is None or goal_id not in (None, self._active.goal_id):
            return False
        if not self._cancelling:
            self._cancelling = True
            self._begin_stop()
        return True

    def stop(self) -> None:
        """Stop the arm within its acceleration limits, whatever it does; a goal being followed is canceled."""
        if not self.cancel() and not self.busy:
            self._begin_stop()

    def reset(self) -> None:
        """Drop everything and hold the robot's present command; after the arm was put somewhere else."""
        if self._active is not None:
            self._finish(
                self._active, GoalState.ABORTED, ArmErrorCode.INVALID_GOAL, "the simulation was reset"
            )
        self._stopping, self._cancelling = None, False
        still = np.zeros(len(self.joint_names))
        self._desired = JointPoint(self.robot.target, still, still)

    def status(self, goal_id: int | None = None) -> ArmStatus | None:
        """Status of a goal (None: the latest); None when there was none or it is long forgotten."""
        wanted = self._last_id if goal_id is None else goal_id
        if self._active is not None and wanted == self._active.goal_id:
            return self._status(
                self._active, GoalState.CANCELING if self._cancelling else GoalState.EXECUTING
            )
        return self._results.get(wanted)

    def update(self, dt: float) -> None:
        """Advance the clock by `dt` [s] and command the motors."""
        self._time_s += dt
        if self._stopping is not None:
            self._update_stop(self._stopping)
        elif self._active is not None:
            self._update_goal(self._active)

    def _update_stop(self, stopping: JointSpline) -> None:
        elapsed = self._time_s - self._stop_start_s
        self._command(stopping.sample(elapsed))
        if elapsed < stopping.end_s:
            return
        moving = np.abs(self.robot.arm_states().velocities).max() > self.options.stopped_velocity_rad_s
        if moving and elapsed < stopping.end_s + self.options.goal_time_tolerance_s:
            return
        self._stopping = None
        if self._cancelling and self._active is not None:
            self._cancelling = False
            self._finish(
                self._active, GoalState.CANCELED, ArmErrorCode.SUCCESSFUL, "canceled; the arm was stopped"
            )

    def _update_goal(self, active: _Active) -> None:
        elapsed = self._time_s - active.start_s
        if elapsed < 0.0:
            return
        self._command(active.spline.sample(elapsed))
        measured = self.robot.arm_states()
        error = np.abs(self._desired.positions - measured.positions)
        if elapsed < active.spline.end_s:
            if (error > active.path_tolerance).any():
                message = "path " + self._describe(error, active.path_tolerance)
                self._finish(active, GoalState.ABORTED, ArmErrorCode.PATH_TOLERANCE_VIOLATED, message)
                self._begin_stop()
            return
        still = np.abs(measured.velocities).max() <= self.options.stopped_velocity_rad_s
        if still and (error <= active.goal_tolerance).all():
            self._finish(active, GoalState.SUCCEEDED, ArmErrorCode.SUCCESSFUL, "goal reached")
        elif elapsed > active.spline.end_s + active.goal_time_tolerance_s:
            message = "goal " + self._describe(error, active.goal_tolerance)
            self._finish(active, GoalState.ABORTED, ArmErrorCode.GOAL_TOLERANCE_VIOLATED, message)
            self._begin_stop()

    def _describe(self, error: FloatArray, tolerance: FloatArray) -> str:
        worst = int(np.argmax(error / tolerance))
        return (
            f"tolerance violated: {self.joint_names[worst]} is {error[worst]:.3f} rad off, "
            f"{tolerance[worst]:.3f} rad allowed; is something in the way?"
        )

    def _command(self, point: JointPoint) -> None:
        self._desired = point
        self.robot.command_arm(point.positions, point.velocities)

    def _begin_stop(self) -> None:
        """Slow all joints down together along their present direction, at constant deceleration."""
        measured = self.robot.arm_states()
        velocity = self._desired.velocities
        off = np.abs(self._desired.positions - measured.positions) > self.options.goal_tolerance_rad
        start = np.where(off, measured.positions, self._desired.positions)
        velocity = np.where(off, 0.0, velocity)
        duration = max(self.options.stop_s, float((np.abs(velocity) / self._acceleration).max()))
        times = np.array([0.0, duration])
        end = start + velocity * duration / 2.0
        speeds = np.array([velocity, np.zeros_like(velocity)])
        # With these end points the cubic is a parabola: speed falls in a straight line.
        self._stopping = JointSpline(times, np.array([start, end]), speeds)
        self._stop_start_s = self._time_s

    def _finish(self, active: _Active, state: GoalState, code: ArmErrorCode, message: str) -> None:
        self._results[active.goal_id] = replace(self._status(active, state), error_code=code, message=message)
        for old in list(self._results)[:-KEPT_RESULTS]:
            del self._results[old]
        self._active = None

    def _status(self, active: _Active, state: GoalState) -> ArmStatus:
        measured = self.robot.arm_states()
        return ArmStatus(
            goal_id=active.goal_id,
            state=state,
            time_from_start_s=self._time_s - active.start_s,
            duration_s=active.spline.end_s,
            desired=self._desired.positions,
            actual=measured.positions,
            desired_velocities=self._desired.velocities,
            actual_velocities=measured.velocities,
        )

    def _checked(self, goal: ArmGoal) -> _Active:
        """Return the goal in the controller's joint order, or raise what is wrong with it."""
        order = self._joint_order(goal.joint_names)
        times, positions, velocities, accelerations = self._checked_arrays(goal)
        start_s = self._time_s if goal.stamp_s <= 0.0 else goal.stamp_s
        if start_s + float(times[-1]) < self._time_s:
            raise _RejectedError(
                ArmErrorCode.OLD_HEADER_TIMESTAMP,
                f"the trajectory ended at {start_s + times[-1]:.3f} s, and it is {self._time_s:.3f} s",
            )
        positions = positions[:, order]
        velocities = None if velocities is None else velocities[:, order]
        accelerations = None if accelerations is None else accelerations[:, order]
        if times[0] > 0.0:
            times = np.concatenate([[0.0], times])
            positions = np.vstack([self._desired.positions, positions])
            velocities = None if velocities is None else np.vstack([self._desired.velocities, velocities])
            accelerations = (
                None if accelerations is None else np.vstack([np.zeros(len(order)), accelerations])
            )
        else:
            self._check_start(positions[0])
        if goal.goal_time_tolerance_s is None:
            goal_time = self.options.goal_time_tolerance_s
        else:
            goal_time = goal.goal_time_tolerance_s
        return _Active(
            self._last_id + 1,
            JointSpline(times, positions, velocities, accelerations),
            start_s,
            self._tolerance(goal.path_tolerance, self.options.path_tolerance_rad),
            self._tolerance(goal.goal_tolerance, self.options.goal_tolerance_rad),
            goal_time if goal_time >= 0.0 else np.inf,
        )

    def _joint_order(self, names: tuple[str, ...]) -> list[int]:
        if sorted(names) != sorted(self.joint_names):
            raise _RejectedError(
                ArmErrorCode.INVALID_JOINTS,
                f"joints {list(names)} are not this controller's; it drives exactly {list(self.joint_names)}",
            )
        return [names.index(name) for name in self.joint_names]

    def _checked_arrays(
        self, goal: ArmGoal
    ) -> tuple[FloatArray, FloatArray, FloatArray | None, FloatArray | None]:
        count = len(self.joint_names)
        try:
            times = read_only(goal.times, "times", (None,))
            positions = read_only(goal.positions, "positions", (len(times), count)) if len(times) else times
            velocities, accelerations = (
                None if values is None else read_only(values, name, (len(times), count))
                for values, name in ((goal.velocities, "velocities"), (goal.accelerations, "accelerations"))
            )
        except InvalidValueError as error:
            raise _RejectedError(ArmErrorCode.INVALID_GOAL, str(error)) from error
        if len(times) == 0:
            raise _RejectedError(ArmErrorCode.INVALID_GOAL, "the trajectory has no points")
        if times[0] < 0.0 or (np.diff(times) <= 0.0).any() or times[-1] <= 0.0:
            raise _RejectedError(
                ArmErrorCode.INVALID_GOAL,
                "times from start must not be negative, must increase and end after 0",
            )
        return times, positions, velocities, accelerations

    def _check_start(self, first: FloatArray) -> None:
        deviation = np.abs(first - self.robot.arm_states().positions)
        worst = int(deviation.argmax())
        if deviation[worst] > self.options.start_tolerance_rad:
            raise _RejectedError(
                ArmErrorCode.INVALID_GOAL,
                f"the trajectory starts {deviation[worst]:.3f} rad away from where {self.joint_names[worst]} is, "
                f"{self.options.start_tolerance_rad:.3f} rad allowed; plan again from the present state",
            )

    def _tolerance(self, given: dict[str, float] | None, default: float) -> FloatArray:
        given = given or {}
        unknown = sorted(set(given) - set(self.joint_names))
        if unknown:
            error = UnknownNameError(unknown[0], list(self.joint_names), "joint in the tolerances")
            raise _RejectedError(ArmErrorCode.INVALID_GOAL, str(error))
        values = np.array([given.get(name) or default for name in self.joint_names])
        return np.where(values < 0.0, np.inf, values)
