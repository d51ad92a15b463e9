# SPDX-License-Identifier: Apache-2.0
"""The reasons that the reasoner gives for having no answer are true."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

from spatialpin_ros.errors import (
    AmbiguousNameError,
    BackendError,
    CameraFrameError,
    InfeasibleTaskError,
    InvalidValueError,
    NotUnderstoodError,
    UnknownNameError,
)
from spatialpin_ros.nodes.newest_scene import NoSceneError
from spatialpin_ros.nodes.reasoner import newest_view, reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UnknownNameError("mug", ()), "unknown_name"),
        (AmbiguousNameError("cube", ("red cube", "blue cube")), "ambiguous_name"),
        (NotUnderstoodError("?"), "not_understood"),
        (InfeasibleTaskError("too wide", "too_wide"), "infeasible"),
        (NoSceneError("call /scene/capture"), "no_scene"),
        (BackendError("the server is away"), "backend"),
        (InvalidValueError("viewer frame: the camera is rolled by about 90 degrees"), "backend"),
    ],
)
def test_every_error_has_its_reason(error, reason):
    assert reason_of(error) == reason


def raising(error):
    def get(*_):
        raise error

    return SimpleNamespace(get=get, of=get)


@pytest.mark.parametrize(
    ("source", "photos", "message"),
    [
        (raising(InvalidValueError("scene: ids must be unique")), None, "ids must be unique"),
        (SimpleNamespace(get=lambda: "scene"), raising(CameraFrameError("64x48")), "64x48"),
    ],
    ids=["scene", "photo"],
)
def test_a_scene_that_cannot_be_read_is_no_scene(source, photos, message):
    with pytest.raises(NoSceneError, match=f"newest scene cannot be used.*{message}.*capture"):
        newest_view(source, photos)


def test_that_nothing_was_captured_is_said_as_it_is():
    nothing = NoSceneError("there is no scene yet")
    with pytest.raises(NoSceneError) as error:
        newest_view(raising(nothing), None)
    assert error.value is nothing
