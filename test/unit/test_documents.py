# SPDX-License-Identifier: Apache-2.0
"""Files that people write: whatever is wrong with one is the same error, wherever it is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialpin_ros.commands.capture import read_pose
from spatialpin_ros.commands.common import read_task
from spatialpin_ros.config import CameraConfig, RobotConfig
from spatialpin_ros.documents import read_mapping
from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.perception.configuration import PerceptionConfig
from spatialpin_ros.reasoning import read_settings
from spatialpin_ros.scene import Scene
from spatialpin_ros.serialization import load

READERS: dict[str, Callable[[Path], object]] = {
    "robot": lambda path: RobotConfig.load(str(path)),
    "camera": lambda path: CameraConfig.load(str(path)),
    "perception": lambda path: PerceptionConfig.load(str(path)),
    "settings": lambda path: read_settings([str(path)]),
    "pose": read_pose,
    "scene": lambda path: load(Scene, path),
    "task": lambda path: read_task(path, 1),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    "content",
    [b"name: caf\xe9", b"\xff\xfe\x00", b"{", b"a: !!timestamp soon", b"a: !!bool maybe", b"[" * 5000, b"2024-13-45"],
)  # fmt: skip
def test_a_file_that_is_no_document_is_named(
    tmp_path: Path, reader: Callable[[Path], object], content: bytes
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidValueError, match=r"mine\.yaml"):
        reader(path)


@given(content=st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_a_mapping_or_the_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        found = read_mapping(path)
    except InvalidValueError:
        return
    assert all(isinstance(key, str) for key in found)


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_mapping(path) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{xyz: abc, rpy: [0, 0, 0]}", "xyz: expected a list, got 'abc'"),
        ("{1: 2, a: 3}", "needs looking_from and looking_at.*; got .'1', 'a'"),
        ("[1, 2]", "expected looking_from and looking_at"),
        ("{xyz: [0, 0, .nan], rpy: [0, 0, 0]}", "finite"),
        ("{xyz: [0, 0, 1], rpy: [0, 90, 0]}", "radians, not degrees"),
    ],
)
def test_a_pose_that_is_none_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pose.yaml"
    path.write_text(text)
    with pytest.raises(InvalidValueError, match=message) as caught:
        read_pose(path)
    assert "pose.yaml" in str(caught.value)
