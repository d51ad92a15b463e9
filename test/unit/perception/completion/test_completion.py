# SPDX-License-Identifier: Apache-2.0
"""Image-to-3D back ends, and a model served over HTTP by the standard library's server."""

from __future__ import annotations

import email
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import cv2
import numpy as np
import pytest

from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.perception import reconstruct
from spatialpin_ros.perception.alignment.align import upright_box
from spatialpin_ros.perception.completion import complete_scene, completer_names, create_completer
from spatialpin_ros.perception.configuration import PerceptionConfig
from spatialpin_ros.perception.learned import Modules

trimesh = pytest.importorskip("trimesh")
RED = (200, 30, 30)


@dataclass
class Server:
    """What the model's server answers, and what it was sent."""

    url: str = ""
    status: int = 200
    content_type: str = "model/gltf-binary"
    body: bytes = b""
    received: list[dict[str, np.ndarray]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            parts = email.message_from_bytes(head + body).get_payload()
            state.received.append(
                {
                    part.get_param("name", header="content-disposition"): cv2.imdecode(
                        np.frombuffer(part.get_payload(decode=True), dtype=np.uint8), cv2.IMREAD_UNCHANGED
                    )
                    for part in parts
                }
            )
            state.headers.append(dict(self.headers))
            self.send_response(state.status)
            self.send_header("Content-Type", state.content_type)
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}/generate"
    yield state
    http.shutdown()
    http.server_close()
    thread.join(timeout=5)


@pytest.fixture
def seen(cast, bodies, options):
    frame = cast([bodies["box"](0.5, 0.05, (0.08, 0.05, 0.06), RED, yaw=0.5)])
    return frame, reconstruct(frame, options)


def model(kind: str, scale: float = 11.0) -> bytes:
    """A box of the right proportions, in another scale and lying on another side."""
    mesh = trimesh.creation.box(scale * np.array([0.06, 0.08, 0.05]))
    data = mesh.export(file_type=kind)
    return data.encode() if isinstance(data, str) else bytes(data)


def test_the_geometric_completion_is_the_default_and_in_place(seen):
    frame, scene = seen
    assert completer_names()[0] == "geometric"
    assert Modules().completion.name == "geometric"
    done = complete_scene(scene, frame, create_completer())
    mesh = done.objects[0].mesh
    assert trimesh.Trimesh(mesh.vertices, mesh.triangles, process=False).is_watertight
    np.testing.assert_allclose(upright_box(mesh.vertices).centre, scene.objects[0].centre, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("glb", "model/gltf-binary"),
        ("obj", "text/plain"),
        ("ply", "application/octet-stream"),
        ("stl", "model/stl"),
    ],
)
def test_a_served_model_is_scaled_and_placed(server, seen, kind, content_type):
    frame, scene = seen
    server.body, server.content_type = model(kind), content_type
    notes = []
    done = complete_scene(scene, frame, create_completer("http", url=server.url), notes).objects[0]
    assert notes == []
    np.testing.assert_allclose(done.centre, [0.5, 0.05, 0.03], atol=0.005)
    np.testing.assert_allclose(np.sort(done.size), [0.05, 0.06, 0.08], atol=0.003)
    sent = server.received[0]
    assert sent["image"].shape[:2] == sent["mask"].shape
    lit = sent["image"][sent["mask"] > 0].mean(axis=0)
    assert lit[2] > 2 * lit[0]  # red in PNG, which OpenCV reads as blue, green, red
    assert set(np.unique(sent["mask"])) == {0, 255}


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, b"out of memory", "answered 500: out of memory"),
        (200, b"<html>hello</html>", "no mesh"),
        (200, b"", "no mesh"),
        (200, b"glTFbroken", "no mesh"),
    ],
)
def test_a_server_that_fails_leaves_the_object_as_it_is(server, seen, status, body, message):
    frame, scene = seen
    server.status, server.body, server.content_type = status, body, "text/plain"
    notes = []
    done = complete_scene(scene, frame, create_completer("http", url=server.url), notes)
    assert done.to_dict() == scene.to_dict()
    assert message in notes[0]


def test_a_mesh_of_something_else_leaves_the_object_as_it_is(server, seen):
    frame, scene = seen
    mesh = trimesh.creation.box((1.0, 0.02, 0.02))
    server.body = bytes(mesh.export(file_type="glb"))
    notes = []
    assert (
        complete_scene(scene, frame, create_completer("http", url=server.url), notes).to_dict()
        == scene.to_dict()
    )
    assert "does not fit" in notes[0]


def test_a_server_that_is_not_there_is_named(seen):
    frame, scene = seen
    completer = create_completer("http", url="http://127.0.0.1:9/x", timeout_s=2.0)
    with pytest.raises(BackendError, match=r"no answer from http://127.0.0.1:9/x.*is the server running"):
        completer.complete(frame, scene.objects[0])


def test_a_token_comes_from_the_environment(server, seen, monkeypatch):
    frame, scene = seen
    with pytest.raises(BackendError, match="MODEL_TOKEN is not set"):
        create_completer("http", url=server.url, token_variable="MODEL_TOKEN")
    monkeypatch.setenv("MODEL_TOKEN", "secret")
    server.body = model("glb")
    create_completer("http", url=server.url, token_variable="MODEL_TOKEN").complete(frame, scene.objects[0])
    assert server.headers[0]["Authorization"] == "Bearer secret"


def test_settings_that_make_no_sense_are_named():
    with pytest.raises(BackendError, match="no completion called 'magic'; there is: geometric, http"):
        create_completer("magic")
    with pytest.raises(BackendError, match="url"):
        create_completer("http")
    with pytest.raises(InvalidValueError, match="http://"):
        create_completer("http", url="ftp://x")
    with pytest.raises(InvalidValueError, match="timeout_s"):
        create_completer("http", url="http://x", timeout_s=0.0)


def test_an_object_without_a_mask_cannot_be_sent(server, seen):
    from dataclasses import replace

    frame, scene = seen
    bare = replace(scene.objects[0], mask=None, box=OrientedBox(Pose(), np.ones(3)))
    with pytest.raises(BackendError, match="no mask"):
        create_completer("http", url=server.url).complete(frame, bare)


def test_the_back_end_is_chosen_by_one_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("completion: http://localhost:1/x")
    assert PerceptionConfig.load(str(path)).modules().completion.name == "http"
