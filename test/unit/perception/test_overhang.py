# SPDX-License-Identifier: Apache-2.0
"""Stacks whose upper body is broader than what carries it: the contact and the top of the carrier are out of sight."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from spatialpin_ros.execution import judge
from spatialpin_ros.perception import reconstruct
from spatialpin_ros.perception.perceive import Perception
from spatialpin_ros.task import Task, TaskStep

BLUE, YELLOW = (40, 60, 200), (220, 200, 40)
# Camera positions: low and face-on, as usual, from the side, steep.
EYES = ((1.35, 0.1, 0.45), (1.25, 0.0, 0.7), (0.9, -0.6, 0.65), (1.05, 0.25, 0.75))
UPPERS = {
    "cube": ("box", (0.046, 0.046, 0.046)),
    "plate": ("box", (0.058, 0.05, 0.025)),
    "disc": ("cylinder", (0.056, 0.03)),
}
LOWERS = {
    "cube": ("box", (0.034, 0.034, 0.034)),
    "post": ("box", (0.036, 0.04, 0.075)),
    "can": ("cylinder", (0.038, 0.06)),
}


def body(bodies, kind, x, y, rgb, yaw, floor):
    shape, size = kind
    if shape == "box":
        return bodies["box"](x, y, size, rgb, yaw, floor)
    return bodies["cylinder"](x, y, *size, rgb, floor)


def stack(bodies, upper, lower, yaw, twist, offset=(0.0, 0.0)):
    height = LOWERS[lower][1][-1]
    return [
        body(bodies, LOWERS[lower], 0.5, 0.05, YELLOW, yaw, 0.0),
        body(bodies, UPPERS[upper], 0.5 + offset[0], 0.05 + offset[1], BLUE, yaw + twist, height),
    ]


@pytest.mark.parametrize("eye", EYES, ids=("low", "usual", "side", "steep"))
@pytest.mark.parametrize(("upper", "lower"), list(product(UPPERS, LOWERS)))
@pytest.mark.parametrize("noise_m", [0.0, 0.001])
def test_the_upper_ends_where_the_lower_begins(bodies, cast, options, upper, lower, eye, noise_m):
    truth = stack(bodies, upper, lower, yaw=0.3, twist=0.0, offset=(0.003, -0.002))
    scene = reconstruct(cast(truth, eye=eye, noise_m=noise_m), options)
    assert len(scene.objects) == 2
    carrier, rider = sorted(scene.objects, key=lambda item: item.box.top_z)
    assert rider.supported_by == carrier.id
    height = LOWERS[lower][1][-1]
    assert rider.box.bottom_z == pytest.approx(height, abs=0.012)
    assert carrier.box.top_z == pytest.approx(rider.box.bottom_z, abs=0.002)
    np.testing.assert_allclose(rider.centre, truth[1].pose.position, atol=0.008)
    np.testing.assert_allclose(carrier.centre, truth[0].pose.position, atol=0.012)


@pytest.mark.parametrize("eye", EYES, ids=("low", "usual", "side", "steep"))
@pytest.mark.parametrize("twist", [0.0, 0.4, 0.8])
def test_the_judge_calls_it_stacked(bodies, cast, options, eye, twist):
    lower, upper = stack(bodies, "cube", "cube", yaw=-0.2, twist=twist)
    apart = body(bodies, UPPERS["cube"], 0.45, -0.2, BLUE, 0.5, 0.0)
    before = reconstruct(cast([lower, apart], eye=eye), options)
    after = reconstruct(cast([lower, upper], eye=eye), options)
    ids = {item.color: item.id for item in before.objects}
    task = Task(
        "t1",
        "stack the blue cube on the yellow cube",
        (TaskStep("pick", ids["blue"]), TaskStep("place_on", ids["blue"], target_id=ids["yellow"])),
    )
    verdict = judge(task, before, after)
    assert verdict.success, verdict.message


def test_what_is_held_over_something_is_not_carried_by_it(bodies, cast, options):
    held = body(bodies, UPPERS["plate"], 0.5, 0.05, BLUE, 0.3, 0.12)
    below = body(bodies, LOWERS["cube"], 0.5, 0.05, YELLOW, 0.3, 0.0)
    frame = cast([below, held])
    seen = Perception(workspace=options.workspace).measured(frame)
    scene = seen.scene
    (item,) = scene.objects
    assert item.color == "yellow"
    assert item.size[2] == pytest.approx(0.034, abs=0.003)
    over_it = np.abs(scene.unexplained - held.pose.position).max(axis=1) < 0.06
    assert np.count_nonzero(over_it) > 200
    assert any("obstacle but no object" in note for note in seen.notes)
