# SPDX-License-Identifier: Apache-2.0
"""All of perception behind two calls: a frame with measured depth, or a colour image alone, becomes a scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.changes import compare
from spatialpin_ros.config import Workspace
from spatialpin_ros.errors import BackendError, CameraFrameError, SpatialPinError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception.by_name import named_by_masks, with_found
from spatialpin_ros.perception.completion import complete_scene
from spatialpin_ros.perception.configuration import PerceptionConfig
from spatialpin_ros.perception.fusion import SceneFuser
from spatialpin_ros.perception.known_objects import is_meant, with_known_models
from spatialpin_ros.perception.learned.modules import Modules
from spatialpin_ros.perception.leftovers import leftover_notes
from spatialpin_ros.perception.nouns import with_nouns
from spatialpin_ros.perception.reconstruct import reconstruct
from spatialpin_ros.perception.remembered import RememberedBodies
from spatialpin_ros.perception.rgb.reconstruct import estimate_frame, scene_of_estimate
from spatialpin_ros.perception.rgb.upright import find_upright, quarter_turns
from spatialpin_ros.perception.self_filter import robot_mask
from spatialpin_ros.perception.thinning import (
    stride_for,
    thinned_color,
    thinned_frame,
    thinned_intrinsics,
)
from spatialpin_ros.robot_body import RobotBody
from spatialpin_ros.scene import Scene

_ROBOT_MARGIN_M = 0.05
Lister = Callable[[UInt8Array], Sequence[str]]


@dataclass(frozen=True, slots=True, eq=False)
class ColorView:
    """A colour image without depth.

    Args:
        color: (H, W, 3) uint8 RGB.
        intrinsics: when they are known.
        base_T_camera: pose of the optical frame; None: a base frame is laid on the table.
        stamp_s: time of the exposure [s].
        base_frame, camera_frame: names of the frames.
    """

    color: UInt8Array
    intrinsics: Intrinsics | None = None
    base_T_camera: Pose | None = None
    stamp_s: float = 0.0
    base_frame: str = "base"
    camera_frame: str = "camera_color_optical_frame"


@dataclass(frozen=True, slots=True, eq=False)
class Perceived:
    """A scene, the frame that it shows, and what was assumed, left out or fell back on something else."""

    scene: Scene
    frame: CameraFrame
    notes: tuple[str, ...] = ()


class Perception:
    """Perception as a YAML file configures it.

    Geometry needs nothing and always runs. With a detector and a segmenter, objects are looked for by name; with a
    namer, they get nouns by their picture; models of known objects and a completion replace boxes; with a depth
    module, an image without depth will do. A learned module that is missing or fails is left out, and the notes say so.

    Args:
        config: what to use; None: geometry alone.
        workspace: region of the base frame that is looked at.
        views: scenes are fused from so many newest frames with measured depth.
        lister: names the objects of an image, for configurations without names of their own.
        modules: in the place of the configuration's.
    """

    def __init__(
        self,
        config: PerceptionConfig | None = None,
        workspace: Workspace | None = None,
        views: int = 1,
        lister: Lister | None = None,
        modules: Modules | None = None,
    ) -> None:
        self._config = config or PerceptionConfig()
        self._modules = modules or self._config.modules()
        self._lister = lister
        self._options = replace(self._config.geometry, workspace=workspace)
        self._bodies = RememberedBodies()
        self._views = views
        self._last: Scene | None = None
        self._fuser = SceneFuser(self._options, replace(self._config.fusion, max_views=views))

    @property
    def without_depth(self) -> bool:
        """Whether a colour image alone will do."""
        return self._modules.has("depth")

    def preload(self) -> tuple[str, ...]:
        """Load the configured modules now; return what is wrong with those that cannot be.

        On a thread of its own; scenes that are made meanwhile do without what is not ready.
        """
        return self._modules.load_all()

    def measured(
        self, frame: CameraFrame, names: Sequence[str] = (), robot: RobotBody | None = None
    ) -> Perceived:
        """Rebuild the scene of a frame with depth.

        Args:
            frame: the observation.
            names: of objects to look for; none: those of the configuration.
            robot: where the robot was at the exposure.

        Raises:
            PerceptionError: as the geometric `reconstruct` does; never for a learned module.
        """
        notes: list[str] = []
        frame = thinned_frame(frame, self._config.max_image_pixels)
        scene, several = self._seen(frame, robot)
        wanted = self._wanted(frame.color, names, notes)
        if wanted:
            scene = self._by_name(scene, frame, wanted, robot, several, notes)
        scene = self._refined(scene, frame, wanted, notes)
        notes += leftover_notes(scene, self._options.min_object_pixels)
        return Perceived(scene, frame, tuple(notes))

    def _seen(self, frame: CameraFrame, robot: RobotBody | None) -> tuple[Scene, bool]:
        """What geometry makes of the newest views between which nothing moved, and whether they are several."""
        scene = reconstruct(frame, self._options, robot=robot)
        if self._views == 1:
            return scene, False
        if (
            self._last is None
            or self._last.base_frame != scene.base_frame
            or compare(self._last, scene).moved
        ):
            self._fuser.clear()
        self._fuser.add(frame, robot)
        several = len(self._fuser) > 1
        self._last = self._fuser.scene() if several else scene
        return self._last, several

    def colored(
        self, view: ColorView, names: Sequence[str] = (), robot: RobotBody | None = None
    ) -> Perceived:
        """Rebuild the scene of a colour image, with estimated depth; confidences are lowered.

        Args:
            view: the observation.
            names: of objects to look for; none: those of the configuration.
            robot: where the robot was at the exposure; its pixels are left out.

        Raises:
            CameraFrameError: when no depth module is configured, or the image cannot be used.
            BackendError: when the depth module cannot be loaded or fails.
            PerceptionError: when the estimated depth shows no support plane.
        """
        if not self.without_depth:
            raise CameraFrameError(
                "there is no depth, and no depth module to estimate it; name one in the perception YAML, for example "
                "depth: depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf"
            )
        notes: list[str] = []
        view = _thinned(view, self._config.max_image_pixels)
        geometry = self._options if view.base_T_camera is not None else replace(self._options, workspace=None)
        options = replace(self._config.rgb, perception=geometry, base_T_camera=view.base_T_camera)
        frame = estimate_frame(view.color, view.intrinsics, self._modules, options, notes)
        base = frame.base_frame if view.base_T_camera is None else view.base_frame
        frame = replace(frame, stamp_s=view.stamp_s, base_frame=base, camera_frame=view.camera_frame)
        frame = _without(frame, None if view.base_T_camera is None else robot)
        wanted = self._wanted(frame.color, names, notes)
        try:
            scene = scene_of_estimate(frame, wanted, self._modules, options, notes)
        except BackendError as error:
            notes.append(f"objects are segmented by geometry, not by name: {error}")
            scene = scene_of_estimate(frame, (), self._modules, options, [])
        notes.append("depth is estimated, not measured: positions and sizes may be off by centimetres")
        if self._config.models:
            notes.append("models of known objects are not used: aligning them needs measured depth")
        return Perceived(self._with_nouns(scene, frame, wanted, notes), frame, tuple(notes))

    def _wanted(self, image: UInt8Array, names: Sequence[str], notes: list[str]) -> tuple[str, ...]:
        """What to look for by name: nothing without the modules for it."""
        wanted = tuple(names) or self._config.names
        if not wanted and self._lister is not None and self._modules.by_name:
            try:
                wanted = tuple(self._lister(image))
            except SpatialPinError as error:
                notes.append(f"nothing is looked for by name: {error}")
        if wanted and not self._modules.by_name:
            notes.append(
                "no detector and segmenter are configured: objects are segmented by geometry, not by name"
            )
            return ()
        return wanted

    def _by_name(
        self,
        scene: Scene,
        frame: CameraFrame,
        names: Sequence[str],
        robot: RobotBody | None,
        several: bool,
        notes: list[str],
    ) -> Scene:
        options = self._config.rgb
        try:
            found = find_upright(
                frame.color,
                names,
                self._modules,
                quarter_turns(frame.base_T_camera),
                second_pass=False,
                per_name=options.per_name,
                dilation_px=options.dilation_px,
            )
        except BackendError as error:
            notes.append(f"objects are segmented by geometry, not by name: {error}")
            return scene
        absent = [name for name in names if not any(item.name == name.strip() for item in found)]
        if absent:
            notes.append(f"not found in the image: {', '.join(absent)}")
        if not found:
            return scene
        if several:
            return named_by_masks(scene, frame, found)
        ignored = None if robot is None else robot_mask(frame, robot)
        return with_found(scene, frame, found, self._options, ignored)

    def _refined(self, scene: Scene, frame: CameraFrame, wanted: Sequence[str], notes: list[str]) -> Scene:
        scene = self._with_nouns(scene, frame, wanted, notes)
        if not self._config.models and not self._modules.completes:
            return scene
        seen = scene
        scene, done = self._bodies.recall(scene)
        scene = with_known_models(scene, frame, self._config.models, notes, done)
        if self._modules.completes:
            scene = self._completed(scene, frame, notes, done)
        self._bodies.remember(seen, scene)
        return scene

    def _completed(self, scene: Scene, frame: CameraFrame, notes: list[str], done: frozenset[str]) -> Scene:
        modelled = {
            item.id for item in scene.objects if any(is_meant(item, m.name) for m in self._config.models)
        }
        try:
            completer = self._modules.completion
        except BackendError as error:
            notes.append(f"objects keep their geometric shapes: {error}")
            return scene
        return complete_scene(scene, frame, completer, notes, done | modelled)

    def _with_nouns(self, scene: Scene, frame: CameraFrame, wanted: Sequence[str], notes: list[str]) -> Scene:
        if not self._modules.has("namer"):
            return scene
        config = self._config
        try:
            return with_nouns(
                scene, frame, self._modules.namer, config.nouns, config.least_noun_score, wanted
            )
        except BackendError as error:
            notes.append(f"objects keep their geometric nouns: {error}")
            return scene


def _without(frame: CameraFrame, robot: RobotBody | None) -> CameraFrame:
    """The frame without depth on the robot, found within the error of estimated depth."""
    if robot is None:
        return frame
    mask = robot_mask(frame, robot, _ROBOT_MARGIN_M)
    return replace(frame, depth_m=np.where(mask, np.float32(0.0), frame.depth_m))


def _thinned(view: ColorView, max_pixels: int) -> ColorView:
    stride = stride_for((view.color.shape[0], view.color.shape[1]), max_pixels)
    camera = view.intrinsics
    if camera is not None and camera.height == view.color.shape[0] and camera.width == view.color.shape[1]:
        camera = thinned_intrinsics(camera, stride)
    return replace(view, color=thinned_color(view.color, stride), intrinsics=camera)
