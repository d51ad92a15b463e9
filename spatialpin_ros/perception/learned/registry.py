# SPDX-License-Identifier: Apache-2.0
"""Learned modules by role and name, imported when first asked for."""

from __future__ import annotations

import importlib
from dataclasses import fields
from typing import Any, Literal, get_args

from spatialpin_ros.errors import BackendError
from spatialpin_ros.perception.learned.loading import ModelSettings

Role = Literal["detector", "segmenter", "depth", "scorer"]

_PACKAGE = "spatialpin_ros.perception.learned"
_MODULES: dict[str, dict[str, tuple[str, str]]] = {
    "detector": {
        "grounding_dino": (f"{_PACKAGE}.detection", "GroundingDinoDetector"),
        "owlv2": (f"{_PACKAGE}.detection", "Owlv2Detector"),
    },
    "segmenter": {
        "sam": (f"{_PACKAGE}.segmentation", "SamSegmenter"),
        "sam2": (f"{_PACKAGE}.segmentation", "Sam2Segmenter"),
    },
    "depth": {
        "depth_anything": (f"{_PACKAGE}.depth", "DepthAnythingEstimator"),
        "depth_pro": (f"{_PACKAGE}.depth", "DepthProEstimator"),
        "zoedepth": (f"{_PACKAGE}.depth", "ZoeDepthEstimator"),
    },
    "scorer": {"clip": (f"{_PACKAGE}.scoring", "ClipScorer")},
}


def module_names(role: Role) -> tuple[str, ...]:
    return tuple(_MODULES[role])


def create_module(role: Role, name: str, **settings: Any) -> Any:
    """Load a learned module.

    Args:
        role: detector, segmenter, depth or scorer.
        name: one of `module_names(role)`.
        settings: fields of `ModelSettings` and the module's own keyword arguments.

    Raises:
        BackendError: on an unknown name or setting, or when the model cannot be loaded.
        InvalidValueError: on a setting out of range.
    """
    if role not in get_args(Role):
        raise BackendError(f"no role '{role}' for a learned module; there is: {', '.join(get_args(Role))}")
    if name not in _MODULES[role]:
        raise BackendError(f"no {role} called '{name}'; there is: {', '.join(_MODULES[role])}")
    module, kind = _MODULES[role][name]
    shared = {item.name for item in fields(ModelSettings)}
    own = {key: value for key, value in settings.items() if key not in shared}
    try:
        model = ModelSettings(**{key: value for key, value in settings.items() if key in shared})
        return getattr(importlib.import_module(module), kind)(model, **own)
    except TypeError as error:
        raise BackendError(f"{role} '{name}': {error}") from error
