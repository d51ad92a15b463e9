# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from simulation_motions import rest_to_rest, standing

from spatialpin_ros.plan import Trajectory
from spatialpin_ros.simulation import ArmErrorCode, ArmGoal, ArmStatus, GoalState, Workcell

TURN = np.array([0.7, 0.2, -0.3, 0.2, 0.1, -0.2, 0.4])


def goal_of(workcell: Workcell, step: np.ndarray = TURN, duration_s: float = 1.5) -> ArmGoal:
    robot = workcell.world.robot
    return rest_to_rest(robot.config.joints, robot.target, robot.target + step, duration_s)


def finish(workcell: Workcell, timeout_s: float = 5.0) -> ArmStatus:
    assert workcell.run_until(lambda: not workcell.arm.busy, timeout_s)
    status = workcell.arm.status()
    assert status is not None
    return status


def follow(workcell: Workcell, goal: ArmGoal) -> ArmStatus:
    answer = workcell.arm.start(goal)
    assert answer.accepted, answer.message
    return finish(workcell)


def test_the_arm_follows_and_arrives(workcell: Workcell) -> None:
    goal = goal_of(workcell)
    assert workcell.arm.start(goal).accepted
    deviation = 0.0
    while workcell.arm.busy:
        workcell.step()
        measured = workcell.world.robot.arm_states().positions
        deviation = max(deviation, float(np.abs(workcell.arm.desired.positions - measured).max()))
    status = workcell.arm.status()
    assert status is not None
    assert (status.state, status.error_code) == (GoalState.SUCCEEDED, ArmErrorCode.SUCCESSFUL)
    assert deviation < 0.02
    np.testing.assert_allclose(status.actual, np.asarray(goal.positions)[-1], atol=0.002)


def test_a_planned_trajectory_is_a_goal(workcell: Workcell) -> None:
    goal = goal_of(workcell)
    trajectory = Trajectory(goal.joint_names, goal.times, goal.positions, goal.velocities, goal.accelerations)
    assert follow(workcell, ArmGoal.from_trajectory(trajectory)).state is GoalState.SUCCEEDED


def test_joints_may_come_in_any_order(workcell: Workcell) -> None:
    goal, order = goal_of(workcell), [6, 0, 3, 1, 5, 2, 4]
    shuffled = replace(
        goal,
        joint_names=tuple(goal.joint_names[i] for i in order),
        positions=goal.positions[:, order],
        velocities=goal.velocities[:, order],
        accelerations=goal.accelerations[:, order],
    )
    status = follow(workcell, shuffled)
    np.testing.assert_allclose(status.actual, goal.positions[-1], atol=0.002)


def test_a_single_future_point_is_reached_from_the_present_state(workcell: Workcell) -> None:
    robot = workcell.world.robot
    end = robot.target + 0.2
    status = follow(workcell, ArmGoal(tuple(robot.config.joints), [1.0], [end], [np.zeros(7)]))
    assert status.state is GoalState.SUCCEEDED
    np.testing.assert_allclose(status.actual, end, atol=0.002)


def reject(workcell: Workcell, goal: ArmGoal, code: ArmErrorCode, says: str) -> None:
    answer = workcell.arm.start(goal)
    assert not answer.accepted
    assert answer.error_code is code
    assert says in answer.message
    assert not workcell.arm.busy


def test_unknown_joints_are_refused(workcell: Workcell) -> None:
    goal = goal_of(workcell)
    names = (*goal.joint_names[:6], "elbow")
    reject(workcell, replace(goal, joint_names=names), ArmErrorCode.INVALID_JOINTS, "panda_joint7")


def test_missing_joints_are_refused(workcell: Workcell) -> None:
    goal = goal_of(workcell)
    partial = replace(goal, joint_names=goal.joint_names[:6], positions=goal.positions[:, :6])
    reject(workcell, partial, ArmErrorCode.INVALID_JOINTS, "exactly")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"times": [], "positions": np.zeros((0, 7)), "velocities": None, "accelerations": None},
            "no points",
        ),
        ({"times": np.linspace(0.0, 1.0, 40)[::-1]}, "increase"),
        ({"times": np.zeros(40)}, "increase"),
        ({"positions": np.zeros((40, 6))}, "shape"),
        ({"positions": np.full((40, 7), np.nan)}, "NaN"),
        ({"positions": np.zeros((40, 7))}, "plan again"),
        ({"path_tolerance": {"elbow": 0.1}}, "elbow"),
    ],
)
def test_malformed_goals_are_refused(workcell: Workcell, change: dict[str, object], says: str) -> None:
    reject(workcell, replace(goal_of(workcell), **change), ArmErrorCode.INVALID_GOAL, says)  # type: ignore[arg-type]


def test_a_trajectory_of_the_past_is_refused(workcell: Workcell) -> None:
    workcell.run(3.0)
    old = replace(goal_of(workcell), stamp_s=0.5)
    reject(workcell, old, ArmErrorCode.OLD_HEADER_TIMESTAMP, "ended")


