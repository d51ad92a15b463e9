# SPDX-License-Identifier: Apache-2.0
"""Reasoning back ends by name, imported when first asked for."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spatialpin_ros.errors import BackendError
from spatialpin_ros.reasoning.protocol import Backend


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a back end's `create` function lives and what it needs installed."""

    module: str
    needs: tuple[str, ...] = ()
    extra: str = ""
    must: str = ""
    example: str = ""
    own: str = ""

    def fields(self) -> tuple[dataclasses.Field[Any], ...]:
        """Fields of the class that holds the back end's own settings."""
        where, _, kind = self.own.rpartition(".")
        return dataclasses.fields(getattr(importlib.import_module(where), kind)) if kind else ()

    def settings(self) -> tuple[str, ...]:
        """Names of all settings: those of its own, and what all models share."""
        if not self.must:
            return ()
        from spatialpin_ros.reasoning.backends.assembly import FOLDERS, SHARED

        return tuple(dict.fromkeys((self.must, *(field.name for field in self.fields()), *SHARED, *FOLDERS)))

    def types(self) -> dict[str, str]:
        """Names of the settings that are of a plain type, and which."""
        own = {field.name: str(field.type) for field in self.fields() if str(field.type) in _TYPES}
        shared = {"max_repairs": "int", "tasks_per_object": "int", "suggest_parameters": "bool"}
        return {**own, **shared} if self.must else own


_TYPES: dict[str, type | tuple[type, ...]] = {"int": int, "float": (int, float), "bool": bool, "str": str}
_BACKENDS = {
    "symbolic": _Entry("spatialpin_ros.reasoning.backends.symbolic"),
    "openai": _Entry(
        "spatialpin_ros.reasoning.backends.openai",
        ("httpx", "jinja2", "jsonschema"),
        "vlm",
        "model",
        "model=gpt-4o",
        "spatialpin_ros.reasoning.backends.openai.Endpoint",
    ),
    "transformers": _Entry(
        "spatialpin_ros.reasoning.backends.transformers",
        ("torch", "transformers", "llguidance", "PIL", "jinja2", "jsonschema"),
        "local",
        "model",
        "model=/models/Qwen2.5-VL-3B-Instruct",
        "spatialpin_ros.reasoning.backends.transformers_loading.LocalModelSettings",
    ),
    "replay": _Entry(
        "spatialpin_ros.reasoning.backends.replay",
        ("jinja2", "jsonschema"),
        "vlm",
        "folder",
        "folder=runs/first",
    ),
}


def backend_names() -> tuple[str, ...]:
    return tuple(_BACKENDS)


def create_backend(name: str, **settings: Any) -> Backend:
    """Make the back end called `name`; `settings` are its own keyword arguments.

    Raises:
        BackendError: on an unknown name or setting, or when a library it needs is not installed.
    """
    if name not in _BACKENDS:
        raise BackendError(f"no reasoning back end called '{name}'; there is: {', '.join(_BACKENDS)}")
    entry = _BACKENDS[name]
    missing = [module for module in entry.needs if importlib.util.find_spec(module) is None]
    if missing:
        raise BackendError(
            f"back end '{name}' needs {', '.join(missing)}; install with: "
            f"pip install 'spatialpin_ros[{entry.extra}]' (or: pip install {' '.join(missing)})"
        )
    module = importlib.import_module(entry.module)
    _check_settings(name, entry, settings)
    try:
        backend: Backend = module.create(**settings)
    except TypeError as error:
        raise BackendError(f"back end '{name}': {error}") from error
    return backend


def _check_settings(name: str, entry: _Entry, settings: Mapping[str, Any]) -> None:
    """Refuse settings that a back end does not have, and ask for the one that it cannot do without.

    Raises:
        BackendError: lists the settings that there are, and a likely spelling.
    """
    known = entry.settings()
    for unknown in (key for key in settings if key not in known):
        close = difflib.get_close_matches(unknown, known, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        there_is = ", ".join(known) or "none"
        raise BackendError(f"back end '{name}' has no setting '{unknown}'; there is: {there_is}{hint}")
    for key, wanted in entry.types().items():
        if key in settings and not isinstance(settings[key], _TYPES[wanted]):
            raise BackendError(f"back end '{name}': setting '{key}' must be {wanted}, got {settings[key]!r}")
    if entry.must and entry.must not in settings:
        raise BackendError(
            f"back end '{name}' needs the setting '{entry.must}': --set {entry.must}=..., or in Python "
            f"create_backend('{name}', {entry.must}=...), for example {entry.example}"
        )
