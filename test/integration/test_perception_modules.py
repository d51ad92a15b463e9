# SPDX-License-Identifier: Apache-2.0
"""The scene node with perception YAMLs: missing weights, cameras without depth, models of objects, large images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")
pytest.importorskip("trimesh")

import trimesh
from sensor_msgs.msg import CameraInfo, Image
from spatialpin_interfaces.msg import ObjectChange, SceneChanges

from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.conversions import camera_frame_to_msgs, scene_from_msg
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.nodes.qos import LATCHED, RELIABLE
from spatialpin_ros.perception.meshes import primitive_mesh
from spatialpin_ros.simulation import ObjectSpec, World

CAMERA = CameraConfig.load("simulation")
SIZE = np.array([0.06, 0.05, 0.05])


def rendered(*places: tuple[float, float]) -> CameraFrame:
    with World(RobotConfig.load(), CAMERA) as world:
        for index, (x, y) in enumerate(places):
            box = OrientedBox(Pose.from_yaw((x, y, SIZE[2] / 2), 0.3), SIZE)
            world.add_object(ObjectSpec(f"block {index}", "box", ("red", "blue")[index], box, 0.1))
        return world.render()


class Camera:
    """Publishes what it is given again and again, on the topics of the camera that are chosen."""

    def __init__(self, graph):
        self._node = graph.node
        kinds = {"color": Image, "depth": Image, "camera_info": CameraInfo}
        self._publishers = {
            key: self._node.create_publisher(kind, CAMERA.topics[key], RELIABLE)
            for key, kind in kinds.items()
        }
        self.messages = {}
        self._timer = self._node.create_timer(0.2, self._publish)

    def _publish(self):
        now = self._node.get_clock().now().to_msg()
        for key, message in list(self.messages.items()):
            message.header.stamp = now
            self._publishers[key].publish(message)

    def show(self, frame, *keys):
        named = dict(
            zip(("color", "depth", "camera_info"), camera_frame_to_msgs(frame, "16UC1"), strict=True)
        )
        self.messages = {key: named[key] for key in keys or named}

    def blind(self):
        self.messages["depth"].data = bytes(len(self.messages["depth"].data))


@pytest.fixture(scope="module")
def frames():
    return {
        "one": rendered((0.5, 0.1)),
        "two": rendered((0.5, 0.1), (0.6, -0.2)),
        "moved": rendered((0.62, -0.1)),
    }


@pytest.fixture
def scene_node(graph_of, tmp_path, monkeypatch, wait):
    """Run a scene node with a perception YAML and a camera before it."""
    running = []
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")

    def start(document, *parameters):
        path = tmp_path / "perception.yaml"
        path.write_text(yaml.safe_dump(document))
        values = (f"perception:={path}", "capture_timeout_s:=6.0", "reject_robot:=false", *parameters)
        graph = graph_of({"scene": values}, sim_time=False)
        running.append(graph)
        graph.__enter__()
        graph.camera = Camera(graph)
        wait(lambda: "that can be loaded are" in graph.logs(), "the modules were not loaded")
        return graph

    yield start
    for graph in running:
        graph.__exit__(None, None, None)


def files_of(frame, folder):
    """What the modules of known_scene.py know: depth, and the mask of the object nearest to the camera's left."""
    np.save(folder / "depth.npy", frame.depth_m)
    points = frame.points_base()
    mask = (points[..., 2] > 0.008) & (np.hypot(points[..., 0] - 0.5, points[..., 1] - 0.1) < 0.07)
    np.save(folder / "mask.npy", mask)
    return str(folder / "depth.npy"), str(folder / "mask.npy")


def test_missing_weights_are_said_and_the_scene_still_comes(scene_node, frames, tmp_path):
    gone = str(tmp_path / "weights")
    graph = scene_node(
        {
            "detector": gone,
            "segmenter": gone,
            "namer": gone,
            "names": ["toy"],
            "device": "cpu",
            "offline": True,
        }
    )
    graph.camera.show(frames["one"])
    reply = graph.capture()
    assert reply.success, reply.message
    assert len(reply.scene.objects) == 1
    assert reply.scene.depth_source == "measured"
    assert len(reply.notes) == 2
    assert all(gone in note for note in reply.notes)
    assert gone in reply.message
    logs = graph.logs()
    assert logs.count("goes on without a learned module") == 3
    assert "Traceback" not in logs
    assert graph.capture().success


def test_a_camera_without_depth_needs_a_depth_model_and_says_so(scene_node, frames):
    graph = scene_node({})
    graph.camera.show(frames["one"], "color", "camera_info")
    reply = graph.capture(timeout_s=1.5)
    assert not reply.success
    assert CAMERA.topics["depth"] in reply.message
    graph.camera.show(frames["one"])
    graph.camera.blind()
    reply = graph.capture()
    assert not reply.success
    assert "no pixel has a valid depth" in reply.message
    graph.camera.show(frames["one"])
    assert graph.capture().success


