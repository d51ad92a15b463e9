# SPDX-License-Identifier: Apache-2.0
"""Whole scenes from one colour image, with known depth and masks in the place of networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.errors import BackendError, CameraFrameError, InvalidValueError, PerceptionError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception import reconstruct
from spatialpin_ros.perception.learned import Modules
from spatialpin_ros.perception.rgb import RgbOptions, reconstruct_rgb

RED, BLUE, GREEN, YELLOW = (200, 30, 30), (30, 60, 200), (30, 150, 50), (240, 210, 30)


@pytest.fixture
def table_scene(know, bodies):
    return know(
        {
            "Toy brick": bodies["box"](0.45, 0.15, (0.08, 0.05, 0.05), RED, yaw=0.4),
            "can": bodies["cylinder"](0.55, -0.1, 0.06, 0.08, GREEN),
            "orange fruit": bodies["ball"](0.4, -0.2, 0.06, YELLOW),
            "box under": bodies["box"](0.6, 0.1, (0.09, 0.07, 0.04), BLUE, yaw=-0.3),
        }
    )


def with_pose(known, options, **more):
    return RgbOptions(options, base_T_camera=known.frame.base_T_camera, **more)


def test_named_objects_are_placed_within_millimetres(table_scene, options, bodies):
    notes = []
    scene = reconstruct_rgb(
        table_scene.frame.color,
        table_scene.frame.intrinsics,
        list(table_scene.visible),
        table_scene.modules,
        with_pose(table_scene, options),
        notes,
    )
    assert set(scene.names) == set(table_scene.visible)
    for name, want in {
        "Toy brick": (0.45, 0.15, 0.025),
        "can": (0.55, -0.1, 0.04),
        "orange fruit": (0.4, -0.2, 0.03),
        "box under": (0.6, 0.1, 0.02),
    }.items():
        assert np.linalg.norm(scene.named(name).centre - want) < 0.004, name
    assert scene.named("can").shape == "cylinder"
    assert scene.intrinsics.source == table_scene.frame.intrinsics.source
    assert any(note.startswith("view: horizontal") for note in notes)


def test_estimated_depth_is_trusted_less_than_measured_depth(table_scene, options):
    measured = reconstruct(table_scene.frame, options)
    scene = reconstruct_rgb(
        table_scene.frame.color,
        table_scene.frame.intrinsics,
        ["can"],
        table_scene.modules,
        with_pose(table_scene, options),
    )
    can = next(item for item in measured.objects if item.shape == "cylinder")
    assert scene.named("can").confidence < 0.65 * can.confidence


def test_unknown_intrinsics_come_from_the_model_and_then_from_the_default(know, bodies, options):
    named = {"cube": bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED)}
    known = know(named, focal_px=625.2)
    modelled = reconstruct_rgb(known.frame.color, None, ["cube"], known.modules)
    assert modelled.intrinsics.source == "depth model"
    assert known.depth.asked == [None]
    np.testing.assert_allclose(modelled.named("cube").size, 0.06, atol=0.003)
    plain = know(named)
    notes = []
    default = reconstruct_rgb(plain.frame.color, None, ["cube"], plain.modules, notes=notes)
    assert default.intrinsics.source == "default"
    assert "field of view from default" in notes[0]
    assert default.named("cube").confidence < modelled.named("cube").confidence


def test_without_a_pose_the_base_frame_lies_on_the_table(know, bodies):
    known = know({"cube": bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED)})
    scene = reconstruct_rgb(known.frame.color, known.frame.intrinsics, ["cube"], known.modules)
    assert scene.base_frame == "table"
    assert abs(scene.table.height_z) < 0.002
    cube = scene.named("cube")
    assert cube.box.bottom_z == pytest.approx(0.0, abs=0.003)
    seen = scene.base_T_camera.inverse().transform(cube.centre)
    true = known.frame.base_T_camera.inverse().transform([0.5, 0.0, 0.03])
    np.testing.assert_allclose(seen, true, atol=0.003)


def test_a_known_table_sets_the_scale_of_the_depth(know, bodies, options):
    known = know({"cube": bodies["box"](0.5, 0.1, (0.06, 0.06, 0.06), RED)}, depth_scale=1.2)
    notes = []
    scene = reconstruct_rgb(
        known.frame.color,
        known.frame.intrinsics,
        ["cube"],
        known.modules,
        with_pose(known, options, table_z_m=0.0),
        notes,
    )
    np.testing.assert_allclose(scene.named("cube").centre, [0.5, 0.1, 0.03], atol=0.003)
    assert any("depth scaled by 0.83" in note for note in notes)


def test_absent_names_are_noted_and_the_rest_goes_on(table_scene, options):
    notes = []
    scene = reconstruct_rgb(
        table_scene.frame.color,
        table_scene.frame.intrinsics,
        ["can", "unicorn"],
        table_scene.modules,
        with_pose(table_scene, options),
        notes,
    )
    assert scene.names == ("can",)
    assert "not found in the image: unicorn" in notes


def test_without_names_geometry_segments_what_depth_shows(table_scene, options):
    scene = reconstruct_rgb(
        table_scene.frame.color,
        table_scene.frame.intrinsics,
        [],
        table_scene.modules,
        with_pose(table_scene, options),
    )
    assert len(scene.objects) == 4
    assert scene.depth_source == "estimated"
    assert max(item.confidence for item in scene.objects) <= 0.6


def test_a_verdict_that_disagrees_lowers_confidence(table_scene, options):
    def run(view, notes):
        return reconstruct_rgb(
            table_scene.frame.color,
            table_scene.frame.intrinsics,
            ["can"],
            table_scene.modules,
            with_pose(table_scene, options, view=view),
            notes,
        ).named("can")

    notes = []
    agreed, doubted = run("horizontal", []), run("top-down", notes)
    assert doubted.confidence == pytest.approx(0.5 * agreed.confidence)
    assert any("disagrees with the support plane" in note for note in notes)


def test_a_sliver_behind_something_is_hardly_trusted(know, bodies, options):
    known = know(
        {
            "front": bodies["box"](0.60, 0.0, (0.03, 0.08, 0.09), RED),
            "behind": bodies["box"](0.555, 0.022, (0.05, 0.05, 0.05), BLUE),
        }
    )
    share = known.visible["behind"].sum() / known.whole["behind"].sum()
    assert 0.02 < share < 0.25
    scene = reconstruct_rgb(
        known.frame.color,
        known.frame.intrinsics,
        ["front", "behind"],
        known.modules,
        with_pose(known, options),
    )
    assert scene.named("behind").visibility == pytest.approx(share, abs=0.02)
    assert scene.named("behind").confidence < 0.5 * scene.named("front").confidence


def test_an_object_cut_by_the_image_keeps_its_size_by_depth(know, bodies, options):
    known = know({"cut": bodies["box"](0.6, 0.2, (0.08, 0.08, 0.06), BLUE)}, target=(0.4, -0.27, 0.0))
    notes = []
    reconstruct_rgb(
        known.frame.color,
        known.frame.intrinsics,
        ["cut"],
        known.modules,
        with_pose(known, options),
        notes,
    )
    assert any("the image cuts it off" in note for note in notes)


def test_something_flat_is_found_but_not_placed(know, bodies, options):
    known = know({"card": bodies["box"](0.5, 0.0, (0.09, 0.06, 0.002), RED)})
    notes = []
    scene = reconstruct_rgb(
        known.frame.color,
        known.frame.intrinsics,
        ["card"],
        known.modules,
        with_pose(known, options),
        notes,
    )
    assert any(note.startswith("card:") for note in notes)
    assert all(item.confidence < 0.3 for item in scene.objects)


def test_a_camera_below_the_table_sees_nothing_on_it(know, bodies):
    known = know(
        {"cube": bodies["box"](0.5, 0.0, (0.06,) * 3, RED)}, eye=(1.6, 0.0, -0.6), target=(0.5, 0.0, 0.0)
    )
    with pytest.raises(PerceptionError, match="above the camera"):
        reconstruct_rgb(
            known.frame.color,
            known.frame.intrinsics,
            ["cube"],
            known.modules,
            RgbOptions(base_T_camera=known.frame.base_T_camera),
        )


def test_missing_modules_say_what_to_configure(table_scene):
    with pytest.raises(BackendError, match="no depth is configured"):
        reconstruct_rgb(table_scene.frame.color, None, ["can"], Modules())
    with pytest.raises(BackendError, match="no detector is configured"):
        reconstruct_rgb(table_scene.frame.color, None, ["can"], Modules(depth=table_scene.depth))


def test_images_and_intrinsics_that_do_not_fit_are_refused(table_scene):
    grey = np.zeros((480, 640), dtype=np.uint8)
    with pytest.raises(CameraFrameError, match="expected"):
        reconstruct_rgb(grey, None, ["can"], table_scene.modules)
    with pytest.raises(CameraFrameError, match="320x240"):
        reconstruct_rgb(
            table_scene.frame.color,
            Intrinsics(320, 240, 300, 300, 160, 120),
            ["can"],
            table_scene.modules,
        )
    empty = Modules(table_scene.modules.detector, table_scene.segmenter, replaced_depth(table_scene))
    with pytest.raises(BackendError, match="0 usable pixels.*metric depth model"):
        reconstruct_rgb(table_scene.frame.color, None, ["can"], empty)


def replaced_depth(known):
    class NoDepth:
        name = "none"

        def estimate(self, images, intrinsics=None):
            estimate = known.depth.estimate(images, intrinsics)[0]
            return [replace(estimate, depth_m=np.zeros_like(estimate.depth_m))]

    return NoDepth()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth_trust": 0.0}, "depth_trust"),
        ({"scale_limit": 0.5}, "scale_limit"),
        ({"default_vertical_fov_deg": 200.0}, "default_vertical_fov_deg"),
        ({"per_name": 0}, "per_name"),
    ],
)
def test_options_out_of_range_are_named(settings, message):
    with pytest.raises(InvalidValueError, match=message):
        RgbOptions(**settings)


def test_a_workspace_needs_a_pose(options):
    with pytest.raises(InvalidValueError, match="workspace"):
        RgbOptions(options)
    RgbOptions(options, base_T_camera=Pose())
