# SPDX-License-Identifier: Apache-2.0
"""A camera on the arm's hand over DDS: pictures in motion, views from several places, and a stack."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
import yaml

pytest.importorskip("pybullet")

from spatialpin_interfaces.msg import Outcome
from tf2_msgs.msg import TFMessage

from spatialpin_ros.config import CameraConfig, RobotConfig, share_directory
from spatialpin_ros.conversions import pose_from_transform_msg, scene_from_msg
from spatialpin_ros.geometry import OrientedBox
from spatialpin_ros.matching import in_view
from spatialpin_ros.nodes.arm import RosArm
from spatialpin_ros.nodes.qos import LATCHED
from spatialpin_ros.plan import Trajectory

pytestmark = pytest.mark.slow
ROBOT, CAMERA = RobotConfig.load("panda"), CameraConfig.load("simulation_wrist")
WRIST = "camera:=simulation_wrist"
# Where a whole ROS is there, its TF must do; where not, joint states and the YAML.
SOURCE = f"pose_source:={'tf' if find_spec('tf2_ros') else 'auto'}"
SEED, OBJECTS = 88, 8
NEAR_M = 0.012


@pytest.fixture
def eyes(graph_of, wait):
    """The simulator and a scene node that fuses three views, and the arm that carries the camera."""
    with graph_of(
        {"simulator": (WRIST, "real_time_factor:=2.0"), "scene": (WRIST, SOURCE, "views:=3")}
    ) as graph:
        graph.monitor = graph.joints(ROBOT)
        graph.arm = RosArm(graph.node, ROBOT, graph.monitor)
        wait(lambda: not graph.monitor.stale, "no joint states")
        graph.randomize(SEED, OBJECTS)
        yield graph


def swing(graph, angle_rad: float, duration_s: float = 1.5):
    """Turn the first joint to an angle along a smooth curve that starts and ends at rest."""
    start = graph.arm.joint_positions()
    times = np.linspace(0.0, duration_s, 40)
    share = times / duration_s
    curve, speed = 3 * share**2 - 2 * share**3, (6 * share - 6 * share**2) / duration_s
    change = np.zeros(len(start))
    change[0] = angle_rad - start[0]
    positions = start + curve[:, None] * change
    trajectory = Trajectory(
        tuple(ROBOT.joints), times, positions, speed[:, None] * change, np.zeros_like(positions)
    )
    result = graph.arm.follow(trajectory, threading.Event(), lambda _: None)
    assert result.status == "reached", f"{result}\n{graph.logs()}"


def look(graph):
    reply = graph.capture()
    assert reply.success, f"{reply.message}\n{graph.logs()}"
    return scene_from_msg(reply.scene), reply.changes.changes


def true_centres(graph) -> np.ndarray:
    boxes = json.loads(graph.trigger("/simulator/truth").message)
    return np.array([OrientedBox.from_dict(box).centre for box in boxes.values()])


def really_there(scene, truth) -> dict[str, int]:
    """Index of the true object by id of the one seen there."""
    gaps = {item.id: np.linalg.norm(truth - item.centre, axis=1) for item in scene.objects}
    return {key: int(gap.argmin()) for key, gap in gaps.items() if gap.min() < NEAR_M}


def test_what_is_seen_in_motion_is_where_it_is(eyes, wait):
    truth, enough = true_centres(eyes), threading.Event()
    ends = []
    for angle_rad in (0.35, -0.35):
        swing(eyes, angle_rad)
        ends.append(look(eyes)[0].base_T_camera)

    def keep_swinging() -> None:
        while not enough.is_set():
            for angle_rad in (0.35, -0.35):
                swing(eyes, angle_rad)

    with ThreadPoolExecutor(1) as background:
        moving = background.submit(keep_swinging)
        try:
            wait(lambda: eyes.monitor.fastest() > 0.1, "the arm never moved")
            scenes = [look(eyes)[0] for _ in range(4)]
        finally:
            enough.set()
        moving.result()
    assert any(all(scene.base_T_camera.distance_to(end)[0] > 0.03 for end in ends) for scene in scenes), (
        "no picture was taken in motion"
    )
    for scene in scenes:
        inside = [item for item in scene.objects if in_view(scene, item.box.corners).all()]
        assert len(inside) >= 3
        for item in inside:
            assert np.linalg.norm(truth - item.centre, axis=1).min() < NEAR_M, item.name


def test_views_from_several_places_make_one_scene_with_the_same_ids(eyes):
    truth = true_centres(eyes)
    swing(eyes, 0.7)
    first, _ = look(eyes)
    swing(eyes, -0.7)
    both, changes = look(eyes)
    swing(eyes, 0.0)
    third, more = look(eyes)
    seen = [really_there(scene, truth) for scene in (first, both, third)]
    assert 3 <= len(seen[0]) < OBJECTS
    assert len(set(seen[1].values())) > len(set(seen[0].values()))
    behind = [item.id for item in both.objects if not in_view(both, item.centre)]
    assert set(behind) & set(seen[0]) & set(seen[1]), "the view from before was not kept"
    assert len(third.objects) == len(set(seen[2].values())) == OBJECTS
    for before, after in ((seen[0], seen[1]), (seen[1], seen[2])):
        assert {key: after.get(key) for key in before} == before
    assert {change.kind for change in (*changes, *more)} <= {changes[0].APPEARED}


def test_tf_is_as_a_real_arm_with_a_calibrated_camera_has_it(eyes, wait):
    got = {}
    for topic, qos in (("/tf", 5), ("/tf_static", LATCHED)):
        eyes.node.create_subscription(
            TFMessage, topic, lambda message, topic=topic: got.setdefault(topic, message.transforms), qos
        )
    wait(lambda: len(got) == 2, "no TF")
    (mounted,) = got["/tf_static"]
    assert (mounted.header.frame_id, mounted.child_frame_id) == ("panda_hand", CAMERA.optical_frame)
    assert pose_from_transform_msg(mounted).distance_to(CAMERA.parent_T_camera)[0] < 1e-9
    assert {"panda_hand", "camera_housing"} <= {link.child_frame_id for link in got["/tf"]}


def test_a_camera_that_is_too_near_says_so_and_the_simulator_lives_on(graph_of, tmp_path):
    document = yaml.safe_load((share_directory() / "config/cameras/simulation_wrist.yaml").read_text())
    document["image"]["near_m"] = 2.0
    path = tmp_path / "near.yaml"
    path.write_text(yaml.safe_dump(document))
    with graph_of({"simulator": (f"camera:={path}",), "scene": (f"camera:={path}",)}) as graph:
        reply = graph.capture()
        assert not reply.success
        assert "no pixel has a valid depth" in reply.message
        assert graph.trigger("/simulator/reset").success


def test_a_request_ends_in_a_stack_that_the_wrist_camera_sees(graph_of, wait):
    nodes = {
        "simulator": (WRIST, "real_time_factor:=2.0"),
        "scene": (WRIST,),
        "reasoner": (),
        "planner": (),
        "executor": ("dry_run:=false",),
    }
    with graph_of(nodes) as graph:
        joints = graph.joints(ROBOT)
        wait(lambda: not joints.stale, "no joint states")
        graph.randomize(SEED, 6)
        outcome = graph.outcome(graph.request("stack the yellow cube on the red box"), 120.0)
        told = f"{outcome}\n{graph.logs()}"
        assert (outcome.status, outcome.level) == (Outcome.SUCCEEDED, Outcome.LEVEL_STACKED), told
        boxes = true_centres(graph)
        heights = np.sort(boxes[:, 2])
        assert heights[-1] > 0.07, "nothing stands on anything"
