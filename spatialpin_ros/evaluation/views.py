# SPDX-License-Identifier: Apache-2.0
"""Renders seeded layouts from random cameras: what a camera sees, and where everything really is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from spatialpin_ros.arrays import BoolArray, Float32Array, FloatArray
from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.evaluation.layouts import change_layout, draw_layout, stands_on
from spatialpin_ros.geometry import Pose
from spatialpin_ros.scene import TABLE, Scene, SceneObject, SupportSurface
from spatialpin_ros.simulation import PALETTE, ObjectSpec, TrueObject, View, World
from spatialpin_ros.simulation.generator import visible_share
from spatialpin_ros.simulation.views import renderer_intrinsics
from spatialpin_ros.spatial_qa.phrasing import refer

_BEHIND = np.array([2.8, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785])
_SETTLE_STEPS, _REST_STEPS = 180, 60


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """Cameras and noise.

    Args:
        elevation_deg: of the line of sight above the table: horizontal to top-down.
        azimuth_deg: of the camera about the middle of the table, from the base frame's x axis.
        distance_m: from the middle of the table.
        fov_deg: vertical field of view: the lens.
        focal_error: standard deviation of the calibration's focal length (share).
        centre_error_px: standard deviation of the calibration's principal point [px].
        radial_error: standard deviation of the radial distortion (k1) that rectification left.
        color_noise: standard deviation of a pixel's colour (0..255).
        min_visible: objects of which less can be seen are not asked about.
        min_pixels: nor are those that cover less of the image.
        width, height: of the images [px].
    """

    elevation_deg: tuple[float, float] = (22.0, 84.0)
    azimuth_deg: tuple[float, float] = (-100.0, 100.0)
    distance_m: tuple[float, float] = (0.75, 1.05)
    fov_deg: tuple[float, float] = (42.0, 54.0)
    focal_error: float = 0.001
    centre_error_px: float = 0.5
    radial_error: float = 0.002
    color_noise: float = 2.0
    min_visible: float = 0.5
    min_pixels: int = 250
    width: int = 640
    height: int = 480


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One look at a layout.

    Args:
        frame: the noisy image.
        truth: what is really there, every object's name an expression that is unique and true.
        askable: ids of the objects that are seen well enough to be asked about.
        all_seen: whether those are all.
    """

    frame: CameraFrame
    truth: Scene
    askable: frozenset[str]
    all_seen: bool


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two looks at one table, before and after something happened; object ids of the truths are the same."""

    seed: int
    before: Look
    after: Look


class Studio:
    """A simulated table with the arm out of the way; renders pairs of looks by seed."""

    def __init__(self, options: ViewOptions | None = None) -> None:
        self.options = options or ViewOptions()
        config = CameraConfig.load("simulation")
        # The mast stands behind the robot, where no camera of the benchmark sees it.
        away = {"looking_from": [-2.0, 0.0, 1.0], "looking_at": [0.0, 0.0, 0.0]}
        robot = RobotConfig.load("panda")
        self.workspace = config.workspace
        self._world = World(replace(robot, home=_BEHIND), replace(config, pose=away))

    def pair(self, seed: int) -> Pair | None:
        """Render the layout of a seed and what becomes of it; None when objects do not come to rest."""
        rng = np.random.default_rng([seed, 17])
        first = self._camera(rng)
        second = first if rng.random() < 0.5 else self._camera(rng)
        rested = self._settle(draw_layout(seed), seed)
        if rested is None:
            return None
        before = self._look(first, rng)
        again = self._settle(change_layout(rested, seed), seed + 1)
        return None if again is None else Pair(seed, before, self._look(second, rng))

    def close(self) -> None:
        self._world.close()

    def _camera(self, rng: np.random.Generator) -> View:
        o = self.options
        elevation, azimuth = np.deg2rad([rng.uniform(*o.elevation_deg), rng.uniform(*o.azimuth_deg)])
        ray = np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        middle = np.array([0.51, 0.0, 0.02]) + rng.uniform(-0.03, 0.03, 3) * np.array([1.0, 1.0, 0.0])
        pose = Pose.looking_at(middle + rng.uniform(*o.distance_m) * ray, middle)
        return View(pose, renderer_intrinsics(o.width, o.height, np.deg2rad(rng.uniform(*o.fov_deg))))

    def _settle(self, specs: Sequence[ObjectSpec], seed: int) -> tuple[ObjectSpec, ...] | None:
        """Let objects come to rest and return them where they are then; None when one does not."""
        try:
            self._world.reset(seed=seed, objects=specs)
        except InvalidValueError:
            return None
        self._world.step(_SETTLE_STEPS)
        first = self._world.truth().objects
        self._world.step(_REST_STEPS)
        last = self._world.truth().objects
        for earlier, later, spec in zip(first, last, specs, strict=True):
            shift, turn = earlier.box.pose.distance_to(later.box.pose)
            tipped = spec.box.pose.distance_to(later.box.pose)[1]
            if shift > 5e-4 or turn > 0.005 or tipped > 0.03:
                return None
        return tuple(item.spec.at(item.box.pose) for item in last)

    def _look(self, view: View, rng: np.random.Generator) -> Look:
        self._world.view = view
        frame, truth = self._world.render(), self._world.truth()
        frame = self._through_lens(frame, rng)
        labels = truth.labels if truth.labels is not None else np.full(frame.size, -1)
        scene = true_scene(truth.objects, view.base_T_camera)
        specs = [item.spec.at(item.box.pose) for item in truth.objects]
        seen = frozenset(
            item.spec.id
            for i, item in enumerate(truth.objects)
            if self._seen_well(labels == i, specs[i], specs, view.base_T_camera.position)
        )
        return Look(frame, scene, seen, len(seen) == len(specs))

    def _through_lens(self, frame: CameraFrame, rng: np.random.Generator) -> CameraFrame:
        """The frame with noisy colours, as a camera takes it whose calibration is a little off."""
        o, true = self.options, frame.intrinsics
        noisy = np.clip(frame.color + rng.normal(0.0, o.color_noise, frame.color.shape), 0, 255).astype(
            np.uint8
        )
        across, down = _bent(true, float(rng.normal(0.0, o.radial_error)))
        scale = 1.0 + float(rng.normal(0.0, o.focal_error))
        off = rng.normal(0.0, o.centre_error_px, 2)
        believed = replace(
            true,
            fx=true.fx * scale,
            fy=true.fy * scale,
            cx=true.cx + float(off[0]),
            cy=true.cy + float(off[1]),
        )
        color = cv2.remap(noisy, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        depth_m = cv2.remap(frame.depth_m, across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
        return replace(
            frame,
            color=np.asarray(color, dtype=np.uint8),
            depth_m=np.asarray(depth_m, dtype=np.float32),
            intrinsics=believed,
        )

    def _seen_well(self, mask: BoolArray, spec: ObjectSpec, specs: list[ObjectSpec], eye: FloatArray) -> bool:
        cut = mask[:3].any() or mask[-3:].any() or mask[:, :3].any() or mask[:, -3:].any()
        if cut or np.count_nonzero(mask) < self.options.min_pixels:
            return False
        return visible_share(spec, specs, eye) >= self.options.min_visible


def _bent(camera: Intrinsics, k1: float) -> tuple[Float32Array, Float32Array]:
    """Columns and rows of the straight image at which each pixel of an image with radial distortion looks."""
    rows, columns = np.indices((camera.height, camera.width), dtype=np.float32)
    x, y = (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
    # The inverse of a small distortion, to first order.
    share = 1.0 - k1 * (x * x + y * y)
    across, down = camera.cx + camera.fx * x * share, camera.cy + camera.fy * y * share
    return across.astype(np.float32), down.astype(np.float32)


def true_scene(objects: Sequence[TrueObject], base_T_camera: Pose) -> Scene:
    """The truth as a scene on a level table at z = 0; names are referring expressions for the given viewer."""
    phrases = refer([item.spec for item in objects], [item.box.centre for item in objects], base_T_camera)
    outline = np.array([[0.2, -0.45], [0.85, -0.45], [0.85, 0.45], [0.2, 0.45]])
    found = [
        SceneObject(
            id=item.spec.id,
            name=phrases[i] or item.spec.id,
            label=item.spec.kind,
            color=item.spec.color,
            color_rgb=(255.0 * np.array(PALETTE[item.spec.color])).astype(np.uint8),
            shape="cylinder" if item.spec.kind == "cylinder" else "box",
            box=item.box,
            supported_by=next(
                (o.spec.id for o in objects if o is not item and stands_on(item.box, o.box)), TABLE
            ),
        )
        for i, item in enumerate(objects)
    ]
    return Scene((SupportSurface(TABLE, Pose(), outline),), tuple(found), base_T_camera)


def contact_sheet(pairs: Sequence[Pair], columns: int = 4) -> np.ndarray:
    """An RGB picture of looks side by side."""
    tiles = [cv2.resize(look.frame.color, (320, 240)) for pair in pairs for look in (pair.before, pair.after)]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
