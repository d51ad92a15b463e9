# SPDX-License-Identifier: Apache-2.0
"""The simulated workcell: one PyBullet client with a table, an arm, a camera on a mast or the arm, and objects."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np

from spatialpin_ros.arrays import Float32Array, Int32Array, UInt8Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.config import CameraConfig, RobotConfig, share_directory
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.simulation.bullet import connect
from spatialpin_ros.simulation.depth_noise import add_depth_noise
from spatialpin_ros.simulation.description import camera_mast, robot_description
from spatialpin_ros.simulation.generator import GeneratorOptions, generate_objects
from spatialpin_ros.simulation.objects import ObjectSpec, object_urdf
from spatialpin_ros.simulation.robot import SimulatedRobot
from spatialpin_ros.simulation.views import Rendering, View, render, snapshot_view, with_backdrop
from spatialpin_ros.simulation.window import Body, Placement, Window


@dataclass(frozen=True, slots=True)
class PhysicsOptions:
    """Step [s], solver iterations and gravity [m/s^2]; measured to be enough for friction-only grasps."""

    step_s: float = 1.0 / 240.0
    solver_iterations: int = 50
    gravity_m_s2: float = 9.81


@dataclass(frozen=True, slots=True, eq=False)
class TrueObject:
    """An object as it really is: its spec and the present pose of its box in the base frame."""

    spec: ObjectSpec
    box: OrientedBox


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Ground truth, for evaluation and tests alone.

    Args:
        objects: in the order they were added.
        labels: (H, W) index into `objects` per pixel of the last rendered frame, -1 elsewhere; None before one.
        depth_m: (H, W) noise-free depth of that frame [m]; None before one.
    """

    objects: tuple[TrueObject, ...]
    labels: Int32Array | None
    depth_m: Float32Array | None


