# SPDX-License-Identifier: Apache-2.0
"""The perception YAML: what it may say, and how clearly it is refused."""

from __future__ import annotations

import pytest

from spatialpin_ros.errors import BackendError, InvalidValueError, UnknownNameError
from spatialpin_ros.perception.configuration import NOUNS, PerceptionConfig
from spatialpin_ros.perception.learned import Modules


@pytest.fixture
def load(tmp_path):
    def read(text: str) -> PerceptionConfig:
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return PerceptionConfig.load(str(path))

    return read


def test_the_configurations_of_the_package_are_valid_and_load_nothing():
    learned, geometric = PerceptionConfig.load("learned"), PerceptionConfig.load("geometric")
    roles = ("detector", "segmenter", "depth", "namer")
    assert all(learned.modules().has(role) for role in roles)
    assert not any(geometric.modules().has(role) for role in roles)
    assert learned.modules().by_name
    assert not geometric.modules().completes
    assert learned.nouns == NOUNS


def test_every_key_is_read(load, tmp_path):
    (tmp_path / "mug.obj").write_text("v 0 0 0")
    config = load(
        """
names: [red cube, "  mug "]
nouns: [mug]
least_noun_score: 0.2
max_image_pixels: 1000000
models: {mug: mug.obj, red cube: {file: mug.obj, unit_m: 0.001}}
geometry: {min_height_m: 0.01}
rgb: {table_z_m: 0.0, depth_trust: 0.3, default_vertical_fov_deg: 60}
fusion: {max_chroma: 0.2}
"""
    )
    assert config.names == ("red cube", "mug")
    assert [(m.name, m.file.name, m.unit_m) for m in config.models] == [
        ("mug", "mug.obj", 1.0),
        ("red cube", "mug.obj", 0.001),
    ]
    assert config.geometry.min_height_m == 0.01
    assert (config.rgb.table_z_m, config.rgb.depth_trust) == (0.0, 0.3)
    assert config.fusion.max_chroma == 0.2
    assert (config.least_noun_score, config.max_image_pixels) == (0.2, 1_000_000)


def test_names_may_come_from_a_model(load):
    config = load("names: {backend: openai, model: gpt-4o}")
    assert config.names == ()
    assert config.lister == {"backend": "openai", "model": "gpt-4o"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("detektor: x", r"unknown keys \['detektor'\]; known are"),
        ("detector: {threshold: 0.2}", "detector: needs a model, such as 'detector: IDEA-Research"),
        ("detector: 7", "detector: expected a name such as 'IDEA-Research/grounding-dino-tiny'"),
        (
            "detector: {backend: yolo, model: x}",
            "no detector called 'yolo'; there is: auto, grounding_dino, owlv2",
        ),
        ("depth: http://localhost/depth", "depth: cannot be served over HTTP"),
        ("completion: triposr", "no completion called 'triposr'; there is: geometric, http"),
        ("inpainter: lama", "no inpainter called 'lama'; there is: opencv"),
        ("- a list", "expected keys such as detector"),
        ("{", "cannot read"),
        ("names: 3", "names: expected a list of words"),
        ("names: {model: x}", "names: expected a list of words, or the settings"),
        ("models: [cube.stl]", "models: expected 'name: mesh file'"),
        ("models: {cube: cube.stl}", "models: cube: there is no file .*cube.stl"),
        ("models: {cube: {mesh: cube.stl}}", "models: cube: expected a mesh file"),
        ("geometry: {min_height: 0.1}", r"geometry: unknown \['min_height'\]; known are"),
        ("geometry: {min_height_m: -1}", "geometry: perception option min_height_m: must be positive"),
        ("rgb: {base_T_camera: 1}", "rgb: unknown"),
        ("rgb: {depth_trust: 7}", "rgb: depth_trust"),
        ("rgb: {view: sideways}", "rgb: view: expected one of"),
        ("least_noun_score: 2", "least_noun_score: must lie in 0..1"),
        ("max_image_pixels: big", "max_image_pixels: expected a number"),
    ],
)
def test_configurations_that_make_no_sense_name_the_file(load, text, message):
    with pytest.raises(InvalidValueError, match=message) as error:
        load(text)
    assert "mine.yaml" in str(error.value)


def test_unknown_configurations_are_listed(tmp_path):
    with pytest.raises(UnknownNameError, match="geometric, learned"):
        PerceptionConfig.load("nonsense")
    with pytest.raises(InvalidValueError, match="cannot read .*nowhere.yaml"):
        PerceptionConfig.load(str(tmp_path / "nowhere.yaml"))
    with pytest.raises(BackendError, match=r"no namer is configured.*\n  namer: openai/clip"):
        _ = Modules().namer
