# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialpin_ros.planning.place import NoPlace, PlaceOptions, place_in_area, place_on_object

OPTIONS = PlaceOptions()


@given(yaw=st.floats(-3.1, 3.1), other_yaw=st.floats(-3.1, 3.1), height=st.floats(0.03, 0.15))
@settings(max_examples=40, deadline=None)
def test_placed_upright_centred_and_just_above_the_target(
    make_object: Callable, yaw: float, other_yaw: float, height: float
) -> None:
    item = make_object("o1", (0.4, 0.1), (0.04, 0.05, height), yaw)
    target = make_object("o2", (0.5, -0.1), (0.06, 0.06, 0.05), other_yaw)
    places = place_on_object(item, target, OPTIONS)
    assert not isinstance(places, NoPlace)
    for place in places:
        assert np.allclose(place.object_pose.position[:2], target.centre[:2])
        bottom = place.object_pose.position[2] - height / 2
        assert bottom - target.box.top_z == pytest.approx(OPTIONS.drop_m)
        assert place.object_pose.axes[2, 2] == pytest.approx(1.0)
    turn = np.cos(4 * (places[0].object_pose.yaw_rad - target.box.pose.yaw_rad))
    assert turn == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("moved", "carrier", "words"),
    [
        (("o1", (0.4, 0.0), (0.05, 0.05, 0.05)), ("o2", (0.5, 0.0), (0.06, 0.06, 0.06), 0.0, "sphere"), "round"),
        (("o1", (0.4, 0.0), (0.05, 0.05, 0.05), 0.0, "sphere"), ("o2", (0.5, 0.0), (0.06, 0.06, 0.06)), "roll"),
        (("o1", (0.4, 0.0), (0.05, 0.05, 0.05)), ("o2", (0.5, 0.0), (0.012, 0.1, 0.06)), "centre of mass"),
    ],
)  # fmt: skip
def test_an_unstable_stack_is_refused(
    make_object: Callable, moved: tuple, carrier: tuple, words: str
) -> None:
    refused = place_on_object(make_object(*moved), make_object(*carrier), OPTIONS)
    assert isinstance(refused, NoPlace)
    assert refused.reason == "unstable_stack"
    assert words in refused.detail


def test_spots_lie_in_the_area_and_clear_of_others(make_object: Callable, make_scene: Callable) -> None:
    item = make_object("o1", (0.4, 0.3), (0.05, 0.05, 0.05))
    scene = make_scene(
        item, make_object("o2", (0.5, 0.0), (0.06, 0.06, 0.05), 0.7), make_object("o3", (0.6, 0.1))
    )
    area = np.array([[0.4, -0.15], [0.65, -0.15], [0.65, 0.15], [0.4, 0.15]])
    places = place_in_area(item, scene, scene.table, area, OPTIONS, np.random.default_rng(0))
    assert not isinstance(places, NoPlace)
    for place in places:
        x, y, z = place.object_pose.position
        assert 0.4 <= x <= 0.65
        assert -0.15 <= y <= 0.15
        assert z == pytest.approx(0.025 + OPTIONS.drop_m)
        for other in scene.objects[1:]:
            outside = np.maximum(
                np.abs(other.box.pose.inverse().transform([x, y, 0.0])[:2]) - other.size[:2] / 2, 0.0
            )
            assert np.linalg.norm(outside) >= np.hypot(0.025, 0.025) + OPTIONS.spacing_m - 1e-9


def test_a_full_area_names_what_fills_it(make_object: Callable, make_scene: Callable) -> None:
    item = make_object("o1", (0.4, 0.3))
    scene = make_scene(item, make_object("o2", (0.5, 0.0), (0.2, 0.2, 0.05)))
    area = np.array([[0.45, -0.05], [0.55, -0.05], [0.55, 0.05], [0.45, 0.05]])
    refused = place_in_area(item, scene, scene.table, area, OPTIONS, np.random.default_rng(0))
    assert isinstance(refused, NoPlace)
    assert refused.reason == "no_free_place"
    assert "thing o2" in refused.detail
