# SPDX-License-Identifier: Apache-2.0
"""The same task through the other interfaces that arms and cameras have: parallel gripper action, millimetre depth."""

from __future__ import annotations

import pytest
import yaml
from PIL import Image

pytest.importorskip("pybullet")

from spatialpin_interfaces.action import ExecuteTask
from spatialpin_interfaces.msg import Outcome

from spatialpin_ros.config import share_directory

pytestmark = pytest.mark.slow


@pytest.fixture
def robot_yaml(tmp_path):
    document = yaml.safe_load((share_directory() / "config/robots/panda.yaml").read_text())
    document["controllers"]["gripper_action"] = "/gripper_controller/gripper_cmd"
    document["controllers"]["gripper_action_type"] = "parallel_gripper_command"
    path = tmp_path / "parallel.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_stack_with_a_parallel_gripper_and_depth_in_millimetres_is_recorded(graph_of, robot_yaml, tmp_path):
    film, robot = tmp_path / "film", f"robot:={robot_yaml}"
    nodes = {
        "simulator": (robot, "real_time_factor:=2.0", "depth_encoding:=16UC1", f"record_folder:={film}"),
        "scene": (robot,),
        "reasoner": (robot,),
        "planner": (robot,),
        "executor": (robot, "dry_run:=false"),
    }
    with graph_of(nodes) as graph:
        graph.randomize(seed=5, objects=4)
        task, plan = graph.stack_plan()
        _, result = graph.execute(ExecuteTask.Goal(task=task, plan=plan)).result()
        assert result.status == ExecuteTask.Result.SUCCEEDED, f"{result.message}\n{graph.logs()}"
        assert result.outcome.level == Outcome.LEVEL_STACKED
    frames = sorted(film.rglob("*.png"))
    assert len(frames) > 10
    with Image.open(frames[-1]) as picture:
        assert picture.width >= 320
