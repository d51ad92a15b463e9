# SPDX-License-Identifier: Apache-2.0
"""The modules that perception is put together from, chosen by one YAML file and loaded when first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast, get_args

import yaml

from spatialpin_ros.config import share_directory
from spatialpin_ros.errors import BackendError, InvalidValueError, UnknownNameError
from spatialpin_ros.perception.completion import Completer, completer_names, create_completer
from spatialpin_ros.perception.inpainting import Inpainter, OpenCvInpainter
from spatialpin_ros.perception.learned.protocols import DepthEstimator, Detector, ImageTextScorer, Segmenter
from spatialpin_ros.perception.learned.registry import Role, create_module, module_names

_ROLES = (*get_args(Role), "completion")


class Modules:
    """One module for each role, or none.

    Args:
        detector, segmenter, depth, scorer: a module; a function that makes it, called when it is first used; or None.
        inpainter: OpenCV's unless another is given.
        completion: the geometric one unless another is given.
    """

    def __init__(
        self,
        detector: Detector | Callable[[], Detector] | None = None,
        segmenter: Segmenter | Callable[[], Segmenter] | None = None,
        depth: DepthEstimator | Callable[[], DepthEstimator] | None = None,
        scorer: ImageTextScorer | Callable[[], ImageTextScorer] | None = None,
        inpainter: Inpainter | None = None,
        completion: Completer | Callable[[], Completer] | None = None,
    ) -> None:
        given = {
            "detector": detector,
            "segmenter": segmenter,
            "depth": depth,
            "scorer": scorer,
            "completion": completion or create_completer,
        }
        self._modules: dict[str, Any] = {role: module for role, module in given.items() if module is not None}
        self.inpainter: Inpainter = inpainter or OpenCvInpainter()

    @classmethod
    def load(cls, name_or_path: str = "geometric") -> Modules:
        """Read config/perception/<name>.yaml, or the YAML file at a path: for each role a back end and its settings.

        Raises:
            UnknownNameError: lists the files there are.
            InvalidValueError: on unknown roles or back ends, naming the file.
        """
        path = _locate(name_or_path)
        try:
            document = yaml.safe_load(path.read_text()) or {}
        except (OSError, yaml.YAMLError) as error:
            raise InvalidValueError(f"cannot read {path}: {error}") from error
        unknown = sorted(set(document) - set(_ROLES)) if isinstance(document, dict) else ["?"]
        if unknown:
            raise InvalidValueError(f"{path}: unknown keys {unknown}; known are {sorted(_ROLES)}")
        modules = cls()
        for role, entry in document.items():
            if entry is not None:
                modules._modules[role] = _factory(role, entry, path)
        return modules

    def has(self, role: Role) -> bool:
        """Whether a module is configured for this role; it may still fail to load."""
        return role in self._modules

    @property
    def detector(self) -> Detector:
        module: Detector = self._get("detector")
        return module

    @property
    def segmenter(self) -> Segmenter:
        module: Segmenter = self._get("segmenter")
        return module

    @property
    def depth(self) -> DepthEstimator:
        module: DepthEstimator = self._get("depth")
        return module

    @property
    def scorer(self) -> ImageTextScorer:
        module: ImageTextScorer = self._get("scorer")
        return module

    @property
    def completion(self) -> Completer:
        module: Completer = self._get("completion")
        return module

    def _get(self, role: str) -> Any:
        if role not in self._modules:
            raise BackendError(
                f"no {role} is configured; name one in config/perception/<name>.yaml, for example\n"
                f"  {role}: {{backend: {_names(role)[0]}, model: <folder or model id>}}"
            )
        module = self._modules[role]
        if not hasattr(module, "name"):
            module = self._modules[role] = module()
        return module


def _names(role: str) -> tuple[str, ...]:
    return completer_names() if role == "completion" else module_names(cast(Role, role))


def _factory(role: str, entry: Any, path: Path) -> Callable[[], Any]:
    if not isinstance(entry, Mapping) or "backend" not in entry:
        raise InvalidValueError(f"{path}: {role} needs a backend and its settings, got {entry!r:.80}")
    settings = {key: value for key, value in entry.items() if key != "backend"}
    name = entry["backend"]
    if name not in _names(role):
        raise InvalidValueError(f"{path}: no {role} called '{name}'; there is: {', '.join(_names(role))}")
    if role == "completion":
        return lambda: create_completer(name, **settings)
    return lambda: create_module(cast(Role, role), name, **settings)


def _locate(name_or_path: str) -> Path:
    path = Path(name_or_path).expanduser()
    if path.suffix in (".yaml", ".yml"):
        return path
    known = share_directory() / "config" / "perception"
    path = known / f"{name_or_path}.yaml"
    if not path.is_file():
        raise UnknownNameError(
            name_or_path, sorted(item.stem for item in known.glob("*.yaml")), "set of perception modules"
        )
    return path
