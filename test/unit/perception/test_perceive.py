# SPDX-License-Identifier: Apache-2.0
"""Perception with whatever modules there are: what each adds, and that none of them can stop it."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from spatialpin_ros.errors import BackendError, CameraFrameError, InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.perception import reconstruct
from spatialpin_ros.perception.completion import Completion
from spatialpin_ros.perception.configuration import ObjectModel, PerceptionConfig
from spatialpin_ros.perception.learned import Detection, Modules, Segmentation
from spatialpin_ros.perception.meshes import primitive_mesh
from spatialpin_ros.perception.perceive import ColorView, Perception

RED, BLUE = (200, 30, 30), (30, 60, 200)


class Shown:
    """A detector and segmenter that know one mask, in the picture as it is or turned upright."""

    name = "test"

    def __init__(self, mask):
        self.mask = mask
        self.sizes = []

    def _turned(self, image):
        self.sizes.append(image.shape[:2])
        return self.mask if image.shape[:2] == self.mask.shape else None

    def detect(self, images, names):
        mask = self._turned(images[0])
        rows, columns = np.nonzero(mask)
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=float)
        return [(Detection(names[0], box, 0.9),) for _ in images]

    def segment(self, images, prompts):
        return [Segmentation(self.mask[None].repeat(len(p), axis=0), np.ones(len(p))) for p in prompts]


class Mug:
    name = "test"

    def score(self, images, texts):
        return np.array([[0.9 if text == "mug" else 0.05 for text in texts] for _ in images])


class Careless:
    """Somebody's own module, which fails in ways that are none of this package's."""

    name = "careless"

    def detect(self, images, names):
        raise IndexError("list index out of range")

    segment = detect

    def score(self, images, texts):
        return np.zeros((1, 1, 1))

    def complete(self, frame, item):
        raise ZeroDivisionError("division by zero")

    def estimate(self, images, intrinsics=None):
        raise RuntimeError("CUDA error: device-side assert triggered")


def broken():
    raise BackendError("weights are missing; hf download x/y")


@pytest.fixture
def cube(bodies):
    return bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED)


@pytest.fixture
def frame(cast, cube):
    return cast([cube])


@pytest.fixture
def perceive(options):
    """Make perception of modules, a configuration and the test's workspace."""

    def make(modules=None, **config):
        return Perception(
            PerceptionConfig(geometry=options, **config), options.workspace, modules=modules or Modules()
        )

    return make


def mask_of(cast, body, **view):
    return cast([body], table=False, **view).depth_m > 0


def test_without_modules_it_is_the_geometric_scene(frame, options, perceive):
    seen = perceive().measured(frame)
    assert seen.scene.names == reconstruct(frame, options).names
    assert seen.scene.depth_source == "measured"
    assert seen.notes == ()


def test_names_are_found_by_the_modules(cast, cube, frame, perceive):
    shown = Shown(mask_of(cast, cube))
    seen = perceive(Modules(shown, shown)).measured(frame, ["toy"])
    assert seen.scene.names == ("toy",)
    np.testing.assert_allclose(seen.scene.named("toy").size, 0.06, atol=0.003)


def test_what_nobody_looked_for_stays_in_the_scene(cast, bodies, cube, perceive):
    other = bodies["cylinder"](0.6, -0.2, 0.06, 0.08, BLUE)
    frame, shown = cast([cube, other]), Shown(mask_of(cast, cube))
    seen = perceive(Modules(shown, shown), names=("toy",)).measured(frame)
    assert set(seen.scene.names) == {"toy", "blue cylinder"}
    assert np.linalg.norm(seen.scene.named("blue cylinder").centre - other.pose.position) < 0.006


def test_the_picture_of_a_rolled_camera_is_turned_for_the_modules(cast, cube, perceive):
    # Image up is +y and image right is down: three quarter turns counter-clockwise bring up to the top.
    side = {"up": (0.0, 1.0, 0.0)}
    shown = Shown(np.ascontiguousarray(np.rot90(mask_of(cast, cube, **side), 3)))
    seen = perceive(Modules(shown, shown)).measured(cast([cube], **side), ["toy"])
    assert shown.sizes == [(640, 480)]
    assert seen.scene.names == ("toy",)
    assert np.linalg.norm(seen.scene.named("toy").centre - cube.pose.position) < 0.006


def test_a_module_that_fails_leaves_the_geometric_scene_and_says_why(frame, perceive):
    perception = perceive(Modules(broken, broken, namer=broken, completion=broken))
    seen = perception.measured(frame, ["toy"])
    assert seen.scene.names == ("red cube",)
    assert len(seen.notes) == 3
    assert all("hf download x/y" in note for note in seen.notes)


