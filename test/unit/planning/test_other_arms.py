# SPDX-License-Identifier: Apache-2.0
"""The whole of planning with arms it was not made on: seven joints of KUKA's, six of xArm's, jerk limits that bind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from spatialpin_ros.config import (
    ControllerConfig,
    GripperConfig,
    JointLimits,
    RobotConfig,
    Workspace,
    resolve_uri,
)
from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import Plan
from spatialpin_ros.planning import Planner, PlanOptions, ik
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.obstacles import scene_obstacles
from spatialpin_ros.planning.recheck import limit_use, recheck
from spatialpin_ros.planning.rrt_star import PathOptions, PathResult, plan_path

OPTIONS = PlanOptions(improve_s=30.0, time_limit_s=60.0)
GRIPPER = """
  <link name="palm"><collision><origin xyz="0 0 0.03"/>
   <geometry><box size="0.06 0.18 0.06"/></geometry></collision></link>
  <link name="left"><collision><origin xyz="0 0.01 0.03"/>
   <geometry><box size="0.02 0.02 0.06"/></geometry></collision></link>
  <link name="right"><collision><origin xyz="0 -0.01 0.03"/>
   <geometry><box size="0.02 0.02 0.06"/></geometry></collision></link>
  <link name="tcp"/>
  <joint name="palm_mount" type="fixed"><parent link="LAST"/><child link="palm"/><origin xyz="0 0 GAP"/></joint>
  <joint name="left_slide" type="prismatic"><parent link="palm"/><child link="left"/><origin xyz="0 0 0.06"/>
    <axis xyz="0 1 0"/><limit lower="0" upper="0.045" effort="50" velocity="0.2"/></joint>
  <joint name="right_slide" type="prismatic"><parent link="palm"/><child link="right"/><origin xyz="0 0 0.06"/>
    <axis xyz="0 -1 0"/><limit lower="0" upper="0.045" effort="50" velocity="0.2"/></joint>
  <joint name="tcp_mount" type="fixed"><parent link="palm"/><child link="tcp"/><origin xyz="0 0 0.105"/></joint>
</robot>"""


@dataclass(frozen=True)
class Arm:
    urdf: str
    base: str
    last: str
    gap_m: float
    joints: list[str]
    home: list[float]
    reach_m: tuple[float, float]

    def planner(self) -> Planner:
        """The arm with a plain two-finger gripper on its flange."""
        uri, count = f"package://pybullet_data/{self.urdf}", len(self.joints)
        bare = resolve_uri(uri).read_text()
        text = bare[: bare.rindex("</robot>")] + GRIPPER.replace("LAST", self.last).replace(
            "GAP", str(self.gap_m)
        )
        limits = JointLimits(np.full(count, 2.0), np.full(count, 5.0), np.full(count, 60.0))
        workspace = Workspace(np.array([-0.8, -0.8, -0.02]), np.array([0.9, 0.8, 1.4]))
        gripper = GripperConfig(
            ["left_slide", "right_slide"], ["palm", "left", "right"], 0.09, finger_thickness_m=0.02
        )
        config = RobotConfig(
            self.urdf.partition("/")[0], uri, self.base, "tcp", self.joints, np.array(self.home), limits, workspace,
            gripper, ControllerConfig("/arm", "/gripper"),
        )  # fmt: skip
        return Planner(config, text)


ARMS = {
    "iiwa": Arm(
        "kuka_iiwa/model.urdf", "lbr_iiwa_link_0", "lbr_iiwa_link_7", 0.05,
        [f"lbr_iiwa_joint_{k}" for k in range(1, 8)], [0.0, 0.6, 0.0, -1.4, 0.0, 1.14, 0.0], (0.46, 0.65),
    ),
    "xarm6": Arm(
        "xarm/xarm6_robot.urdf", "world", "link6", 0.0, [f"joint{k}" for k in range(1, 7)],
        [0.0, -0.4, -0.9, 0.0, 1.3, 0.0], (0.3, 0.5),
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=sorted(ARMS))
def arm(request: pytest.FixtureRequest) -> tuple[Arm, Planner]:
    return ARMS[request.param], ARMS[request.param].planner()


def test_poses_from_above_are_reached(arm: tuple[Arm, Planner]) -> None:
    kind, planner = arm
    rng, home = np.random.default_rng(1), np.array(kind.home)
    for _ in range(25):
        radius, angle = rng.uniform(*kind.reach_m), rng.uniform(-0.8, 0.8)
        position = [radius * np.cos(angle), radius * np.sin(angle), rng.uniform(0.03, 0.2)]
        pose = Pose.from_xyz_rpy(position, [np.pi, 0.0, rng.uniform(-np.pi, np.pi)])
        found = ik.solve(planner.robot, [pose], home, rng)
        assert found, pose
        assert planner.robot.tcp(found[0].q).distance_to(pose) == pytest.approx((0.0, 0.0), abs=2e-4)


def test_a_path_round_a_wall(arm: tuple[Arm, Planner], make_object: Callable, make_scene: Callable) -> None:
    kind, planner = arm
    robot, rng = planner.robot, np.random.default_rng(0)
    middle = float(np.mean(kind.reach_m))
    ends = [Pose.from_xyz_rpy([middle, side * 0.22, 0.12], [np.pi, 0.0, 0.0]) for side in (-1, 1)]
    wall = make_object("o1", (middle, 0.0), (0.2, 0.03, 0.25))
    world = CollisionWorld(robot, scene_obstacles(make_scene(wall), robot.config.workspace), width_m=0.08)
    start, goals = (ik.solve_free(world, [end], np.array(kind.home), rng) for end in ends)
    result = plan_path(
        world,
        start[0].q,
        np.stack([goal.q for goal in goals]),
        PathOptions(improve_s=30.0, improve_edges=100),
    )
    assert isinstance(result, PathResult), result
    assert world.path(result.path, 0.02)


@pytest.mark.parametrize("seed", range(2))
def test_pick_and_stack_is_planned_within_all_limits(
    arm: tuple[Arm, Planner], make_object: Callable, make_scene: Callable, stack: Callable, seed: int
) -> None:
    kind, planner = arm
    rng, near = np.random.default_rng(seed), kind.reach_m[0]
    spots = [(near + dx, dy) for dx in (0.0, 0.14) for dy in (-0.2, 0.0, 0.2)]
    order = rng.permutation(len(spots))
    scene = make_scene(
        *(
            make_object(f"o{k}", spots[at], rng.uniform(0.03, 0.06, 3), rng.uniform(-1.5, 1.5))
            for k, at in enumerate(order)
        )
    )
    plan = planner.plan(scene, stack("o0", "o1"), np.array(kind.home), OPTIONS)
    assert isinstance(plan, Plan), plan
    assert recheck(planner.robot, scene, plan, step_s=0.01) == []
    used = limit_use(planner.robot, plan)
    assert used.kept, used
    assert used.jerk > 0.3
    assert planner.revalidate(plan, scene) is None
