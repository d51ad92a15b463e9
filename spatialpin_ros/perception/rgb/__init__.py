# SPDX-License-Identifier: Apache-2.0
"""Scenes from a single colour image."""

from spatialpin_ros.perception.rgb.field_of_view import exif_intrinsics
from spatialpin_ros.perception.rgb.options import RgbOptions
from spatialpin_ros.perception.rgb.reconstruct import reconstruct_rgb

__all__ = ["RgbOptions", "exif_intrinsics", "reconstruct_rgb"]
