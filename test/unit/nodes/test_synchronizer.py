# SPDX-License-Identifier: Apache-2.0
"""Messages are joined by their stamps, whatever order they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.nodes.synchronizer import ApproximateSynchronizer


def collect(streams=3, slop_s=0.01, **options):
    emitted = []
    return ApproximateSynchronizer(streams, slop_s, lambda *m: emitted.append(m), **options), emitted


@given(st.permutations([0, 1, 2]))
def test_a_set_is_emitted_once_complete_in_any_order(order):
    sync, emitted = collect()
    for stream in order:
        sync.add(stream, 1.0 + 0.003 * stream, f"m{stream}")
    assert emitted == [("m0", "m1", "m2")]


def test_stamps_beyond_the_slop_are_not_joined():
    sync, emitted = collect()
    sync.add(0, 1.0, "a")
    sync.add(1, 1.005, "b")
    sync.add(2, 1.011, "c")
    assert emitted == []
    sync.add(0, 1.008, "d")
    assert emitted == [("d", "b", "c")]


@given(st.integers(0, 2), st.integers(2, 30))
def test_every_frame_of_a_delayed_stream_is_joined_with_its_own(late, count):
    sync, emitted = collect(depth=40)
    for index in range(count):
        for stream in {0, 1, 2} - {late}:
            sync.add(stream, index * 0.1, (stream, index))
    for index in range(count):
        sync.add(late, index * 0.1 + 0.002, (late, index))
    assert [len({index for _, index in frame}) for frame in emitted] == [1] * count


def test_nothing_is_emitted_twice():
    sync, emitted = collect()
    for stream in range(3):
        sync.add(stream, 1.0, stream)
    sync.add(0, 1.0, "again")
    assert len(emitted) == 1


def test_old_messages_are_forgotten():
    sync, emitted = collect(depth=2)
    sync.add(0, 0.0, "old")
    sync.add(0, 1.0, "a")
    sync.add(0, 2.0, "b")
    sync.add(1, 0.0, "x")
    sync.add(2, 0.0, "y")
    assert emitted == []


def test_counts_tell_which_stream_is_silent_until_cleared():
    sync, _ = collect()
    sync.add(0, 0.0, "a")
    assert sync.received == [1, 0, 0]
    sync.clear()
    assert sync.received == [0, 0, 0]


def test_bad_settings_are_refused():
    with pytest.raises(InvalidValueError):
        collect(streams=1)
    with pytest.raises(InvalidValueError):
        collect(slop_s=-1.0)