def test_a_module_that_failed_is_not_tried_again(frame, perceive):
    tries = []

    def failing():
        tries.append(1)
        raise BackendError("no weights")

    perception = perceive(Modules(namer=failing))
    assert perception.preload() == ("namer: no weights",)
    for _ in range(3):
        assert "no weights" in perception.measured(frame).notes[0]
    assert len(tries) == 1


@pytest.mark.parametrize("preload", [True, False])
@pytest.mark.parametrize(
    "error",
    [RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), InvalidValueError("batch_size must be 1")],
)
def test_whatever_stops_a_module_from_being_made_leaves_the_other_modules(frame, perceive, preload, error):
    def failing():
        raise error

    perception = perceive(Modules(depth=failing, namer=Mug(), completion=failing), nouns=("mug",))
    if preload:
        problems = perception.preload()
        assert [text.partition(": ")[0] for text in problems] == ["completion", "depth"]
        assert all(str(error) in text and text.count("depth:") <= 1 for text in problems)
    for _ in range(2):
        seen = perception.measured(frame)
        assert seen.scene.names == ("red mug",)
        (note,) = seen.notes
        assert str(error) in note
    with pytest.raises(BackendError, match="depth: .*(out of memory|batch_size)"):
        perception.colored(ColorView(frame.color, frame.intrinsics, frame.base_T_camera))


def test_roles_are_not_loading_for_ever_when_loading_ends_early():
    class OddError(Exception):
        pass

    def odd():
        raise OddError

    modules = Modules(detector=odd, namer=Mug)
    with pytest.raises(OddError):
        modules.load_all()
    assert isinstance(modules.namer, Mug)


def test_foreign_errors_of_a_module_stay_at_its_boundary(frame, perceive):
    careless = Careless()
    perception = perceive(Modules(careless, careless, careless, careless, completion=careless))
    seen = perception.measured(frame, ["toy"])
    assert seen.scene.names == ("red cube",)
    said = " ".join(seen.notes)
    assert "IndexError" in said
    assert "namer: gave scores of shape" in said
    assert "ZeroDivisionError" in said
    with pytest.raises(BackendError, match="depth: failed with RuntimeError: CUDA error"):
        perception.colored(ColorView(frame.color, frame.intrinsics, frame.base_T_camera))


def test_names_without_modules_are_noted(frame, perceive):
    seen = perceive().measured(frame, ["toy"])
    assert seen.scene.names == ("red cube",)
    assert "no detector" in seen.notes[0]


def test_the_namer_gives_nouns_but_not_to_what_was_asked_for(cast, cube, frame, perceive):
    found = perceive(Modules(namer=Mug()), nouns=("cup", "mug")).measured(frame).scene.objects[0]
    assert (found.name, found.label) == ("red mug", "mug")
    unsure = perceive(Modules(namer=Mug()), nouns=("cup",)).measured(frame)
    assert unsure.scene.names == ("red cube",)
    shown = Shown(mask_of(cast, cube))
    asked = perceive(Modules(shown, shown, namer=Mug()), nouns=("mug",)).measured(frame, ["toy"])
    assert asked.scene.names == ("toy",)


def test_a_vision_model_says_what_to_look_for(cast, cube, frame, options):
    shown = Shown(mask_of(cast, cube))
    perception = Perception(
        workspace=options.workspace, modules=Modules(shown, shown), lister=lambda image: ["wooden toy"]
    )
    assert perception.measured(frame).scene.names == ("wooden toy",)

    def silent(image):
        raise BackendError("the server is away")

    perception = Perception(workspace=options.workspace, modules=Modules(shown, shown), lister=silent)
    seen = perception.measured(frame)
    assert seen.scene.names == ("red cube",)
    assert "the server is away" in seen.notes[0]


@pytest.fixture
def cube_file(tmp_path, cube):
    trimesh = pytest.importorskip("trimesh")
    mesh = primitive_mesh(OrientedBox(Pose(), np.array(cube.size)), "box")
    path = tmp_path / "cube.stl"
    trimesh.Trimesh(1000.0 * mesh.vertices, mesh.triangles).export(path)
    return path


@pytest.mark.parametrize("name", ["red cube", "cube", "Red Cube"])
def test_a_model_of_a_known_object_takes_the_place_of_its_box(frame, cube, cube_file, perceive, name):
    models = (ObjectModel(name, cube_file, 0.001),)
    seen = perceive(models=models).measured(frame)
    found = seen.scene.named("red cube")
    assert seen.notes == ()
    assert len(found.mesh.vertices) == 8
    assert np.linalg.norm(found.mesh.vertices.mean(axis=0) - cube.pose.position) < 0.003
    np.testing.assert_allclose(found.size, cube.size, atol=5e-4)


