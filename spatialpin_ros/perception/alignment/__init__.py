# SPDX-License-Identifier: Apache-2.0
"""Alignment of given meshes to what the camera sees."""

from spatialpin_ros.perception.alignment.align import Alignment, AlignmentOptions, align_mesh, use_model

__all__ = ["Alignment", "AlignmentOptions", "align_mesh", "use_model"]
