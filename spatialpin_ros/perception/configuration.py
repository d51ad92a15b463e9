# SPDX-License-Identifier: Apache-2.0
"""Perception as one YAML file: which modules, what to look for, models of known objects, and settings of each part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from spatialpin_ros.config import resolve_uri, share_directory
from spatialpin_ros.documents import read_document
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.perception.fusion import FusionOptions
from spatialpin_ros.perception.learned.loading import ModelSettings
from spatialpin_ros.perception.learned.modules import ROLES, Modules, maker_of
from spatialpin_ros.perception.options import PerceptionOptions
from spatialpin_ros.perception.rgb.options import RgbOptions
from spatialpin_ros.typed import build, number

NOUNS = (
    "apple", "ball", "banana", "block", "book", "bottle", "bowl", "box", "can", "carton", "cube", "cup", "cylinder",
    "fork", "jar", "knife", "lemon", "marker", "mug", "orange", "pen", "phone", "plate", "screwdriver", "spoon",
    "tin", "toy", "tray", "tube", "wrench",
)  # fmt: skip
"""What a namer chooses from unless the YAML lists other nouns."""

_NETWORK_DEFAULTS = ("device", "precision", "batch_size", "offline")
_NOT_IN_YAML = {"perception", "base_T_camera", "workspace"}
_Options = TypeVar("_Options", PerceptionOptions, RgbOptions, FusionOptions)


@dataclass(frozen=True, slots=True)
class ObjectModel:
    """A mesh of a known object.

    Args:
        name: of the objects that it is a model of: a name, a noun, or colour and noun.
        file: GLB, glTF, OBJ, OFF, PLY or STL.
        unit_m: metres per unit of the file.
    """

    name: str
    file: Path
    unit_m: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class PerceptionConfig:
    """What a perception YAML says.

    Args:
        source: the file.
        makers: what makes the module of each role that has one.
        names: of objects to look for by the detector.
        lister: settings of a reasoning back end that names the objects in the image, in the place of `names`.
        nouns: that the namer chooses from.
        least_noun_score: a noun with a lower score is not believed.
        models: meshes of known objects.
        max_image_pixels: larger images are thinned by a whole stride before anything else.
        geometry, rgb, fusion: settings of the parts.
    """

    source: str = "defaults"
    makers: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    lister: Mapping[str, Any] | None = None
    nouns: tuple[str, ...] = NOUNS
    least_noun_score: float = 0.4
    models: tuple[ObjectModel, ...] = ()
    max_image_pixels: int = 2_100_000
    geometry: PerceptionOptions = field(default_factory=PerceptionOptions)
    rgb: RgbOptions = field(default_factory=RgbOptions)
    fusion: FusionOptions = field(default_factory=FusionOptions)

    def __post_init__(self) -> None:
        if not 0.0 <= self.least_noun_score <= 1.0:
            raise InvalidValueError(f"least_noun_score: must lie in 0..1, got {self.least_noun_score}")
        if self.max_image_pixels < 10_000:
            raise InvalidValueError(f"max_image_pixels: must be at least 10000, got {self.max_image_pixels}")

    def modules(self) -> Modules:
        """Make the modules; none is loaded before it is used."""
        return Modules(**dict(self.makers))

    @classmethod
    def load(cls, name_or_path: str = "geometric") -> PerceptionConfig:
        """Read config/perception/<name>.yaml, or the YAML file at a path.

        Raises:
            UnknownNameError: lists the files there are.
            InvalidValueError: on unknown keys and bad values, naming the file and what is known.
        """
        path = _locate(name_or_path)
        document = read_document(path)
        try:
            return _parse(document if document is not None else {}, path)
        except InvalidValueError as error:
            raise InvalidValueError(f"{path}: {error}") from error


def _parse(document: Any, path: Path) -> PerceptionConfig:
    if not isinstance(document, Mapping):
        raise InvalidValueError(f"expected keys such as detector and depth, got {document!r:.60}")
    parts: dict[str, type[Any]] = {"geometry": PerceptionOptions, "rgb": RgbOptions, "fusion": FusionOptions}
    plain = {"names", "nouns", "models", "least_noun_score", "max_image_pixels"}
    known = {*ROLES, *_NETWORK_DEFAULTS, *parts, *plain}
    if unknown := sorted(str(key) for key in set(document) - known):
        raise InvalidValueError(f"unknown keys {unknown}; known are {sorted(known)}")
    given = {key: value for key, value in document.items() if value is not None}
    defaults = {key: given[key] for key in _NETWORK_DEFAULTS if key in given}
    # Their types are told here, not only when a model is loaded.
    build(ModelSettings, {"model": "any", **defaults})
    names = given.get("names", ())
    values: dict[str, Any] = {
        key: number(key, given[key]) for key in ("least_noun_score", "max_image_pixels") if key in given
    }
    if "nouns" in given:
        values["nouns"] = _words("nouns", given["nouns"])
    return PerceptionConfig(
        source=str(path),
        makers={role: maker_of(role, given[role], defaults, path.parent) for role in ROLES if role in given},
        names=() if isinstance(names, Mapping) else _words("names", names),
        lister=_lister(names) if isinstance(names, Mapping) else None,
        models=_models(given.get("models", {}), path.parent),
        **{key: _options(key, kind, given[key]) for key, kind in parts.items() if key in given},
        **values,
    )


def _words(key: str, value: Any) -> tuple[str, ...]:
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)) or not all(isinstance(e, str) and e.strip() for e in entries):
        raise InvalidValueError(f"{key}: expected a list of words, got {value!r:.60}")
    return tuple(entry.strip() for entry in entries)


def _lister(value: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(value.get("backend"), str):
        raise InvalidValueError(
            "names: expected a list of words, or the settings of a vision-language model: "
            "{backend: openai, model: gpt-4o}"
        )
    return dict(value)


def _models(value: Any, folder: Path) -> tuple[ObjectModel, ...]:
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"models: expected 'name: mesh file' entries, got {value!r:.60}")
    models = []
    for name, entry in value.items():
        details = {"file": entry} if isinstance(entry, str) else entry
        if not isinstance(details, Mapping) or not {"file"} <= set(details) <= {"file", "unit_m"}:
            raise InvalidValueError(
                f"models: {name}: expected a mesh file or {{file: ..., unit_m: 0.001}}, got {entry!r:.60}"
            )
        unit_m = float(number(f"models: {name}: unit_m", details.get("unit_m", 1.0)))
        models.append(ObjectModel(str(name), _mesh_file(str(details["file"]), folder, str(name)), unit_m))
    return tuple(models)


def _mesh_file(text: str, folder: Path, name: str) -> Path:
    if text.startswith(("package://", "file://")):
        return resolve_uri(text)
    path = folder / Path(text).expanduser()
    if not path.is_file():
        raise InvalidValueError(f"models: {name}: there is no file {path}")
    return path


def _options(key: str, kind: type[_Options], value: Any) -> _Options:
    given = (
        {name: entry for name, entry in value.items() if entry is not None}
        if isinstance(value, Mapping)
        else value
    )
    return build(kind, given, key, _NOT_IN_YAML)


def _locate(name_or_path: str) -> Path:
    path = Path(name_or_path).expanduser()
    if path.suffix in (".yaml", ".yml"):
        return path.absolute()
    known = share_directory() / "config" / "perception"
    path = known / f"{name_or_path}.yaml"
    if not path.is_file():
        raise UnknownNameError(
            name_or_path, sorted(item.stem for item in known.glob("*.yaml")), "perception configuration"
        )
    return path
