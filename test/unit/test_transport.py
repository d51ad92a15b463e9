# SPDX-License-Identifier: Apache-2.0
"""The Fast DDS profile is named by the variable that the release reads, and never over the user's own."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from spatialpin_ros.transport import NEW, OLD, transport_environment


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    for name in (NEW, OLD, "ROS_DISTRO"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("release", "name"), [("jazzy", OLD), ("kilted", NEW), (None, NEW)])
def test_the_variable_of_the_release_names_a_valid_file(monkeypatch, release, name):
    if release is not None:
        monkeypatch.setenv("ROS_DISTRO", release)
    ((key, file),) = transport_environment().items()
    assert key == name
    sizes = [int(e.text or 0) for e in ElementTree.parse(file).iter() if e.tag.endswith("segment_size")]
    assert sizes[0] > 4 * 640 * 480 * (3 + 2)


@pytest.mark.parametrize("name", [NEW, OLD])
def test_a_file_that_the_user_named_stays(monkeypatch, name):
    monkeypatch.setenv(name, "/my.xml")
    assert transport_environment() == {}
