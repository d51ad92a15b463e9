# SPDX-License-Identifier: Apache-2.0
"""Simulated scenes: a colour image with the simulator's depth for a model's, and meshes aligned to noisy depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

pytest.importorskip("pybullet", reason="the simulator is not installed: pip install 'spatialpin_ros[sim]'")

from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.perception import PerceptionOptions
from spatialpin_ros.perception.alignment import align_mesh
from spatialpin_ros.perception.alignment.surface import MeshSurface
from spatialpin_ros.perception.learned import DepthEstimate, Detection, Modules, Prompt, Segmentation
from spatialpin_ros.perception.meshes import primitive_mesh
from spatialpin_ros.perception.rgb import RgbOptions, reconstruct_rgb
from spatialpin_ros.simulation import Truth, World


class Simulated:
    """Depth, boxes and masks that the simulator knows, in the place of networks."""

    name = "simulator"

    def __init__(self, truth: Truth, names: Sequence[str]) -> None:
        self.depth_m = truth.depth_m
        self.masks = [truth.labels == index for index in range(len(truth.objects))]
        self.names = names

    def estimate(
        self, images: Sequence[np.ndarray], intrinsics: Intrinsics | None = None
    ) -> list[DepthEstimate]:
        return [DepthEstimate(self.depth_m) for _ in images]

    def detect(self, images: Sequence[np.ndarray], names: Sequence[str]) -> list[tuple[Detection, ...]]:
        found = []
        for name, mask in zip(self.names, self.masks, strict=True):
            rows, columns = np.nonzero(mask)
            box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=float)
            found.append(Detection(name, box, 0.9))
        return [tuple(found) for _ in images]

    def segment(self, images: Sequence[np.ndarray], prompts: Sequence[Prompt]) -> list[Segmentation]:
        results = []
        for prompt in prompts:
            centres = 0.5 * (prompt.boxes[:, :2] + prompt.boxes[:, 2:])
            boxes = np.stack([d.box for d in self.detect([None], [])[0]])
            known = 0.5 * (boxes[:, :2] + boxes[:, 2:])
            chosen = np.linalg.norm(known[None] - centres[:, None], axis=2).argmin(axis=1)
            results.append(Segmentation(np.stack([self.masks[k] for k in chosen]), np.ones(len(chosen))))
        return results


def scene_of(seed: int, noise: str) -> tuple[CameraFrame, Truth, CameraConfig]:
    camera = replace(CameraConfig.load("simulation"), noise=noise)
    with World(RobotConfig.load("panda"), camera) as world:
        world.reset(seed=seed)
        return world.render(), world.truth(), camera


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_one_colour_image_places_objects_within_a_centimetre(seed):
    frame, truth, camera = scene_of(seed, "none")
    names = [item.spec.name for item in truth.objects]
    known = Simulated(truth, names)
    options = RgbOptions(PerceptionOptions(workspace=camera.workspace), base_T_camera=frame.base_T_camera)
    scene = reconstruct_rgb(frame.color, frame.intrinsics, names, Modules(known, known, known), options)
    assert set(scene.names) == set(names)
    for name, true in zip(names, truth.objects, strict=True):
        found = scene.named(name)
        assert np.linalg.norm(found.centre - true.box.centre) < 0.010, name
        assert found.confidence < 0.65


@pytest.mark.parametrize("seed", [21, 22])
def test_models_are_aligned_to_noisy_depth_within_five_millimetres(seed):
    frame, truth, _ = scene_of(seed, "realsense_d435")
    errors = []
    for index, true in enumerate(truth.objects):
        shape = "cylinder" if true.spec.kind == "cylinder" else "box"
        mesh = primitive_mesh(OrientedBox(Pose(), true.box.size), shape)
        found = align_mesh(mesh, frame, truth.labels == index, 0.0)
        samples = MeshSurface(mesh).samples
        there = cKDTree(found.base_T_mesh.transform(samples))
        errors.append(float(np.mean(there.query(true.box.pose.transform(samples))[0])))
    assert max(errors) < 0.005, errors
