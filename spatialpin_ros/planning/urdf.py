# SPDX-License-Identifier: Apache-2.0
"""Prepare a URDF for planning: meshes resolved to files, visuals dropped, broken documents refused."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from spatialpin_ros.config import resolve_uri
from spatialpin_ros.errors import InvalidValueError


def prepare_urdf(urdf: str, folder: Path | None = None) -> str:
    """Return the URDF with absolute mesh paths, no visuals, and continuous joints bounded to +-2 pi.

    Args:
        urdf: XML text.
        folder: where mesh paths that no package resolves are looked for, usually the URDF's own folder.

    Raises:
        InvalidValueError: when it is not well-formed, not a robot, names a missing link or misses a mesh.
    """
    try:
        root = ElementTree.fromstring(urdf)
    except ElementTree.ParseError as error:
        raise InvalidValueError(f"robot URDF is not well-formed XML: {error}") from error
    if root.tag != "robot":
        raise InvalidValueError(f"robot URDF: expected a <robot> element at the top, got <{root.tag}>")
    _check_tree(root)
    for link in root.findall("link"):
        for visual in link.findall("visual"):
            link.remove(visual)
    for joint in root.findall("joint"):
        if joint.get("type") == "continuous":
            _bound(joint)
    for mesh in root.iter("mesh"):
        mesh.set("filename", str(_mesh_file(mesh.get("filename", ""), folder)))
    return ElementTree.tostring(root, encoding="unicode")


def _check_tree(root: ElementTree.Element) -> None:
    links = {link.get("name", "") for link in root.findall("link")}
    children: set[str] = set()
    for joint in root.findall("joint"):
        for end in ("parent", "child"):
            element = joint.find(end)
            name = "" if element is None else element.get("link", "")
            if name not in links:
                raise InvalidValueError(
                    f"robot URDF: joint '{joint.get('name')}' names {end} link '{name}', which is missing"
                )
            if end == "child":
                if name in children:
                    raise InvalidValueError(
                        f"robot URDF: link '{name}' is the child of two joints; expected a tree"
                    )
                children.add(name)
    roots = sorted(links - children)
    if len(roots) != 1:
        raise InvalidValueError(f"robot URDF: expected one root link, got {roots}")


def _bound(joint: ElementTree.Element) -> None:
    joint.set("type", "revolute")
    limit = joint.find("limit")
    if limit is None:
        limit = ElementTree.SubElement(joint, "limit", {"effort": "100", "velocity": "3.0"})
    limit.set("lower", str(-2.0 * math.pi))
    limit.set("upper", str(2.0 * math.pi))


def _mesh_file(uri: str, folder: Path | None) -> Path:
    inside = uri.removeprefix("package://").removeprefix("file://")
    tried: list[Path] = []
    if folder is not None:
        tried += [folder / inside, folder / inside.partition("/")[2]]
    for path in tried:
        if path.is_file():
            return path
    try:
        return resolve_uri(uri)
    except InvalidValueError as error:
        raise InvalidValueError(
            f"robot URDF: mesh '{uri}' is not found ({error}); install its package or give absolute paths"
        ) from error


def joint_soft_limits(urdf: str) -> dict[str, tuple[float, float]]:
    """Soft position limits [rad or m] by joint name, from <safety_controller> where there is one."""
    limits: dict[str, tuple[float, float]] = {}
    for joint in ElementTree.fromstring(urdf).findall("joint"):
        safety = joint.find("safety_controller")
        if safety is not None and "soft_lower_limit" in safety.attrib and "soft_upper_limit" in safety.attrib:
            limits[joint.get("name", "")] = (
                float(safety.get("soft_lower_limit", 0)),
                float(safety.get("soft_upper_limit", 0)),
            )
    return limits


def link_parents(urdf: str) -> dict[str, str]:
    """Parent link by child link name."""
    parents: dict[str, str] = {}
    for joint in ElementTree.fromstring(urdf).findall("joint"):
        parent, child = joint.find("parent"), joint.find("child")
        if parent is not None and child is not None:
            parents[child.get("link", "")] = parent.get("link", "")
    return parents
