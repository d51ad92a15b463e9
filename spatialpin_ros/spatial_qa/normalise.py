# SPDX-License-Identifier: Apache-2.0
"""Brings free text to one form before numbers are read from it: Unicode, LaTeX, number words and fractions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_ONES = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1000}
_PARTS = {
    "half": 0.5, "halves": 0.5, "third": 1 / 3, "thirds": 1 / 3, "quarter": 0.25, "quarters": 0.25, "fourth": 0.25,
    "fourths": 0.25, "fifth": 0.2, "fifths": 0.2, "eighth": 0.125, "eighths": 0.125, "tenth": 0.1, "tenths": 0.1,
}  # fmt: skip
_UNIT = r"(?:milli|centi|deci|kilo)?met(?:er|re)s?|inch(?:es)?|foot|feet|yards?|mm|cm|dm|km|m|ft|yd|degrees?|radians?"
_WORDS = "|".join([*_ONES, *_TENS, *_SCALES])
_NUMBER_WORDS = re.compile(rf"\b(?:a (?=hundred|thousand))?(?:{_WORDS})(?:[ -]+(?:and )?(?:{_WORDS}))*\b")
_PART_WORDS = "|".join(_PARTS)
_NOT_A_NUMBER = re.compile(
    r"(?:the|this|that|which|each|any|every|no|another|other|left|right|red|green|blue|yellow|orange|purple|cyan|pink|"
    r"black|white|gray|grey|brown|small|large|big|tall|short|smaller|larger|taller|shorter|first|second|last) $"
)


def normalise(text: str, names: Sequence[str] = ()) -> str:
    """The text in lower case with plain digits, ASCII signs and no object names.

    Args:
        text: as a model wrote it.
        names: phrases of the question that name objects; they are blanked out, with a number that follows a name.
    """
    text = re.sub(r"(\d)\s*([¼-¾⅐-⅞])", r"\1 \2", text)
    text = unicodedata.normalize("NFKC", text.replace("²", "^2").replace("³", "^3").replace("º", "°"))
    for pattern, plain in _SIGNS:
        text = re.sub(pattern, plain, text)
    text = re.sub(r"\s+", " ", text.lower())
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(
            rf"(?<!\w){re.escape(name.lower())}(?!\w)(?: #?\d+\b(?![.,]?\d| ?(?:{_UNIT})\b))?", "it", text
        )
    return _fractions(_number_words(text))


_SIGNS = (
    (r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2"),
    (r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]*)\}", r"\1"),
    (r"\\boxed\{([^{}]*)\}", r" final answer: \1 "),
    (r"\^\{?\\circ\}?|\\degree|\\circ", "°"),
    (r"\\(?:approx|sim)\b", " "),
    (r"\\times|×|·", "x"),
    (r"\\pm|\+/-", "±"),
    (r"\\[,;!() \[\]]|[$*_`]|\\", " "),
    (r"[‐‑‒–—−]", "-"),
    (r"[’‘′´]", "'"),
    (r"[“”″]|''", '"'),
    (r"⁄", "/"),
    (r"(\d)\s*/\s*(\d)", r"\1/\2"),
    (r"\s*x\s*10\s*\^?\s*\{?\s*([-+]?\d+)\s*\}?", r"e\1"),
)


def _number_words(text: str) -> str:
    text = re.sub(rf"\b({_WORDS}) (and )?(?:a|one) ({_PART_WORDS})\b", _with_part, text)
    text = re.sub(rf"\b(?:an?|one) ({_UNIT}) and (?:a|one) ({_PART_WORDS})\b",
                  lambda m: f"{1 + _PARTS[m[2]]:g} {m[1]}", text)  # fmt: skip
    text = re.sub(rf"\b(a|one|two|three|four) ({_PART_WORDS}) (?:of )?(?:an? |of an? )?(?={_UNIT})",
                  lambda m: f"{_ONES.get(m[1], 1) * _PARTS[m[2]]:g} ", text)  # fmt: skip
    text = re.sub(rf"\b({_PART_WORDS}) (?:of )?an? (?={_UNIT})", lambda m: f"{_PARTS[m[1]]:g} ", text)
    text = _NUMBER_WORDS.sub(lambda m: m[0] if _only_a_word(text, m) else str(_value(m[0])), text)
    return re.sub(rf"\b(?:an?|about a|a single) (?=(?:{_UNIT})\b)", "1 ", text)


def _with_part(match: re.Match[str]) -> str:
    return f"{_value(match[1]) + _PARTS[match[3]]:g}"


def _only_a_word(text: str, match: re.Match[str]) -> bool:
    """Whether "one" stands for an object, as in "the red one"."""
    return match[0] == "one" and _NOT_A_NUMBER.search(text[: match.start()]) is not None


def _value(words: str) -> int:
    total, group = 0, 0
    for word in re.split(r"[ -]+", words):
        if word in ("a", "and"):
            group = group or (1 if word == "a" else 0)
        elif word in _SCALES:
            group = max(group, 1) * _SCALES[word]
            if word == "thousand":
                total, group = total + group, 0
        else:
            group += _ONES.get(word, 0) + _TENS.get(word, 0)
    return total + group


def _fractions(text: str) -> str:
    """Turn "5 1/2" and "3/4" into decimals, unless the slash is a unit's or a date's."""
    text = re.sub(r"(?<![\d./])(\d+)(?: |-)(\d+)/(\d+)(?![\d/])",
                  lambda m: f"{int(m[1]) + int(m[2]) / max(int(m[3]), 1):.6g}", text)  # fmt: skip
    return re.sub(r"(?<![\d./])(\d+)/(\d+)(?![\d/])", lambda m: f"{int(m[1]) / max(int(m[2]), 1):.6g}", text)
