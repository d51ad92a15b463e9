# SPDX-License-Identifier: Apache-2.0
"""The reasoner node with a language model behind an HTTP server: it sees the photo, records, and names failures."""

from __future__ import annotations

import base64
import json

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from scripted_model import COARSE, moves, parameters, seen
from scripted_server import ScriptedServer
from spatialpin_interfaces.srv import DescribeTask

from spatialpin_ros.reasoning.runs import load_run

pytestmark = pytest.mark.slow
FOUND = {"objects": [seen("block", "red", "box", "middle left")]}
FINE = {"summary": "Apart.", "relations": []}


@pytest.fixture
def server():
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


def test_a_request_is_grounded_by_a_model_that_sees_the_photo(server, graph_of, tmp_path):
    settings = f"model=tiny base_url={server.url} api_key_env=NO_SUCH_KEY retries=0"
    reasoner = ("backend:=openai", f"backend_settings:={settings}", f"record_folder:={tmp_path / 'run'}")
    with graph_of({"simulator": (), "scene": (), "reasoner": reasoner}) as graph:
        graph.randomize(3)
        scene = graph.capture().scene
        first = min(scene.objects, key=lambda item: max(item.size.x, item.size.y))
        for reply in (FOUND, COARSE, FINE, moves((first.id, "aside", "table")), parameters((2.0, 10.0, 0.5))):
            server.says(reply)
        reply = graph.call(DescribeTask, "/reasoner/describe_task", DescribeTask.Request(request="tidy up"))
        assert reply.success, reply.message
        assert reply.task.steps[0].object_id == first.id
        assert reply.task.steps[0].lift_height_m == pytest.approx(0.10)
        server.fails(503)
        failed = graph.call(
            DescribeTask, "/reasoner/describe_task", DescribeTask.Request(request="tidy again")
        )
    assert (failed.success, failed.reason) == (False, "backend")
    run = load_run(tmp_path / "run")
    assert [call.turn for call in run.calls] == [
        "objects", "coarse", "fine", "describe", "parameters", "describe",
    ]  # fmt: skip
    assert run.calls[-1].error["kind"] == "server"
    url = server.requests[0]["messages"][1]["content"][1]["image_url"]["url"]
    image = cv2.imdecode(np.frombuffer(base64.b64decode(url.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (scene.camera_info.height, scene.camera_info.width, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20
    assert first.id in json.dumps(server.requests[2]["messages"])
