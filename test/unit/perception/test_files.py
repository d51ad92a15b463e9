# SPDX-License-Identifier: Apache-2.0
"""Frames from files: what is read, what is refused and why, and the base frame laid on the table."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import yaml

from spatialpin_ros.errors import CameraFrameError, PerceptionError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.perception import PerceptionOptions, frame_from_files, reconstruct
from spatialpin_ros.perception.files import read_color

RED = (200, 30, 30)


@pytest.fixture(scope="module")
def small_frame(cast, bodies):
    return cast([bodies["box"](0.5, 0.1, (0.06, 0.06, 0.06), RED)], size=(320, 240))


@pytest.fixture
def files(tmp_path, small_frame):
    """Colour PNG, depth PNG in mm and intrinsics JSON of one frame."""
    k = small_frame.intrinsics
    paths = tmp_path / "color.png", tmp_path / "depth.png", tmp_path / "camera.json"
    cv2.imwrite(str(paths[0]), small_frame.color[:, :, ::-1])
    cv2.imwrite(str(paths[1]), np.round(small_frame.depth_m * 1000).astype(np.uint16))
    paths[2].write_text(
        json.dumps({"width": k.width, "height": k.height, "fx": k.fx, "fy": k.fy, "cx": k.cx, "cy": k.cy})
    )
    return paths


def test_png_depth_and_json_intrinsics(files, small_frame):
    frame = frame_from_files(*files, small_frame.base_T_camera)
    np.testing.assert_array_equal(frame.color, small_frame.color)
    np.testing.assert_allclose(frame.depth_m, small_frame.depth_m, atol=0.0006)
    assert frame.intrinsics.fx == pytest.approx(small_frame.intrinsics.fx)
    found = reconstruct(frame, PerceptionOptions()).objects[0]
    np.testing.assert_allclose(found.centre, (0.5, 0.1, 0.03), atol=0.004)


@pytest.mark.parametrize("form", ["npy metres", "npz", "npy millimetres", "png tenths"])
def test_depth_forms(files, small_frame, tmp_path, form):
    color, _, camera = files
    depth, scale = small_frame.depth_m, 0.001
    path = tmp_path / ("d.npz" if form == "npz" else "d.png" if "png" in form else "d.npy")
    if form == "npy metres":
        np.save(path, depth)
    elif form == "npz":
        np.savez(path, depth=depth, other=np.zeros(2))
    elif form == "npy millimetres":
        np.save(path, np.round(depth * 1000).astype(np.uint16))
    else:
        scale = 0.0001
        cv2.imwrite(str(path), np.round(depth * 10000).astype(np.uint16))
    frame = frame_from_files(color, path, camera, Pose(), scale)
    np.testing.assert_allclose(frame.depth_m, depth, atol=0.0006)


@pytest.mark.parametrize("key", ["k", "K", "camera_matrix"])
def test_camera_info_yaml(files, small_frame, tmp_path, key):
    k = small_frame.intrinsics
    values = k.matrix.ravel().tolist()
    matrix = {"rows": 3, "cols": 3, "data": values} if key == "camera_matrix" else values
    path = tmp_path / "info.yaml"
    path.write_text(yaml.safe_dump({key: matrix, "image_width": k.width, "image_height": k.height}))
    frame = frame_from_files(files[0], files[1], path, Pose())
    assert frame.intrinsics.fy == pytest.approx(k.fy)
    assert frame.intrinsics.cx == pytest.approx(k.cx)


@pytest.mark.parametrize("kind", ["grey", "rgba", "16 bits", "jpeg"])
def test_colour_forms(files, small_frame, tmp_path, kind):
    rgb = np.asarray(small_frame.color)
    path = tmp_path / ("c.jpg" if kind == "jpeg" else "c.png")
    image = {
        "grey": rgb.mean(axis=2).astype(np.uint8),
        "rgba": np.dstack([rgb[:, :, ::-1], np.full(rgb.shape[:2], 255, np.uint8)]),
        "16 bits": rgb[:, :, ::-1].astype(np.uint16) * 257,
        "jpeg": rgb[:, :, ::-1],
    }[kind]
    cv2.imwrite(str(path), image)
    color = frame_from_files(path, files[1], files[2], Pose()).color
    assert color.shape == rgb.shape
    if kind in ("rgba", "16 bits"):
        np.testing.assert_array_equal(color, rgb)
    elif kind == "jpeg":
        assert np.abs(color.astype(int) - rgb).mean() < 4


def test_without_a_pose_a_base_frame_is_laid_on_the_table(files, small_frame):
    frame = frame_from_files(*files)
    assert frame.base_frame == "table"
    pose, true = frame.base_T_camera, small_frame.base_T_camera
    assert pose.position[2] == pytest.approx(true.position[2], abs=0.003)
    assert pose.position[0] < 0.0
    # The optical axis descends towards +x, with no sideways part.
    np.testing.assert_allclose(pose.axes[1, 2], 0.0, atol=1e-6)
    assert pose.axes[0, 2] > 0.0 > pose.axes[2, 2]
    found = reconstruct(frame, PerceptionOptions()).objects[0]
    np.testing.assert_allclose(found.size, 0.06, atol=0.004)
    assert found.box.bottom_z == pytest.approx(0.0, abs=0.002)


def test_no_table_no_pose(files, tmp_path):
    noise = np.random.default_rng(0).uniform(0.4, 3.0, (240, 320)).astype(np.float32)
    np.save(tmp_path / "noise.npy", noise)
    with pytest.raises(PerceptionError, match="no support plane"):
        frame_from_files(files[0], tmp_path / "noise.npy", files[2])


def _write(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("which", "name", "content", "message"),
    [
        (0, "missing.png", None, "cannot read the colour image"),
        (0, "empty.png", b"", "not a readable colour image"),
        (0, "text.png", b"hello", "not a readable colour image"),
        (1, "missing.npy", None, "cannot read the depth array"),
        (1, "text.npy", b"hello", "cannot read the depth array"),
        (2, "missing.json", None, "intrinsics.*cannot read"),
        (2, "bad.json", b"{", "intrinsics.*cannot read"),
        (2, "list.yaml", b"[1, 2]", "expected a mapping"),
        (2, "part.yaml", b"fx: 300", "is missing"),
        (2, "words.yaml", b"{fx: a, fy: b, cx: 1, cy: 2}", "must be numbers"),
        (2, "short.yaml", b"k: [1, 2, 3]", "9 numbers"),
        (2, "zero.yaml", b"{fx: 0, fy: 0, cx: 160, cy: 120}", "focal lengths must be positive"),
        (2, "size.yaml", b"{fx: 600, fy: 600, cx: 320, cy: 240, width: 640, height: 480}", "640x480"),
    ],
)
def test_bad_files_are_named(files, tmp_path, which, name, content, message):
    path = tmp_path / name
    if content is not None:
        _write(path, content)
    chosen = list(files)
    chosen[which] = path
    with pytest.raises(CameraFrameError, match=message) as caught:
        frame_from_files(*chosen, Pose())
    assert name in str(caught.value) or message == "is missing" or "focal" in message


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((240, 320), np.float32), "no pixel has a valid depth"),
        (np.full((240, 320), 800.0, np.float32), "in millimetres"),
        (np.ones((240, 320, 3), np.float32), "one channel"),
        (np.ones((120, 160), np.float32), "sizes disagree"),
        (np.full((240, 320), "x"), "must be numbers"),
    ],
)
def test_bad_depth_is_refused(files, tmp_path, array, message):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(CameraFrameError, match=message):
        frame_from_files(files[0], tmp_path / "bad.npy", files[2], Pose())


def test_eight_bit_depth_is_refused(files, tmp_path):
    cv2.imwrite(str(tmp_path / "depth8.png"), np.full((240, 320), 90, np.uint8))
    with pytest.raises(CameraFrameError, match="16 bits"):
        frame_from_files(files[0], tmp_path / "depth8.png", files[2], Pose())


def test_archive_without_depth_lists_what_it_has(files, tmp_path):
    np.savez(tmp_path / "a.npz", left=np.ones(2), right=np.ones(2))
    with pytest.raises(CameraFrameError, match="left.*right"):
        frame_from_files(files[0], tmp_path / "a.npz", files[2], Pose())


@pytest.mark.parametrize("name", ["depth.npy", "depth.npz"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6])
def test_an_array_that_was_cut_short_is_named(files, tmp_path, name, share):
    path = tmp_path / name
    (np.save if name.endswith("npy") else np.savez_compressed)(path, np.ones((240, 320), np.float32))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CameraFrameError, match=f"{name}: cannot read the depth array"):
        frame_from_files(files[0], path, files[2], Pose())


def test_an_archive_with_damaged_data_is_named(files, tmp_path):
    path = tmp_path / "depth.npz"
    np.savez_compressed(path, np.random.default_rng(0).random((240, 320), np.float32))
    content = bytearray(path.read_bytes())
    content[2000:2100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(CameraFrameError, match="cannot read the depth array"):
        frame_from_files(files[0], path, files[2], Pose())


@pytest.mark.parametrize("name", ["c.png", "c.jpg"])
def test_an_image_that_was_cut_short_is_refused_and_a_whole_one_with_a_tail_is_not(tmp_path, name):
    path = tmp_path / name
    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    cv2.imwrite(str(path), picture)
    whole = path.read_bytes()
    path.write_bytes(whole + b"appended by a phone")
    assert read_color(path).shape == (120, 160, 3)
    for share in (0.3, 0.7, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CameraFrameError, match=f"{name}: .*(damaged|not a readable)"):
            read_color(path)


def test_progressive_jpeg_with_restarts_is_whole(tmp_path):
    path = tmp_path / "c.jpg"
    picture = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
    cv2.imwrite(str(path), picture, options)
    assert read_color(path).shape == (120, 160, 3)


def test_a_png_with_a_changed_byte_is_refused(tmp_path):
    path = tmp_path / "c.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(CameraFrameError, match="damaged|not a readable"):
        read_color(path)