class World:
    """Physics, rendering and objects; the arm is `robot`. Not thread-safe: use it from one thread.

    Args:
        robot: the arm; its base frame is the world frame and stands on the table (z = 0).
        camera: pose, image and depth noise of the RGB-D camera.
        gui: open PyBullet's window.
        seed: of scenes drawn by `reset` and of the depth noise.

    Raises:
        BackendError: when PyBullet is missing, or a window is asked for and there is no display.
    """

    def __init__(
        self,
        robot: RobotConfig,
        camera: CameraConfig,
        *,
        gui: bool = False,
        seed: int = 0,
        physics: PhysicsOptions | None = None,
    ) -> None:
        self.physics = physics or PhysicsOptions()
        self.camera = camera
        self.view = View.from_config(camera)
        self._bullet, self._client = connect()
        self._window = Window() if gui else None
        self._objects: dict[int, ObjectSpec] = {}
        self._urdfs: dict[int, Path] = {}
        self._last: Rendering | None = None
        self._seed = seed
        self._noise = np.random.default_rng(seed)
        self._steps = 0
        self._mounts = count()
        self._folder = tempfile.TemporaryDirectory(prefix="spatialpin_world_")
        self._set_physics()
        self._load_workcell()
        description = self._write("robot", robot_description(robot, camera))
        self.robot = SimulatedRobot(self._bullet, self._client, robot, description)
        self._follow_arm()

    def _set_physics(self) -> None:
        """Set up the solver.

        Separating axes give flat faces four contact points at once; the default (GJK) finds one per step, which let
        fingers sink 5 mm into small boxes and turn them.
        """
        self._bullet.setPhysicsEngineParameter(
            fixedTimeStep=self.physics.step_s,
            numSolverIterations=self.physics.solver_iterations,
            deterministicOverlappingPairs=1,
            enableSAT=1,
            physicsClientId=self._client,
        )
        self._bullet.setGravity(0.0, 0.0, -self.physics.gravity_m_s2, physicsClientId=self._client)

    def _load_workcell(self) -> None:
        folder = share_directory() / "urdf"
        self._floor = self._load(folder / "floor.urdf", Pose(), fixed=True)
        self._load(folder / "table.urdf", Pose(), fixed=True)
        if not self.camera.on_arm:
            self._mount = self._load_mount(self.view.base_T_camera)

    def _load_mount(self, base_T_camera: Pose) -> int:
        template = share_directory() / "urdf" / "camera_mount.urdf.template"
        foot, text = camera_mast(base_T_camera, template.read_text())
        # The engine remembers files by name.
        name = f"camera_mount_{next(self._mounts)}"
        return self._load(self._write(name, text), foot, fixed=True)

    def move_camera(self, base_T_camera: Pose) -> None:
        """Put the camera and its mast elsewhere; `base_T_camera` is the pose of the optical frame.

        Raises:
            InvalidValueError: for a camera on the arm, which has no mast.
        """
        if self.camera.on_arm:
            raise InvalidValueError(f"camera '{self.camera.name}' is on the arm: move the arm instead")
        self._remove(self._mount)
        self._mount = self._load_mount(base_T_camera)
        self.view = replace(self.view, base_T_camera=base_T_camera)
        self._last = None

    def _follow_arm(self) -> None:
        """Let a camera on the arm look from where its link is now."""
        if self.camera.on_arm:
            base_T_parent = self.robot.link_pose(self.camera.parent_frame)
            self.view = replace(self.view, base_T_camera=base_T_parent @ self.camera.parent_T_camera)

    def _write(self, name: str, text: str) -> Path:
        path = Path(self._folder.name) / f"{name}.urdf"
        path.write_text(text)
        return path

    def _load(self, path: Path, pose: Pose, *, fixed: bool) -> int:
        flags = self._bullet.URDF_USE_INERTIA_FROM_FILE | self._bullet.URDF_INITIALIZE_SAT_FEATURES
        if not fixed:
            # Resting objects are most of the solver's work: asleep, eight of them cost a fifth.
            flags |= self._bullet.URDF_ENABLE_SLEEPING
        position, quaternion = pose.position.tolist(), pose.quaternion.tolist()
        body = int(
            self._bullet.loadURDF(
                str(path), position, quaternion, useFixedBase=fixed, flags=flags, physicsClientId=self._client
            )
        )
        self._urdfs[body] = path
        return body

    def _remove(self, body: int) -> None:
        self._bullet.removeBody(body, physicsClientId=self._client)
        self._urdfs.pop(body).unlink()

    @property
    def time_s(self) -> float:
        """Simulated time since the world was made; never goes back."""
        return self._steps * self.physics.step_s

    @property
    def objects(self) -> tuple[ObjectSpec, ...]:
        """What was put on the table, at the poses it was put at."""
        return tuple(self._objects.values())

    def step(self, count: int = 1) -> None:
        """Advance the physics by `count` steps."""
        for _ in range(count):
            self._bullet.stepSimulation(physicsClientId=self._client)
        self._steps += count
        if self._window is not None and self._window.due:
            self._window.show(self.visible())

    def visible(self) -> dict[int, Body]:
        """What the window shows: everything but the floor."""
        urdfs = {body: path for body, path in self._urdfs.items() if body != self._floor}
        bodies = {body: Body(path, self._placement(body)) for body, path in urdfs.items()}
        states = self.robot.joint_states()
        joints = dict(zip(states.names, states.positions.tolist(), strict=True))
        arm = self.robot.body
        bodies[arm] = Body(self.robot.urdf_path, self._placement(arm), joints)
        return bodies

    def add_object(self, spec: ObjectSpec) -> None:
        """Put an object into the world at its pose.

        Raises:
            InvalidValueError: when an object with its id is there already.
        """
        if any(other.id == spec.id for other in self._objects.values()):
            raise InvalidValueError(f"object '{spec.id}' is in the world already; ids must be unique")
        path = self._write(
            f"{spec.id}_{len(self._objects)}_{self._steps}", object_urdf(spec, Path(self._folder.name))
        )
        self._objects[self._load(path, spec.box.pose, fixed=False)] = spec

    def clear(self) -> None:
        """Take all objects off the table."""
        for body in self._objects:
            self._remove(body)
        self._objects.clear()
        self._last = None

    def reset(
        self,
        seed: int | None = None,
        count: int | None = None,
        objects: Sequence[ObjectSpec] | None = None,
        options: GeneratorOptions | None = None,
    ) -> tuple[ObjectSpec, ...]:
        """Put the arm home and a new scene on the table, settle it, and return its objects.

        Args:
            seed: of the scene; None: the world's own. A scene whose objects do not stay put is drawn again.
            count: number of objects, 2 to 8; None: random.
            objects: these instead of random ones; they are settled but never replaced.
            options: of the generator; None: its defaults with this world's camera.

        Raises:
            InvalidValueError: when no stable scene is found.
        """
        seed = self._seed if seed is None else seed
        self.robot.go_home()
        self._follow_arm()
        options = options or GeneratorOptions(camera_eye_m=self._camera_eye())
        self._noise = np.random.default_rng(seed)
        for attempt in range(20):
            self.robot.go_home()
            self.clear()
            drawn = (
                objects
                if objects is not None
                else generate_objects(seed + attempt * 1_000_003, count, options)
            )
            for spec in drawn:
                self.add_object(spec)
            if self._settle() or objects is not None:
                return self.objects
        raise InvalidValueError(
            f"scene: no stable arrangement found from seed {seed}; try another seed or fewer objects"
        )

    def _camera_eye(self) -> tuple[float, float, float]:
        x, y, z = (float(value) for value in self.view.base_T_camera.position)
        return x, y, z

    def _settle(self, duration_s: float = 0.5) -> bool:
        """Let things come to rest; True when every object stayed upright where it was put."""
        self.step(round(duration_s / self.physics.step_s))
        for body, spec in self._objects.items():
            shift, turn = spec.box.pose.distance_to(self._pose(body))
            if shift > 0.005 or turn > np.deg2rad(2.0):
                return False
        return True

    def _placement(self, body: int) -> Placement:
        position, quaternion = self._bullet.getBasePositionAndOrientation(body, physicsClientId=self._client)
        return position, quaternion

    def _pose(self, body: int) -> Pose:
        position, quaternion = self._placement(body)
        return Pose(np.array(position), np.array(quaternion))

    def expose(self) -> tuple[UInt8Array, Float32Array]:
        """Take an RGB-D image with the configured depth noise, from where the camera is now.

        Returns:
            (H, W, 3) colour and (H, W) depth [m], 0 where nothing is measured: everywhere, where all is too near.
        """
        self._follow_arm()
        self._last = render(self._bullet, self._client, self.view)
        depth = self._last.depth_m
        if self.camera.noise != "none":
            depth = add_depth_noise(depth, self.view.intrinsics, self._noise)
        return self._last.color, depth

    def render(self) -> CameraFrame:
        """Take an RGB-D image as a frame.

        Raises:
            NoDepthError: when nothing is measured.
        """
        color, depth_m = self.expose()
        return CameraFrame(
            color=color,
            depth_m=depth_m,
            intrinsics=self.view.intrinsics,
            base_T_camera=self.view.base_T_camera,
            stamp_s=self.time_s,
            base_frame=self.camera.base_frame,
            camera_frame=self.camera.optical_frame,
        )

    def snapshot(self, view: str | View = "overview", width: int = 480, height: int = 360) -> UInt8Array:
        """Render an (H, W, 3) picture for people from a named or given view."""
        chosen = snapshot_view(view, width, height) if isinstance(view, str) else view
        picture = render(self._bullet, self._client, chosen)
        return with_backdrop(picture, (-1, self._floor))

    def truth(self) -> Truth:
        """Return where everything really is."""
        objects = tuple(
            TrueObject(spec, OrientedBox(self._pose(body), spec.size)) for body, spec in self._objects.items()
        )
        if self._last is None:
            return Truth(objects, None, None)
        order = np.full(int(self._last.bodies.max()) + 2, -1, dtype=np.int32)
        for index, body in enumerate(self._objects):
            if body < len(order) - 1:
                order[body] = index
        return Truth(objects, order[self._last.bodies], self._last.depth_m)

    def close(self) -> None:
        """Disconnect; the world cannot be used afterwards. Safe to call twice."""
        if self._window is not None:
            self._window.close()
        if self._bullet.isConnected(self._client):
            self._bullet.disconnect(self._client)
        self._folder.cleanup()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
