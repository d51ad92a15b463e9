# SPDX-License-Identifier: Apache-2.0
"""Where the intrinsics of a single image come from."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ExifTags, Image

from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.errors import CameraFrameError
from spatialpin_ros.perception.files import read_color
from spatialpin_ros.perception.rgb.field_of_view import choose_intrinsics, exif_intrinsics, trust_in

SIZE = (480, 640)


def photo(path, focal_mm=None):
    image = Image.new("RGB", (640, 480))
    exif = Image.Exif()
    if focal_mm is not None:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = focal_mm
    image.save(path, exif=exif)
    return path


def test_calibration_comes_first():
    given = Intrinsics(640, 480, 600.0, 600.0, 320.0, 240.0)
    assert choose_intrinsics(SIZE, given, 700.0) is given
    assert trust_in(given) == 1.0


def test_then_the_models_focal_length_then_a_stated_default():
    model = choose_intrinsics(SIZE, None, 700.0)
    assert (model.fx, model.cx, model.source) == (700.0, 319.5, "depth model")
    default = choose_intrinsics(SIZE, None, None, 42.0)
    assert default.source == "default"
    assert default.fy == pytest.approx(240.0 / np.tan(np.deg2rad(21.0)))
    assert trust_in(default) < trust_in(model) < 1.0


def test_intrinsics_of_another_size_are_refused():
    with pytest.raises(CameraFrameError, match="320x240, the image has 640x480"):
        choose_intrinsics(SIZE, Intrinsics(320, 240, 300.0, 300.0, 160.0, 120.0), None)


def test_exif_gives_the_focal_length_by_the_diagonal(tmp_path):
    found = exif_intrinsics(photo(tmp_path / "a.jpg", 28))
    assert found.source == "exif"
    # The half diagonal is seen under the angle that a 28 mm lens gives half of 43.27 mm.
    assert np.hypot(320, 240) / found.fx == pytest.approx(43.2666 / 2 / 28, rel=1e-4)


@pytest.mark.parametrize("focal_mm", [None, 0, 4000])
def test_a_photo_without_a_usable_focal_length_has_none(tmp_path, focal_mm):
    assert exif_intrinsics(photo(tmp_path / "a.jpg", focal_mm)) is None


def test_what_is_no_photo_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(CameraFrameError, match="not a readable image"):
        exif_intrinsics(tmp_path / "a.jpg")


@pytest.mark.parametrize(("orientation", "turned"), [(1, False), (3, False), (6, True), (8, True)])
def test_a_photo_on_its_side_is_read_upright_with_the_camera_of_the_turned_picture(
    tmp_path, orientation, turned
):
    image = Image.new("RGB", (640, 480))
    image.paste((200, 0, 0), (0, 0, 320, 480))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 28
    image.save(tmp_path / "side.jpg", exif=exif)
    color, camera = read_color(tmp_path / "side.jpg", upright=True), exif_intrinsics(tmp_path / "side.jpg")
    assert color.shape[:2] == ((640, 480) if turned else (480, 640)) == (camera.height, camera.width)
    assert read_color(tmp_path / "side.jpg").shape[:2] == (480, 640)
    # The left half is red: a quarter turn clockwise brings it to the top, one the other way to the bottom.
    middle = {1: (240, 100), 3: (240, 540), 6: (100, 240), 8: (540, 240)}[orientation]
    assert color[middle][0] > 150
