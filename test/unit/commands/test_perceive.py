# SPDX-License-Identifier: Apache-2.0
"""`spatialpin capture` with named objects, one colour image, and models of objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from spatialpin_ros.cli import app
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.perception.configuration import PerceptionConfig
from spatialpin_ros.perception.learned import DepthEstimate, Detection, Modules, Segmentation
from spatialpin_ros.perception.meshes import primitive_mesh
from spatialpin_ros.scene import Scene
from spatialpin_ros.serialization import load

trimesh = pytest.importorskip("trimesh")
simulation = pytest.importorskip("spatialpin_ros.simulation")
runner = CliRunner()


class Known:
    """Depth and masks of a rendered scene in the place of networks."""

    name = "known"

    def __init__(self, truth: Any) -> None:
        self.depth_m = truth.depth_m
        self.masks = [truth.labels == index for index in range(len(truth.objects))]
        self.names = [item.spec.name for item in truth.objects]

    def estimate(self, images: Sequence[Any], intrinsics: Any = None) -> list[DepthEstimate]:
        return [DepthEstimate(self.depth_m)]

    def _boxes(self) -> list[np.ndarray]:
        spans = [np.nonzero(mask) for mask in self.masks]
        return [np.array([c.min(), r.min(), c.max() + 1, r.max() + 1], dtype=float) for r, c in spans]

    def detect(self, images: Sequence[Any], names: Sequence[str]) -> list[tuple[Detection, ...]]:
        pairs = zip(self.names, self._boxes(), strict=True)
        return [tuple(Detection(name, box, 0.9) for name, box in pairs if name in names)]

    def segment(self, images: Sequence[Any], prompts: Sequence[Any]) -> list[Segmentation]:
        known = np.stack(self._boxes())
        chosen = [np.abs(known[None] - p.boxes[:, None]).sum(axis=2).argmin(axis=1) for p in prompts]
        return [Segmentation(np.stack([self.masks[k] for k in row]), np.ones(len(row))) for row in chosen]


@pytest.fixture(scope="module")
def rendered() -> tuple[Any, Any]:
    with simulation.World(RobotConfig.load(), CameraConfig.load()) as world:
        world.reset(2, 3)
        return world.render(), world.truth()


@pytest.fixture
def files(rendered: tuple[Any, Any], tmp_path: Path) -> dict[str, str]:
    frame, _ = rendered
    paths = {name: str(tmp_path / name) for name in ("c.png", "d.npy", "k.json", "pose.json")}
    cv2.imwrite(paths["c.png"], frame.color[:, :, ::-1])
    np.save(paths["d.npy"], frame.depth_m)
    Path(paths["k.json"]).write_text(json.dumps(frame.intrinsics.to_dict()))
    Path(paths["pose.json"]).write_text(json.dumps(frame.base_T_camera.to_dict()))
    return paths


def capture(*arguments: str, out: Path) -> tuple[Any, Scene | None]:
    result = runner.invoke(app, ["capture", *arguments, "-o", str(out)])
    return result, load(Scene, out) if out.exists() else None


def test_one_colour_image_and_names_make_a_scene(monkeypatch, rendered, files, tmp_path):
    _, truth = rendered
    known = Known(truth)
    monkeypatch.setattr(PerceptionConfig, "modules", lambda config: Modules(known, known, known))
    names = [part for name in (*known.names, "unicorn") for part in ("--name", name)]
    given = ["--color", files["c.png"], "--intrinsics", files["k.json"], "--pose", files["pose.json"]]
    result, scene = capture(*given, *names, out=tmp_path / "s.json")
    assert result.exit_code == 0, result.output
    assert set(scene.names) == set(known.names)
    for item in truth.objects:
        assert np.linalg.norm(scene.named(item.spec.name).centre - item.box.centre) < 0.01
    assert "not found in the image: unicorn" in " ".join(result.stdout.split())


def test_without_weights_the_message_says_how_to_get_them(files, tmp_path):
    modules = tmp_path / "mine.yaml"
    modules.write_text(f"depth: {{backend: depth_anything, model: {tmp_path}/nowhere}}")
    result, scene = capture(
        "--color", files["c.png"], "--name", "mug", "--perception", str(modules), out=tmp_path / "s"
    )
    assert result.exit_code == 1
    assert scene is None
    assert "error: " in result.stderr
    assert "Traceback" not in result.output


def test_with_depth_a_missing_network_leaves_the_geometric_scene(files, tmp_path):
    modules = tmp_path / "mine.yaml"
    modules.write_text(
        f"detector: {{backend: owlv2, model: {tmp_path}/x}}\nsegmenter: {{backend: sam, model: y}}"
    )
    given = ["--color", files["c.png"], "--depth", files["d.npy"], "--intrinsics", files["k.json"]]
    result, scene = capture(*given, "--name", "mug", "--perception", str(modules), out=tmp_path / "s.json")
    assert result.exit_code == 0, result.output
    assert len(scene.objects) == 3
    assert "note: objects are segmented by geometry" in " ".join(result.stdout.split())


def test_a_model_takes_the_place_of_a_box(rendered, files, tmp_path):
    _, truth = rendered
    given = ["--color", files["c.png"], "--depth", files["d.npy"], "--intrinsics", files["k.json"]]
    _, scene = capture(*given, out=tmp_path / "plain.json")
    true = truth.objects[0]
    item = min(scene.objects, key=lambda o: np.linalg.norm(o.centre - true.box.centre))
    shape = "cylinder" if true.spec.kind == "cylinder" else "box"
    mesh = primitive_mesh(type(true.box)(type(true.box.pose)(), true.box.size), shape)
    path = tmp_path / "model.stl"
    trimesh.Trimesh(mesh.vertices, mesh.triangles).export(path)
    result, changed = capture(*given, "--model", f"{item.name}={path}", out=tmp_path / "s.json")
    assert result.exit_code == 0, result.output
    found = changed.named(item.name)
    assert found.mesh is not None
    assert np.linalg.norm(found.centre - true.box.centre) < 0.005


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--model", "nonsense"], 1, "NAME=FILE"),
        (["--model", "unicorn=x.stl"], 1, "unicorn"),
    ],
)
def test_models_that_make_no_sense_are_named(files, tmp_path, arguments, status, message):
    given = ["--color", files["c.png"], "--depth", files["d.npy"], "--intrinsics", files["k.json"]]
    result, _ = capture(*given, *arguments, out=tmp_path / "s.json")
    assert result.exit_code == status
    assert message in result.stderr
