# SPDX-License-Identifier: Apache-2.0
"""Plots: measured motions are matched in time with planned ones, and SVGs are well-formed."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import numpy as np
import pytest

from spatialpin_ros.report import RunRecord
from spatialpin_ros.report.plots import align, joint_plots, top_view, tracking_errors

LAG_S = 0.18


def test_alignment_finds_the_lag_of_the_announcement(run: RunRecord) -> None:
    assert run.plan is not None
    assert run.joints is not None
    trajectory = run.plan.stages[0].trajectory
    assert trajectory is not None
    assert align(trajectory, run.joints, 0.5) == pytest.approx(0.5 + LAG_S, abs=0.011)


def test_tracking_error_is_what_the_arm_was_off(run: RunRecord) -> None:
    assert run.plan is not None
    assert run.joints is not None
    assert tracking_errors(run.plan, run.events, run.joints).max() < 0.02
    off = dataclasses.replace(run.joints, positions=run.joints.positions + np.eye(7)[2] * 0.1)
    errors = tracking_errors(run.plan, run.events, off)
    assert errors[2] == pytest.approx(0.1, abs=0.03)
    assert errors[6] < 0.03


def test_nothing_recorded_gives_nan_and_not_zero(run: RunRecord) -> None:
    assert run.plan is not None
    assert run.joints is not None
    assert np.isnan(tracking_errors(run.plan, (), run.joints)).all()


def test_svgs_are_well_formed_and_name_the_joints(run: RunRecord) -> None:
    assert run.plan is not None
    assert run.joints is not None
    assert run.scene is not None
    for svg in (
        *joint_plots(run.plan, run.events, run.joints),
        top_view(run.scene, run.plan, run.scene_after),
    ):
        assert ElementTree.fromstring(svg).tag.endswith("svg")
