# SPDX-License-Identifier: Apache-2.0
"""The modules that perception is put together from, one for each role, loaded when first used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast, get_args

from spatialpin_ros.errors import BackendError, InvalidValueError, SpatialPinError
from spatialpin_ros.perception.boundary import module_boundary
from spatialpin_ros.perception.completion import Completer, completer_names, create_completer
from spatialpin_ros.perception.inpainting import Inpainter, OpenCvInpainter
from spatialpin_ros.perception.learned.protocols import DepthEstimator, Detector, ImageTextScorer, Segmenter
from spatialpin_ros.perception.learned.registry import (
    AUTO,
    Role,
    create_module,
    create_plugin,
    module_names,
)

NETWORKS: tuple[str, ...] = get_args(Role)
ROLES = (*NETWORKS, "inpainter", "completion")
_EXAMPLES = {
    "detector": "IDEA-Research/grounding-dino-tiny",
    "segmenter": "facebook/sam2.1-hiera-tiny",
    "depth": "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf",
    "namer": "openai/clip-vit-base-patch32",
    "inpainter": "opencv",
    "completion": "geometric",
}
_PLUGIN = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class Modules:
    """One module for each role, or none.

    A module that cannot be made is tried once; after that every use raises the same error at once.

    Args:
        detector, segmenter, depth, namer: a module; a function that makes it, called when it is first used; or None.
        inpainter: OpenCV's unless another is given.
        completion: the geometric one unless another is given; `completes` tells whether one was.
    """

    def __init__(
        self,
        detector: Detector | Callable[[], Detector] | None = None,
        segmenter: Segmenter | Callable[[], Segmenter] | None = None,
        depth: DepthEstimator | Callable[[], DepthEstimator] | None = None,
        namer: ImageTextScorer | Callable[[], ImageTextScorer] | None = None,
        inpainter: Inpainter | Callable[[], Inpainter] | None = None,
        completion: Completer | Callable[[], Completer] | None = None,
    ) -> None:
        given = {
            "detector": detector,
            "segmenter": segmenter,
            "depth": depth,
            "namer": namer,
            "inpainter": inpainter or OpenCvInpainter,
            "completion": completion or create_completer,
        }
        self.completes = completion is not None
        self._makers: dict[str, Any] = {role: module for role, module in given.items() if module is not None}
        self._made: dict[str, Any] = {}
        self._failed: dict[str, str] = {}
        self._loading: set[str] = set()

    @property
    def configured(self) -> tuple[str, ...]:
        """Roles that have a module; it may still fail to load."""
        return tuple(self._makers)

    def has(self, role: str) -> bool:
        return role in self._makers

    @property
    def by_name(self) -> bool:
        """Whether objects can be looked for by name."""
        return self.has("detector") and self.has("segmenter")

    @property
    def detector(self) -> Detector:
        return cast(Detector, self.get("detector"))

    @property
    def segmenter(self) -> Segmenter:
        return cast(Segmenter, self.get("segmenter"))

    @property
    def depth(self) -> DepthEstimator:
        return cast(DepthEstimator, self.get("depth"))

    @property
    def namer(self) -> ImageTextScorer:
        return cast(ImageTextScorer, self.get("namer"))

    @property
    def inpainter(self) -> Inpainter:
        return cast(Inpainter, self.get("inpainter"))

    @property
    def completion(self) -> Completer:
        return cast(Completer, self.get("completion"))

    def get(self, role: str) -> Any:
        """Return the module of a role, made now when this is its first use.

        Raises:
            BackendError: when none is configured, it cannot be made, or `load_all` is at it on another thread.
        """
        if role in self._loading:
            raise BackendError(f"{role}: is still being loaded")
        return self._get(role)

    def load_all(self) -> tuple[str, ...]:
        """Make all configured modules; return what is wrong with those that cannot be.

        Meant for a thread of its own: whoever asks meanwhile for a module that is not ready is told so at once.
        """
        # What needs no network is there at once.
        roles = sorted(self.configured, key=lambda role: role in NETWORKS)
        self._loading = set(roles)
        problems = []
        try:
            for role in roles:
                try:
                    self._get(role)
                except BackendError as error:
                    problems.append(str(error))
                self._loading.discard(role)
        finally:
            self._loading.clear()
        return tuple(problems)

    def _get(self, role: str) -> Any:
        if role in self._made:
            return self._made[role]
        if role in self._failed:
            raise BackendError(self._failed[role])
        if role not in self._makers:
            raise BackendError(
                f"no {role} is configured; name one in the perception YAML, for example\n"
                f"  {role}: {_EXAMPLES.get(role, '...')}"
            )
        maker = self._makers[role]
        try:
            with module_boundary(role):
                ready = hasattr(maker, "name") and not isinstance(maker, type)
                self._made[role] = maker if ready else maker()
        except SpatialPinError as error:
            self._failed[role] = f"{role}: {str(error).removeprefix(f'{role}: ')}"
            raise BackendError(self._failed[role]) from error
        return self._made[role]


def maker_of(role: str, entry: Any, defaults: Mapping[str, Any], folder: Path) -> Callable[[], Any]:
    """What makes the module that one line of a perception YAML describes.

    Args:
        role: one of ROLES.
        entry: a model (folder or hub id), an address, "package.module:Class", or a mapping of settings with a
            `backend` and, for networks, a `model`.
        defaults: settings of every network: device, precision, ...
        folder: that relative paths start from.

    Raises:
        InvalidValueError: when the entry cannot mean anything.
    """
    settings = _settings(role, entry)
    backend = settings.pop("backend", AUTO if role in NETWORKS else None)
    if isinstance(backend, str) and _PLUGIN.fullmatch(backend):
        return lambda: create_plugin(role, backend, **settings)
    if role == "inpainter":
        return _checked(role, backend, ("opencv",), lambda: OpenCvInpainter(**settings))
    if role == "completion":
        return _checked(role, backend, completer_names(), lambda: create_completer(str(backend), **settings))
    network = cast(Role, role)
    if not isinstance(settings.get("model"), str):
        raise InvalidValueError(f"{role}: needs a model, such as '{role}: {_EXAMPLES[role]}'")
    merged = {**defaults, **settings, "model": _located(settings["model"], folder)}
    names = (AUTO, *module_names(network))
    return _checked(role, backend, names, lambda: create_module(network, str(backend), **merged))


def _settings(role: str, entry: Any) -> dict[str, Any]:
    """The settings that the short form of an entry stands for."""
    if isinstance(entry, Mapping):
        return {str(key): value for key, value in entry.items()}
    if not isinstance(entry, str) or not entry.strip():
        raise InvalidValueError(
            f"{role}: expected a name such as '{_EXAMPLES[role]}', or a mapping; got {entry!r:.80}"
        )
    text = entry.strip()
    if text.startswith(("http://", "https://")):
        if role != "completion":
            raise InvalidValueError(f"{role}: cannot be served over HTTP; a folder or model id is expected")
        return {"backend": "http", "url": text}
    if role not in NETWORKS or _PLUGIN.fullmatch(text):
        return {"backend": text}
    return {"model": text}


def _checked(role: str, backend: Any, names: tuple[str, ...], make: Callable[[], Any]) -> Callable[[], Any]:
    if backend not in names:
        raise InvalidValueError(
            f"no {role} called '{backend}'; there is: {', '.join(names)}, or package.module:Class"
        )
    return make


def _located(model: str, folder: Path) -> str:
    """A folder relative to the YAML file becomes absolute; a hub id stays."""
    path = Path(model).expanduser()
    if not path.is_absolute() and (folder / path).is_dir():
        return str((folder / path).resolve())
    return str(path) if model.startswith(("~", "/")) else model
