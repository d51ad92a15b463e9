# SPDX-License-Identifier: Apache-2.0
"""Perception: a CameraFrame becomes a Scene, from colour and depth alone; `perceive` adds what is learned or known."""

from spatialpin_ros.perception.files import frame_from_files
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.reconstruct import reconstruct

__all__ = ["PerceptionOptions", "frame_from_files", "reconstruct"]
