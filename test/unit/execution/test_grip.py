# SPDX-License-Identifier: Apache-2.0
"""Whether something is between the pads: perception is a few millimetres off, things are soft, grippers differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
from execution_scenes import make_object, make_scene, stack_plan

from spatialpin_ros.execution import ExecutionOptions, GripperResult
from spatialpin_ros.execution.grip import Grip, grip_of
from spatialpin_ros.geometry import Pose

OPTIONS = ExecutionOptions()
GRASP = 2


def grip(object_mm, commanded_mm=None, least_mm=0.0):
    """As the planner commands it: 15 mm under the object's width, where the gripper goes so far."""
    commanded_mm = max(object_mm - 15.0, least_mm) if commanded_mm is None else commanded_mm
    return Grip(commanded_mm / 1000.0, object_mm / 1000.0, OPTIONS.grip_margin_m)


def result(width_mm, *, stalled=True):
    return GripperResult(width_mm / 1000.0, stalled, not stalled)


@pytest.mark.parametrize("stalled", [True, False])
@pytest.mark.parametrize(
    ("object_mm", "really_mm"), [(40, 40), (40, 36), (40, 46), (70, 62), (9, 6), (5, 4), (30, 19), (60, 50)]
)
def test_an_object_is_held_whatever_the_controller_calls_it(object_mm, really_mm, stalled):
    assert not grip(object_mm).missed(result(really_mm, stalled=stalled))


@pytest.mark.parametrize("stalled", [True, False])
@pytest.mark.parametrize(("object_mm", "ended_mm"), [(40, 25.0), (40, 26.0), (70, 55.9), (9, 0.4), (5, 0.8)])
def test_the_commanded_opening_is_air_whatever_the_controller_calls_it(object_mm, ended_mm, stalled):
    assert grip(object_mm).missed(result(ended_mm, stalled=stalled))


def test_an_object_hardly_wider_than_the_gripper_closes():
    narrow = grip(13.0, least_mm=10.0)
    assert narrow.missed(result(10.4))
    assert not narrow.missed(result(12.0))
    assert narrow.lost_m(0.012, OPTIONS.slip_width_m) == pytest.approx(0.0105, abs=0.0005)


def test_a_thing_much_narrower_than_the_object_is_not_the_object():
    assert grip(40.0, commanded_mm=0.0).missed(result(12.0))
    assert not grip(40.0, commanded_mm=0.0).missed(result(24.0))


def test_an_opening_nobody_measured_is_judged_by_what_the_controller_says():
    assert grip(40.0).missed(result(math.nan, stalled=False))
    assert not grip(40.0).missed(result(math.nan, stalled=True))


def test_an_object_that_gives_way_is_not_lost_before_the_pads_are_where_air_lets_them():
    soft = grip(40.0)
    assert soft.lost_m(0.0285, OPTIONS.slip_width_m) < 0.028
    assert soft.lost_m(0.0285, OPTIONS.slip_width_m) > 0.026
    assert soft.lost_m(0.040, OPTIONS.slip_width_m) == pytest.approx(0.034)


@pytest.mark.parametrize(
    ("shape", "yaw_deg", "expected_m"),
    [("box", 0.0, 0.05), ("box", 90.0, 0.03), ("cylinder", 45.0, 0.05), ("sphere", 30.0, 0.06)],
)
def test_the_extent_is_that_between_the_pads(shape, yaw_deg, expected_m):
    item = make_object("o1", "red", (0.4, 0.0, 0.03), (0.03, 0.05, 0.06), shape=shape)
    plan = stack_plan(object_T_tcp={"o1": Pose.from_yaw((0.0, 0.0, 0.0), np.deg2rad(yaw_deg))})
    found = grip_of(plan, plan.stages[GRASP], make_scene(item), OPTIONS)
    assert found.object_m == pytest.approx(expected_m)
    assert found.commanded_m == 0.0


def test_an_unknown_grasp_takes_the_least_extent_and_an_unknown_object_none():
    plan = stack_plan()
    item = make_object("o1", "red", (0.4, 0.0, 0.03), (0.03, 0.05, 0.06))
    assert grip_of(plan, plan.stages[GRASP], make_scene(item), OPTIONS).object_m == pytest.approx(0.03)
    unknown = grip_of(plan, plan.stages[GRASP], make_scene(), OPTIONS)
    assert unknown.object_m is None
    assert unknown.missed(result(2.0))
    assert not unknown.missed(result(5.0))
