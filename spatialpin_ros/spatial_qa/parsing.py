# SPDX-License-Identifier: Apache-2.0
"""Reads free-text answers: a number with its unit, yes or no, or one of several options."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spatialpin_ros.spatial_qa.normalise import normalise
from spatialpin_ros.spatial_qa.question import Dimension

Status = Literal["ok", "no_number", "no_unit", "wrong_dimension", "ambiguous", "refused"]
AGREEMENT = 0.05

_LENGTHS = {
    r"millimet(?:er|re)s?|mm": 1e-3, r"centimet(?:er|re)s?|cms?": 1e-2, r"decimet(?:er|re)s?|dm": 1e-1,
    r"kilomet(?:er|re)s?|km": 1e3, r"micromet(?:er|re)s?|[µμu]m": 1e-6, r"met(?:er|re)s?|m": 1.0,
    r"inch(?:es)?|ins\b|in(?=\.?(?:$|[;:!?)\]/,-]|\.\s|\.$| (?:tall|wide|long|high|deep|thick|apart|away|from|between|"
    r"to|and|or|above|below|behind|left|right|of|farther|further|closer|\(|=)))|\"": 0.0254,
    r"foot|feet|ft": 0.3048, r"yards?|yds?": 0.9144,
}  # fmt: skip
_ANGLES = {r"degrees?|degs?|°": 1.0, r"radians?|rads?": 180.0 / math.pi}
_OTHERS = (
    r"(?:square|cubic|sq|cu)\.? \w+|(?:mm|cm|dm|m|ft|in)\^?[23]|m/s|kg|grams?|g|seconds?|secs?|s|ms|%|percent|"
    r"pixels?|px|lit(?:er|re)s?|l|ml|hours?|minutes?"
)
_NUMBER = r"(?:\d{1,3}(?:[ ,]\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d+|\d+(?:[.,]\d+)?|\.\d+)(?:e[-+]?\d+)?"
_SIGNED = rf"(?<![\w.,])[-+]?{_NUMBER}"
_PI = r"(?:(?P<times>\d+(?:\.\d+)?) ?)?(?:π|pi)(?: ?/ ?(?P<over>\d+))?"
_FINAL = re.compile(r"(?:final answer|the answer|answer)(?: is| would be)?\s*[:=]?\s*(?!is)")
_ABOUT = r"(?:about|roughly|approximately|~|≈)"
_EQUIVALENT = re.compile(rf"[ ,]*(?:\(|=|or|i\.?e\.?,?|{_ABOUT})(?:[ (]*{_ABOUT})? *")
_REFUSAL = re.compile(
    r"\b(?:cannot|can ?not|can't|can t|unable to|not able to|impossible to|not possible to|no way to|don't|do not|"
    r"difficult to|hard to)\b.{0,40}\b(?:determine|measure|tell|estimate|answer|say|know|provide|calculate|give)|"
    r"\bi'?m sorry\b|\bnot enough information\b|\binsufficient\b"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says.

    Args:
        status: "ok", or why there is no value.
        value: in metres, degrees or pieces; the middle of a range.
        low, high: the range, equal to the value where there is none.
    """

    status: Status
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A number in the text: dimension "length", "angle", "other" or "" (bare), and value in its SI unit or degrees."""

    start: int
    end: int
    dimension: str
    value: float
    low: float
    high: float
    scale: float = 1.0


def read_quantity(text: str, dimension: Dimension, names: Sequence[str] = ()) -> Reading:
    """Read the quantity that an answer states.

    A "final answer" is preferred, then the last quantity of the dimension asked for. Feet with inches are one
    quantity; a range keeps its ends; an equivalent in brackets must agree within 5%; alternatives joined by "or"
    that do not agree are ambiguous. A length or angle without a unit is not guessed.

    Args:
        text: the answer.
        dimension: what was asked for.
        names: object names in the question, in which numbers mean nothing.
    """
    plain = normalise(text, names)
    found = _quantities(plain)
    starts = [match.end() for match in _FINAL.finditer(plain)]
    wanted = "" if dimension == "count" else dimension
    for start in reversed(starts):
        stop = re.search(r"\. |;", plain[start:])
        end = start + stop.start() if stop else len(plain)
        tail = [item for item in found if start - 1 <= item.start < end]
        if any(item.dimension == wanted for item in tail):
            return _choose(
                plain, tail[:1] if dimension == "count" else tail, wanted, first=dimension == "count"
            )
    return _choose(plain, found, wanted, first=dimension == "count")


def _choose(plain: str, found: Sequence[_Quantity], wanted: str, *, first: bool) -> Reading:
    right = [item for item in found if item.dimension == wanted]
    if not right:
        return _without(plain, found, wanted)
    if first:
        chosen = next(
            (item for item in right if re.search(r"there (?:is|are) $", plain[: item.start])), right[0]
        )
        return Reading("ok", chosen.value, chosen.low, chosen.high)
    last = right[-1]
    for earlier in reversed(right[:-1]):
        between = plain[earlier.end : last.start]
        if _EQUIVALENT.fullmatch(between) is None:
            break
        if not _agree(earlier.value, last.value):
            return Reading("ambiguous")
        last = earlier
    return Reading("ok", last.value, last.low, last.high)


def _without(plain: str, found: Sequence[_Quantity], wanted: str) -> Reading:
    if wanted == "" and re.search(r"\b(?:no|none|nothing|not any)\b", plain):
        return Reading("ok", 0.0, 0.0, 0.0)
    if _REFUSAL.search(plain):
        return Reading("refused")
    if not found:
        return Reading("no_number")
    return Reading("wrong_dimension" if any(item.dimension for item in found) else "no_unit")


def _agree(a: float, b: float) -> bool:
    return abs(a - b) <= AGREEMENT * max(abs(a), abs(b))


def _units(table: dict[str, float], dimension: str) -> list[tuple[re.Pattern[str], float, str]]:
    return [
        (re.compile(rf"[ -]?(?:{pattern})(?![\w^²³/])"), scale, dimension) for pattern, scale in table.items()
    ]


_OTHER_UNITS: list[tuple[re.Pattern[str], float, str]] = [
    (re.compile(rf"[ -]?(?:{_OTHERS})(?!\w)"), 1.0, "other")
]
_PRIME: list[tuple[re.Pattern[str], float, str]] = [(re.compile(r" ?'(?![a-z'])"), 0.3048, "length")]
_UNITS = _OTHER_UNITS + _units(_LENGTHS, "length") + _PRIME + _units(_ANGLES, "angle")


def _quantities(plain: str) -> list[_Quantity]:
    pis = _pis(plain)
    numbers = [item for item in _numbers(plain) if not any(pi.start <= item.start < pi.end for pi in pis)]
    singles = sorted([*numbers, *pis], key=lambda item: item.start)
    merged: list[_Quantity] = []
    for item in singles:
        joined = _join(plain, merged[-1], item) if merged else None
        if joined is None:
            merged.append(item)
        else:
            merged[-1] = joined
    return merged


def _numbers(plain: str) -> list[_Quantity]:
    found = []
    for match in re.finditer(_SIGNED, plain):
        text = match[0]
        # "10-15 cm": the dash after a digit is a range's, not a sign.
        if text[0] in "+-" and re.search(r"[\d\w\"'°] ?$", plain[: match.start()]):
            text = text[1:]
        value = _number(text)
        unit, scale, end = "", 1.0, match.end()
        for pattern, factor, dimension in _UNITS:
            if after := pattern.match(plain, match.end()):
                unit, scale, end = dimension, factor, after.end()
                break
        if not unit and re.match(r"\w", plain[end : end + 1]):
            continue
        found.append(_Quantity(match.start(), end, unit, value * scale, value * scale, value * scale, scale))
    return found


def _pis(plain: str) -> list[_Quantity]:
    found = []
    for match in re.finditer(rf"(?<!\w){_PI}(?: ?rad(?:ian)?s?)?(?!\w)", plain):
        value = 180.0 * float(match["times"] or 1) / float(match["over"] or 1)
        found.append(_Quantity(match.start(), match.end(), "angle", value, value, value, 180.0))
    return found


def _number(text: str) -> float:
    mantissa, _, exponent = text.partition("e")
    sign = -1.0 if mantissa.startswith("-") else 1.0
    digits = mantissa.lstrip("+-").replace(" ", "")
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+", digits):
        digits = digits.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", digits):
        digits = digits.replace(",", "")
    else:
        digits = digits.replace(",", ".")
    return float(sign * float(digits) * 10.0 ** int(exponent or 0))


def _join(plain: str, first: _Quantity, second: _Quantity) -> _Quantity | None:
    """Feet and inches, a range or a tolerance as one quantity, or None."""
    between = plain[first.end : second.start]
    start, end, dimension = first.start, second.end, second.dimension
    if first.dimension == dimension == "length" and second.scale < first.scale:
        system = _imperial(first) == _imperial(second)
        if system and re.fullmatch(r" ?(?:and )?", between) and 0.0 <= second.value < first.scale:
            value = first.value + math.copysign(second.value, first.value)
            return _Quantity(start, end, dimension, value, value, value, second.scale)
    if first.dimension not in ("", dimension) or dimension == "other":
        return None
    low = first.value * (second.scale if first.dimension == "" else 1.0)
    if re.fullmatch(r" ?± ?", between):
        return _Quantity(start, end, dimension, low, low - second.value, low + second.value, second.scale)
    ranged = re.fullmatch(r" ?(?:-|to|~|up to) ?-?", between) or (
        re.fullmatch(r" and ", between)
        and re.search(r"(?:between|from) (?:about |roughly )?$", plain[:start])
    )
    if ranged and low <= second.value:
        return _Quantity(start, end, dimension, 0.5 * (low + second.value), low, second.value, second.scale)
    return None


def _imperial(item: _Quantity) -> bool:
    return item.scale in (0.0254, 0.3048, 0.9144)


def read_yes_no(text: str) -> bool | None:
    """Read yes or no: the last "final answer", else the first word that says either; None when nothing does."""
    plain = normalise(text)
    finals = [match.end() for match in _FINAL.finditer(plain)]
    for start in [*reversed(finals), 0]:
        if match := re.search(r"\b(yes|yeah|yep|correct|true|no|nope|incorrect|false|not)\b", plain[start:]):
            return match[1] in ("yes", "yeah", "yep", "correct", "true")
    return None


def read_choice(text: str, options: Sequence[str]) -> int | None:
    """Index of the option that an answer names: the only one, else the first in its final answer or first sentence.

    Options that contain each other are told apart by the longest match; "A, not B" and "A than B" mean A.
    """
    plain = " ".join(text.lower().replace("*", " ").split())
    starts = [match.end() for match in _FINAL.finditer(plain)]
    for start in [*reversed(starts), 0]:
        places: list[tuple[int, int]] = []
        taken = plain[start:]
        for index in sorted(range(len(options)), key=lambda i: -len(options[i])):
            option = options[index].lower()
            if match := re.search(rf"(?<!\w){re.escape(option)}(?!\w)", taken):
                negated = re.search(r"\b(?:not|than|unlike) (?:to )?(?:the |a )?$", taken[: match.start()])
                if not negated:
                    places.append((match.start(), index))
                taken = taken[: match.start()] + "#" * len(option) + taken[match.end() :]
        if places:
            return min(places)[1]
    return None
