# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import five_blocks, make_object, make_scene
from scripted_model import CAMERA, seen

from spatialpin_ros.camera import ImageMask
from spatialpin_ros.reasoning.turns.objects import (
    COLUMNS,
    LOCATIONS,
    ROWS,
    found_schema,
    image_points,
    match,
    read_found,
)


def found_in(scene, *, points=True, order=None):
    """What a model with good eyes says of a scene."""
    entries = []
    for item, (u, v) in zip(scene.objects, image_points(scene, CAMERA), strict=True):
        location = f"{ROWS[min(int(v * 3), 2)]} {COLUMNS[min(int(u * 3), 2)]}"
        where = (100 * u, 100 * v) if points else (None, None)
        entries.append(seen(item.label, item.color, item.shape, location, *where))
    order = range(len(entries)) if order is None else order
    return read_found({"objects": [entries[i] for i in order]})[0]


@pytest.mark.parametrize("points", [True, False])
def test_every_object_is_found_again_in_any_order(points):
    scene = five_blocks()
    matches = match(found_in(scene, points=points, order=[3, 0, 4, 2, 1]), scene, CAMERA)
    assert {key: value.color for key, value in matches.by_id.items()} == {
        item.id: item.color for item in scene.objects
    }
    assert matches.findings == ()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_pointed_at_objects_of_one_kind_are_told_apart(seed):
    rng = np.random.default_rng(seed)
    places = [(x, y) for x in (0.35, 0.5, 0.65) for y in (-0.3, 0.0, 0.3)]
    rng.shuffle(places)
    scene = make_scene(*(make_object(f"o{i}", "red", at=places[i], name=f"cube {i}") for i in range(6)))
    order = rng.permutation(6)
    found = found_in(scene, order=order)
    by_id = match(found, scene, CAMERA).by_id
    assert [by_id[f"o{i}"] for i in order] == list(found)


def test_an_imagined_object_and_a_missed_one_are_reported():
    scene = five_blocks()
    found = found_in(scene)[:4]
    imagined = read_found({"objects": [seen("sponge", "pink", "other", "top left", 2.0, 2.0)]})[0]
    matches = match(found + imagined, scene, CAMERA)
    assert set(matches.by_id) == {"o1", "o2", "o3", "o4"}
    assert any("sponge" in finding and "no segmented object" in finding for finding in matches.findings)
    assert any("o5" in finding and "does not mention" in finding for finding in matches.findings)


def test_colour_alone_does_not_carry_a_match_across_the_image():
    scene = make_scene(make_object("o1", "red", at=(0.5, 0.3)))
    u, v = 100 * image_points(scene, CAMERA)[0]
    far = read_found({"objects": [seen("ball", "red", "sphere", "middle left", u - 50, v)]})[0]
    near = read_found({"objects": [seen("cube", "orange", "box", "middle right", u - 3, v + 3)]})[0]
    assert match(far, scene, CAMERA).by_id == {}
    assert set(match(near, scene, CAMERA).by_id) == {"o1"}


def test_a_mask_says_better_than_the_centre_where_an_object_is():
    mask = ImageMask(np.ones((20, 40), bool), (10, 100))
    scene = make_scene(make_object("o1", mask=mask))
    assert image_points(scene, CAMERA)[0] == pytest.approx([119.5 / 320, 19.5 / 240])


def test_nothing_found_and_nothing_there():
    scene = five_blocks()
    assert len(match((), scene, CAMERA).unseen) == 5
    found = found_in(scene)
    assert match(found, make_scene(), CAMERA).unknown == found


def test_coordinates_off_the_image_are_asked_for_again():
    found, problems = read_found({"objects": [seen("cup", "red", "other", "top left", 120.0, 5.0)]})
    assert "must lie in 0..100" in problems[0]
    assert found[0].point is None


def test_the_schema_offers_nine_places():
    item = found_schema()["properties"]["objects"]["items"]
    assert item["properties"]["location"]["enum"] == list(LOCATIONS)
    assert len(set(LOCATIONS)) == 9


@pytest.mark.slow
def test_objects_of_rendered_scenes_are_matched_though_the_model_points_loosely():
    pytest.importorskip("pybullet")
    from spatialpin_ros.config import CameraConfig, RobotConfig
    from spatialpin_ros.perception import PerceptionOptions, reconstruct
    from spatialpin_ros.simulation import World

    camera = CameraConfig.load("simulation")
    world, rng = World(RobotConfig.load("panda"), camera, seed=0), np.random.default_rng(0)
    right = asked = 0
    for seed in range(900, 904):
        world.reset(seed, 8)
        frame = world.render()
        scene = reconstruct(frame, PerceptionOptions(workspace=camera.workspace))
        true = world.truth().objects
        centres = np.array([item.box.centre for item in true])
        points = frame.intrinsics.project(frame.base_T_camera.inverse().transform(centres))
        points /= [frame.intrinsics.width, frame.intrinsics.height]
        shaken = np.clip(points + rng.normal(0.0, 0.05, points.shape), 0.0, 0.999)
        entries = [
            seen(item.spec.kind, item.spec.color, "cylinder" if item.spec.kind == "cylinder" else "box",
                 f"{ROWS[int(v * 3)]} {COLUMNS[int(u * 3)]}", 100 * u, 100 * v)
            for item, (u, v) in zip(true, shaken, strict=True)
        ]  # fmt: skip
        by_id = match(read_found({"objects": entries})[0], scene, frame.intrinsics).by_id
        for item, entry in zip(true, entries, strict=True):
            nearest = min(scene.objects, key=lambda other: np.linalg.norm(other.centre - item.box.centre))
            found = by_id.get(nearest.id)
            right += found is not None and found.point == (entry["x_percent"] / 100, entry["y_percent"] / 100)
            asked += 1
    world.close()
    assert asked == 32
    assert right >= 31
