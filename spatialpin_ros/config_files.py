# SPDX-License-Identifier: Apache-2.0
"""Where this package's files are, and YAML files into dataclasses; unknown or missing keys fail loudly."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TypeVar

from spatialpin_ros.documents import read_mapping
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.typed import build

Config = TypeVar("Config")


def share_directory() -> Path:
    """Folder that holds config/, urdf/ and launch/: the source tree, or the installed share folder."""
    source = Path(__file__).resolve().parent.parent
    if (source / "config" / "robots").is_dir():
        return source
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        share = Path(prefix) / "share" / "spatialpin_ros"
        if prefix and (share / "config" / "robots").is_dir():
            return share
    raise InvalidValueError(
        "config/robots not found: source the workspace's setup.bash, or run from the repository"
    )


def resolve_uri(uri: str) -> Path:
    """Turn package://<package>/<path>, file://<path> or a plain path into an existing path.

    A package is looked for as an ament package (share folder) and then as a Python package, so
    package://pybullet_data/... works.

    Raises:
        InvalidValueError: when the package or file does not exist.
    """
    if not uri.startswith("package://"):
        path = Path(uri.removeprefix("file://")).expanduser()
    else:
        package, _, inside = uri.removeprefix("package://").partition("/")
        path = _package_folder(package) / inside
    if not path.exists():
        raise InvalidValueError(f"'{uri}' points to {path}, which does not exist")
    return path


def _package_folder(package: str) -> Path:
    if package == "spatialpin_ros":
        return share_directory()
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix and (Path(prefix) / "share" / package).is_dir():
            return Path(prefix) / "share" / package
    module = importlib.util.find_spec(package)
    if module is None or not module.submodule_search_locations:
        raise InvalidValueError(
            f"package '{package}' is neither an ament package that is sourced nor a Python package"
        )
    return Path(next(iter(module.submodule_search_locations)))


def load(kind: type[Config], name_or_path: str, folder: str) -> Config:
    """Make a dataclass of config/<folder>/<name>.yaml, or of the YAML file at a path.

    Raises:
        UnknownNameError: lists the names that have a file.
        InvalidValueError: on unknown or missing keys and bad values, all of them, naming the file.
    """
    path = locate(name_or_path, folder)
    document = read_mapping(path)
    try:
        return build(kind, document)
    except InvalidValueError as error:
        raise InvalidValueError(f"{path}: {error}") from error


def locate(name_or_path: str, folder: str) -> Path:
    """Find config/<folder>/<name>.yaml, or the YAML file at a path.

    Raises:
        UnknownNameError: lists the names that have a file.
        InvalidValueError: when the path does not exist.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise InvalidValueError(f"{path} does not exist")
        return path
    known = share_directory() / "config" / folder
    path = known / f"{name_or_path}.yaml"
    if not path.is_file():
        raise UnknownNameError(
            name_or_path, sorted(item.stem for item in known.glob("*.yaml")), folder.rstrip("s")
        )
    return path
