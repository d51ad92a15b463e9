# SPDX-License-Identifier: Apache-2.0
"""Folders of tiny models with random weights, saved once, and back ends on them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

if TYPE_CHECKING:
    from spatialpin_ros.reasoning.backends.transformers import TransformersModel

os.environ.setdefault("HF_HUB_OFFLINE", "1")
SHORT = {"temperature": 1.0, "max_chars": 8, "max_items": 2, "max_tokens": 400}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices of 32 columns are slower on many threads than on one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Save the tiny model of a family, once."""
    import tiny_vlms

    made: dict[str, str] = {}

    def get(family: str) -> str:
        if family not in made:
            made[family] = tiny_vlms.save(family, tmp_path_factory.mktemp("models") / family)
        return made[family]

    return get


@pytest.fixture
def copy(folder: Callable[[str], str], tmp_path: Path) -> Callable[[str], Path]:
    """Copy a tiny model, to be spoilt."""

    def make(family: str) -> Path:
        return Path(shutil.copytree(folder(family), tmp_path / family))

    return make


@pytest.fixture
def load(folder: Callable[[str], str]) -> Iterator[Callable[..., TransformersModel]]:
    """Load a tiny model with short replies."""
    from spatialpin_ros.reasoning.backends.transformers import LocalModelSettings, TransformersModel

    loaded: list[TransformersModel] = []

    def make(family: str = "llava", **settings: Any) -> TransformersModel:
        loaded.append(TransformersModel(LocalModelSettings(folder(family), **{**SHORT, **settings})))
        return loaded[-1]

    yield make
    for each in loaded:
        each.close()


@pytest.fixture(scope="session")
def png() -> bytes:
    gradient = np.linspace(0, 255, 96 * 128 * 3).reshape(96, 128, 3).astype(np.uint8)
    return bytes(cv2.imencode(".png", gradient)[1].tobytes())
