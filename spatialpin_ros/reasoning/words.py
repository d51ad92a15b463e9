# SPDX-License-Identifier: Apache-2.0
"""The English that requests and questions may use: words for colours, shapes and sizes, spatial prepositions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

COLORS: dict[str, str] = {
    **{
        name: name
        for name in ("red", "green", "blue", "yellow", "orange", "purple", "white", "black", "cyan", "pink")
    },
    **dict.fromkeys(("gray", "grey", "silver"), "gray"),
    **dict.fromkeys(("violet", "lilac"), "purple"),
    **dict.fromkeys(("magenta", "rose"), "pink"),
    **dict.fromkeys(("turquoise", "teal", "aqua"), "cyan"),
    **dict.fromkeys(("brown", "tan", "wooden"), "brown"),
    "crimson": "red",
    "navy": "blue",
    "golden": "yellow",
}

CUBE = frozenset({"cube", "dice", "die", "cubic"})
BLOCK = frozenset({"block", "box", "brick", "cuboid", "package", "carton", "prism", "rectangular"})
CYLINDER = frozenset(
    {"cylinder", "can", "tube", "tin", "roll", "barrel", "disc", "disk", "puck", "cylindrical"}
)
SPHERE = frozenset({"ball", "sphere", "globe", "orb", "marble", "spherical"})
ANYTHING = frozenset({"object", "thing", "item", "one", "piece", "shape", "stuff", "everything", "anything"})
TABLE_WORDS = frozenset(
    {"table", "tabletop", "desk", "surface", "floor", "ground", "workspace", "bench", "counter"}
)
ROBOT_WORDS = frozenset({"robot", "arm", "gripper", "base", "hand"})
VIEWER_WORDS = frozenset({"camera", "viewer", "me", "us", "observer", "you", "yourself"})
QUANTIFIERS = frozenset({"all", "every", "each", "both", "any", "some"})
DETERMINERS = QUANTIFIERS | {"the", "a", "an", "that", "this", "these", "those", "my", "your", "of"}
FILLERS = frozenset(
    {
        "colored",
        "coloured",
        "is",
        "are",
        "which",
        "other",
        "round",
        "square",
        "solid",
        "there",
        "with",
        "id",
        "called",
        "named",
    }
)
PRONOUNS = frozenset({"it", "them"})
_COUNTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {word: i for i, word in enumerate(_COUNTS)}
ORDINALS = {
    word: i + 1
    for i, word in enumerate(["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"])
} | {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5}

# Adjective -> (measure of relations.MEASURES, +1 for the larger end).
SIZES: dict[str, tuple[str, int]] = {
    **dict.fromkeys(("large", "big", "huge", "great"), ("size", 1)),
    **dict.fromkeys(("small", "little", "tiny"), ("size", -1)),
    **dict.fromkeys(("tall", "high"), ("height", 1)),
    **dict.fromkeys(("short", "low", "flat"), ("height", -1)),
    **dict.fromkeys(("wide", "broad", "long"), ("width", 1)),
    "narrow": ("width", -1),
    **dict.fromkeys(("thick", "deep"), ("depth", 1)),
    **dict.fromkeys(("thin", "slim", "slender"), ("depth", -1)),
}
_EXTREME_SIZES = {
    "biggest": "big",
    "flattest": "flat",
    "thinnest": "thin",
    "slimmest": "slim",
    "tiniest": "tiny",
}
SUPERLATIVES = {
    **{(word if word.endswith("e") else f"{word}e") + "st": SIZES[word] for word in SIZES},
    **{word: SIZES[base] for word, base in _EXTREME_SIZES.items()},
    "littlest": ("size", -1),
}
COMPARATIVES = {word.removesuffix("st") + "r": meaning for word, meaning in SUPERLATIVES.items()}

# Words for the extreme object along an axis of the viewer's frame.
EXTREMES: dict[str, tuple[str, int]] = {
    "leftmost": ("right", -1),
    "rightmost": ("right", 1),
    "frontmost": ("front", 1),
    "foremost": ("front", 1),
    "backmost": ("front", -1),
    "rearmost": ("front", -1),
    "topmost": ("up", 1),
    "highest": ("up", 1),
    "uppermost": ("up", 1),
    "bottommost": ("up", -1),
    "lowest": ("up", -1),
}
# The same before a noun ("the left cube"), as scenes name objects that only their place tells apart.
PLACES: dict[str, tuple[str, int]] = {
    "left": ("right", -1),
    "right": ("right", 1),
    "front": ("front", 1),
    "back": ("front", -1),
    "near": ("front", 1),
    "far": ("front", -1),
    "top": ("up", 1),
    "bottom": ("up", -1),
}
SELF = frozenset({"itself", "themselves"})
CLOSEST = frozenset({"closest", "nearest"})
FARTHEST = frozenset({"farthest", "furthest"})
for _word in ("highest", "lowest"):
    SUPERLATIVES.pop(_word)

_SIDE = r"(?:(?:far|very|extreme) )?(left|right|front|back|rear|middle|center|centre)(?: hand)?"
_PART = r"(?: (?:side|part|half|edge|end|corner|area))"
_LEAD = r"(?:(?:to|on|at|onto|towards?|in|into) )?(?:the |its |my |your )?"
_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"in front of", "in_front_of"),
    (r"(?:behind|in back of)", "behind"),
    (rf"{_LEAD}{_SIDE}{_PART}? of", "side_of"),
    (rf"(?:to|onto) (?:the |my |your )?{_SIDE}{_PART}", "side"),
    (rf"(?:on|at|in|into) (?:the |my |your )?{_SIDE}{_PART}?", "side"),
    (r"(?:to|towards?) (?:the |my |your )?(left|right|front|back|rear)(?: hand)?", "shift"),
    (r"to (?:the )?(middle|center|centre)", "side"),
    (r"(forwards?|backwards?|leftwards?|rightwards?|left|right|back)", "shift"),
    (r"(?:closer|nearer) to(?:wards?)?|towards?", "toward"),
    (r"(?:away from|off of|off|from)", "off"),
    (r"(?:out of the way|to the side|aside|away|elsewhere|somewhere else)", "aside"),
    (r"(?:down )?(?:on top of|on to|onto|upon|atop|on|over)", "on"),
    (r"above", "above"),
    (r"(?:underneath|under|beneath|below)", "below"),
    (
        r"(?:right )?(?:next to|besides?|near to|near|nearby|close to|adjacent to|alongside|by the side of|by)",
        "near",
    ),
    (r"(?:in )?between", "between"),
    (r"(?:inside of|inside|into|within|in)", "inside"),
)
_COMPILED = tuple((re.compile(rf"{pattern}(?= |$)"), relation) for pattern, relation in _PATTERNS)
_DISTANCE = re.compile(
    r"(?:by |about |roughly )*(\d+(?:\.\d+)?|an?|one|two|three|four|five|ten) "
    r"(mm|millimet(?:er|re)s?|cm|centimet(?:er|re)s?|m|met(?:er|re)s?|inch(?:es)?)(?: further)?(?= |$)"
)
_UNITS_M = {"mm": 0.001, "mi": 0.001, "cm": 0.01, "ce": 0.01, "m": 1.0, "me": 1.0, "in": 0.0254}
OPERAND_FREE = frozenset({"side", "shift", "aside"})


@dataclass(frozen=True, slots=True)
class Preposition:
    """A spatial preposition found in a request: what it means, which side it names, how many words it takes."""

    relation: str
    side: str
    words: int


def tokenize(text: str) -> list[str]:
    """Lower-case words, numbers and the punctuation that separates clauses."""
    lowered = text.lower().replace("’", "'").replace("`", "'")
    lowered = re.sub(r"\b(left|right|front|back|rear|top|bottom)-?\s?most\b", r"\1most", lowered)
    lowered = re.sub(r"(\d),(\d)", r"\1.\2", lowered)
    lowered = re.sub(r"(\d)\s*(mm|cm|m)\b", r"\1 \2", lowered)
    lowered = re.sub(r"(\w)'s\b", r"\1 s", lowered).replace("'", " ").replace("-", " ")
    lowered = re.sub(
        r"\b(?:slightly|a (?:little )?bit|a little(?= (?:to|left|right|back|for|away|clos)))\b", " ", lowered
    )
    return re.findall(r"\d+(?:\.\d+)?(?:st|nd|rd|th)?|[^\W\d]\w*|[,;.?!]", lowered)


def prepositions_at(tokens: Sequence[str], index: int) -> list[Preposition]:
    """Every preposition that may start at a word, the likeliest first ("on the left", "on")."""
    text = " ".join(tokens[index : index + 8])
    found = []
    for pattern, relation in _COMPILED:
        if match := pattern.match(text):
            side = next((group for group in match.groups() if group), "")
            side = {"rear": "back", "center": "middle", "centre": "middle"}.get(side, side)
            side = next((name for name in ("left", "right", "back") if side.startswith(name)), side)
            side = "front" if side.startswith("forward") else side
            found.append(Preposition(relation, side, len(match.group(0).split())))
    return found


def preposition_at(tokens: Sequence[str], index: int) -> Preposition | None:
    """The likeliest preposition that starts at a word."""
    found = prepositions_at(tokens, index)
    return found[0] if found else None


def distance_at(tokens: Sequence[str], index: int) -> tuple[float, int] | None:
    """Read a length such as "10 cm" or "by 2 inches" [m] and the number of words it takes."""
    match = _DISTANCE.match(" ".join(tokens[index : index + 6]))
    if not match:
        return None
    number = match.group(1)
    value = float(number) if number[0].isdigit() else float({"a": 1, "an": 1}.get(number) or NUMBERS[number])
    unit = match.group(2)
    return value * _UNITS_M[unit if len(unit) == 1 else unit[:2]], len(match.group(0).split())


def singular(word: str) -> str:
    """Singular of a plural noun that the vocabulary knows, or the word itself."""
    for ending, replacement in (("es", ""), ("s", ""), ("ies", "y")):
        base = word.removesuffix(ending) + replacement
        if word.endswith(ending) and base in NOUNS:
            return base
    return word


NOUNS = CUBE | BLOCK | CYLINDER | SPHERE | ANYTHING | TABLE_WORDS
VOCABULARY = frozenset(
    {
        *COLORS,
        *NOUNS,
        *SIZES,
        *SUPERLATIVES,
        *COMPARATIVES,
        *EXTREMES,
        *CLOSEST,
        *FARTHEST,
        *ORDINALS,
        *NUMBERS,
    }
)


def suggest(word: str, also: Iterable[str] = ()) -> str:
    """The known word that an unknown one most looks like, or nothing."""
    close = difflib.get_close_matches(word, sorted({*VOCABULARY, *also}), n=1, cutoff=0.7)
    return close[0] if close else ""
