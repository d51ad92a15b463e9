# SPDX-License-Identifier: Apache-2.0
"""Importing PyTorch and transformers when they are first needed, and choosing the device that a network runs on."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from spatialpin_ros.errors import BackendError


def require(module: str, extra: str = "learned") -> Any:
    """Import a library of an extra.

    Raises:
        BackendError: when it is missing, or a torchvision that does not fit breaks it.
    """
    if importlib.util.find_spec(module) is None:
        raise BackendError(
            f"learned modules need {module}; install with: pip install 'spatialpin_ros[{extra}]'"
        )
    if importlib.util.find_spec("torchvision") is not None:
        try:
            importlib.import_module("torchvision")
        except (ImportError, RuntimeError) as error:
            raise BackendError(
                f"the installed torchvision does not fit torch and breaks transformers ({error}); it is not needed, "
                "remove it with: pip uninstall torchvision"
            ) from error
    return importlib.import_module(module)


def choose_device(wanted: str) -> str:
    """Turn "auto" into the best device there is: a CUDA GPU, else Apple's, else the CPU.

    Raises:
        BackendError: when the device asked for is not there.
    """
    torch = require("torch")
    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = wanted.partition(":")
    there = {
        "cpu": True,
        "mps": torch.backends.mps.is_available(),
        "cuda": torch.cuda.is_available() and int(index or 0) < torch.cuda.device_count(),
    }
    if not there.get(kind, False):
        raise BackendError(
            f"device '{wanted}' is not there; set device: auto, or one of {[k for k, ok in there.items() if ok]}"
        )
    return wanted
