# SPDX-License-Identifier: Apache-2.0
"""Reasoning back ends by name, imported when first asked for."""

from __future__ import annotations

import importlib
import importlib.util
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


_BACKENDS = {
    "symbolic": _Entry("spatialpin_ros.reasoning.backends.symbolic"),
    "openai": _Entry("spatialpin_ros.reasoning.backends.openai", ("httpx", "jinja2", "jsonschema"), "vlm"),
    "transformers": _Entry(
        "spatialpin_ros.reasoning.backends.transformers",
        ("torch", "transformers", "llguidance", "PIL", "jinja2", "jsonschema"),
        "local",
    ),
    "replay": _Entry("spatialpin_ros.reasoning.backends.replay", ("jinja2", "jsonschema"), "vlm"),
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
    try:
        backend: Backend = module.create(**settings)
    except TypeError as error:
        raise BackendError(f"back end '{name}': {error}") from error
    return backend
