# SPDX-License-Identifier: Apache-2.0
"""Robot and camera YAML: what is shipped loads, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from spatialpin_ros.config import CameraConfig, RobotConfig, resolve_uri, share_directory
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.geometry import Pose


@pytest.mark.parametrize(
    "path", sorted((share_directory() / "config" / "robots").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_robot_file_loads(path: Path) -> None:
    robot = RobotConfig.load(str(path))
    assert len(robot.home) == len(robot.joints) == len(robot.limits.velocity)


@pytest.mark.parametrize(
    "path", sorted((share_directory() / "config" / "cameras").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_camera_file_loads_and_looks_at_its_workspace(path: Path) -> None:
    camera = CameraConfig.load(str(path))
    middle = (camera.workspace.min + camera.workspace.max) / 2.0
    # Where the hand of a Panda is at home: above the near edge of the table, pointing down.
    hand = Pose(np.array([0.307, 0.0, 0.590]), np.array([1.0, 0.0, 0.0, 0.0]))
    base_T_camera = hand @ camera.parent_T_camera if camera.on_arm else camera.base_T_camera
    assert base_T_camera.inverse().transform(middle)[2] > 0.2


def changed(tmp_path: Path, **changes: object) -> str:
    document = yaml.safe_load((share_directory() / "config" / "robots" / "panda.yaml").read_text())
    document.update(changes)
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"tipframe": "x"}, "unknown keys.*tipframe"),
        ({"home": [0.0]}, "home: expected shape"),
        (
            {"gripper": {"joints": [], "links": [], "max_width_m": 0.1, "min_width_m": 0.2}},
            "gripper: need 0 <= min_width_m < max_width_m",
        ),
        ({"limits": {"velocity": [1.0]}}, "limits"),
        ({"workspace": 5}, "workspace: expected a mapping"),
    ],
)
def test_mistakes_are_named_with_the_file(tmp_path: Path, changes: dict[str, object], word: str) -> None:
    with pytest.raises(InvalidValueError, match=word) as error:
        RobotConfig.load(changed(tmp_path, **changes))
    assert "robot.yaml" in str(error.value)


def test_unknown_robots_list_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="panda"):
        RobotConfig.load("pandaa")


def test_uris_resolve_to_existing_files() -> None:
    assert resolve_uri("package://spatialpin_ros/config/robots/panda.yaml").is_file()
    with pytest.raises(InvalidValueError, match="no_such_package"):
        resolve_uri("package://no_such_package/x.urdf")
    with pytest.raises(InvalidValueError, match="does not exist"):
        resolve_uri("/no/such/file.urdf")


def test_pose_by_xyz_rpy_equals_looking_at(tmp_path: Path) -> None:
    known = CameraConfig.load("simulation")
    document = yaml.safe_load((share_directory() / "config" / "cameras" / "simulation.yaml").read_text())
    pose = known.base_T_camera
    document["pose"] = {"xyz": pose.position.tolist(), "rpy": pose.rotation.as_euler("xyz").tolist()}
    path = tmp_path / "camera.yaml"
    path.write_text(yaml.safe_dump(document))
    assert np.allclose(CameraConfig.load(str(path)).base_T_camera.matrix, pose.matrix, atol=1e-9)


def camera_file(tmp_path: Path, **changes: object) -> str:
    document = yaml.safe_load((share_directory() / "config" / "cameras" / "simulation.yaml").read_text())
    path = tmp_path / "camera.yaml"
    path.write_text(yaml.safe_dump({**document, **changes}))
    return str(path)


def test_a_camera_on_the_arm_has_its_calibration_and_no_pose_in_the_base_frame(tmp_path: Path) -> None:
    turn = [0.0, 0.0, 2**-0.5, 2**-0.5]
    pose = {"xyz": [0.07, 0.0, 0.03], "quaternion": turn}
    camera = CameraConfig.load(camera_file(tmp_path, parent_frame="panda_hand", pose=pose))
    np.testing.assert_allclose(camera.parent_T_camera.axes[:, 0], [0.0, 1.0, 0.0], atol=1e-9)
    with pytest.raises(InvalidValueError, match="moves with panda_hand"):
        _ = camera.base_T_camera
    standing = CameraConfig.load(camera_file(tmp_path, parent_frame="panda_link0", pose=pose))
    assert standing.base_T_camera.distance_to(standing.parent_T_camera) == (0.0, 0.0)


def test_a_pose_in_no_known_form_lists_the_forms(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="xyz and quaternion, or .*; got"):
        CameraConfig.load(camera_file(tmp_path, pose={"xyz": [0.0, 0.0, 0.0]}))


def test_a_camera_may_lack_depth_but_not_colour(tmp_path: Path) -> None:
    document = yaml.safe_load((share_directory() / "config" / "cameras" / "simulation.yaml").read_text())
    path = tmp_path / "camera.yaml"
    for topics, word in (({"depth": "/d"}, "expected color"), ({"color": "/c", "colour": "/c"}, "colour")):
        path.write_text(yaml.safe_dump({**document, "topics": topics}))
        with pytest.raises(InvalidValueError, match=word):
            CameraConfig.load(str(path))
    path.write_text(yaml.safe_dump({**document, "topics": {"color": "/c"}}))
    assert CameraConfig.load(str(path)).topics == {"color": "/c"}
