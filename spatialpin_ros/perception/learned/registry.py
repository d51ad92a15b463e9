# SPDX-License-Identifier: Apache-2.0
"""Learned modules by role and back end, imported when first asked for."""

from __future__ import annotations

import importlib
from dataclasses import fields
from typing import Any, Literal, get_args

from spatialpin_ros.errors import BackendError
from spatialpin_ros.perception.learned.loading import ModelSettings, check_folder, read_kind

Role = Literal["detector", "segmenter", "depth", "namer"]
AUTO = "auto"

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
    "namer": {"clip": (f"{_PACKAGE}.scoring", "ClipScorer")},
}


def module_names(role: Role) -> tuple[str, ...]:
    return tuple(_MODULES[role])


def create_module(role: Role, name: str = AUTO, **settings: Any) -> Any:
    """Load a learned module.

    Args:
        role: detector, segmenter, depth or namer.
        name: one of `module_names(role)`; "auto" chooses by what the model's config.json says it is.
        settings: fields of `ModelSettings` and the module's own keyword arguments.

    Raises:
        BackendError: on an unknown name or setting, or when the model cannot be loaded.
        InvalidValueError: on a setting out of range.
    """
    if role not in get_args(Role):
        raise BackendError(f"no role '{role}' for a learned module; there is: {', '.join(get_args(Role))}")
    if name != AUTO and name not in _MODULES[role]:
        raise BackendError(f"no {role} called '{name}'; there is: {', '.join(_MODULES[role])}")
    shared = {item.name for item in fields(ModelSettings)}
    own = {key: value for key, value in settings.items() if key not in shared}
    try:
        model = ModelSettings(**{key: value for key, value in settings.items() if key in shared})
        check_folder(model)
        kind = _kind_of(role, model) if name == AUTO else _class(role, name)
        return kind(model, **own)
    except TypeError as error:
        raise BackendError(f"{role} '{name}': {error}") from error


def _class(role: str, name: str) -> Any:
    module, kind = _MODULES[role][name]
    return getattr(importlib.import_module(module), kind)


def _kind_of(role: str, model: ModelSettings) -> Any:
    """The class of a role that takes a model of this kind."""
    classes = [_class(role, name) for name in _MODULES[role]]
    kinds = {kind: name for one in classes for kind, name in one.kinds.items()}
    found = read_kind(model, kinds)
    for one in classes:
        if found in one.kinds:
            return one
    raise BackendError(
        f"{model.model}: is a {found} model, which is no {role}; models for it are: {', '.join(sorted(kinds))}"
    )


def create_plugin(role: str, place: str, **settings: Any) -> Any:
    """Make a module of somebody else's: "package.module:Class", called with the settings as keyword arguments.

    Raises:
        BackendError: when it cannot be imported or made.
    """
    module, _, kind = place.partition(":")
    try:
        made = getattr(importlib.import_module(module), kind)(**settings)
    except (
        ImportError,
        SyntaxError,
        AttributeError,
        TypeError,
        ValueError,
        RuntimeError,
        OSError,
    ) as error:
        raise BackendError(f"{role} '{place}': cannot be made: {error}") from error
    if not hasattr(made, "name"):
        raise BackendError(f"{role} '{place}': needs an attribute 'name'; see docs/perception.md")
    return made