def test_a_trajectory_of_the_future_waits_for_its_time(workcell: Workcell) -> None:
    goal = replace(goal_of(workcell), stamp_s=workcell.arm.time_s + 0.5)
    assert workcell.arm.start(goal).accepted
    workcell.run(0.45)
    np.testing.assert_allclose(workcell.world.robot.arm_states().positions, goal.positions[0], atol=1e-3)
    assert finish(workcell).state is GoalState.SUCCEEDED


def test_an_obstacle_violates_the_path_tolerance_and_the_arm_stops(workcell: Workcell) -> None:
    wall = replace(standing("box", (0.1, 0.1, 0.9), 0.21, 0.21, "wall"), mass_kg=2000.0)
    workcell.world.add_object(wall)
    status = follow(workcell, goal_of(workcell, np.array([1.5, 0, 0, 0, 0, 0, 0]), 1.5))
    assert status.state is GoalState.ABORTED
    assert status.error_code is ArmErrorCode.PATH_TOLERANCE_VIOLATED
    assert "in the way" in status.message
    assert np.abs(workcell.world.robot.arm_states().velocities).max() < 0.05


def test_a_goal_that_is_not_met_in_time_violates_the_goal_tolerance(workcell: Workcell) -> None:
    goal = replace(
        goal_of(workcell),
        goal_tolerance={"panda_joint4": 1e-9},
        goal_time_tolerance_s=0.2,
    )
    status = follow(workcell, goal)
    assert status.error_code is ArmErrorCode.GOAL_TOLERANCE_VIOLATED
    assert "panda_joint4" in status.message
    assert 1.7 < status.time_from_start_s < 1.8


def test_cancel_stops_the_arm_within_its_acceleration_limits(workcell: Workcell) -> None:
    robot = workcell.world.robot
    answer = workcell.arm.start(goal_of(workcell, TURN * 1.5, 1.0))
    workcell.run(0.5)
    before = robot.arm_states().velocities
    assert np.abs(before).max() > 1.0
    assert workcell.arm.cancel(answer.goal_id)
    assert workcell.arm.status().state is GoalState.CANCELING  # type: ignore[union-attr]
    speeds = [before]
    while workcell.arm.busy:
        workcell.step()
        speeds.append(robot.arm_states().velocities)
    decelerations = np.abs(np.diff(speeds, axis=0)) * 240.0
    # A motor that settles within a step overshoots the commanded ramp a little.
    assert (decelerations.max(axis=0) < 1.3 * robot.config.limits.acceleration).all()
    assert finish(workcell).state is GoalState.CANCELED
    held = robot.arm_states().positions
    workcell.run(0.5)
    np.testing.assert_allclose(robot.arm_states().positions, held, atol=0.002)


def test_cancel_of_another_goal_does_nothing(workcell: Workcell) -> None:
    assert not workcell.arm.cancel()
    answer = workcell.arm.start(goal_of(workcell))
    assert not workcell.arm.cancel(answer.goal_id + 1)
    assert finish(workcell).state is GoalState.SUCCEEDED


def test_a_new_goal_preempts_the_one_before(workcell: Workcell) -> None:
    first = workcell.arm.start(goal_of(workcell))
    workcell.run(0.5)
    present = workcell.world.robot.arm_states().positions
    second = workcell.arm.start(
        ArmGoal(tuple(workcell.arm.joint_names), [1.0], [present + 0.1], [np.zeros(7)])
    )
    assert second.accepted
    before = workcell.arm.status(first.goal_id)
    assert before is not None
    assert before.state is GoalState.ABORTED
    assert "preempted" in before.message
    assert finish(workcell).state is GoalState.SUCCEEDED


def test_a_refused_goal_leaves_the_one_before_running(workcell: Workcell) -> None:
    first = workcell.arm.start(goal_of(workcell))
    workcell.run(0.3)
    assert not workcell.arm.start(replace(goal_of(workcell), joint_names=("a",) * 7)).accepted
    status = finish(workcell)
    assert (status.goal_id, status.state) == (first.goal_id, GoalState.SUCCEEDED)


def test_a_reset_aborts_the_goal_and_holds_home(workcell: Workcell) -> None:
    first = workcell.arm.start(goal_of(workcell))
    workcell.run(0.5)
    workcell.reset(seed=1, count=2)
    status = workcell.arm.status(first.goal_id)
    assert status is not None
    assert status.state is GoalState.ABORTED
    workcell.run(0.3)
    home = workcell.world.robot.config.home
    np.testing.assert_allclose(workcell.world.robot.arm_states().positions, home, atol=0.002)


def test_progress_runs_from_zero_to_one(workcell: Workcell) -> None:
    workcell.arm.start(goal_of(workcell))
    seen = []
    while workcell.arm.busy:
        seen.append(workcell.arm.status().progress)  # type: ignore[union-attr]
        workcell.step()
    assert seen[0] == 0.0
    assert seen == sorted(seen)
    assert workcell.arm.status().progress == 1.0  # type: ignore[union-attr]
