# SPDX-License-Identifier: Apache-2.0
"""One yes is good for one plan, and only for one that is shown."""

from __future__ import annotations

from spatialpin_ros.nodes.approval import Approval


def test_nothing_is_approved_before_it_is_asked_for():
    approval = Approval()
    assert not approval.give()
    assert not approval.wait(0.0)
    assert not approval.take()


def test_one_yes_is_good_for_one_plan():
    approval = Approval()
    approval.ask()
    assert approval.give()
    assert not approval.give()
    assert approval.wait(0.0)
    assert approval.take()
    assert not approval.take()


def test_a_late_yes_says_nothing_about_the_next_plan():
    approval = Approval()
    approval.ask()
    assert not approval.take()
    assert not approval.give()
    approval.ask()
    assert not approval.wait(0.0)


def test_in_advance_it_is_for_the_first_plan():
    approval = Approval()
    approval.give_in_advance()
    assert approval.take()
    approval.ask()
    assert not approval.wait(0.0)
