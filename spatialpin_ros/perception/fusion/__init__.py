# SPDX-License-Identifier: Apache-2.0
"""Fusion: several CameraFrames of one table become one Scene."""

from spatialpin_ros.perception.fusion.fuse import SceneFuser, fuse
from spatialpin_ros.perception.fusion.options import FusionOptions

__all__ = ["FusionOptions", "SceneFuser", "fuse"]