def test_a_model_that_fits_nothing_is_noted_and_does_no_harm(frame, cube_file, perceive):
    models = (ObjectModel("mug", cube_file, 0.001), ObjectModel("cube", cube_file, 0.004))
    seen = perceive(models=models).measured(frame)
    assert seen.scene.named("red cube").mesh is None
    assert "no object is a 'mug'" in seen.notes[0]
    assert "does not fit" in seen.notes[1]


def test_completion_gives_every_object_a_watertight_mesh(cast, bodies, cube, perceive):
    trimesh = pytest.importorskip("trimesh")
    frame = cast([cube, bodies["cylinder"](0.6, -0.2, 0.06, 0.08, BLUE)])
    config = PerceptionConfig(makers={}).modules()
    assert not config.completes
    from spatialpin_ros.perception.completion import create_completer

    seen = perceive(Modules(completion=create_completer)).measured(frame)
    assert len(seen.scene.objects) == 2
    for item in seen.scene.objects:
        assert trimesh.Trimesh(item.mesh.vertices, item.mesh.triangles).is_watertight


def test_an_image_without_depth_needs_a_depth_module(frame, perceive):
    with pytest.raises(CameraFrameError, match="there is no depth.*depth: depth-anything"):
        perceive().colored(ColorView(frame.color))


def test_views_are_fused_until_something_moves(cast, bodies, options):
    wall = bodies["box"](0.62, 0.0, (0.04, 0.16, 0.16), BLUE)

    def view(x, eye):
        return cast([wall, bodies["box"](x, 0.0, (0.05, 0.05, 0.05), RED)], eye=eye, size=(320, 240))

    aside, behind_the_wall = (0.9, 0.7, 0.7), (1.25, 0.0, 0.45)
    alone = Perception(workspace=options.workspace)
    assert alone.measured(view(0.46, behind_the_wall)).scene.names == ("blue box",)
    perception = Perception(workspace=options.workspace, views=3)
    assert len(perception.measured(view(0.46, aside)).scene.objects) == 2
    assert len(perception.measured(view(0.46, behind_the_wall)).scene.objects) == 2
    moved = perception.measured(view(0.36, aside)).scene
    assert len(moved.objects) == 2
    assert min(np.linalg.norm(item.centre[:2] - (0.36, 0.0)) for item in moved.objects) < 0.006


def test_while_modules_are_loaded_scenes_come_without_them(frame, perceive):
    loading, go_on = threading.Event(), threading.Event()

    def slow():
        loading.set()
        go_on.wait(30.0)
        return Mug()

    perception = perceive(Modules(namer=slow), nouns=("mug",))
    thread = threading.Thread(target=perception.preload)
    thread.start()
    assert loading.wait(30.0)
    early = perception.measured(frame)
    go_on.set()
    thread.join(30.0)
    assert early.scene.names == ("red cube",)
    assert "still being loaded" in early.notes[0]
    assert perception.measured(frame).scene.names == ("red mug",)


class Counting:
    """A completer that counts what it is asked for."""

    name = "counting"

    def __init__(self, fails=False):
        self.asked, self.fails = [], fails

    def complete(self, frame, item):
        self.asked.append(item.name)
        if self.fails:
            raise BackendError("no answer from http://localhost:1")
        return Completion(primitive_mesh(item.box, "box"), in_base=True)


def test_bodies_are_made_once_for_what_stays_where_it_is(cast, bodies, cube, perceive):
    def seen_at(y):
        return cast([cube, bodies["cylinder"](0.6, y, 0.06, 0.08, BLUE)])

    completer = Counting()
    perception = perceive(Modules(completion=completer))
    for _ in range(2):
        scene = perception.measured(seen_at(-0.2)).scene
        assert all(item.mesh is not None for item in scene.objects)
    assert sorted(completer.asked) == ["blue cylinder", "red cube"]
    perception.measured(seen_at(-0.1))
    assert completer.asked[2:] == ["blue cylinder"]


def test_a_server_that_is_away_is_not_asked_for_every_object(cast, bodies, perceive):
    frame = cast([bodies["box"](0.4 + 0.1 * k, -0.2 + 0.12 * k, (0.05, 0.05, 0.05), RED) for k in range(4)])
    completer = Counting(fails=True)
    seen = perceive(Modules(completion=completer)).measured(frame)
    assert len(seen.scene.objects) == 4
    assert len(completer.asked) == 2
    assert len(seen.notes) == 4


def test_a_model_is_not_completed_over(frame, cube_file, perceive):
    completer = Counting()
    perception = perceive(Modules(completion=completer), models=(ObjectModel("cube", cube_file, 0.001),))
    assert perception.measured(frame).scene.objects[0].mesh is not None
    assert completer.asked == []
