# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import coal
import numpy as np
import pinocchio as pin
import pytest

from spatialpin_ros.planning.never_touch import never_touch
from spatialpin_ros.planning.robot_model import RobotModel


def hinge(gap_m: float, limit_rad: float) -> tuple[pin.Model, pin.GeometryObject, pin.GeometryObject]:
    """A bar that turns about z in front of a post: they meet when it turns far enough and the gap is small."""
    model = pin.Model()
    joint = model.addJoint(
        0,
        pin.JointModelRZ(),
        pin.SE3.Identity(),
        "turn",
        np.array([1.0]),
        np.array([1.0]),
        np.array([-limit_rad]),
        np.array([limit_rad]),
    )
    bar = pin.GeometryObject(
        "bar", joint, pin.SE3(np.eye(3), np.array([0.2, 0.0, 0.0])), coal.Box(0.4, 0.02, 0.02)
    )
    place = pin.SE3(np.eye(3), np.array([0.0, 0.2 + gap_m, 0.0]))
    return model, bar, pin.GeometryObject("post", 0, place, coal.Box(0.02, 0.02, 0.02))


@pytest.mark.parametrize(
    ("gap_m", "limit_rad", "proven"), [(0.0, 1.0, True), (0.0, 1.6, False), (0.3, np.pi, True)]
)
def test_a_bar_and_a_post_within_or_beyond_its_limits(gap_m: float, limit_rad: float, proven: bool) -> None:
    assert never_touch(*hinge(gap_m, limit_rad)) == proven


def test_without_bounds_nothing_is_proven() -> None:
    assert not never_touch(*hinge(0.3, np.inf))


def test_what_is_proven_of_the_panda_holds_in_random_positions_and_at_the_limits(robot: RobotModel) -> None:
    assert ("panda_link2", "panda_link4") in robot.never_touching
    assert ("panda_link0", "panda_link5") not in robot.never_touching
    bodies = robot.geometry.clone()
    bodies.removeAllCollisionPairs()
    for i, first in enumerate(robot.geometry_links):
        for j in range(i + 1, len(robot.geometry_links)):
            if tuple(sorted((first, robot.geometry_links[j]))) in robot.never_touching:
                bodies.addCollisionPair(pin.CollisionPair(i, j))
    rng = np.random.default_rng(3)
    q = rng.uniform(robot.lower, robot.upper, (400, robot.dimension))
    q[200:] = np.where(rng.random((200, robot.dimension)) < 0.5, robot.lower, robot.upper)
    data, placed = robot.model.createData(), bodies.createData()
    for full in robot.full(q, 0.08):
        assert not pin.computeCollisions(robot.model, data, bodies, placed, full, False)
    assert len(bodies.collisionPairs) >= 10
