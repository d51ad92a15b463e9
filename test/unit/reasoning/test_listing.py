# SPDX-License-Identifier: Apache-2.0
"""A vision-language model names what perception then looks for."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from scripted_server import ScriptedServer

from spatialpin_ros.errors import BackendError
from spatialpin_ros.reasoning.listing import ObjectLister, full_name

IMAGE = np.full((48, 64, 3), 90, dtype=np.uint8)


@pytest.fixture
def server():
    running = ScriptedServer()
    yield running
    running.close()


def entry(name, color):
    return {
        "name": name,
        "color": color,
        "texture": "smooth",
        "shape": "box",
        "location": "middle centre",
        "x_percent": None,
        "y_percent": None,
    }


def lister(server):
    return ObjectLister({"backend": "openai", "model": "m", "base_url": server.url})


def test_objects_are_named_by_colour_and_noun_each_once(server):
    server.says({"objects": [entry("cube", "Red"), entry("mug", "blue"), entry("red cube", "red")]})
    assert lister(server)(IMAGE) == ("red cube", "blue mug")
    content = server.requests[0]["messages"][-1]["content"]
    picture = next(part["image_url"]["url"] for part in content if part["type"] == "image_url")
    assert base64.b64decode(picture.partition(",")[2]).startswith(b"\x89PNG")


def test_a_back_end_that_does_not_look_is_refused():
    with pytest.raises(BackendError, match="symbolic.*looks at no images"):
        ObjectLister({"backend": "symbolic"})(IMAGE)


def test_a_server_that_is_away_is_an_error_of_the_model():
    with pytest.raises(BackendError, match="127.0.0.1:9"):
        ObjectLister({"backend": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", "retries": 0})(
            IMAGE
        )


@pytest.mark.parametrize(
    ("color", "name", "full"),
    [("red", "cube", "red cube"), ("Red", "red cube", "red cube"), ("", "mug", "mug")],
)
def test_the_colour_is_said_once(color, name, full):
    assert full_name(color, name) == full
