# SPDX-License-Identifier: Apache-2.0
"""URDFs that are filled in: the robot with the camera that it carries, and the mast of a camera that stands."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from string import Template

import numpy as np

from spatialpin_ros.config import CameraConfig, RobotConfig, resolve_uri, share_directory
from spatialpin_ros.errors import UnknownNameError
from spatialpin_ros.geometry import Pose

FLOOR_TO_TABLE_M = 0.74


def robot_description(robot: RobotConfig, camera: CameraConfig) -> str:
    """Return the URDF's text, in which the meshes beside its file are named so that any reader finds them.

    Raises:
        UnknownNameError: when the camera is on a link that the robot lacks.
    """
    path = resolve_uri(robot.urdf)
    root = ElementTree.parse(path).getroot()
    for mesh in root.iter("mesh"):
        inside = path.parent / mesh.get("filename", "").removeprefix("package://")
        if inside.is_file():
            mesh.set("filename", f"file://{inside}")
    if camera.on_arm:
        links = [link.get("name", "") for link in root.findall("link")]
        if camera.parent_frame not in links:
            raise UnknownNameError(camera.parent_frame, links, f"link of robot '{robot.name}'")
        root.extend(_housing(camera))
    return ElementTree.tostring(root, encoding="unicode")


def _housing(camera: CameraConfig) -> ElementTree.Element:
    template = share_directory() / "urdf" / "mounted_camera.urdf.template"
    places = {"parent_frame": camera.parent_frame, **_camera_origin(camera.parent_T_camera)}
    return ElementTree.fromstring(Template(template.read_text()).substitute(places))


def camera_mast(base_T_camera: Pose, template: str) -> tuple[Pose, str]:
    """Return the pose of the mast's foot on the floor and the URDF of a mast that holds the camera."""
    backward = -base_T_camera.axes[:, 2]
    head = base_T_camera.position + 0.12 * backward
    foot = Pose(np.array([head[0], head[1], -FLOOR_TO_TABLE_M]))
    values = {
        "cylinder": str(share_directory() / "urdf" / "objects" / "cylinder.obj"),
        "mast_height": f"{head[2] + FLOOR_TO_TABLE_M:.6f}",
        "mast_middle": f"{(head[2] + FLOOR_TO_TABLE_M) / 2.0:.6f}",
        **_camera_origin(foot.inverse() @ base_T_camera),
    }
    return foot, Template(template).substitute(values)


def _camera_origin(pose: Pose) -> dict[str, str]:
    """The values of the camera's <origin> in a template, by name."""
    return {
        "camera_xyz": "{:.6f} {:.6f} {:.6f}".format(*pose.position),
        "camera_rpy": "{:.9f} {:.9f} {:.9f}".format(*pose.rotation.as_euler("xyz")),
    }
