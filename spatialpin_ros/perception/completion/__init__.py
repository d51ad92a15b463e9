# SPDX-License-Identifier: Apache-2.0
"""Whole bodies for objects of which one side is seen: by geometry, or by an image-to-3D model served elsewhere."""

from spatialpin_ros.perception.completion.protocol import Completer, Completion
from spatialpin_ros.perception.completion.registry import complete_scene, completer_names, create_completer

__all__ = ["Completer", "Completion", "complete_scene", "completer_names", "create_completer"]