def test_without_depth_a_depth_model_makes_a_scene_that_is_marked_and_doubted(scene_node, frames, tmp_path):
    depth, mask = files_of(frames["one"], tmp_path)
    graph = scene_node(
        {
            "depth": {"backend": "known_scene:KnownDepth", "file": depth, "scale": 1.1},
            "detector": {"backend": "known_scene:KnownMask", "file": mask},
            "segmenter": {"backend": "known_scene:KnownMask", "file": mask},
            "names": ["wooden block"],
            "rgb": {"table_z_m": 0.0},
        },
        "depth_wait_s:=0.5",
    )
    for keys in (("color", "camera_info"), ("color", "depth", "camera_info")):
        graph.camera.show(frames["one"], *keys)
        if "depth" in keys:
            graph.camera.blind()
        reply = graph.capture()
        assert reply.success, reply.message
        scene = scene_from_msg(reply.scene)
        assert scene.names == ("wooden block",)
        assert (scene.depth_source, scene.intrinsics.source) == ("estimated", "camera_info")
        assert np.linalg.norm(scene.objects[0].centre - (0.5, 0.1, 0.025)) < 0.01
        assert scene.objects[0].confidence < 0.6
        assert reply.notes[0].startswith("seen without depth")
        assert any("depth scaled by 0.9" in note for note in reply.notes)
    graph.camera.show(frames["one"])
    measured = graph.capture(names=["toy"])
    assert scene_from_msg(measured.scene).depth_source == "measured"
    assert [item.name for item in measured.scene.objects] == ["toy"]


def test_an_uncalibrated_color_camera_takes_the_models_focal_length(scene_node, frames, tmp_path):
    depth, _ = files_of(frames["one"], tmp_path)
    camera = tmp_path / "webcam.yaml"
    document = {
        "name": "webcam",
        "base_frame": CAMERA.base_frame,
        "optical_frame": CAMERA.optical_frame,
        "topics": {"color": CAMERA.topics["color"]},
        "pose": CAMERA.pose,
        "workspace": {"min": CAMERA.workspace.min.tolist(), "max": CAMERA.workspace.max.tolist()},
    }
    camera.write_text(yaml.safe_dump(document))
    module = {
        "backend": "known_scene:KnownDepth",
        "file": depth,
        "focal_px": float(frames["one"].intrinsics.fx),
    }
    graph = scene_node({"depth": module}, f"camera:={camera}")
    graph.camera.show(frames["one"], "color")
    reply = graph.capture()
    assert reply.success, reply.message
    assert (reply.scene.intrinsics_source, reply.scene.depth_source) == ("depth model", "estimated")
    (found,) = scene_from_msg(reply.scene).objects
    assert np.linalg.norm(found.centre - (0.5, 0.1, 0.025)) < 0.01
    assert found.confidence < 0.5


def test_a_model_of_an_object_takes_its_place_in_the_scene_message(scene_node, frames, tmp_path):
    mesh = primitive_mesh(OrientedBox(Pose(), SIZE), "box")
    trimesh.Trimesh(1000.0 * mesh.vertices, mesh.triangles).export(tmp_path / "block.stl")
    graph = scene_node({"models": {"red box": {"file": "block.stl", "unit_m": 0.001}, "mug": "block.stl"}})
    graph.camera.show(frames["one"])
    reply = graph.capture()
    assert reply.success, reply.message
    (found,) = scene_from_msg(reply.scene).objects
    assert found.mesh is not None
    assert trimesh.Trimesh(found.mesh.vertices, found.mesh.triangles).is_watertight
    assert np.linalg.norm(found.mesh.vertices.mean(axis=0) - (0.5, 0.1, 0.025)) < 0.005
    assert any("no object is a 'mug'" in note for note in reply.notes)


def test_what_changed_is_in_the_reply_and_on_a_topic(scene_node, frames, wait):
    heard = []
    graph = scene_node({})
    graph.node.create_subscription(SceneChanges, "/scene/changes", heard.append, LATCHED)
    graph.camera.show(frames["one"])
    first = graph.capture()
    assert [change.kind for change in first.changes.changes] == [ObjectChange.APPEARED]
    assert not graph.capture().changes.changes
    graph.camera.show(frames["moved"])
    moved = graph.capture()
    (change,) = moved.changes.changes
    assert (change.kind, change.id) == (ObjectChange.MOVED, first.scene.objects[0].id)
    assert change.distance_m == pytest.approx(np.hypot(0.12, 0.2), abs=0.01)
    assert change.after.position.x == pytest.approx(0.62, abs=0.01)
    assert moved.changes.text.startswith("moved: red box by 0.2")
    graph.camera.show(frames["two"])
    kinds = sorted(change.kind for change in graph.capture().changes.changes)
    assert kinds == [ObjectChange.APPEARED, ObjectChange.MOVED]
    wait(lambda: len(heard) >= 3, "the topic did not tell the changes")


def test_a_4k_camera_is_thinned_before_it_is_published_again(scene_node, frames, wait):
    small = frames["one"]
    k = small.intrinsics
    large = replace(
        small,
        color=small.color.repeat(6, axis=0).repeat(6, axis=1),
        depth_m=small.depth_m.repeat(6, axis=0).repeat(6, axis=1),
        intrinsics=replace(
            k,
            width=6 * k.width,
            height=6 * k.height,
            fx=6 * k.fx,
            fy=6 * k.fy,
            cx=6 * k.cx + 2.5,
            cy=6 * k.cy + 2.5,
        ),
    )
    graph = scene_node({})
    images = []
    graph.node.create_subscription(Image, "/scene/color", images.append, LATCHED)
    graph.camera.show(large)
    reply = graph.capture(timeout_s=20.0)
    assert reply.success, reply.message
    (found,) = scene_from_msg(reply.scene).objects
    assert np.linalg.norm(found.centre - (0.5, 0.1, 0.025)) < 0.005
    wait(lambda: images, "no image was published")
    assert images[0].width * images[0].height <= 2_100_000
    assert (images[0].width, images[0].height) == (
        reply.scene.camera_info.width,
        reply.scene.camera_info.height,
    )
