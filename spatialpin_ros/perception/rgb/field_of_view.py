# SPDX-License-Identifier: Apache-2.0
"""The camera of a single image: calibrated, else from EXIF, else from the depth model, else a stated default."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.errors import CameraFrameError

_FULL_FRAME_MM = (36.0, 24.0)
_ON_ITS_SIDE = (5, 6, 7, 8)
DEFAULT_VERTICAL_FOV_DEG = 46.0
TRUST = {"exif": 0.9, "depth model": 0.8, "default": 0.5}
"""How far to trust a scene whose intrinsics came from these sources; calibrated ones count 1."""


def exif_intrinsics(path: str | PathLike[str]) -> Intrinsics | None:
    """Intrinsics from the 35 mm equivalent focal length that cameras write into JPEG files; None without one.

    They are those of the picture turned upright, as `read_color(path, upright=True)` reads it.
    The equivalent is taken along the diagonal, of 43.27 mm, as CIPA DCG-001 defines it.

    Raises:
        CameraFrameError: when the file is not a readable image.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            exif = image.getexif()
            if exif.get(ExifTags.Base.Orientation, 1) in _ON_ITS_SIDE:
                width, height = height, width
            focal_mm = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
    except (OSError, UnidentifiedImageError) as error:
        raise CameraFrameError(f"{path}: not a readable image: {error}") from error
    if not focal_mm or not 5.0 <= float(focal_mm) <= 2000.0:
        return None
    focal = float(focal_mm) / float(np.hypot(*_FULL_FRAME_MM)) * float(np.hypot(width, height))
    return _centred(width, height, focal, "exif")


def choose_intrinsics(
    size: tuple[int, int],
    given: Intrinsics | None,
    model_focal_px: float | None,
    default_vertical_fov_deg: float = DEFAULT_VERTICAL_FOV_DEG,
) -> Intrinsics:
    """Choose the best there is; `source` says which.

    Args:
        size: height and width of the image [px].
        given: calibrated ones, or from EXIF.
        model_focal_px: the depth model's own estimate.
        default_vertical_fov_deg: when there is neither.

    Raises:
        CameraFrameError: when the given ones are for another image size.
    """
    height, width = size
    if given is not None:
        if (given.height, given.width) != size:
            raise CameraFrameError(
                f"intrinsics are for {given.width}x{given.height}, the image has {width}x{height}; "
                "use those of this image's resolution, or none"
            )
        return given
    if model_focal_px is not None:
        return _centred(width, height, model_focal_px, "depth model")
    return replace(
        Intrinsics.from_vertical_fov(width, height, np.deg2rad(default_vertical_fov_deg)), source="default"
    )


def trust_in(intrinsics: Intrinsics) -> float:
    return TRUST.get(intrinsics.source, 1.0)


def _centred(width: int, height: int, focal_px: float, source: str) -> Intrinsics:
    return Intrinsics(width, height, focal_px, focal_px, (width - 1) / 2.0, (height - 1) / 2.0, source)
