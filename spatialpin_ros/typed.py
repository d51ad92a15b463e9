# SPDX-License-Identifier: Apache-2.0
"""Documents into dataclasses: every value is held against its field's annotation, and all faults are told at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from spatialpin_ros.errors import InvalidValueError

Config = TypeVar("Config")


@dataclass(frozen=True, slots=True)
class Within:
    """In an annotation: where a number, or each of an array, lies in every sound file.

    Args:
        low, high: the bounds, themselves allowed.
        unit: of the number.
        hint: what may have been meant by a number that is too large.
        above: `low` itself is not allowed.
    """

    low: float
    high: float
    unit: str = ""
    hint: str = ""
    above: bool = False

    def fault(self, value: Any) -> str:
        """What is wrong with a number or an array; empty when nothing is."""
        for number in np.atleast_1d(np.asarray(value, dtype=np.float64)).tolist():
            if abs(number) > max(abs(self.low), abs(self.high)):
                hint = f": {self.hint}" if self.hint else ""
                return f"{self._told(number)} is not between {self._told(self.low)} and {self._told(self.high)}{hint}"
            if self.above and number <= self.low:
                return f"{self._told(number)} is not more than {self._told(self.low)}"
            if not self.low <= number <= self.high:
                return (
                    f"{self._told(number)} is not between {self._told(self.low)} and {self._told(self.high)}"
                )
        return ""

    def _told(self, number: float) -> str:
        return f"{number:.6g} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Length:
    """In an annotation: how many entries a list or array has."""

    count: int

    def fault(self, value: Any) -> str:
        """What is wrong with a list; empty when nothing is."""
        return "" if len(value) == self.count else f"expected {self.count} entries, got {len(value)}"


def build(kind: type[Config], document: Any, where: str = "", without: Collection[str] = ()) -> Config:
    """Make a dataclass, and those in it, of a document's keys.

    Numbers must be finite and lie `Within` what the annotation says, whole where it says int; texts are empty only
    where that is the default.

    Args:
        kind: the dataclass.
        document: a mapping of its fields, as YAML or JSON gave it.
        where: key under which the document stands in its file; empty: it is the file.
        without: fields that cannot be given.

    Raises:
        InvalidValueError: names the key and value of everything that is wrong.
    """
    reading = _Reading()
    made = reading.instance(kind, document, where, without)
    if reading.faults:
        raise InvalidValueError("; ".join(reading.faults))
    return made  # type: ignore[no-any-return]


def number(key: str, value: Any, what: str = "a number") -> Any:
    """A finite int or float.

    Raises:
        InvalidValueError: when it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidValueError(f"{key}: expected {what}, got {_shown(value)}{_number_meant(value)}")
    # Written so that NaN fails, too, and a whole number beyond every float.
    if not abs(value) <= sys.float_info.max:
        raise InvalidValueError(f"{key}: expected a finite number, got {_shown(value)}")
    return value


