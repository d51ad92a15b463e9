# SPDX-License-Identifier: Apache-2.0
"""Robot and camera YAML: every value is held against its type, and numbers against what their unit allows."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialpin_ros.config import CameraConfig, RobotConfig, share_directory
from spatialpin_ros.errors import InvalidValueError

CONFIG = share_directory() / "config"
KINDS = {"robots": RobotConfig, "cameras": CameraConfig}
FILES = sorted(path for folder in KINDS for path in (CONFIG / folder).glob("*.yaml"))


def load(document: object, kind: str) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.yaml"
        path.write_text(yaml.safe_dump(document))
        return KINDS[kind].load(str(path))


def shipped(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the values and lists of a document stand."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from places(entry, (*at, key))
        return
    yield at
    for index, entry in enumerate(value if isinstance(value, list) else ()):
        yield from places(entry, (*at, index))


def replaced(document: Any, at: tuple[Any, ...], value: object) -> Any:
    changed = copy.deepcopy(document)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return changed


NEVER_FITS = st.sampled_from([None, float("nan"), float("inf"), True, {}, {"a": 1}, [[]], -1e300, 10**400])
WORDS = st.text("abcxyz ", max_size=6) | st.just("1e-2") | st.just("22mm")
NUMBERS = st.integers() | st.floats()
PLACES = [(path, at) for path in FILES for at in places(shipped(path))]


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_value_of_another_type_is_named_wherever_it_stands(data: st.DataObject) -> None:
    path, at = data.draw(st.sampled_from(PLACES))
    document = shipped(path)
    here: Any = document
    for key in at:
        here = here[key]
    strange = NEVER_FITS | (NUMBERS if isinstance(here, str) else WORDS)
    broken = replaced(document, at, data.draw(strange))
    with pytest.raises(InvalidValueError) as caught:
        load(broken, path.parent.name)
    names = [key for key in at if isinstance(key, str)]
    assert ".".join(names) in str(caught.value)
    assert "mine.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        ("gripper.finger_thickness_m", 22, "22 m is not between 0 m and 0.5 m: metres, not millimetres?"),
        ("gripper.finger_thickness_m", "22mm", "expected a number, got '22mm'"),
        ("gripper.finger_length_m", float("nan"), "expected a finite number, got nan"),
        ("gripper.finger_length_m", 0.0, "0 m is not more than 0 m"),
        ("gripper.max_force_n", "40N", "expected a number, got '40N'"),
        ("gripper.max_width_m", 80, "metres, not millimetres"),
        ("gripper.max_width_m", "8e-2", "got '8e-2', which YAML takes for text; write 0.08"),
        ("gripper.joints", "panda_finger_joint1", r"expected a list, .*; write \[panda_finger_joint1\]"),
        ("gripper.joint_position_per_width", "half", "expected a number"),
        ("gripper", {"joints": ["a"], "links": ["b"], "max_width_m": 0.1, "joint_position_per_width": 0},
         "joint_position_per_width must not be 0"),
        ("home", [0, -45, 0, -135, 0, 90, 45], "-45 rad .* radians, not degrees"),
        ("limits.velocity", [124.6] * 7, "124.6 rad/s .* radians, not degrees"),
        ("limits.jerk", [0.0] * 7, "0 rad/s.3 is not more than"),
        ("workspace.max", [900, 800, 1200], "metres, not millimetres"),
        ("workspace.max", [0.9, 0.8], "expected 3 entries, got 2"),
        ("controllers.arm_action", 7, "expected text, got 7"),
        ("controllers.arm_action", "", "must not be empty"),
        ("controllers.gripper_action_type", "servo", "expected one of .*gripper_command"),
        ("allowed_collisions", [["a", "b", "c"]], "expected 2 entries"),
        ("urdf", None, "expected text, got nothing"),
    ],
)  # fmt: skip
def test_units_and_types_of_a_robot(at: str, value: object, message: str) -> None:
    document = replaced(shipped(CONFIG / "robots" / "panda.yaml"), tuple(at.split(".")), value)
    with pytest.raises(InvalidValueError, match=f"{at}.*{message}"):
        load(document, "robots")


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        ("image.width", 0, "0 px is not between"),
        ("image.width", 640.5, "expected a whole number"),
        ("image.vertical_fov_deg", 0.73, "0.73 degrees is not between 5 degrees and 170 degrees"),
        ("image.far_m", 3000, "metres, not millimetres"),
        ("image.far_m", 0.05, "image: need near_m < far_m"),
        ("image.rate_hz", -5, "-5 Hz"),
        ("topics.color", 5, "expected text"),
        ("pose.looking_from", [1, 2], "expected 3 entries, got 2"),
        ("pose.looking_from", [1250, 0, 700], "metres, not millimetres"),
        ("pose.looking_from", [0.48, 0.0, 0.03], "eye and target coincide"),
        ("pose", {"xyz": [0, 0, 1], "rpy": [0, 180, 0]}, "radians, not degrees"),
        ("pose", {"xyz": [0, 0, 1], "quaternion": [0, 0, 0, 0]}, "zero length"),
        ("pose", {1: 2, "a": 3}, "expected names and values"),
        ("pose", {"a": 3}, "needs looking_from and looking_at, or xyz and rpy"),
        ("pose", {"xyz": [0, 0, 1], "quaternion": [0, 0, 0, 1e300]}, "1e.300 is not between -1.01 and 1.01"),
        ("pose", None, "expected"),
        ("noise", "some", "expected one of .*realsense_d435"),
    ],
)  # fmt: skip
def test_units_and_types_of_a_camera(at: str, value: object, message: str) -> None:
    document = replaced(shipped(CONFIG / "cameras" / "simulation.yaml"), tuple(at.split(".")), value)
    with pytest.raises(InvalidValueError, match=message) as caught:
        load(document, "cameras")
    assert at.split(".")[0] in str(caught.value)


def test_all_faults_of_a_file_are_told_at_once() -> None:
    document = shipped(CONFIG / "robots" / "panda.yaml")
    document |= {"tipframe": "x", "home": "home", 5: 6}
    document["gripper"] |= {"finger_length_m": 45, "max_force": 3}
    with pytest.raises(InvalidValueError) as caught:
        load({key: value for key, value in document.items() if key != 5}, "robots")
    for told in (
        "unknown keys ['tipframe']",
        "home: expected a list",
        "gripper: unknown keys ['max_force']",
        "45 m",
    ):
        assert told in str(caught.value)
    with pytest.raises(InvalidValueError, match=r"expected words for keys, got \[5\]"):
        load(document, "robots")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_shipped_loads(path: Path) -> None:
    KINDS[path.parent.name].load(str(path))
