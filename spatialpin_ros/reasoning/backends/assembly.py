# SPDX-License-Identifier: Apache-2.0
"""Puts a prompted back end together from a model and the settings that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spatialpin_ros.reasoning.backends.prompted import PromptedBackend
from spatialpin_ros.reasoning.prompting import Prompts
from spatialpin_ros.reasoning.protocol import LanguageModel
from spatialpin_ros.reasoning.recording import RecordingModel

SHARED = ("max_repairs", "priors", "suggest_parameters", "tasks_per_object")
FOLDERS = ("prompts_folder", "record_folder")


def assemble(
    name: str, make_model: Callable[..., LanguageModel], settings: Mapping[str, Any]
) -> PromptedBackend:
    """Make a prompted back end.

    Args:
        name: of the back end, kept in its tasks.
        make_model: makes the model from the settings that are its own.
        settings: beside the model's own, SHARED (see `PromptedBackend`), `prompts_folder` (templates to use instead
            of the package's) and `record_folder` (see `RecordingModel`).

    Raises:
        InvalidValueError: on a setting out of range.
        BackendError: of the model, or when the run cannot be recorded.
    """
    own = {key: value for key, value in settings.items() if key not in (*SHARED, *FOLDERS)}
    shared = {key: settings[key] for key in SHARED if key in settings}
    backend = PromptedBackend(name, make_model(**own), Prompts(settings.get("prompts_folder")), **shared)
    record_folder: Path | str | None = settings.get("record_folder")
    if record_folder:
        kept = {key: getattr(backend, key) for key in SHARED}
        backend.model = RecordingModel(
            backend.model, record_folder, {**kept, "priors": str(backend.priors), "backend": name}
        )
    return backend
