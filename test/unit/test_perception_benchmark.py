# SPDX-License-Identifier: Apache-2.0
"""The measures of benchmarks/perception.py must themselves be right."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pybullet", reason="the simulator is not installed: pip install 'spatialpin_ros[sim]'")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from _perception_scenes import AREA_M, KINDS, draw_scene
from _perception_scores import (
    box_iou,
    score,
    shared_area,
    silhouette_px,
    size_error_m,
    true_supporters,
    upright,
    yaw_error_deg,
)
from _perception_tally import Case, Tally, rows

from spatialpin_ros.camera import ImageMask
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.scene import Scene, SceneObject, SupportSurface
from spatialpin_ros.simulation import ObjectSpec, TrueObject, World
from spatialpin_ros.simulation.generator import footprint_gap
from spatialpin_ros.simulation.views import View


def box(
    x: float, y: float, size: tuple[float, float, float], yaw: float = 0.0, floor: float = 0.0
) -> OrientedBox:
    return OrientedBox(Pose.from_yaw((x, y, floor + 0.5 * size[2]), yaw), np.array(size))


def true(own: OrientedBox, kind: str = "box", model: str = "") -> TrueObject:
    return TrueObject(ObjectSpec("t", kind, "red", own, 0.1, model=model), own)  # type: ignore[arg-type]


def test_shared_area_of_squares() -> None:
    square = box(0.0, 0.0, (1.0, 1.0, 1.0)).footprint
    assert shared_area(square, square) == pytest.approx(1.0)
    assert shared_area(square, box(0.5, 0.5, (1.0, 1.0, 1.0)).footprint) == pytest.approx(0.25)
    assert shared_area(square, box(2.0, 0.0, (1.0, 1.0, 1.0)).footprint) == 0.0
    octagon = shared_area(square, box(0.0, 0.0, (1.0, 1.0, 1.0), np.pi / 4).footprint)
    assert octagon == pytest.approx(2.0 * np.sqrt(2.0) - 2.0)


def test_iou_of_boxes() -> None:
    assert box_iou(box(0, 0, (0.1, 0.1, 0.1)), box(0, 0, (0.1, 0.1, 0.05))) == pytest.approx(0.5)
    assert box_iou(box(0, 0, (0.1, 0.1, 0.1)), box(0, 0, (0.1, 0.1, 0.1), floor=0.1)) == 0.0


@pytest.mark.parametrize(
    ("seen", "kind", "model", "size", "error"),
    [
        (box(0, 0, (0.08, 0.04, 0.05), 0.1), "box", "", (0.08, 0.04, 0.05), 5.73),
        (box(0, 0, (0.04, 0.08, 0.05), np.pi / 2), "box", "", (0.08, 0.04, 0.05), 0.0),
        (box(0, 0, (0.08, 0.04, 0.05), np.pi / 2), "box", "", (0.08, 0.04, 0.05), 90.0),
        (box(0, 0, (0.05, 0.05, 0.05), np.pi / 2 + 0.1), "cube", "", (0.05, 0.05, 0.05), 5.73),
        (box(0, 0, (0.08, 0.07, 0.05), np.pi / 3), "mesh", "hexagon", (0.08, 0.07, 0.05), 0.0),
    ],
)
def test_headings_repeat_as_the_shape_does(seen, kind, model, size, error) -> None:  # type: ignore[no-untyped-def]
    assert yaw_error_deg(seen, true(box(0, 0, size), kind, model)) == pytest.approx(error, abs=0.01)


def test_a_lying_box_is_described_upright() -> None:
    lying = OrientedBox(
        Pose.from_xyz_rpy((0.4, 0.1, 0.02), (np.pi / 2, 0.0, 0.3)), np.array([0.10, 0.04, 0.06])
    )
    stood = upright(lying)
    assert abs(stood.pose.axes[2, 2]) == pytest.approx(1.0)
    np.testing.assert_allclose(sorted(stood.size), sorted(lying.size))
    assert stood.height == pytest.approx(np.ptp(lying.corners[:, 2]))
    assert size_error_m(stood, box(0, 0, (0.06, 0.10, 0.04))) == pytest.approx(0.0)


def test_supporters_of_a_stack() -> None:
    low, high = box(0.5, 0, (0.1, 0.1, 0.04)), box(0.51, 0, (0.05, 0.05, 0.05), floor=0.04)
    assert true_supporters((true(low), true(high), true(box(0.3, 0, (0.04, 0.04, 0.04))))) == [None, 0, None]


@pytest.mark.parametrize("kind", list(KINDS))
def test_scenes_are_seeded_and_apart(kind: str) -> None:
    intrinsics = View.from_config(CameraConfig.load("simulation")).intrinsics
    pose, specs = draw_scene(kind, 11, intrinsics)
    again = draw_scene(kind, 11, intrinsics)
    assert 2 <= len(specs) <= 10
    assert pose.distance_to(again[0])[0] == 0.0
    assert [s.name for s in specs] == [s.name for s in again[1]]
    for item in specs:
        assert (item.box.centre[:2] > AREA_M[0]).all()
        assert (item.box.centre[:2] < AREA_M[1]).all()
    if kind in ("separate", "meshes"):
        gaps = [footprint_gap(a, b) for i, a in enumerate(specs) for b in specs[:i]]
        assert min(gaps) > 0.029


def test_a_perfect_scene_scores_perfectly_and_a_hidden_object_does_not_count() -> None:
    camera = replace(CameraConfig.load("simulation"), noise="none")
    front, behind = box(0.6, 0.0, (0.03, 0.12, 0.12)), box(0.5, 0.0, (0.04, 0.04, 0.04))
    with World(RobotConfig.load("panda"), camera) as world:
        specs = [
            ObjectSpec(f"t{k}", "box", c, b, 0.1)
            for k, (c, b) in enumerate((("red", front), ("blue", behind)))
        ]
        world.reset(objects=specs)
        frame, truth = world.render(), world.truth()
    shares = [
        np.count_nonzero(truth.labels == k) / silhouette_px(item, frame)
        for k, item in enumerate(truth.objects)
    ]
    assert shares[0] == pytest.approx(1.0, abs=0.03)
    assert shares[1] < 0.4
    red = SceneObject(
        "o1", "red box", "box", "red", np.array([200, 0, 0], dtype=np.uint8), "box", truth.objects[0].box,
        mask=ImageMask.from_full(truth.labels == 0),
    )  # fmt: skip
    table = SupportSurface("table", Pose(), np.array([[0.0, -1.0], [1.0, -1.0], [1.0, 1.0], [0.0, 1.0]]))
    scene = Scene((table,), (red,), frame.base_T_camera)
    found = score(scene, truth, frame, shares)
    assert [item.scored for item in found.objects] == [True, False]
    assert found.objects[0].found
    assert found.objects[0].iou == pytest.approx(1.0, abs=1e-3)
    assert found.objects[0].support_right
    assert found.false == ()
    wrong = replace(
        red, id="o2", name="other", mask=ImageMask.from_full(np.roll(truth.labels == 0, 80, axis=1))
    )
    both = score(replace(scene, objects=(wrong, red)), truth, frame, shares)
    assert both.false == (0,)
    tally = Tally([Case("separate", "none", 0, frame, scene, truth, both)], [0.02], [0.02], [{"fit": 0.01}])
    table_rows = {row.name: row.figures[0] for row in rows({("separate", "none"): tally})}
    assert table_rows["recall"].text == "100.0%"
    assert table_rows["precision"].text == "50.0%"
    assert table_rows["precision"].reached is False
    assert table_rows["false objects per frame"].text == "1.000"
