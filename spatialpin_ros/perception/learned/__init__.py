# SPDX-License-Identifier: Apache-2.0
"""Learned modules of perception behind small interfaces; each is optional and loaded when first used."""

from spatialpin_ros.perception.learned.modules import Modules
from spatialpin_ros.perception.learned.protocols import (
    DepthEstimate,
    DepthEstimator,
    Detection,
    Detector,
    ImageTextScorer,
    Prompt,
    Segmentation,
    Segmenter,
)
from spatialpin_ros.perception.learned.registry import create_module, module_names

__all__ = [
    "DepthEstimate",
    "DepthEstimator",
    "Detection",
    "Detector",
    "ImageTextScorer",
    "Modules",
    "Prompt",
    "Segmentation",
    "Segmenter",
    "create_module",
    "module_names",
]
