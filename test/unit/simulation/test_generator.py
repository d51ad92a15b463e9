# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from spatialpin_ros.config import CameraConfig
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.simulation import GeneratorOptions, generate_objects
from spatialpin_ros.simulation.generator import footprint_polygon, visible_share
from spatialpin_ros.simulation.objects import ObjectSpec
from spatialpin_ros.simulation.views import View

OPTIONS = GeneratorOptions()
scenes = st.builds(generate_objects, st.integers(0, 2**31), st.integers(2, 8))
few = settings(max_examples=30, deadline=None)


def dense_outline(spec: ObjectSpec) -> np.ndarray:
    corners = footprint_polygon(spec)
    share = np.linspace(0.0, 1.0, 30)[:, None, None]
    return (corners + share * (np.roll(corners, -1, axis=0) - corners)).reshape(-1, 2)


@few
@given(scenes)
def test_objects_keep_their_distance(objects: tuple[ObjectSpec, ...]) -> None:
    outlines = [dense_outline(spec) for spec in objects]
    for index, one in enumerate(outlines):
        for other in outlines[:index]:
            assert cdist(one, other).min() >= OPTIONS.margin_m - 1e-9


@few
@given(scenes)
def test_objects_stand_on_the_table_within_reach(objects: tuple[ObjectSpec, ...]) -> None:
    for spec in objects:
        radius = np.hypot(*spec.box.centre[:2])
        assert OPTIONS.reach_m[0] <= radius <= OPTIONS.reach_m[1]
        assert spec.box.bottom_z == pytest.approx(0.0, abs=1e-9)


@few
@given(scenes)
def test_something_fits_the_gripper_and_something_else_carries_it(objects: tuple[ObjectSpec, ...]) -> None:
    pairs = [(a, b) for a in objects for b in objects if a is not b and a.graspable and b.can_carry(a)]
    assert pairs
    assert any(0.02 <= min(a.size[:2]) <= 0.065 for a, _ in pairs)


@few
@given(scenes)
def test_colour_and_kind_tell_objects_apart(objects: tuple[ObjectSpec, ...]) -> None:
    assert len({spec.name for spec in objects}) == len(objects)
    assert len({spec.id for spec in objects}) == len(objects)


@few
@given(scenes)
def test_the_camera_sees_every_object_whole(objects: tuple[ObjectSpec, ...]) -> None:
    camera = CameraConfig.load("simulation")
    view = View.from_config(camera)
    for spec in objects:
        pixels = view.intrinsics.project(view.base_T_camera.inverse().transform(spec.box.corners))
        assert (pixels > 0).all()
        assert (pixels < [view.intrinsics.width, view.intrinsics.height]).all()
        low, high = spec.box.aabb
        assert (low >= camera.workspace.min).all()
        assert (high <= camera.workspace.max).all()
        assert visible_share(spec, list(objects), view.base_T_camera.position) >= OPTIONS.min_visible


@few
@given(scenes)
def test_masses_are_those_of_wood_or_plastic(objects: tuple[ObjectSpec, ...]) -> None:
    for spec in objects:
        volume = np.prod(spec.size) * (np.pi / 4 if spec.kind == "cylinder" else 1.0)
        assert 400.0 <= spec.mass_kg / volume <= 700.0


def test_the_seed_decides_the_scene() -> None:
    def summary(seed: int) -> list[object]:
        return [
            (s.name, s.size.tolist(), s.box.centre.tolist(), s.mass_kg) for s in generate_objects(seed, 6)
        ]

    assert summary(4) == summary(4)
    assert summary(4) != summary(5)


def test_seeds_give_every_count_and_kind() -> None:
    scenes_drawn = [generate_objects(seed) for seed in range(60)]
    assert {len(objects) for objects in scenes_drawn} == set(range(2, 9))
    assert {spec.kind for objects in scenes_drawn for spec in objects} == {"cube", "box", "cylinder"}


@pytest.mark.parametrize("count", [0, 1, 9])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(InvalidValueError, match=r"2\.\.8"):
        generate_objects(0, count)


def test_an_area_without_room_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="found no room"):
        generate_objects(0, 8, GeneratorOptions(x_m=(0.40, 0.45), y_m=(-0.05, 0.05)))