class _Reading:
    """Reads one document and keeps what is wrong with it."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def instance(self, kind: type[Any], document: Any, where: str, without: Collection[str] = ()) -> Any:
        """A dataclass, or None after a fault."""
        if not isinstance(document, Mapping):
            return self._fault(where, f"expected a mapping of keys, got {_shown(document)}")
        before = len(self.faults)
        known = {item.name: item for item in fields(kind) if item.name not in without}
        if unknown := sorted(str(key) for key in document if key not in known):
            self._fault(where, f"unknown keys {unknown}; known are {sorted(known)}")
        if missing := [name for name, item in known.items() if name not in document and _is_needed(item)]:
            self._fault(where, f"missing keys {missing}")
        hints = get_type_hints(kind, include_extras=True)
        given = {
            name: self.value(hints[name], document[name], f"{where}.{name}".lstrip("."), item.default == "")
            for name, item in known.items()
            if name in document
        }
        if len(self.faults) > before:
            return None
        try:
            return kind(**given)
        except (InvalidValueError, TypeError) as error:
            return self._fault(where, str(error))

    def value(self, hint: Any, value: Any, key: str, may_be_empty: bool = False) -> Any:
        """The value as its annotation wants it, or None after a fault; what has no plain type is left as it is."""
        origin, kinds = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._bounded(kinds[0], kinds[1:], value, key)
        if origin in (Union, UnionType):
            if value is None and NoneType in kinds:
                return None
            others = [kind for kind in kinds if kind is not NoneType]
            return self.value(others[0], value, key, may_be_empty) if len(others) == 1 else value
        if origin is Literal:
            return (
                value if value in kinds else self._fault(key, f"expected one of {kinds}, got {_shown(value)}")
            )
        if origin is np.ndarray:
            numbers = self._entries(float, value, key)
            return None if numbers is None else np.array(numbers, dtype=np.float64)
        if origin is list or (origin is tuple and kinds[1:] == (...,)):
            entries = self._entries(kinds[0], value, key)
            return None if entries is None else origin(entries)
        if origin is dict:
            return self._entries_by_name(kinds[1], value, key)
        if is_dataclass(hint):
            return self.instance(hint, value, key)  # type: ignore[arg-type]
        return self._plain(hint, value, key, may_be_empty)

    def _bounded(self, hint: Any, bounds: Sequence[Any], value: Any, key: str) -> Any:
        before = len(self.faults)
        made = self.value(hint, value, key)
        if len(self.faults) > before or made is None:
            return made
        return (
            made
            if not (fault := next(filter(None, (each.fault(made) for each in bounds)), ""))
            else self._fault(key, fault)
        )

    def _entries(self, hint: Any, value: Any, key: str) -> Any:
        if not isinstance(value, (list, tuple, np.ndarray)):
            meant = f"; write [{value}]" if isinstance(value, str) and hint is str else ""
            return self._fault(key, f"expected a list, got {_shown(value)}{meant}")
        before = len(self.faults)
        entries = [self.value(hint, entry, f"{key}[{i}]") for i, entry in enumerate(value)]
        return entries if len(self.faults) == before else None

    def _entries_by_name(self, hint: Any, value: Any, key: str) -> Any:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            return self._fault(key, f"expected names and values, got {_shown(value)}")
        return {name: self.value(hint, entry, f"{key}.{name}") for name, entry in value.items()}

    def _plain(self, hint: Any, value: Any, key: str, may_be_empty: bool) -> Any:
        try:
            return _PLAIN[hint](key, value, may_be_empty) if hint in _PLAIN else value
        except InvalidValueError as error:
            self.faults.append(str(error))
            return None

    def _fault(self, where: str, what: str) -> Any:
        self.faults.append(f"{where}: {what}" if where else what)
        return None


def _bool(key: str, value: Any, _: bool) -> bool:
    if not isinstance(value, bool):
        raise InvalidValueError(f"{key}: expected true or false, got {_shown(value)}")
    return value


def _int(key: str, value: Any, _: bool) -> int:
    if number(key, value, "a whole number") != int(value):
        raise InvalidValueError(f"{key}: expected a whole number, got {_shown(value)}")
    return int(value)


def _text(key: str, value: Any, may_be_empty: bool) -> str:
    if not isinstance(value, str):
        raise InvalidValueError(f"{key}: expected text, got {_shown(value)}")
    if not value.strip() and not may_be_empty:
        raise InvalidValueError(f"{key}: must not be empty")
    return value


_PLAIN: dict[Any, Callable[[str, Any, bool], Any]] = {
    bool: _bool,
    int: _int,
    float: lambda key, value, _: float(number(key, value)),
    str: _text,
}


def _is_needed(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"{value!r:.60}"


def _number_meant(value: Any) -> str:
    """What to write for '1e-2', which is a number in Python but none in YAML 1.1."""
    try:
        meant = float(value) if isinstance(value, str) else np.nan
    except ValueError:
        return ""
    if not np.isfinite(meant):
        return ""
    return f", which YAML takes for text; write {np.format_float_positional(meant, trim='-')}"
