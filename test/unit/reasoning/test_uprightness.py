# SPDX-License-Identifier: Apache-2.0
"""'Keep it upright' reaches the arm: from words to the tilt of the trajectory."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import five_blocks, make_object, make_scene

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.errors import NotUnderstoodError
from spatialpin_ros.reasoning import Abilities
from spatialpin_ros.reasoning.language import understand
from spatialpin_ros.reasoning.uprightness import without_upright

HEARD = {
    "put the green can on the blue box and keep it upright": "put the green can on the blue box",
    "put the green can on the blue box, keeping it level": "put the green can on the blue box",
    "keep the green can upright and put it on the blue box": "and put it on the blue box",
    "put the green can upright on the blue box": "put the green can on the blue box",
    "put the full cup on the box": "put the cup on the box",
    "put the full red coffee mug on the box": "put the red coffee mug on the box",
    "move the can to the left without spilling anything": "move the can to the left",
    "put the can on the box, don't tilt it!": "put the can on the box !",
    "put the can on the box but never tip it, then lift the ball": "put the can on the box , then lift the ball",
}


@pytest.mark.parametrize("request_", HEARD)
def test_the_words_are_taken_out(request_: str) -> None:
    rest, heard = without_upright(request_)
    assert heard
    assert " ".join(rest.replace("!", " !").split()) == HEARD[request_]


@pytest.mark.parametrize(
    "request_",
    [
        "put the can on the box",
        "tip the can",
        "put the box that is full of cubes on the table",
        "hold the can",
    ],
)
def test_other_words_are_left_alone(request_: str) -> None:
    assert without_upright(request_) == (request_, False)


@pytest.mark.parametrize("ending", [" and keep it upright", " without tilting it", ", keeping it level"])
def test_every_step_is_kept_upright_and_nothing_else_changes(ending: str) -> None:
    scene, abilities = five_blocks(), Abilities.from_robot(RobotConfig.load("panda"))
    plain = understand(scene, abilities, "put the green can on the blue box")
    task = understand(scene, abilities, f"put the green can on the blue box{ending}")
    assert all(step.keep_upright for step in task.steps)
    assert not any(step.keep_upright for step in plain.steps)
    assert [(s.action, s.object_id, s.target_id) for s in task.steps] == [
        (s.action, s.object_id, s.target_id) for s in plain.steps
    ]
    assert "upright" in task.rationale
    assert task.request.endswith(ending)


def test_the_words_alone_are_no_request() -> None:
    with pytest.raises(NotUnderstoodError):
        understand(five_blocks(), Abilities.from_robot(RobotConfig.load("panda")), "keep it upright")


def test_what_is_said_is_what_the_arm_does() -> None:
    pytest.importorskip("ompl")
    from spatialpin_ros.plan import Plan
    from spatialpin_ros.planning import Planner, PlanOptions
    from spatialpin_ros.planning.recheck import resample

    scene = make_scene(
        make_object("o1", "green", "cylinder", (0.05, 0.05, 0.08), (0.45, 0.25)),
        make_object("o2", "blue", "box", (0.08, 0.08, 0.03), (0.45, -0.25)),
        make_object("o3", "red", "box", (0.25, 0.04, 0.30), (0.52, 0.0)),
    )
    config = RobotConfig.load("panda")
    task = understand(
        scene, Abilities.from_robot(config), "put the cylinder on the blue box without spilling"
    )
    planner, options = Planner(config), PlanOptions(improve_s=30.0, time_limit_s=60.0)
    plan = planner.plan(scene, task, np.array(config.home), options)
    assert isinstance(plan, Plan), plan
    carried = [stage for stage in plan.stages if stage.holding and stage.trajectory is not None]
    assert {stage.name for stage in carried} >= {"lift", "transfer", "place"}
    for stage in carried:
        rotations, _ = planner.robot.tcp_batch(resample(stage.trajectory).positions)
        up = plan.object_T_tcp[stage.holding].axes[2]
        tilts = np.arccos(np.clip(rotations[:, 2] @ up, -1.0, 1.0))
        assert tilts.max() <= options.upright_tolerance_rad + 1e-3
