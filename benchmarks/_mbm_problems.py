# SPDX-License-Identifier: Apache-2.0
"""The MotionBenchMaker problems of the Panda as plain JSON, and the arm that they were made for."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import coal
import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.config import RobotConfig, resolve_uri
from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning.obstacles import Obstacle
from spatialpin_ros.planning.robot_model import RobotModel

FINGERS_APART_M = 0.13  # the problems' Panda has its fingers fixed at 65 mm each
JOINT4_UPPER_RAD = 0.0873


@dataclass(frozen=True)
class Problem:
    """One query: the set it belongs to, obstacles, a start and goal positions."""

    set: str
    index: int
    obstacles: tuple[Obstacle, ...]
    start: FloatArray
    goals: FloatArray

    @property
    def name(self) -> str:
        return f"{self.set} {self.index}"


def load_problems(path: Path, sets: Sequence[str], limit: int | None, seed: int) -> list[Problem]:
    """Read the problems marked valid; of each set at most `limit`, drawn by the seed.

    Args:
        sets: names of the sets to take; empty for all.
    """
    document = json.loads(path.read_text())["problems"]
    unknown = sorted(set(sets) - set(document))
    if unknown:
        raise SystemExit(f"no set called {', '.join(unknown)}; there is: {', '.join(document)}")
    rng, found = np.random.default_rng(seed), []
    for name in sets or document:
        valid = [item for item in document[name] if item["valid"]]
        if limit is not None and limit < len(valid):
            valid = [valid[k] for k in sorted(rng.choice(len(valid), limit, replace=False))]
        found += [_problem(name, item) for item in valid]
    return found


def load_robot(urdf: Path | None) -> tuple[RobotModel, float]:
    """The arm with joint 4 as the problems have it, and how far apart its fingers are to be held [m].

    Args:
        urdf: another Panda; its fingers may be fixed. The one of the robot's configuration when None.
    """
    config = RobotConfig.load("panda")
    source = urdf or resolve_uri(config.urdf)
    root = ElementTree.fromstring(source.read_text())
    _set_upper(root, "panda_joint4", JOINT4_UPPER_RAD)
    for name in config.gripper.joints:
        _set_upper(root, name, FINGERS_APART_M / 2.0)
    movable = {joint.get("name") for joint in root.findall("joint") if joint.get("type") != "fixed"}
    gripper = replace(config.gripper, joints=[name for name in config.gripper.joints if name in movable])
    config = replace(config, urdf=str(source), gripper=gripper)
    return RobotModel(config, ElementTree.tostring(root, encoding="unicode")), FINGERS_APART_M


def _set_upper(root: ElementTree.Element, name: str, upper: float) -> None:
    joint = next(item for item in root.findall("joint") if item.get("name") == name)
    for tag, key in (("limit", "upper"), ("safety_controller", "soft_upper_limit")):
        for element in joint.findall(tag):
            element.set(key, str(upper))


def _problem(name: str, item: dict[str, Any]) -> Problem:
    bodies = [
        _body(kind, k, body) for kind in ("box", "cylinder", "sphere") for k, body in enumerate(item[kind])
    ]
    start, goals = (np.array(item[key], dtype=np.float64) for key in ("start", "goals"))
    return Problem(name, int(item["index"]), tuple(bodies), start, goals)


def _body(kind: str, k: int, body: dict[str, Any]) -> Obstacle:
    pose = Pose(np.array(body["position"]), np.array(body.get("orientation_quat_xyzw", [0.0, 0.0, 0.0, 1.0])))
    if kind == "box":
        shape = coal.Box(*(2.0 * extent for extent in body["half_extents"]))
    elif kind == "cylinder":
        shape = coal.Cylinder(body["radius"], body["length"])
    else:
        shape = coal.Sphere(body["radius"])
    return Obstacle(f"{kind} {k} {body.get('name', '')}".strip(), shape, pose)
