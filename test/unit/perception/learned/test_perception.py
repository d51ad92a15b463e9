# SPDX-License-Identifier: Apache-2.0
"""Perception with and without learned modules, and the configuration that swaps them."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.errors import BackendError, InvalidValueError, UnknownNameError
from spatialpin_ros.perception import reconstruct
from spatialpin_ros.perception.learned import Detection, Modules, Segmentation
from spatialpin_ros.perception.learned.perception import Perception

RED = (200, 30, 30)


class OneBox:
    name = "test"

    def __init__(self, mask):
        self.mask = mask

    def detect(self, images, names):
        rows, columns = np.nonzero(self.mask)
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=float)
        return [(Detection(names[0], box, 0.9),) for _ in images]

    def segment(self, images, prompts):
        return [Segmentation(self.mask[None].repeat(len(p), axis=0), np.ones(len(p))) for p in prompts]


class Mug:
    name = "test"

    def score(self, images, texts):
        return np.array([[0.9 if text == "mug" else 0.05 for text in texts] for _ in images])


@pytest.fixture
def frame(cast, bodies):
    return cast([bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED)])


def test_without_modules_it_is_the_geometric_scene(frame, options):
    perception = Perception(options=options)
    assert perception.reconstruct(frame).names == reconstruct(frame, options).names
    assert perception.notes == ()


def test_names_are_found_by_the_modules(cast, bodies, frame, options):
    mask = cast([bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED)], table=False).depth_m > 0
    perception = Perception(Modules(OneBox(mask), OneBox(mask)), options)
    scene = perception.reconstruct(frame, ["toy"])
    assert scene.names == ("toy",)
    np.testing.assert_allclose(scene.named("toy").size, 0.06, atol=0.003)


def test_a_module_that_fails_leaves_the_geometric_scene_and_says_why(frame, options, tmp_path):
    def broken():
        raise BackendError("weights are missing; hf download x/y")

    perception = Perception(Modules(broken, broken, scorer=broken), options, nouns=["mug"])
    assert perception.reconstruct(frame, ["toy"]).names == ("red cube",)
    assert len(perception.notes) == 2
    assert all("hf download x/y" in note for note in perception.notes)


def test_names_without_modules_are_noted(frame, options):
    perception = Perception(options=options)
    assert perception.reconstruct(frame, ["toy"]).names == ("red cube",)
    assert "no detector" in perception.notes[0]


def test_the_scorer_gives_nouns(frame, options):
    perception = Perception(Modules(scorer=Mug()), options, nouns=["cup", "mug"])
    found = perception.reconstruct(frame).objects[0]
    assert (found.name, found.label) == ("red mug", "mug")
    unsure = Perception(Modules(scorer=Mug()), options, nouns=["cup"])
    assert unsure.reconstruct(frame).names == ("red cube",)


def test_modules_are_swapped_by_one_line(tmp_path, tiny_model):
    path = tmp_path / "mine.yaml"
    for line, kind in (
        (f"depth: {{backend: depth_anything, model: {tiny_model('depth_anything')}}}", "depth_anything"),
        (f"depth: {{backend: zoedepth, model: {tiny_model('zoedepth')}}}", "zoedepth"),
    ):
        path.write_text(line)
        modules = Modules.load(str(path))
        assert modules.has("depth")
        assert not modules.has("detector")
        assert modules.depth.name == kind
        assert modules.depth is modules.depth


def test_nothing_is_loaded_before_it_is_used():
    modules = Modules.load("learned")
    assert all(modules.has(role) for role in ("detector", "segmenter", "depth", "scorer"))
    assert not any(
        Modules.load("geometric").has(role) for role in ("detector", "segmenter", "depth", "scorer")
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("detektor: {backend: owlv2, model: x}", "detektor"),
        ("detector: {model: x}", "needs a backend"),
        ("detector: {backend: yolo, model: x}", "no detector called 'yolo'; there is: grounding_dino, owlv2"),
        ("- a list", "unknown keys"),
        ("{", "cannot read"),
    ],
)
def test_configurations_that_make_no_sense_name_the_file(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(InvalidValueError, match=message) as error:
        Modules.load(str(path))
    assert "bad.yaml" in str(error.value)


def test_unknown_configurations_are_listed():
    with pytest.raises(UnknownNameError, match="geometric, learned"):
        Modules.load("nonsense")
    with pytest.raises(BackendError, match="no scorer is configured"):
        _ = Modules().scorer
