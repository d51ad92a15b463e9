# SPDX-License-Identifier: Apache-2.0
"""The gripper controller, and grasping by friction alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulation_motions import grip, pointing_down, reach, standing

from spatialpin_ros.geometry import Pose
from spatialpin_ros.simulation import ArmErrorCode, GoalState, ObjectSpec, RecordingCamera, Workcell

CUBE = (0.045, 0.045, 0.045)


def test_the_empty_gripper_reaches_its_goal(workcell: Workcell) -> None:
    grip(workcell, 0.015)
    status = workcell.gripper.status()
    assert status is not None
    assert (status.state, status.reached_goal, status.stalled) == (GoalState.SUCCEEDED, True, False)
    assert workcell.world.robot.width_m == pytest.approx(0.030, abs=0.001)


@pytest.mark.parametrize(("position", "effort"), [(-0.01, 10.0), (0.2, 10.0), (np.nan, 10.0), (0.01, -1.0)])
def test_impossible_gripper_goals_are_refused(workcell: Workcell, position: float, effort: float) -> None:
    answer = workcell.gripper.start(position, effort)
    assert (answer.accepted, answer.error_code) == (False, ArmErrorCode.INVALID_GOAL)


def test_cancel_stops_the_fingers(workcell: Workcell) -> None:
    answer = workcell.gripper.start(0.0, 20.0)
    workcell.run(0.1)
    assert workcell.gripper.cancel(answer.goal_id)
    width = workcell.world.robot.width_m
    assert 0.02 < width < 0.079
    workcell.run(0.3)
    assert workcell.world.robot.width_m == pytest.approx(width, abs=0.004)
    assert workcell.gripper.status().state is GoalState.CANCELED  # type: ignore[union-attr]


def pick(workcell: Workcell, spec: ObjectSpec) -> None:
    """Grasp from above and lift by 0.15 m."""
    workcell.world.reset(objects=[spec])
    workcell.arm.reset()
    x, y, z = spec.box.centre
    reach(workcell, pointing_down((x, y, z + 0.12)), 1.5)
    reach(workcell, pointing_down((x, y, z)), 1.0)
    grip(workcell, 0.0)
    reach(workcell, pointing_down((x, y, z + 0.15)), 1.0)


@pytest.mark.parametrize("kind", ["cube", "cylinder"])
def test_friction_holds_a_lifted_object(workcell: Workcell, kind: str) -> None:
    pick(workcell, standing(kind, CUBE, 0.5, 0.1))
    status = workcell.gripper.status()
    assert status is not None
    assert (status.stalled, status.reached_goal) == (True, False)
    assert 2.0 * status.position == pytest.approx(0.045, abs=0.004)
    lifted = workcell.world.truth().objects[0].box.centre[2]
    assert lifted == pytest.approx(0.0225 + 0.15, abs=0.005)
    workcell.run(1.0)
    assert workcell.world.truth().objects[0].box.centre[2] == pytest.approx(lifted, abs=0.002)


def test_nothing_but_the_fingers_gear_is_constrained(workcell: Workcell) -> None:
    pick(workcell, standing("cube", CUBE, 0.5, 0.0))
    bullet, client = workcell.world._bullet, workcell.world._client
    count = bullet.getNumConstraints(physicsClientId=client)
    bodies = [
        bullet.getConstraintInfo(
            bullet.getConstraintUniqueId(i, physicsClientId=client), physicsClientId=client
        )
        for i in range(count)
    ]
    assert [(info[0], info[2]) for info in bodies] == [(workcell.world.robot.body,) * 2]


def test_a_slippery_object_slips(workcell: Workcell) -> None:
    spec = standing("cube", CUBE, 0.5, 0.0)
    pick(workcell, ObjectSpec("soap", "cube", "red", spec.box, mass_kg=0.5, friction=0.001))
    assert workcell.world.truth().objects[0].box.centre[2] < 0.05


def test_an_opened_gripper_drops_what_it_held(workcell: Workcell) -> None:
    pick(workcell, standing("cube", CUBE, 0.5, 0.0))
    workcell.run(4.0)
    grip(workcell, 0.04)
    workcell.run(0.5)
    assert workcell.world.truth().objects[0].box.bottom_z < 0.01


def test_what_rests_on_a_lifted_object_comes_along(workcell: Workcell) -> None:
    below, above = (
        standing("box", (0.08, 0.04, 0.06), 0.5, 0.0, "below"),
        standing("cube", (0.03,) * 3, 0.5, 0.0, "above"),
    )
    above = above.at(Pose(np.array([0.528, 0.0, 0.0755])))
    workcell.world.reset(objects=[below, above])
    workcell.arm.reset()
    workcell.run(3.0)
    reach(workcell, pointing_down((0.478, 0.0, 0.20)), 1.5)
    reach(workcell, pointing_down((0.478, 0.0, 0.04)), 1.0)
    grip(workcell, 0.0)
    reach(workcell, pointing_down((0.478, 0.0, 0.14)), 1.5)
    heights = [item.box.centre[2] for item in workcell.world.truth().objects]
    np.testing.assert_allclose(heights, [0.13, 0.175], atol=0.006)


def test_an_object_at_rest_yields_to_a_push(workcell: Workcell) -> None:
    workcell.world.reset(objects=[standing("cube", (0.05,) * 3, 0.5, 0.0)])
    workcell.arm.reset()
    workcell.run(3.0)
    grip(workcell, 0.0)
    reach(workcell, pointing_down((0.5, -0.12, 0.10)), 1.5)
    reach(workcell, pointing_down((0.5, -0.12, 0.02)), 1.0)
    reach(workcell, pointing_down((0.5, 0.0, 0.02)), 1.5)
    assert workcell.world.truth().objects[0].box.centre[1] > 0.02


def test_a_recording_keeps_the_simulated_rate(workcell: Workcell, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    workcell.recording = RecordingCamera(workcell.world, tmp_path / "film", rate_hz=4.0, width=80, height=60)
    workcell.run(1.0)
    assert len(workcell.recording.frames) == 5
    assert all(frame.is_file() for frame in workcell.recording.frames)
    assert workcell.recording.save_gif(tmp_path / "film.gif").read_bytes()[:3] == b"GIF"
