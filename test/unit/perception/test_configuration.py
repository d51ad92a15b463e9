# SPDX-License-Identifier: Apache-2.0
"""The perception YAML: what it may say, and how clearly it is refused."""

from __future__ import annotations

import pytest

from spatialpin_ros.errors import BackendError, InvalidValueError, UnknownNameError
from spatialpin_ros.perception.configuration import NOUNS, PerceptionConfig
from spatialpin_ros.perception.learned import Modules
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.rgb.options import RgbOptions


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


def test_an_empty_setting_keeps_its_default_and_whole_numbers_may_have_a_point(load):
    config = load(
        """
geometry: {min_height_m: , max_pixels: 200000.0}
rgb: {table_z_m: , view: , default_vertical_fov_deg: 60}
"""
    )
    assert config.geometry.min_height_m == PerceptionOptions().min_height_m
    assert repr(config.geometry.max_pixels) == "200000"
    assert (config.rgb.table_z_m, config.rgb.view) == (None, None)


def test_the_height_of_the_table_is_finite():
    with pytest.raises(InvalidValueError, match="table_z_m: must be finite, got nan"):
        RgbOptions(table_z_m=float("nan"))


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
        ("device: 5", "device: expected text, got 5"),
        ("precision: quarter", "precision: expected one of .*got 'quarter'"),
        ("batch_size: 1.5", "batch_size: expected a whole number, got 1.5"),
        ("offline: 'no'", "offline: expected true or false, got 'no'"),
        ("names: 3", "names: expected a list of words"),
        ("names: {model: x}", "names: expected a list of words, or the settings"),
        ("models: [cube.stl]", "models: expected 'name: mesh file'"),
        ("models: {cube: cube.stl}", "models: cube: there is no file .*cube.stl"),
        ("models: {cube: {mesh: cube.stl}}", "models: cube: expected a mesh file"),
        ("geometry: {min_height: 0.1}", r"geometry: unknown keys \['min_height'\]; known are"),
        ("geometry: {min_height_m: -1}", "geometry: perception option min_height_m: must be positive"),
        ("rgb: {base_T_camera: 1}", "rgb: unknown"),
        ("rgb: {depth_trust: 7}", "rgb: depth_trust"),
        ("rgb: {view: sideways}", "rgb.view: expected one of"),
        (
            "rgb: {table_z_m: 1e-2}",
            r"rgb.table_z_m: expected a number, got '1e-2', which YAML takes for text; write 0\.01",
        ),
        ("rgb: {table_z_m: low}", "rgb.table_z_m: expected a number, got 'low'$"),
        ("rgb: {table_z_m: .nan}", "rgb.table_z_m: expected a finite number, got nan"),
        ("rgb: {table_z_m: true}", "rgb.table_z_m: expected a number, got True"),
        ("rgb: {second_pass: 1}", "rgb.second_pass: expected true or false, got 1"),
        ("rgb: {per_name: 1.5}", "rgb.per_name: expected a whole number, got 1.5"),
        ("rgb: {view: [top]}", "rgb.view: expected one of"),
        ("rgb: [0.1]", r"rgb: expected a mapping of keys, got \[0.1\]"),
        ("geometry: {1: 2, max_pixel: 3}", r"geometry: unknown keys \['1', 'max_pixel'\]"),
        (
            "geometry: {max_pixels: 4e5}",
            "geometry.max_pixels: expected a whole number, .*for text; write 400000",
        ),
        ("geometry: {min_height_m: .inf}", "geometry.min_height_m: expected a finite number, got inf"),
        ("geometry: {seed: -1}", "geometry: perception option seed: must not be negative, got -1"),
        (f"geometry: {{max_height_m: 1{'0' * 400}}}", "geometry.max_height_m: expected a finite number"),
        ("fusion: {refine_poses: 'no'}", "fusion.refine_poses: expected true or false, got 'no'"),
        ("fusion: {voxel_m: 5e-3}", r"fusion.voxel_m: .* write 0\.005"),
        ("max_image_pixels: 1e6", "max_image_pixels: expected a number, .* write 1000000"),
        ("max_image_pixels: .inf", "max_image_pixels: expected a finite number"),
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
