# SPDX-License-Identifier: Apache-2.0
"""Learned modules in the whole of perception: swapped by one line of YAML, loaded when used, harmless when broken."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.errors import BackendError
from spatialpin_ros.perception.configuration import PerceptionConfig
from spatialpin_ros.perception.perceive import ColorView, Perception


@pytest.fixture
def frame(cast, bodies):
    return cast([bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), (200, 30, 30))], size=(160, 120))


@pytest.fixture
def configure(tmp_path, options):
    """Write a perception YAML and make perception of it."""

    def make(text: str) -> Perception:
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return Perception(PerceptionConfig.load(str(path)), options.workspace)

    return make


@pytest.mark.parametrize(
    ("role", "kind", "name"),
    [
        ("detector", "grounding_dino", "grounding_dino"),
        ("detector", "owlv2", "owlv2"),
        ("segmenter", "sam", "sam"),
        ("segmenter", "sam_hq", "sam"),
        ("segmenter", "sam2", "sam2"),
        ("depth", "depth_anything", "depth_anything"),
        ("depth", "zoedepth", "zoedepth"),
        ("depth", "depth_pro", "depth_pro"),
        ("namer", "clip", "clip"),
        ("namer", "siglip", "clip"),
    ],
)
def test_a_folder_is_all_that_a_line_needs(tmp_path, tiny_model, role, kind, name):
    path = tmp_path / "mine.yaml"
    path.write_text(f"{role}: {tiny_model(kind)}\ndevice: cpu\nbatch_size: 2")
    modules = PerceptionConfig.load(str(path)).modules()
    assert modules.configured == (role, "inpainter", "completion")
    module = modules.get(role)
    assert module.name == name
    assert modules.get(role) is module


def test_a_folder_beside_the_yaml_is_found(tmp_path, tiny_model):
    (tmp_path / "models").symlink_to(tiny_model("clip"))
    path = tmp_path / "mine.yaml"
    path.write_text("namer: models")
    assert PerceptionConfig.load(str(path)).modules().namer.name == "clip"


def test_all_networks_together_still_give_the_table(frame, configure, tiny_model):
    perception = configure(
        f"""
detector: {{model: {tiny_model("grounding_dino")}, threshold: 0.0}}
segmenter: {tiny_model("sam2")}
namer: {tiny_model("clip")}
names: [red cube, ball]
nouns: [mug, cube]
least_noun_score: 0.0
device: cpu
"""
    )
    assert perception.preload() == ()
    seen = perception.measured(frame)
    assert abs(seen.scene.table.height_z) < 0.005
    assert not [note for note in seen.notes if "geometry" in note]


def test_random_depth_ends_in_an_error_and_not_in_a_scene(frame, configure, tiny_model):
    perception = configure(f"depth: {tiny_model('depth_anything')}\ndevice: cpu")
    assert perception.without_depth
    with pytest.raises((BackendError, Exception)) as error:
        perception.colored(ColorView(frame.color, frame.intrinsics, frame.base_T_camera))
    assert "plane" in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("namer: {folder}/nowhere", "nowhere: there is no such folder"),
        (
            "namer: {depth_anything}",
            "is a depth_anything model, which is no namer; models for it are: clip, siglip",
        ),
        ("namer: {{model: {clip}, backend: clip, colour: red}}", "colour"),
        ("namer: {{model: {clip}, device: 'cuda:99'}}", "device 'cuda:99' is not there"),
        ("namer: {{model: {clip}, batch_size: 0}}", "batch_size must be a whole number of at least 1, got 0"),
        ("namer: {{model: {clip}, batch_size: several}}", "at least 1, got 'several'"),
        ("namer: no.such.package:Namer", "no.such.package:Namer': cannot be made"),
    ],
)
def test_a_missing_or_wrong_model_is_said_once_and_the_scene_comes(
    frame, configure, tiny_model, tmp_path, line, message
):
    folders = {kind: tiny_model(kind) for kind in ("clip", "depth_anything")}
    perception = configure(line.format(folder=tmp_path, **folders))
    (problem,) = perception.preload()
    assert message in problem
    seen = perception.measured(frame)
    assert seen.scene.names == ("red cube",)
    assert message in seen.notes[0]
    assert len(seen.notes) == 1


class Two:
    """A module that a user wrote."""

    name = "two"

    def __init__(self, word: str = "thing") -> None:
        self.word = word

    def score(self, images, texts):
        return np.array([[float(text == self.word) for text in texts] for _ in images])


def test_a_module_of_ones_own_is_named_by_its_place(frame, configure, monkeypatch):
    import sys
    import types

    module = types.ModuleType("my_modules")
    module.Two = Two
    monkeypatch.setitem(sys.modules, "my_modules", module)
    short = configure("namer: my_modules:Two\nnouns: [thing, mug]")
    assert short.measured(frame).scene.names == ("red thing",)
    long = configure("namer: {backend: 'my_modules:Two', word: mug}\nnouns: [thing, mug]")
    assert long.measured(frame).scene.names == ("red mug",)


def test_a_module_of_ones_own_that_does_not_compile_leaves_the_geometric_scene(
    frame, configure, tmp_path, monkeypatch
):
    (tmp_path / "half_written.py").write_text("class Namer:\n    def score(self")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen = configure("namer: half_written:Namer").measured(frame)
    assert seen.scene.names == ("red cube",)
    assert "half_written:Namer': cannot be made: '(' was never closed" in seen.notes[0]
